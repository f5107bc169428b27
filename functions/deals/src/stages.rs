//! Stages of pipelines.
//!
//! The item of a pipeline contains its stages.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use deserr::Deserr;
use futures_util::future::OptionFuture;
use lambda_http::http::StatusCode;
use shared::deals::stage_deletion::{DeletionContext, DeletionParams, StageDeletion, being_deleted};
use shared::deals::{Pipeline, PipelineId, Stage, StageFields, StageId, StageIndex, StageTotals};
use shared::identity::{ClientId, ClientScope, ManagePipelines, UseCrm};
use shared::table::{Store, Transaction};
use shared::users::require_current_actor;
use shared::value::{InvalidValue, ValidationErrors};
use shared::web::page::PageParams;
use shared::web::{
    Access, App, Body, Create, Created, Deleted, ErrorCode, IfMatch, IfNoneMatch, Page, Paging, Parameters, Patch,
    PathId, PathIds, Problem, Result, WithEtag,
};
use utoipa::ToSchema;

use crate::pipelines::CreateStageRequest;

type StagePage = Page<Stage>;

/// The new order of the stages of a pipeline.
#[derive(Deserr, ToSchema)]
#[deserr(error = ValidationErrors, rename_all = camelCase, deny_unknown_fields)]
#[schema(rename_all = "camelCase", example = json!({
    "stageIds": ["01900000-0000-7000-8000-000000000005"]
}))]
pub(crate) struct ReorderStagesRequest {
    /// The ids of all stages of the pipeline, each once, in their new order.
    stage_ids: Vec<StageId>,
}

/// Create a stage.
///
/// A pipeline has at most 50 stages.
#[utoipa::path(
    post, path = "/v1/clients/{clientId}/pipelines/{pipelineId}/stages", tag = "deals", operation_id = "createStage",
    params(
        ("clientId" = ClientId, Path, description = "The client's id."),
        ("pipelineId" = PipelineId, Path, description = "The pipeline's id.")
    ),
    request_body = CreateStageRequest,
    responses((status = 201, body = Stage, description = "The new stage.")),
    extensions(("x-errors" = json!(["forbidden", "too_many_stages", "being_deleted"])))
)]
pub(crate) async fn create(
    client: Access<ClientScope, ManagePipelines>,
    PathId(id): PathId<Pipeline>,
    State(app): State<App>,
    store: Store,
    Create { fields, request }: Create<CreateStageRequest>,
) -> Result<Created> {
    let key = client.pipeline(id);
    let order = fields.order.map_or(usize::MAX, index_of);
    let new = fields.into_stage(&app, *client, id, StageIndex::LEAST);
    let decide = |pipeline: &Pipeline, transaction: &mut Transaction| {
        if pipeline.moves_to.is_some() {
            return Err(being_deleted());
        }
        if pipeline.stages.len() >= Pipeline::MAX_STAGES {
            let detail = "The pipeline has the largest number of stages, 50. Delete one first.";
            return Err(Problem::new(ErrorCode::TooManyStages, detail));
        }
        let order = order.min(pipeline.stages.len());
        let mut new = new.clone();
        new.fields.order = StageIndex::saturating(order);
        let mut stages = pipeline.stages.clone();
        stages.insert(order, new.clone());
        let next = pipeline.with_stages(stages, app.now());
        transaction.replace(&key, &next, pipeline.meta.version)?;
        transaction.create(&client.stage_totals(new.id), &StageTotals::new(id))?;
        let location = format!("/v1/clients/{}/pipelines/{id}/stages/{}", client.id(), new.id);
        Created::new(StatusCode::CREATED, &new, location)
    };
    request.retry_on_conflict(&store, *client, async || Ok(store.find(&key).await?), decide).await
}

/// List the stages of a pipeline in their order.
#[utoipa::path(
    get, path = "/v1/clients/{clientId}/pipelines/{pipelineId}/stages", tag = "deals", operation_id = "listStages",
    params(
        ("clientId" = ClientId, Path, description = "The client's id."),
        ("pipelineId" = PipelineId, Path, description = "The pipeline's id."), PageParams
    ),
    responses((status = 200, body = StagePage, description = "A page of stages."))
)]
pub(crate) async fn list(
    client: Access<ClientScope, UseCrm>,
    PathId(id): PathId<Pipeline>,
    store: Store,
    paging: Paging,
) -> Result<Json<StagePage>> {
    let pipeline = store.find(&client.pipeline(id)).await?;
    // The list of the pipeline's deals identifies this list: a cursor of one pipeline is invalid for another.
    paging.page_of_elements(&client.deals_of_pipeline(id), pipeline.stages, |stage| stage.id).map(Json)
}

/// Get a stage.
#[utoipa::path(
    get, path = "/v1/clients/{clientId}/pipelines/{pipelineId}/stages/{stageId}", tag = "deals",
    operation_id = "getStage",
    params(
        ("clientId" = ClientId, Path, description = "The client's id."),
        ("pipelineId" = PipelineId, Path, description = "The pipeline's id."),
        ("stageId" = StageId, Path, description = "The stage's id.")
    ),
    responses((status = 200, body = Stage, description = "The stage.")),
    extensions(("x-versioned" = json!(true)))
)]
pub(crate) async fn get(
    client: Access<ClientScope, UseCrm>,
    PathIds(pipeline, id): PathIds<Pipeline, Stage>,
    store: Store,
    if_none_match: IfNoneMatch,
) -> Result<WithEtag<Stage>> {
    let pipeline = store.find(&client.pipeline(pipeline)).await?;
    let (_, stage) = find(&pipeline, id)?;
    Ok(WithEtag::unless(stage.clone(), if_none_match))
}

/// Update a stage.
///
/// Another `order` moves the stage among the stages of its pipeline. An `order` past the last stage moves it
/// to the end.
#[utoipa::path(
    patch, path = "/v1/clients/{clientId}/pipelines/{pipelineId}/stages/{stageId}", tag = "deals",
    operation_id = "updateStage",
    params(
        ("clientId" = ClientId, Path, description = "The client's id."),
        ("pipelineId" = PipelineId, Path, description = "The pipeline's id."),
        ("stageId" = StageId, Path, description = "The stage's id.")
    ),
    request_body(content = StageFields, content_type = "application/merge-patch+json"),
    responses((status = 200, body = Stage, description = "The updated stage.")),
    extensions(("x-errors" = json!(["forbidden"])), ("x-versioned" = json!(true)))
)]
pub(crate) async fn update(
    client: Access<ClientScope, ManagePipelines>,
    PathIds(pipeline, id): PathIds<Pipeline, Stage>,
    State(app): State<App>,
    store: Store,
    if_match: IfMatch,
    patch: Patch,
) -> Result<WithEtag<Stage>> {
    let key = client.pipeline(pipeline);
    let decide = |pipeline: &Pipeline, transaction: &mut Transaction| {
        let (from, stage) = find(pipeline, id)?;
        if_match.check(stage.meta.version)?;
        let fields: StageFields = patch.apply(&stage.fields)?;
        let now = app.now();
        let to = index_of(fields.order).min(pipeline.stages.len() - 1);
        let mut stages = pipeline.stages.clone();
        let mut next = stages.remove(from);
        next.fields = StageFields { order: StageIndex::saturating(to), ..fields };
        if next.fields == stage.fields {
            return Ok(next);
        }
        next.meta = next.meta.changed(now);
        stages.insert(to, next.clone());
        transaction.replace(&key, &pipeline.with_stages(stages, now), pipeline.meta.version)?;
        Ok(next)
    };
    store.retry_on_conflict(async || Ok(store.find(&key).await?), decide).await.map(WithEtag::new)
}

/// Delete a stage.
///
/// A stage with deals can be deleted only with `moveTo`, the id of the stage that receives the deals (`409
/// not_empty` without it).
///
/// If there are many deals, the response is `202`, and the deals are moved in the background. Meanwhile the
/// stage has `movesTo`, each deal keeps its stage until it is moved, and no deals can be added.
#[utoipa::path(
    delete, path = "/v1/clients/{clientId}/pipelines/{pipelineId}/stages/{stageId}", tag = "deals",
    operation_id = "deleteStage",
    params(
        ("clientId" = ClientId, Path, description = "The client's id."),
        ("pipelineId" = PipelineId, Path, description = "The pipeline's id."),
        ("stageId" = StageId, Path, description = "The stage's id."), DeletionParams
    ),
    responses(
        (status = 204, description = "The stage was deleted."),
        (
            status = 202, body = Stage,
            description = "The stage, which is deleted when its deals have been moved. `Location` is its path until then."
        )
    ),
    extensions(("x-errors" = json!(["forbidden", "not_empty", "being_deleted"])), ("x-versioned" = json!(true)))
)]
pub(crate) async fn delete(
    client: Access<ClientScope, ManagePipelines>,
    PathIds(pipeline, id): PathIds<Pipeline, Stage>,
    State(app): State<App>,
    store: Store,
    if_match: IfMatch,
    Parameters(DeletionParams { move_to }): Parameters<DeletionParams>,
) -> Result<Response> {
    let (client, actor) = (*client, *client.actor());
    let (key, deals) = (client.pipeline(pipeline), client.deals_of_stage(id, None));
    let read = async || {
        // All reads always complete, so that the cost does not depend on whether the stage exists.
        let deletion = OptionFuture::from(move_to.map(|to| StageDeletion::read(&store, client, &deals, to)));
        let (pipeline, deletion) = tokio::join!(store.find(&key), deletion);
        Ok((pipeline?, deletion.transpose()?))
    };
    let decide = |(pipeline, deletion): &(Pipeline, Option<StageDeletion>), transaction: &mut Transaction| {
        let (_, stage) = find(pipeline, id)?;
        if_match.check(stage.meta.version)?;
        require_current_actor(transaction, &actor)?;
        let context = DeletionContext { app: &app, client, by: actor.user(), now: app.now() };
        let stages = std::slice::from_ref(stage);
        let Some(destination) = context.delete_stages(transaction, stages, deletion.as_ref())? else {
            transaction.replace(&key, &pipeline.without_stage(id, context.now), pipeline.meta.version)?;
            return Ok(None);
        };
        let next = context.defer(transaction, pipeline, Some(id), destination)?;
        let (_, stage) = find(&next, id)?;
        let location = format!("/v1/clients/{}/pipelines/{}/stages/{id}", client.id(), pipeline.id);
        Created::new(StatusCode::ACCEPTED, stage, location).map(Some)
    };
    let deferred = store.retry_on_conflict(read, decide).await?;
    Ok(deferred.map_or_else(|| Deleted.into_response(), Created::into_response))
}

/// Reorder the stages of a pipeline.
///
/// Names every stage of the pipeline exactly once, in the new order.
#[utoipa::path(
    put, path = "/v1/clients/{clientId}/pipelines/{pipelineId}/stages/order", tag = "deals",
    operation_id = "reorderStages",
    params(
        ("clientId" = ClientId, Path, description = "The client's id."),
        ("pipelineId" = PipelineId, Path, description = "The pipeline's id.")
    ),
    request_body = ReorderStagesRequest,
    responses((status = 200, body = Pipeline, description = "The pipeline with its stages in the new order.")),
    extensions(("x-errors" = json!(["forbidden"])), ("x-versioned" = json!(true)))
)]
pub(crate) async fn reorder(
    client: Access<ClientScope, ManagePipelines>,
    PathId(id): PathId<Pipeline>,
    State(app): State<App>,
    store: Store,
    if_match: IfMatch,
    Body(ReorderStagesRequest { stage_ids }): Body<ReorderStagesRequest>,
) -> Result<WithEtag<Pipeline>> {
    let reorder = |pipeline: &Pipeline, _: &mut Transaction| {
        let stages: Option<Vec<_>> = stage_ids.iter().map(|id| Some(pipeline.stage(*id)?.1.clone())).collect();
        let stages = stages.filter(|stages| is_permutation(pipeline, stages)).ok_or_else(|| {
            let error = InvalidValue::new("not_all_stages", "must name every stage of the pipeline exactly once");
            Problem::from(ValidationErrors::field("/stageIds", error))
        })?;
        Ok(pipeline.with_stages(stages, app.now()))
    };
    store.update(client.pipeline(id), &if_match, reorder).await.map(WithEtag::new)
}

/// Whether these are all stages of the pipeline, each once.
fn is_permutation(pipeline: &Pipeline, stages: &[Stage]) -> bool {
    let mut ids: Vec<_> = stages.iter().map(|stage| stage.id).collect();
    ids.sort();
    ids.dedup();
    ids.len() == stages.len() && stages.len() == pipeline.stages.len()
}

/// The stage with this id and its index; not found if the pipeline has none.
fn find(pipeline: &Pipeline, id: StageId) -> Result<(usize, &Stage)> {
    pipeline.stage(id).ok_or_else(Problem::not_found)
}

fn index_of(order: StageIndex) -> usize {
    usize::try_from(order.get()).unwrap_or(usize::MAX)
}
