//! Stages: the steps of a pipeline, which its row holds.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use deserr::Deserr;
use futures_util::future::OptionFuture;
use lambda_http::http::StatusCode;
use shared::auth::{Access, ClientId, ClientScope, ManagePipelines, UseCrm};
use shared::entity::{Pipeline, PipelineId, Stage, StageFields, StageId, StageTotals};
use shared::http::page::PageParams;
use shared::http::{
    Body, Create, Created, Deleted, IfMatch, IfNoneMatch, Page, Paging, Parameters, Patch, PathId, PathIds, WithEtag,
};
use shared::store::{Store, Transaction};
use shared::value::{InvalidValue, ValidationErrors};
use shared::{App, Problem, Result};
use utoipa::ToSchema;

use crate::pipelines::NewStage;
use crate::vacate::{Deleting, Destination, StageDeletion, being_deleted};

type StagePage = Page<Stage>;

/// The order that stages are to have.
#[derive(Deserr, ToSchema)]
#[deserr(error = ValidationErrors, rename_all = camelCase, deny_unknown_fields)]
#[schema(rename_all = "camelCase")]
pub(crate) struct StageOrder {
    /// All stages of the pipeline, each once.
    stage_ids: Vec<StageId>,
}

/// Create a stage.
#[utoipa::path(post, path = "/v1/clients/{clientId}/pipelines/{pipelineId}/stages", tag = "deals", operation_id = "createStage",
    params(("clientId" = ClientId, Path), ("pipelineId" = PipelineId, Path)), request_body = NewStage,
    responses((status = 201, body = Stage, description = "Created.")),
    extensions(("x-round-trips" = json!(2))))]
pub(crate) async fn create(
    client: Access<ClientScope, ManagePipelines>,
    PathId(id): PathId<Pipeline>,
    State(app): State<App>,
    store: Store,
    Create { fields, request }: Create<NewStage>,
) -> Result<Created> {
    let key = client.pipeline(id);
    let place = fields.order.map_or(usize::MAX, usize::from);
    let new = fields.make(&app, *client, id, 0);
    let decide = |pipeline: &Pipeline, transaction: &mut Transaction| {
        if pipeline.moves_to.is_some() {
            return Err(being_deleted());
        }
        if pipeline.stages.len() >= Pipeline::MOST_STAGES {
            return Err(Problem::conflict("too_many_stages", "The pipeline has as many stages as it can have."));
        }
        let place = place.min(pipeline.stages.len());
        let mut new = new.clone();
        new.fields.order = u8::try_from(place).map_err(Problem::internal)?;
        let mut stages = pipeline.stages.clone();
        stages.insert(place, new.clone());
        let next = pipeline.with_stages(stages, app.clock().now());
        transaction.replace(&key, &next, pipeline.meta.version)?;
        transaction.create(&client.stage(new.id), &StageTotals::new(id))?;
        let location = format!("/v1/clients/{}/pipelines/{id}/stages/{}", client.id(), new.id);
        Created::new(StatusCode::CREATED, &new, location)
    };
    request.decide_as(&store, *client, || store.find(&key), decide).await
}

/// List the stages of a pipeline in their order.
#[utoipa::path(get, path = "/v1/clients/{clientId}/pipelines/{pipelineId}/stages", tag = "deals", operation_id = "listStages",
    params(("clientId" = ClientId, Path), ("pipelineId" = PipelineId, Path), PageParams),
    responses((status = 200, body = StagePage, description = "A page.")),
    extensions(("x-round-trips" = json!(1))))]
pub(crate) async fn list(
    client: Access<ClientScope, UseCrm>,
    PathId(id): PathId<Pipeline>,
    store: Store,
    paging: Paging,
) -> Result<Json<StagePage>> {
    let pipeline = store.find(&client.pipeline(id)).await?;
    // Two pipelines' stages are two lists, and a cursor is of one.
    paging.of_row(&client.deals_of_pipeline(id), pipeline.stages, |stage| stage.id).map(Json)
}

/// Read a stage.
#[utoipa::path(get, path = "/v1/clients/{clientId}/pipelines/{pipelineId}/stages/{stageId}", tag = "deals", operation_id = "readStage",
    params(("clientId" = ClientId, Path), ("pipelineId" = PipelineId, Path), ("stageId" = StageId, Path)),
    responses((status = 200, body = Stage, description = "The stage.")),
    extensions(("x-round-trips" = json!(1)), ("x-versioned" = json!(true))))]
pub(crate) async fn read(
    client: Access<ClientScope, UseCrm>,
    PathIds(pipeline, id): PathIds<Pipeline, Stage>,
    store: Store,
    has: IfNoneMatch,
) -> Result<WithEtag<Stage>> {
    let pipeline = store.find(&client.pipeline(pipeline)).await?;
    let (_, stage) = found(&pipeline, id)?;
    Ok(WithEtag::unless(stage.clone(), has))
}

/// Change a stage. Another `order` moves it among the others.
#[utoipa::path(patch, path = "/v1/clients/{clientId}/pipelines/{pipelineId}/stages/{stageId}", tag = "deals", operation_id = "updateStage",
    params(("clientId" = ClientId, Path), ("pipelineId" = PipelineId, Path), ("stageId" = StageId, Path)),
    request_body(content = StageFields, content_type = "application/merge-patch+json"),
    responses((status = 200, body = Stage, description = "Changed.")),
    extensions(("x-round-trips" = json!(2)), ("x-versioned" = json!(true))))]
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
        let (place, stage) = found(pipeline, id)?;
        if_match.check(stage.meta.version)?;
        let fields: StageFields = patch.apply(&stage.fields)?;
        let now = app.clock().now();
        let to = usize::from(fields.order).min(pipeline.stages.len() - 1);
        let mut stages = pipeline.stages.clone();
        let mut changed = stages.remove(place);
        changed.fields = StageFields { order: u8::try_from(to).map_err(Problem::internal)?, ..fields };
        changed.meta = changed.meta.changed(now);
        stages.insert(to, changed.clone());
        transaction.replace(&key, &pipeline.with_stages(stages, now), pipeline.meta.version)?;
        Ok(changed)
    };
    store.decide(|| store.find(&key), decide).await.map(WithEtag::new)
}

/// Delete a stage. While it holds deals it is `409 not_empty`, unless `moveTo` names the stage to which they go. If they are many, that
/// takes a while: until it is done the stage is shown with `movesTo`, each deal is where it is shown, and no deal comes to the stage.
#[utoipa::path(delete, path = "/v1/clients/{clientId}/pipelines/{pipelineId}/stages/{stageId}", tag = "deals", operation_id = "deleteStage",
    params(("clientId" = ClientId, Path), ("pipelineId" = PipelineId, Path), ("stageId" = StageId, Path), Destination),
    responses((status = 204, description = "Deleted."),
        (status = 202, body = Stage, description = "It goes once its deals are moved: `Location` says where to look for it.")),
    extensions(("x-round-trips" = json!(7)), ("x-versioned" = json!(true))))]
pub(crate) async fn delete(
    client: Access<ClientScope, ManagePipelines>,
    PathIds(pipeline, id): PathIds<Pipeline, Stage>,
    State(app): State<App>,
    store: Store,
    if_match: IfMatch,
    Parameters(Destination { move_to }): Parameters<Destination>,
) -> Result<Response> {
    let (client, by) = (*client, client.actor().user());
    let (key, deals) = (client.pipeline(pipeline), client.deals_in(id, None));
    let read = || async {
        // All are always read to their end, so that it costs the same whether or not the stage is there.
        let leaving = OptionFuture::from(move_to.map(|to| StageDeletion::read(&store, client, &deals, to)));
        let (pipeline, leaving) = tokio::join!(store.find(&key), leaving);
        Ok((pipeline?, leaving.transpose()?))
    };
    let decide = |(pipeline, leaving): &(Pipeline, Option<StageDeletion>), transaction: &mut Transaction| {
        let (_, stage) = found(pipeline, id)?;
        if_match.check(stage.meta.version)?;
        let deleting = Deleting { app: &app, client, by, now: app.clock().now() };
        let Some(destination) = deleting.stages(transaction, std::slice::from_ref(stage), leaving.as_ref())? else {
            transaction.replace(&key, &pipeline.without_stage(id, deleting.now), pipeline.meta.version)?;
            return Ok(None);
        };
        let next = deleting.later(transaction, pipeline, Some(id), destination)?;
        let (_, stage) = found(&next, id)?;
        let location = format!("/v1/clients/{}/pipelines/{}/stages/{id}", client.id(), pipeline.id);
        Created::new(StatusCode::ACCEPTED, stage, location).map(Some)
    };
    let under_way = store.decide(read, decide).await?;
    Ok(under_way.map_or_else(|| Deleted.into_response(), Created::into_response))
}

/// Put the stages of a pipeline in order, in one call.
#[utoipa::path(put, path = "/v1/clients/{clientId}/pipelines/{pipelineId}/stages/order", tag = "deals", operation_id = "orderStages",
    params(("clientId" = ClientId, Path), ("pipelineId" = PipelineId, Path)), request_body = StageOrder,
    responses((status = 200, body = Pipeline, description = "The pipeline, with its stages in this order.")),
    extensions(("x-round-trips" = json!(2)), ("x-versioned" = json!(true))))]
pub(crate) async fn arrange(
    client: Access<ClientScope, ManagePipelines>,
    PathId(id): PathId<Pipeline>,
    State(app): State<App>,
    store: Store,
    if_match: IfMatch,
    Body(order): Body<StageOrder>,
) -> Result<WithEtag<Pipeline>> {
    let arrange = |pipeline: &Pipeline, _: &mut Transaction| {
        let stages: Option<Vec<_>> = order.stage_ids.iter().map(|id| Some(pipeline.stage(*id)?.1.clone())).collect();
        let stages = stages.filter(|stages| is_all_of(pipeline, stages)).ok_or_else(|| {
            let why = InvalidValue::new("not_all_stages", "must name every stage of the pipeline, and each once");
            Problem::from(ValidationErrors::field("/stageIds", why))
        })?;
        Ok(pipeline.with_stages(stages, app.clock().now()))
    };
    store.update(client.pipeline(id), &if_match, arrange).await.map(WithEtag::new)
}

fn is_all_of(pipeline: &Pipeline, stages: &[Stage]) -> bool {
    let mut ids: Vec<_> = stages.iter().map(|stage| stage.id).collect();
    ids.sort();
    ids.dedup();
    ids.len() == stages.len() && stages.len() == pipeline.stages.len()
}

fn found(pipeline: &Pipeline, id: StageId) -> Result<(usize, &Stage)> {
    pipeline.stage(id).ok_or_else(Problem::not_found)
}
