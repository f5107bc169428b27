//! Deletion of stages and pipelines, with their deals moved to another stage.
//!
//! A few deals are moved in the transaction that deletes the stages, many deals by a job. Until the job is done,
//! each deal keeps its stage until it is moved, and no deals can be added to the stages that are being deleted.

use std::collections::HashSet;
use std::time::Duration;

use deserr::Deserr;
use utoipa::IntoParams;

use super::jobs::MoveDeals;
use super::position::{StageRef, TailPositions};
use super::repository::{change_totals, relocate};
use super::{Deal, DealFields, DefaultPipeline, Pipeline, Stage, StageId, StageTotals, StageTotalsChanges};
use crate::identity::ClientScope;
use crate::jobs::{JobContext, JobOutcome, enqueue};
use crate::table::{List, MAX_PARTS, Order, QueryResult, Store, StoreError, Transaction};
use crate::users::UserId;
use crate::value::{Instant, InvalidValue, ValidationErrors};
use crate::web::{App, ErrorCode, Problem, Result};

/// The largest number of deals that the transaction of a deletion moves.
///
/// A transaction has at most 100 parts (a limit of DynamoDB), and a pipeline has at most 50 stages, each with
/// a part of its own.
const INLINE_LIMIT: usize = 20;

/// The number of parts that the deletion of a pipeline takes, without its stages.
///
/// The pipeline, the default pipeline, the child count and the check of the actor.
const PIPELINE_PARTS: usize = 4;

/// The number of deals that a step of the job moves.
///
/// Each deal takes two parts of a transaction.
const BATCH: i32 = 40;

/// How long an index may take to follow the table.
const GSI_LAG: Duration = Duration::from_secs(1);

/// The query parameters of the deletion of a stage or a pipeline.
#[derive(Deserr, IntoParams)]
#[deserr(error = ValidationErrors, rename_all = camelCase, deny_unknown_fields)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
pub struct DeletionParams {
    /// The stage to move the deals to, of any pipeline of the client.
    ///
    /// The same request must not delete it.
    #[deserr(default)]
    pub move_to: Option<StageId>,
}

/// The deals to move from deleted stages, and their destination.
pub struct StageDeletion {
    to: StageId,
    /// The totals of the stage that the deals are moved to, if it exists.
    totals: Option<StageTotals>,
    tail: TailPositions,
    /// All deals; `None` if these are more than `INLINE_LIMIT`.
    deals: Option<Vec<Deal>>,
}

impl StageDeletion {
    /// Reads the deals of a list and their destination at the same time.
    pub async fn read(store: &Store, client: ClientScope, deals: &List<Deal>, to: StageId) -> Result<Self> {
        let limit = i32::try_from(INLINE_LIMIT + 1).map_err(Problem::internal)?;
        let totals = client.stage_totals(to);
        let (totals, tail, deals) =
            tokio::try_join!(async { Ok(store.get(&totals).await?) }, TailPositions::read(store, client, to), async {
                Ok(store.query(deals, None, Order::Asc, limit).await?)
            },)?;
        let is_complete = deals.stopped.is_none() && deals.items.len() <= INLINE_LIMIT;
        Ok(Self { to, totals, tail, deals: is_complete.then(|| distinct(deals)) })
    }

    /// The stage that the deals are moved to.
    ///
    /// It must exist, must not be in deletion, and must not be one of `stages`.
    fn destination(&self, stages: &[Stage]) -> Result<StageRef> {
        if stages.iter().any(|stage| stage.id == self.to) {
            let error = InvalidValue::new("same_stage", "must be a stage that is not deleted");
            return Err(ValidationErrors::field("/moveTo", error).into());
        }
        if stages.iter().any(|stage| stage.moves_to.is_some_and(|to| to != self.to)) {
            return Err(being_deleted());
        }
        let totals = self.totals.as_ref().filter(|totals| totals.moves_to.is_none());
        let totals = totals.ok_or_else(|| Problem::unresolved_reference("/moveTo"))?;
        Ok(StageRef { pipeline_id: totals.pipeline_id, stage_id: self.to })
    }
}

/// The deals of the list, each once.
///
/// An index may return a deal at two positions while it follows the table.
fn distinct(found: QueryResult<Deal>) -> Vec<Deal> {
    let mut seen = HashSet::new();
    found.items.into_iter().map(|(_, deal)| deal).filter(|deal| seen.insert(deal.id)).collect()
}

/// `409 being_deleted`: the stage or the pipeline is being deleted.
pub fn being_deleted() -> Problem {
    Problem::new(ErrorCode::BeingDeleted, "This is being deleted, and its deals are being moved to another stage.")
}

/// The client, the user and the time of a deletion.
#[derive(Clone, Copy)]
pub struct DeletionContext<'a> {
    /// The app.
    pub app: &'a App,
    /// The client.
    pub client: ClientScope,
    /// The user who deletes.
    pub by: UserId,
    /// The current time.
    pub now: Instant,
}

impl DeletionContext<'_> {
    /// Adds the deletion of stages and the moves of their deals.
    ///
    /// With more deals than `INLINE_LIMIT`, adds nothing and returns the stage that they must be moved to:
    /// [`defer`](Self::defer) adds a job that does so.
    pub fn delete_stages(
        self,
        transaction: &mut Transaction,
        stages: &[Stage],
        deletion: Option<&StageDeletion>,
    ) -> Result<Option<StageRef>> {
        let (mut changes, pipeline) = match deletion {
            None => (StageTotalsChanges::new(), None),
            Some(deletion) => {
                let destination = deletion.destination(stages)?;
                let Some(deals) = &deletion.deals else { return Ok(Some(destination)) };
                let stage_order = |deal: &Deal| stages.iter().position(|stage| stage.id == deal.fields.stage_id);
                let mut deals = deals.clone();
                deals.sort_by_cached_key(|deal| (stage_order(deal), deal.position.clone()));
                let moves = append(deals, destination, &mut deletion.tail.clone(), self.now)?;
                (relocate(transaction, self.client, &moves, self.by)?, Some(destination.pipeline_id))
            }
        };
        for stage in stages {
            let moved = changes.remove(&stage.id).map_or(0, |change| change.n.unsigned_abs());
            let totals = self.client.stage_totals(stage.id);
            match deletion {
                Some(_) => StageTotals::delete_emptied(transaction, &totals, moved)?,
                None => StageTotals::delete_empty(transaction, &totals)?,
            }
        }
        let is_deleted = |id: &StageId| stages.iter().any(|stage| stage.id == *id);
        for to in stages.iter().filter_map(|stage| stage.moves_to).filter(|to| !is_deleted(to)) {
            changes.entry(to).or_default().inbound -= 1;
        }
        if stages.len() + changes.len() + PIPELINE_PARTS > MAX_PARTS {
            return Err(being_deleted());
        }
        change_totals(transaction, self.client, changes, pipeline)?;
        Ok(None)
    }

    /// Adds a job that moves the deals, and then deletes the stage or the pipeline.
    ///
    /// Without `stage`, the whole pipeline is deleted.
    ///
    /// Returns the pipeline in its state until the job is done. Adds nothing if the same deletion was deferred
    /// before.
    pub fn defer(
        self,
        transaction: &mut Transaction,
        pipeline: &Pipeline,
        stage: Option<StageId>,
        destination: StageRef,
    ) -> Result<Pipeline> {
        let to = destination.stage_id;
        let is_repeated = match stage {
            Some(stage) => pipeline.stage(stage).is_some_and(|(_, stage)| stage.moves_to == Some(to)),
            None => pipeline.moves_to == Some(to),
        };
        if is_repeated {
            return Ok(pipeline.clone());
        }
        let next = pipeline.in_deletion(stage, to, self.now);
        transaction.replace(&self.client.pipeline(pipeline.id), &next, pipeline.meta.version)?;
        let mut changes = StageTotalsChanges::new();
        let stages = pipeline.stages.iter().filter(|candidate| stage.is_none_or(|id| id == candidate.id));
        for stage in stages.filter(|stage| stage.moves_to.is_none()) {
            StageTotals::begin_deletion(transaction, &self.client.stage_totals(stage.id), to)?;
            changes.entry(to).or_default().inbound += 1;
        }
        let job = MoveDeals { pipeline: pipeline.id, stage, to, by: self.by };
        enqueue(transaction, self.app, self.client, &job)?;
        change_totals(transaction, self.client, changes, Some(destination.pipeline_id))?;
        Ok(next)
    }
}

/// Appends deals to a stage: each deal before and after.
///
/// `tail` is updated.
fn append(
    deals: Vec<Deal>,
    StageRef { pipeline_id, stage_id }: StageRef,
    tail: &mut TailPositions,
    now: Instant,
) -> Result<Vec<(Deal, Deal)>> {
    let moves = deals.into_iter().map(|deal| {
        let fields = DealFields { stage_id, pipeline_id, ..deal.fields.clone() };
        let next = deal.changed(fields, tail.next(deal.fields.status)?, now);
        Ok((deal, next))
    });
    moves.collect()
}

/// Moves all deals of a job, then deletes their stages.
///
/// Each step is one transaction. No step begins after `stop`.
pub async fn move_deals(context: &JobContext<'_>, job: &MoveDeals) -> Result<JobOutcome> {
    let mut tail = None;
    loop {
        let has_moved = tail.is_some();
        match move_or_delete(context, job, &mut tail).await {
            Ok(JobOutcome::Continue) if tokio::time::Instant::now() < context.stop => {}
            Err(problem) if has_moved => return Ok(JobOutcome::after_progress(&problem)),
            outcome => return outcome,
        }
    }
}

/// Moves some deals of a job, or deletes its stages if they have no deals.
///
/// `tail` has the last positions of the deals that were moved before, and is updated.
async fn move_or_delete(
    context: &JobContext<'_>,
    job: &MoveDeals,
    tail: &mut Option<TailPositions>,
) -> Result<JobOutcome> {
    let &JobContext { app, client, .. } = context;
    let store = app.store_for_event();
    let Some(pipeline) = store.get(&client.pipeline(job.pipeline)).await? else { return Ok(JobOutcome::Done) };
    let Some(stage) = first_with_deals(&store, client, &stages_of(job, &pipeline)).await? else {
        return delete_emptied(context, &store, job).await.map(|()| JobOutcome::Done);
    };
    *tail = move_batch(context, &store, job, stage, tail.take()).await?;
    // Without a moved deal, the index has not caught up with the table.
    Ok(if tail.is_some() { JobOutcome::Continue } else { JobOutcome::RetryAfter(GSI_LAG) })
}

/// The stages that a job deletes.
fn stages_of(job: &MoveDeals, pipeline: &Pipeline) -> Vec<Stage> {
    pipeline.stages.iter().filter(|stage| job.stage.is_none_or(|id| id == stage.id)).cloned().collect()
}

async fn first_with_deals(store: &Store, client: ClientScope, stages: &[Stage]) -> Result<Option<StageId>> {
    let keys: Vec<_> = stages.iter().map(|stage| client.stage_totals(stage.id)).collect();
    let totals = store.get_all(&keys).await?;
    let mut with_deals = stages.iter().zip(totals).filter(|(_, totals)| totals.as_ref().is_some_and(|it| it.n > 0));
    Ok(with_deals.next().map(|(stage, _)| stage.id))
}

/// Some deals of a stage in deletion, and their destination.
struct Batch {
    destination: StageRef,
    tail: TailPositions,
    deals: Vec<Deal>,
}

/// Moves some deals of a stage to positions after the deals that were moved before.
///
/// `earlier` has the last positions of the deals that were moved before.
///
/// Returns the last positions afterwards; `None` if no deals were found.
async fn move_batch(
    &JobContext { app, client, .. }: &JobContext<'_>,
    store: &Store,
    job: &MoveDeals,
    stage: StageId,
    earlier: Option<TailPositions>,
) -> Result<Option<TailPositions>> {
    let read = async || {
        let totals = client.stage_totals(job.to);
        let (totals, tail) =
            tokio::try_join!(async { Ok(store.find(&totals).await?) }, TailPositions::read(store, client, job.to))?;
        // The index may not contain the earlier moves yet, and other deals may be added to the stage, too.
        let tail = earlier.iter().cloned().fold(tail, TailPositions::max);
        let found = store.query(&client.deals_of_stage(stage, None), None, Order::Asc, BATCH).await?;
        // The index may still show deals that are in another stage by now.
        let keys: Vec<_> = distinct(found).into_iter().map(|deal| client.deal(deal.id)).collect();
        let deals = store.get_all(&keys).await?.into_iter().flatten().filter(|deal| deal.fields.stage_id == stage);
        let destination = StageRef { pipeline_id: totals.pipeline_id, stage_id: job.to };
        Ok(Batch { destination, tail, deals: deals.collect() })
    };
    let decide = |Batch { destination, tail, deals }: &Batch, transaction: &mut Transaction| {
        if deals.is_empty() {
            return Ok(None);
        }
        let mut tail = tail.clone();
        let moves = append(deals.clone(), *destination, &mut tail, app.now())?;
        let changes = relocate(transaction, client, &moves, job.by)?;
        change_totals(transaction, client, changes, Some(destination.pipeline_id))?;
        Ok(Some(tail))
    };
    store.retry_on_conflict(read, decide).await
}

/// Deletes the stage or the pipeline after its last deal was moved.
async fn delete_emptied(
    &JobContext { app, client, .. }: &JobContext<'_>,
    store: &Store,
    job: &MoveDeals,
) -> Result<()> {
    let read = async || {
        let (pipeline, default) = (client.pipeline(job.pipeline), client.default_pipeline());
        Ok(tokio::try_join!(store.get(&pipeline), store.get(&default))?)
    };
    let decide = |(pipeline, default): &(Option<Pipeline>, Option<DefaultPipeline>), transaction: &mut Transaction| {
        let Some(pipeline) = pipeline else { return Ok(()) };
        let stages = stages_of(job, pipeline);
        let context = DeletionContext { app, client, by: job.by, now: app.now() };
        match job.stage {
            // An earlier attempt deleted the stage.
            Some(_) if stages.is_empty() => return Ok(()),
            Some(stage) => {
                let next = pipeline.without_stage(stage, context.now);
                transaction.replace_or_retry(&client.pipeline(pipeline.id), &next, pipeline.meta.version)?;
            }
            None => delete_pipeline(transaction, client, pipeline, default.as_ref())?,
        }
        context.delete_stages(transaction, &stages, None).map(drop)
    };
    store.retry_on_conflict(read, decide).await
}

/// Adds the deletion of a pipeline, without its stages.
///
/// `409 default_pipeline` for the default pipeline, unless it is the client's last one.
pub fn delete_pipeline(
    transaction: &mut Transaction,
    client: ClientScope,
    pipeline: &Pipeline,
    default: Option<&DefaultPipeline>,
) -> Result<()> {
    transaction.decrement_children(client)?;
    transaction.delete(&client.pipeline(pipeline.id), pipeline.meta.version)?;
    // A client without a default pipeline has no pipelines: this pipeline was deleted after its read.
    let default = default.ok_or(StoreError::Conflict)?;
    let key = client.default_pipeline();
    if default.n <= 1 {
        return Ok(transaction.delete(&key, default.version)?);
    }
    if default.pipeline_id == pipeline.id {
        return Err(is_default());
    }
    let next = DefaultPipeline { n: default.n - 1, version: default.version + 1, ..default.clone() };
    Ok(transaction.replace_or_retry(&key, &next, default.version)?)
}

/// `409 default_pipeline`: the client has other pipelines.
pub fn is_default() -> Problem {
    let detail = "This is the default pipeline. Make another pipeline the default first.";
    Problem::new(ErrorCode::DefaultPipeline, detail)
}
