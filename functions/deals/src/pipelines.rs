//! Pipelines.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use deserr::Deserr;
use futures_util::future::OptionFuture;
use lambda_http::http::StatusCode;
use shared::deals::stage_deletion::{
    DeletionContext, DeletionParams, StageDeletion, being_deleted, delete_pipeline, is_default,
};
use shared::deals::{
    DefaultPipeline, Pipeline, PipelineFields, PipelineId, Stage, StageFields, StageIndex, StageTotals,
};
use shared::identity::{ClientId, ClientScope, ManagePipelines, UseCrm};
use shared::table::{Failure, Meta, Store, StoreError, Transaction};
use shared::users::require_current_actor;
use shared::value::{Instant, InvalidValue, Name, Percent, ValidationErrors};
use shared::web::page::PageParams;
use shared::web::{
    Access, App, Create, Created, Deleted, ErrorCode, IfMatch, IfNoneMatch, Page, Paging, Parameters, Patch, PathId,
    Problem, Result, WithEtag,
};
use utoipa::ToSchema;

type PipelinePage = Page<Pipeline>;

/// A new pipeline.
#[derive(Clone, Debug, Deserr, ToSchema)]
#[deserr(error = ValidationErrors, rename_all = camelCase, deny_unknown_fields)]
#[schema(rename_all = "camelCase", example = json!({
    "name": "Sales",
    "isDefault": false,
    "stages": [
        { "name": "Lead", "probability": 10, "order": 0 },
        { "name": "Proposal", "probability": 50, "order": 1 }
    ]
}))]
pub(crate) struct CreatePipelineRequest {
    /// The name.
    #[schema(example = "Sales")]
    name: Name,
    /// Whether this is the client's default pipeline.
    ///
    /// The first pipeline of a client always is the default pipeline.
    #[deserr(default)]
    #[schema(required = false)]
    is_default: bool,
    /// The stages.
    ///
    /// Default: Lead, Qualified, Proposal, Negotiation and Commitment.
    #[deserr(default = default_stages(), try_from(Vec<CreateStageRequest>) = limited -> InvalidValue)]
    #[schema(required = false, max_items = 50)]
    stages: Vec<CreateStageRequest>,
}

/// A new stage.
#[derive(Clone, Debug, Deserr, ToSchema)]
#[deserr(error = ValidationErrors, rename_all = camelCase, deny_unknown_fields)]
#[schema(rename_all = "camelCase", example = json!({ "name": "Proposal", "probability": 50, "order": 1 }))]
pub(crate) struct CreateStageRequest {
    /// The name.
    #[schema(example = "Proposal")]
    pub(crate) name: Name,
    /// The probability of winning a deal that is in this stage, in percent.
    #[deserr(default)]
    #[schema(required = false)]
    pub(crate) probability: Percent,
    /// The number of stages before this one.
    ///
    /// Default: the end of the pipeline.
    #[deserr(default)]
    #[schema(value_type = Option<u32>, minimum = 0, maximum = 49)]
    pub(crate) order: Option<StageIndex>,
}

fn limited(stages: Vec<CreateStageRequest>) -> std::result::Result<Vec<CreateStageRequest>, InvalidValue> {
    if stages.len() > Pipeline::MAX_STAGES {
        return Err(InvalidValue::new("too_many", "must be at most 50 stages"));
    }
    Ok(stages)
}

fn default_stages() -> Vec<CreateStageRequest> {
    let stages = [("Lead", 10), ("Qualified", 25), ("Proposal", 50), ("Negotiation", 75), ("Commitment", 90)];
    let stages = stages.into_iter().filter_map(|(name, probability)| {
        Some(CreateStageRequest { name: name.parse().ok()?, probability: Percent::new(probability)?, order: None })
    });
    stages.collect()
}

impl CreateStageRequest {
    /// The stage, at the position `order` of a pipeline.
    pub(crate) fn into_stage(
        self,
        app: &App,
        client: ClientScope,
        pipeline_id: PipelineId,
        order: StageIndex,
    ) -> Stage {
        let fields = StageFields { name: self.name, order, probability: self.probability };
        let meta = Meta::created(app.now());
        Stage { id: app.ids().make(), client_id: client.id(), pipeline_id, fields, moves_to: None, meta }
    }
}

impl CreatePipelineRequest {
    fn into_pipeline(self, app: &App, client: ClientScope) -> Pipeline {
        let id = app.ids().make();
        let mut stages: Vec<_> = self.stages.into_iter().enumerate().collect();
        stages.sort_by_key(|(index, stage)| stage.order.unwrap_or(StageIndex::saturating(*index)));
        let ordered = stages.into_iter().enumerate();
        let stages = ordered.map(|(at, (_, stage))| stage.into_stage(app, client, id, StageIndex::saturating(at)));
        let stages = stages.collect();
        let fields = PipelineFields { name: self.name, is_default: self.is_default };
        Pipeline { id, client_id: client.id(), fields, stages, moves_to: None, meta: Meta::created(app.now()) }
    }
}

/// Create a pipeline with its stages.
///
/// A client has at most 100 pipelines, and a pipeline has at most 50 stages. A new default pipeline replaces
/// the current one.
#[utoipa::path(
    post, path = "/v1/clients/{clientId}/pipelines", tag = "deals", operation_id = "createPipeline",
    params(("clientId" = ClientId, Path, description = "The client's id.")),
    request_body = CreatePipelineRequest,
    responses((status = 201, body = Pipeline, description = "The new pipeline with its stages.")),
    extensions(("x-errors" = json!(["forbidden", "too_many_pipelines"])))
)]
pub(crate) async fn create(
    client: Access<ClientScope, ManagePipelines>,
    State(app): State<App>,
    store: Store,
    Create { fields, request }: Create<CreatePipelineRequest>,
) -> Result<Created> {
    let new = fields.into_pipeline(&app, *client);
    let location = format!("/v1/clients/{}/pipelines/{}", client.id(), new.id);
    let decide = |current: &CurrentDefault, transaction: &mut Transaction| {
        let mut new = new.clone();
        new.fields.is_default |= current.default.is_none();
        transaction.increment_children(*client)?;
        transaction.create(&client.pipeline(new.id), &new)?;
        for stage in &new.stages {
            transaction.create(&client.stage_totals(stage.id), &StageTotals::new(new.id))?;
        }
        current.add_pipeline(transaction, *client, &new, app.now())?;
        Created::new(StatusCode::CREATED, &new, location.clone())
    };
    let read = async || Ok(CurrentDefault::read(&store, *client, new.fields.is_default).await?);
    request.retry_on_conflict(&store, *client, read, decide).await
}

/// List the pipelines with their stages, oldest first.
#[utoipa::path(
    get, path = "/v1/clients/{clientId}/pipelines", tag = "deals", operation_id = "listPipelines",
    params(("clientId" = ClientId, Path, description = "The client's id."), PageParams),
    responses((status = 200, body = PipelinePage, description = "A page of pipelines."))
)]
pub(crate) async fn list(
    client: Access<ClientScope, UseCrm>,
    store: Store,
    paging: Paging,
) -> Result<Json<PipelinePage>> {
    paging.read(&store, *client, client.pipelines()).await.map(Json)
}

/// Get a pipeline with its stages.
#[utoipa::path(
    get, path = "/v1/clients/{clientId}/pipelines/{pipelineId}", tag = "deals", operation_id = "getPipeline",
    params(
        ("clientId" = ClientId, Path, description = "The client's id."),
        ("pipelineId" = PipelineId, Path, description = "The pipeline's id.")
    ),
    responses((status = 200, body = Pipeline, description = "The pipeline with its stages.")),
    extensions(("x-versioned" = json!(true)))
)]
pub(crate) async fn get(
    client: Access<ClientScope, UseCrm>,
    PathId(id): PathId<Pipeline>,
    store: Store,
    if_none_match: IfNoneMatch,
) -> Result<WithEtag<Pipeline>> {
    Ok(WithEtag::unless(store.find(&client.pipeline(id)).await?, if_none_match))
}

/// Update a pipeline.
///
/// `isDefault: true` makes this the default pipeline instead of the current one. `isDefault: false` is
/// rejected for the default pipeline.
#[utoipa::path(
    patch, path = "/v1/clients/{clientId}/pipelines/{pipelineId}", tag = "deals", operation_id = "updatePipeline",
    params(
        ("clientId" = ClientId, Path, description = "The client's id."),
        ("pipelineId" = PipelineId, Path, description = "The pipeline's id.")
    ),
    request_body(content = PipelineFields, content_type = "application/merge-patch+json"),
    responses((status = 200, body = Pipeline, description = "The updated pipeline with its stages.")),
    extensions(("x-errors" = json!(["forbidden", "being_deleted"])), ("x-versioned" = json!(true)))
)]
pub(crate) async fn update(
    client: Access<ClientScope, ManagePipelines>,
    PathId(id): PathId<Pipeline>,
    State(app): State<App>,
    store: Store,
    if_match: IfMatch,
    patch: Patch,
) -> Result<WithEtag<Pipeline>> {
    let key = client.pipeline(id);
    let becomes_default = patch.member("isDefault") == Some(&true.into());
    let read = async || {
        let pipeline = store.find(&key).await?;
        let default = if becomes_default {
            CurrentDefault::read(&store, *client, true).await?
        } else {
            CurrentDefault::default()
        };
        Ok((pipeline, default))
    };
    let decide = |(pipeline, default): &(Pipeline, CurrentDefault), transaction: &mut Transaction| {
        if_match.check(pipeline.meta.version)?;
        let fields: PipelineFields = patch.apply(&pipeline.fields)?;
        if pipeline.fields.is_default && !fields.is_default {
            let message = "must be true until another pipeline becomes the default pipeline";
            return Err(ValidationErrors::field("/isDefault", InvalidValue::new("default_pipeline", message)).into());
        }
        let now = app.now();
        let next = pipeline.changed(fields, now);
        if next.meta.version == pipeline.meta.version {
            return Ok(next);
        }
        transaction.replace(&key, &next, pipeline.meta.version)?;
        if next.fields.is_default && !pipeline.fields.is_default {
            if pipeline.moves_to.is_some() {
                return Err(being_deleted());
            }
            default.change(transaction, *client, &next, now)?;
        }
        Ok(next)
    };
    store.retry_on_conflict(read, decide).await.map(WithEtag::new)
}

/// A pipeline to delete, with the default pipeline and the deals to move.
struct Deletable {
    pipeline: Pipeline,
    default: Option<DefaultPipeline>,
    deletion: Option<StageDeletion>,
}

/// Delete a pipeline and its stages.
///
/// The default pipeline can be deleted only if it is the client's last pipeline (`409 default_pipeline`). A
/// pipeline with deals can be deleted only with `moveTo`, the id of a stage of another pipeline that receives
/// the deals (`409 not_empty` without it).
///
/// If there are many deals, the response is `202`, and the deals are moved in the background. Meanwhile the
/// pipeline has `movesTo`, each deal keeps its stage until it is moved, and no deals can be added.
#[utoipa::path(
    delete, path = "/v1/clients/{clientId}/pipelines/{pipelineId}", tag = "deals", operation_id = "deletePipeline",
    params(
        ("clientId" = ClientId, Path, description = "The client's id."),
        ("pipelineId" = PipelineId, Path, description = "The pipeline's id."), DeletionParams
    ),
    responses(
        (status = 204, description = "The pipeline was deleted."),
        (
            status = 202, body = Pipeline,
            description = "The pipeline, which is deleted when its deals have been moved. `Location` is its path until then."
        )
    ),
    extensions(
        ("x-errors" = json!(["forbidden", "not_empty", "default_pipeline", "being_deleted"])),
        ("x-versioned" = json!(true))
    )
)]
pub(crate) async fn delete(
    client: Access<ClientScope, ManagePipelines>,
    PathId(id): PathId<Pipeline>,
    State(app): State<App>,
    store: Store,
    if_match: IfMatch,
    Parameters(DeletionParams { move_to }): Parameters<DeletionParams>,
) -> Result<Response> {
    let (client, actor) = (*client, *client.actor());
    let (key, default, deals) = (client.pipeline(id), client.default_pipeline(), client.deals_of_pipeline(id));
    let read = async || {
        // All reads always complete, so that the cost does not depend on whether the pipeline exists.
        let deletion = OptionFuture::from(move_to.map(|to| StageDeletion::read(&store, client, &deals, to)));
        let (pipeline, default, deletion) = tokio::join!(store.find(&key), store.get(&default), deletion);
        Ok(Deletable { pipeline: pipeline?, default: default?, deletion: deletion.transpose()? })
    };
    let decide = |Deletable { pipeline, default, deletion }: &Deletable, transaction: &mut Transaction| {
        if_match.check(pipeline.meta.version)?;
        require_current_actor(transaction, &actor)?;
        let context = DeletionContext { app: &app, client, by: actor.user(), now: app.now() };
        let Some(destination) = context.delete_stages(transaction, &pipeline.stages, deletion.as_ref())? else {
            delete_pipeline(transaction, client, pipeline, default.as_ref())?;
            return Ok(None);
        };
        if pipeline.fields.is_default {
            return Err(is_default());
        }
        let next = context.defer(transaction, pipeline, None, destination)?;
        let location = format!("/v1/clients/{}/pipelines/{id}", client.id());
        Created::new(StatusCode::ACCEPTED, &next, location).map(Some)
    };
    let deferred = store.retry_on_conflict(read, decide).await?;
    Ok(deferred.map_or_else(|| Deleted.into_response(), Created::into_response))
}

/// The client's default pipeline before a change.
#[derive(Default)]
struct CurrentDefault {
    /// The default pipeline and the number of pipelines; `None` if the client has none.
    default: Option<DefaultPipeline>,
    /// The pipeline, if another one is to become the default.
    pipeline: Option<Pipeline>,
}

impl CurrentDefault {
    /// Reads the default pipeline; the item of the pipeline only if it `is_replaced`.
    async fn read(store: &Store, client: ClientScope, is_replaced: bool) -> Result<Self, StoreError> {
        let default = store.get(&client.default_pipeline()).await?;
        let pipeline = match &default {
            Some(default) if is_replaced => store.get(&client.pipeline(default.pipeline_id)).await?,
            _ => None,
        };
        Ok(Self { default, pipeline })
    }

    /// Counts a new pipeline, and makes it the default pipeline if `isDefault` is set.
    fn add_pipeline(
        &self,
        transaction: &mut Transaction,
        client: ClientScope,
        new: &Pipeline,
        now: Instant,
    ) -> Result<()> {
        let key = client.default_pipeline();
        match &self.default {
            Some(default) if default.n >= Pipeline::MAX_PER_CLIENT => {
                let detail = "The client has the largest number of pipelines, 100. Delete one first.";
                Err(Problem::new(ErrorCode::TooManyPipelines, detail))
            }
            Some(default) if new.fields.is_default => {
                self.replace(transaction, client, new, now, default.n + 1)?;
                Ok(())
            }
            Some(default) => {
                let next = DefaultPipeline { n: default.n + 1, version: default.version + 1, ..default.clone() };
                Ok(transaction.replace_or_retry(&key, &next, default.version)?)
            }
            None => {
                let first = DefaultPipeline { pipeline_id: new.id, n: 1, version: 1 };
                Ok(transaction.create_or(&key, &first, Failure::Conflict)?)
            }
        }
    }

    /// Makes another pipeline the default pipeline.
    fn change(
        &self,
        transaction: &mut Transaction,
        client: ClientScope,
        to: &Pipeline,
        now: Instant,
    ) -> Result<(), StoreError> {
        let count = self.default.as_ref().map_or(0, |default| default.n);
        self.replace(transaction, client, to, now, count)
    }

    /// Makes another pipeline the default pipeline of `count` pipelines.
    fn replace(
        &self,
        transaction: &mut Transaction,
        client: ClientScope,
        to: &Pipeline,
        now: Instant,
        count: u64,
    ) -> Result<(), StoreError> {
        // Another request may have changed or deleted one of the two items between the reads.
        let default = self.default.as_ref().filter(|default| default.pipeline_id != to.id);
        let (Some(default), Some(pipeline)) = (default, &self.pipeline) else { return Err(StoreError::Conflict) };
        let fields = PipelineFields { is_default: false, ..pipeline.fields.clone() };
        let former = pipeline.changed(fields, now);
        transaction.replace_or_retry(&client.pipeline(pipeline.id), &former, pipeline.meta.version)?;
        let next = DefaultPipeline { pipeline_id: to.id, n: count, version: default.version + 1 };
        transaction.replace_or_retry(&client.default_pipeline(), &next, default.version)
    }
}
