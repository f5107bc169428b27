//! Pipelines: how deals go from the first word to the last.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use deserr::Deserr;
use futures_util::future::OptionFuture;
use lambda_http::http::StatusCode;
use shared::auth::{Access, ClientId, ClientScope, ManagePipelines, UseCrm};
use shared::entity::{DefaultPipeline, Meta, Pipeline, PipelineFields, PipelineId, Stage, StageFields, StageTotals};
use shared::http::page::PageParams;
use shared::http::{Create, Created, Deleted, IfMatch, IfNoneMatch, Page, Paging, Parameters, Patch, PathId, WithEtag};
use shared::keys::Scope;
use shared::store::{Store, Transaction};
use shared::value::{Instant, InvalidValue, Name, Percent, ValidationErrors};
use shared::{App, Problem, Result};
use utoipa::ToSchema;

use crate::vacate::{Deleting, Destination, StageDeletion, being_deleted};

type PipelinePage = Page<Pipeline>;

/// What there is to know before a pipeline is deleted.
type Deletable = (Pipeline, Option<DefaultPipeline>, Option<StageDeletion>);

/// A pipeline that is to be made.
#[derive(Clone, Debug, Deserr, ToSchema)]
#[deserr(error = ValidationErrors, rename_all = camelCase, deny_unknown_fields)]
#[schema(rename_all = "camelCase")]
pub(crate) struct NewPipeline {
    /// What it is called.
    #[schema(example = "Sales")]
    name: Name,
    /// Whether deals go here unless told otherwise. The first pipeline of a client is the default one in any case.
    #[deserr(default)]
    #[schema(required = false)]
    is_default: bool,
    /// Its stages; five usual ones unless given.
    #[deserr(default = usual_stages(), try_from(Vec<NewStage>) = few -> InvalidValue)]
    #[schema(required = false, max_items = 50)]
    stages: Vec<NewStage>,
}

/// A stage that is to be made.
#[derive(Clone, Debug, Deserr, ToSchema)]
#[deserr(error = ValidationErrors, rename_all = camelCase, deny_unknown_fields)]
#[schema(rename_all = "camelCase")]
pub(crate) struct NewStage {
    /// What it is called.
    #[schema(example = "Proposal")]
    pub(crate) name: Name,
    /// How likely a deal is won that has come so far.
    #[deserr(default)]
    #[schema(required = false)]
    pub(crate) probability: Percent,
    /// How many stages are to come before it. At the end unless given.
    #[deserr(default)]
    pub(crate) order: Option<u8>,
}

fn few(stages: Vec<NewStage>) -> std::result::Result<Vec<NewStage>, InvalidValue> {
    if stages.len() > Pipeline::MOST_STAGES {
        return Err(InvalidValue::new("too_many", "must be at most 50 stages"));
    }
    Ok(stages)
}

/// What a pipeline has unless told.
fn usual_stages() -> Vec<NewStage> {
    let usual = [("Lead", 10), ("Qualified", 25), ("Proposal", 50), ("Negotiation", 75), ("Commitment", 90)];
    let stages = usual.into_iter().filter_map(|(name, probability)| {
        Some(NewStage { name: name.parse().ok()?, probability: Percent::new(probability)?, order: None })
    });
    stages.collect()
}

impl NewStage {
    pub(crate) fn make(self, app: &App, client: ClientScope, pipeline_id: PipelineId, order: u8) -> Stage {
        let fields = StageFields { name: self.name, order, probability: self.probability };
        let meta = Meta::created(app.clock().now());
        Stage { id: app.ids().make(), client_id: client.id(), pipeline_id, fields, moves_to: None, meta }
    }
}

impl NewPipeline {
    fn make(self, app: &App, client: ClientScope) -> Pipeline {
        let id = app.ids().make();
        let mut stages: Vec<_> = self.stages.into_iter().zip(0..).collect();
        stages.sort_by_key(|(stage, place)| stage.order.unwrap_or(*place));
        let stages = (0..).zip(stages).map(|(order, (stage, _))| stage.make(app, client, id, order)).collect();
        let fields = PipelineFields { name: self.name, is_default: self.is_default };
        Pipeline { id, client_id: client.id(), fields, stages, moves_to: None, meta: Meta::created(app.clock().now()) }
    }
}

/// Create a pipeline.
#[utoipa::path(post, path = "/v1/clients/{clientId}/pipelines", tag = "deals", operation_id = "createPipeline",
    params(("clientId" = ClientId, Path)), request_body = NewPipeline,
    responses((status = 201, body = Pipeline, description = "Created.")),
    extensions(("x-round-trips" = json!(3))))]
pub(crate) async fn create(
    client: Access<ClientScope, ManagePipelines>,
    State(app): State<App>,
    store: Store,
    Create { fields, request }: Create<NewPipeline>,
) -> Result<Created> {
    let new = fields.make(&app, *client);
    let location = format!("/v1/clients/{}/pipelines/{}", client.id(), new.id);
    let decide = |read: &Defaults, transaction: &mut Transaction| {
        let mut new = new.clone();
        new.fields.is_default |= read.default.is_none();
        transaction.hold(&client.holdings())?;
        transaction.create(&client.pipeline(new.id), &new)?;
        for stage in &new.stages {
            transaction.create(&client.stage(stage.id), &StageTotals::new(new.id))?;
        }
        read.count_one_more(transaction, *client, &new, app.clock().now())?;
        Created::new(StatusCode::CREATED, &new, location.clone())
    };
    request.decide_as(&store, *client, || Defaults::read(&store, *client, new.fields.is_default), decide).await
}

/// List the pipelines, oldest first.
#[utoipa::path(get, path = "/v1/clients/{clientId}/pipelines", tag = "deals", operation_id = "listPipelines",
    params(("clientId" = ClientId, Path), PageParams),
    responses((status = 200, body = PipelinePage, description = "A page.")),
    extensions(("x-round-trips" = json!(1))))]
pub(crate) async fn list(
    client: Access<ClientScope, UseCrm>,
    store: Store,
    paging: Paging,
) -> Result<Json<PipelinePage>> {
    paging.read(&store, *client, client.pipelines()).await.map(Json)
}

/// Read a pipeline with its stages.
#[utoipa::path(get, path = "/v1/clients/{clientId}/pipelines/{pipelineId}", tag = "deals", operation_id = "readPipeline",
    params(("clientId" = ClientId, Path), ("pipelineId" = PipelineId, Path)),
    responses((status = 200, body = Pipeline, description = "The pipeline.")),
    extensions(("x-round-trips" = json!(1)), ("x-versioned" = json!(true))))]
pub(crate) async fn read(
    client: Access<ClientScope, UseCrm>,
    PathId(id): PathId<Pipeline>,
    store: Store,
    has: IfNoneMatch,
) -> Result<WithEtag<Pipeline>> {
    Ok(WithEtag::unless(store.find(&client.pipeline(id)).await?, has))
}

/// Change a pipeline. To make another one the default takes that role from the one that has it.
#[utoipa::path(patch, path = "/v1/clients/{clientId}/pipelines/{pipelineId}", tag = "deals", operation_id = "updatePipeline",
    params(("clientId" = ClientId, Path), ("pipelineId" = PipelineId, Path)),
    request_body(content = PipelineFields, content_type = "application/merge-patch+json"),
    responses((status = 200, body = Pipeline, description = "Changed.")),
    extensions(("x-round-trips" = json!(4)), ("x-versioned" = json!(true))))]
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
    let read = || async {
        let pipeline = store.find(&key).await?;
        let defaults = if becomes_default { Defaults::read(&store, *client, true).await? } else { Defaults::default() };
        Ok((pipeline, defaults))
    };
    let decide = |(current, defaults): &(Pipeline, Defaults), transaction: &mut Transaction| {
        if_match.check(current.meta.version)?;
        let fields: PipelineFields = patch.apply(&current.fields)?;
        if current.fields.is_default && !fields.is_default {
            let why =
                InvalidValue::new("default_pipeline", "must stay true until another pipeline is made the default one");
            return Err(ValidationErrors::field("/isDefault", why).into());
        }
        let now = app.clock().now();
        let next = current.changed(fields, now);
        transaction.replace(&key, &next, current.meta.version)?;
        if next.fields.is_default && !current.fields.is_default {
            if current.moves_to.is_some() {
                return Err(being_deleted());
            }
            defaults.hand_over(transaction, *client, &next, now)?;
        }
        Ok(next)
    };
    store.decide(read, decide).await.map(WithEtag::new)
}

/// Delete a pipeline and its stages; the default pipeline goes last, or once another is the default one. While it holds deals it is
/// `409 not_empty`, unless `moveTo` names the stage of another pipeline to which they go. If they are many, that takes a while: until it
/// is done the pipeline is shown with `movesTo`, each deal is where it is shown, and no deal comes to the pipeline.
#[utoipa::path(delete, path = "/v1/clients/{clientId}/pipelines/{pipelineId}", tag = "deals", operation_id = "deletePipeline",
    params(("clientId" = ClientId, Path), ("pipelineId" = PipelineId, Path), Destination),
    responses((status = 204, description = "Deleted."),
        (status = 202, body = Pipeline, description = "It goes once its deals are moved: `Location` says where to look for it.")),
    extensions(("x-round-trips" = json!(8)), ("x-versioned" = json!(true))))]
pub(crate) async fn delete(
    client: Access<ClientScope, ManagePipelines>,
    PathId(id): PathId<Pipeline>,
    State(app): State<App>,
    store: Store,
    if_match: IfMatch,
    Parameters(Destination { move_to }): Parameters<Destination>,
) -> Result<Response> {
    let (client, by) = (*client, client.actor().user());
    let (key, default, deals) = (client.pipeline(id), client.default_pipeline(), client.deals_of_pipeline(id));
    let read = || async {
        // All are always read to their end, so that it costs the same whether or not the pipeline is there.
        let leaving = OptionFuture::from(move_to.map(|to| StageDeletion::read(&store, client, &deals, to)));
        let (pipeline, default, leaving) = tokio::join!(store.find(&key), store.get(&default), leaving);
        Ok((pipeline?, default?, leaving.transpose()?))
    };
    let decide = |(pipeline, default, leaving): &Deletable, transaction: &mut Transaction| {
        if_match.check(pipeline.meta.version)?;
        let deleting = Deleting { app: &app, client, by, now: app.clock().now() };
        let Some(destination) = deleting.stages(transaction, &pipeline.stages, leaving.as_ref())? else {
            remove(transaction, client, pipeline, default.as_ref())?;
            return Ok(None);
        };
        if pipeline.fields.is_default {
            return Err(is_default());
        }
        let next = deleting.later(transaction, pipeline, None, destination)?;
        let location = format!("/v1/clients/{}/pipelines/{id}", client.id());
        Created::new(StatusCode::ACCEPTED, &next, location).map(Some)
    };
    let under_way = store.decide(read, decide).await?;
    Ok(under_way.map_or_else(|| Deleted.into_response(), Created::into_response))
}

/// Adds that a pipeline is deleted, but for its stages.
pub(crate) fn remove(
    transaction: &mut Transaction,
    client: ClientScope,
    pipeline: &Pipeline,
    default: Option<&DefaultPipeline>,
) -> Result<()> {
    transaction.let_go(&client.holdings())?;
    transaction.delete(&client.pipeline(pipeline.id), pipeline.meta.version)?;
    count_one_less(transaction, client, pipeline, default)
}

/// What there is to know before another pipeline becomes the default one.
#[derive(Default)]
struct Defaults {
    default: Option<DefaultPipeline>,
    /// The default pipeline itself, if it is to be so no longer.
    pipeline: Option<Pipeline>,
}

impl Defaults {
    async fn read(store: &Store, client: ClientScope, changes: bool) -> Result<Self> {
        let default = store.get(&client.default_pipeline()).await?;
        let pipeline = match &default {
            Some(default) if changes => store.get(&client.pipeline(default.pipeline_id)).await?,
            _ => None,
        };
        Ok(Self { default, pipeline })
    }

    /// Adds that there is one pipeline more.
    fn count_one_more(
        &self,
        transaction: &mut Transaction,
        client: ClientScope,
        new: &Pipeline,
        now: Instant,
    ) -> Result<()> {
        match &self.default {
            Some(default) if default.n >= Pipeline::MOST => {
                Err(Problem::conflict("too_many_pipelines", "There are as many pipelines as there can be."))
            }
            Some(_) if new.fields.is_default => self.follow(transaction, client, new, 1, now),
            Some(default) => {
                let next = DefaultPipeline { n: default.n + 1, version: default.version + 1, ..default.clone() };
                transaction.replace_anew(&client.default_pipeline(), &next, default.version)
            }
            None => {
                let first = DefaultPipeline { pipeline_id: new.id, n: 1, version: 1 };
                transaction.claim_anew(&client.default_pipeline(), &first)
            }
        }
    }

    /// Adds that another pipeline is the default one.
    fn hand_over(&self, transaction: &mut Transaction, client: ClientScope, to: &Pipeline, now: Instant) -> Result<()> {
        self.follow(transaction, client, to, 0, now)
    }

    fn follow(
        &self,
        transaction: &mut Transaction,
        client: ClientScope,
        to: &Pipeline,
        more: u64,
        now: Instant,
    ) -> Result<()> {
        // Others may change these while they are read.
        let default = self.default.as_ref().filter(|default| default.pipeline_id != to.id);
        let (Some(default), Some(pipeline)) = (default, &self.pipeline) else { return Err(Problem::stale()) };
        let fields = PipelineFields { is_default: false, ..pipeline.fields.clone() };
        let no_longer = pipeline.changed(fields, now);
        transaction.replace_anew(&client.pipeline(pipeline.id), &no_longer, pipeline.meta.version)?;
        let next = DefaultPipeline { pipeline_id: to.id, n: default.n + more, version: default.version + 1 };
        transaction.replace_anew(&client.default_pipeline(), &next, default.version)
    }
}

/// Adds that there is one pipeline less.
fn count_one_less(
    transaction: &mut Transaction,
    client: ClientScope,
    gone: &Pipeline,
    default: Option<&DefaultPipeline>,
) -> Result<()> {
    // Without a default pipeline this one is gone by now, too.
    let default = default.ok_or_else(Problem::stale)?;
    let key = client.default_pipeline();
    if default.n <= 1 {
        return transaction.delete(&key, default.version);
    }
    if default.pipeline_id == gone.id {
        return Err(is_default());
    }
    let next = DefaultPipeline { n: default.n - 1, version: default.version + 1, ..default.clone() };
    transaction.replace_anew(&key, &next, default.version)
}

fn is_default() -> Problem {
    Problem::conflict("default_pipeline", "It is the default pipeline. Make another one the default first.")
}
