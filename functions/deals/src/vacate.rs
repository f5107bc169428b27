//! What deals do when their stage, or their whole pipeline, is deleted: they go to another stage. Few go in the transaction that deletes
//! it. Many are a job's: until it is done they stand where they are shown to stand, in a stage to which no others come.

use std::collections::HashSet;
use std::time::Duration;

use deserr::Deserr;
use shared::auth::ClientScope;
use shared::deals::{self, StageTotalsChanges};
use shared::entity::{Deal, DealFields, DefaultPipeline, Pipeline, PipelineId, Stage, StageId, StageTotals, UserId};
use shared::job::{Job, JobOutcome, MoveDeals, Work};
use shared::keys::List;
use shared::store::{MAX_PARTS, Order, Rows, Store, Transaction};
use shared::value::{Instant, InvalidValue, ValidationErrors};
use shared::{App, Problem, Result};
use utoipa::IntoParams;

use crate::pipelines;
use crate::place::TailPositions;

/// How many deals go in the transaction that deletes a pipeline of 50 stages: a transaction has at most 100 parts.
const INLINE_LIMIT: usize = 20;

/// What a pipeline takes of a transaction that deletes it, but for its stages.
const PARTS_OF_PIPELINE: usize = 3;

/// How many deals a step of the job moves: each takes two parts.
const A_STEP: i32 = 40;

/// How long an index may take to follow the table.
const GSI_LAG: Duration = Duration::from_secs(1);

/// Where the deals go of what is deleted.
#[derive(Deserr, IntoParams)]
#[deserr(error = ValidationErrors, rename_all = camelCase, deny_unknown_fields)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
pub(crate) struct Destination {
    /// Another stage, of whatever pipeline, to which the deals go.
    #[deserr(default)]
    pub(crate) move_to: Option<StageId>,
}

/// Deals that are to leave, and the stage to which they go.
pub(crate) struct StageDeletion {
    to: StageId,
    tally: Option<StageTotals>,
    ends: TailPositions,
    /// All of them; `None` if they are many.
    deals: Option<Vec<Deal>>,
}

impl StageDeletion {
    /// Reads what is to leave, all at the same time.
    pub(crate) async fn read(store: &Store, client: ClientScope, deals: &List<Deal>, to: StageId) -> Result<Self> {
        let limit = i32::try_from(INLINE_LIMIT + 1).map_err(Problem::internal)?;
        let to_key = client.stage(to);
        let (tally, ends, deals) = tokio::try_join!(
            store.get(&to_key),
            TailPositions::read(store, client, to),
            store.query(deals, None, Order::Asc, limit)
        )?;
        let all = deals.stopped.is_none() && deals.rows.len() <= INLINE_LIMIT;
        let deals = all.then(|| each_once(deals));
        Ok(Self { to, tally, ends, deals })
    }

    /// The pipeline to which the deals go, if they can: to a stage that stays, and is none of these.
    fn pipeline(&self, stages: &[Stage]) -> Result<PipelineId> {
        if stages.iter().any(|stage| stage.id == self.to) {
            let why = InvalidValue::new("same_stage", "must be a stage that is not deleted");
            return Err(ValidationErrors::field("/moveTo", why).into());
        }
        if stages.iter().any(|stage| stage.moves_to.is_some_and(|to| to != self.to)) {
            return Err(being_deleted());
        }
        let stays = self.tally.as_ref().filter(|tally| tally.moves_to.is_none());
        stays.map(|tally| tally.pipeline_id).ok_or_else(|| Problem::unresolved_reference("/moveTo"))
    }
}

/// Each deal that was found, once: an index may show one in two places while it follows the table.
fn each_once(found: Rows<Deal>) -> Vec<Deal> {
    let mut seen = HashSet::new();
    found.rows.into_iter().map(|(_, deal)| deal).filter(|deal| seen.insert(deal.id)).collect()
}

/// It is too late for this change.
pub(crate) fn being_deleted() -> Problem {
    Problem::conflict("being_deleted", "It is being deleted, and its deals are being moved to another stage.")
}

/// Who deletes, and when.
#[derive(Clone, Copy)]
pub(crate) struct Deleting<'a> {
    pub(crate) app: &'a App,
    pub(crate) client: ClientScope,
    pub(crate) by: UserId,
    pub(crate) now: Instant,
}

impl Deleting<'_> {
    /// Adds that stages are deleted, with the deals that leave them. If those are many, it adds nothing and gives the stage to which
    /// they go, with its pipeline.
    pub(crate) fn stages(
        self,
        transaction: &mut Transaction,
        stages: &[Stage],
        leaving: Option<&StageDeletion>,
    ) -> Result<Option<(PipelineId, StageId)>> {
        let (mut changes, pipeline) = match leaving {
            None => (StageTotalsChanges::new(), None),
            Some(leaving) => {
                let pipeline = leaving.pipeline(stages)?;
                let Some(deals) = &leaving.deals else { return Ok(Some((pipeline, leaving.to))) };
                let order = |deal: &Deal| stages.iter().position(|stage| stage.id == deal.fields.stage_id);
                let mut deals = deals.clone();
                deals.sort_by_cached_key(|deal| (order(deal), deal.position.clone()));
                let (moves, _) = moved(deals, (pipeline, leaving.to), leaving.ends.clone(), self.now)?;
                (deals::relocate(transaction, self.client, &moves, self.by)?, Some(pipeline))
            }
        };
        for stage in stages {
            let left = changes.remove(&stage.id).map_or(0, |change| change.n.unsigned_abs());
            let tally = self.client.stage(stage.id);
            match leaving {
                Some(_) => transaction.close_left_stage(&tally, left)?,
                None => transaction.close_stage(&tally)?,
            }
        }
        let is_deleted = |to: &StageId| stages.iter().any(|stage| stage.id == *to);
        for to in stages.iter().filter_map(|stage| stage.moves_to).filter(|to| !is_deleted(to)) {
            changes.entry(to).or_default().inbound -= 1;
        }
        if stages.len() + changes.len() + PARTS_OF_PIPELINE > MAX_PARTS {
            return Err(being_deleted());
        }
        deals::tally(transaction, self.client, changes, pipeline)?;
        Ok(None)
    }

    /// Adds that a stage of a pipeline, or all of it, is deleted by a job once the deals have left, and gives the pipeline as it is
    /// meanwhile.
    pub(crate) fn later(
        self,
        transaction: &mut Transaction,
        pipeline: &Pipeline,
        stage: Option<StageId>,
        (of, to): (PipelineId, StageId),
    ) -> Result<Pipeline> {
        let is_asked_again = match stage {
            Some(stage) => pipeline.stage(stage).is_some_and(|(_, stage)| stage.moves_to == Some(to)),
            None => pipeline.moves_to == Some(to),
        };
        if is_asked_again {
            return Ok(pipeline.clone());
        }
        let next = pipeline.vacating(stage, to, self.now);
        transaction.replace(&self.client.pipeline(pipeline.id), &next, pipeline.meta.version)?;
        let mut changes = StageTotalsChanges::new();
        let stages: Vec<_> = pipeline.stages.iter().filter(|one| stage.is_none_or(|stage| stage == one.id)).collect();
        for one in stages.iter().filter(|one| one.moves_to.is_none()) {
            transaction.vacate(&self.client.stage(one.id), to)?;
            changes.entry(to).or_default().inbound += 1;
        }
        let work = Work::Vacate(MoveDeals { pipeline: pipeline.id, stage, to, by: self.by });
        transaction.create(&self.client.job(self.app.ids().make()), &Job::new(work, self.now, self.now))?;
        deals::tally(transaction, self.client, changes, Some(of))?;
        Ok(next)
    }
}

/// The deals as they are and as they will be, one behind the other in another stage; and where the next goes.
fn moved(
    deals: Vec<Deal>,
    (pipeline_id, stage_id): (PipelineId, StageId),
    mut ends: TailPositions,
    now: Instant,
) -> Result<(Vec<(Deal, Deal)>, TailPositions)> {
    let moved = deals.into_iter().map(|deal| {
        let fields = DealFields { pipeline_id, stage_id, ..deal.fields.clone() };
        let position = ends.next(fields.status)?;
        let next = deal.changed(fields, position, now);
        Ok((deal, next))
    });
    Ok((moved.collect::<Result<_>>()?, ends))
}

/// Moves deals until none is left or until `stop`, each step one transaction; then deletes what held them.
pub async fn vacate(
    app: &App,
    client: ClientScope,
    work: &MoveDeals,
    stop: tokio::time::Instant,
) -> Result<JobOutcome> {
    let mut ends = None;
    while tokio::time::Instant::now() < stop {
        let store = app.store_for_event();
        let Some(pipeline) = store.get(&client.pipeline(work.pipeline)).await? else { return Ok(JobOutcome::Done) };
        let Some(stage) = still_holding(&store, client, &of(work, &pipeline)).await? else {
            return delete(app, &store, client, work).await.map(|()| JobOutcome::Done);
        };
        ends = move_some(app, &store, client, work, (stage, ends)).await?;
        if ends.is_none() {
            // The index has not caught up.
            return Ok(JobOutcome::RetryAfter(GSI_LAG));
        }
    }
    Ok(JobOutcome::Continue)
}

/// The stages that are to go.
fn of(work: &MoveDeals, pipeline: &Pipeline) -> Vec<Stage> {
    pipeline.stages.iter().filter(|stage| work.stage.is_none_or(|id| id == stage.id)).cloned().collect()
}

async fn still_holding(store: &Store, client: ClientScope, stages: &[Stage]) -> Result<Option<StageId>> {
    let keys: Vec<_> = stages.iter().map(|stage| client.stage(stage.id)).collect();
    let tallies = store.get_all(&keys).await?;
    let mut holding = stages.iter().zip(tallies).filter(|(_, tally)| tally.as_ref().is_some_and(|tally| tally.n > 0));
    Ok(holding.next().map(|(stage, _)| stage.id))
}

/// Moves some of a stage's deals behind those that it moved `before`, and gives where the next ones go; `None` if none is found.
async fn move_some(
    app: &App,
    store: &Store,
    client: ClientScope,
    work: &MoveDeals,
    (stage, before): (StageId, Option<TailPositions>),
) -> Result<Option<TailPositions>> {
    let read = || async {
        let (key, ends) = (client.stage(work.to), TailPositions::read(store, client, work.to));
        let (to, ends) = tokio::try_join!(store.find(&key), ends)?;
        // The index may not show yet what was moved, and others come there, too.
        let ends = before.iter().cloned().fold(ends, TailPositions::or_further);
        let some = store.query(&client.deals_in(stage, None), None, Order::Asc, A_STEP).await?;
        // The index may still have them there when they are elsewhere.
        let keys: Vec<_> = each_once(some).into_iter().map(|deal| client.deal(deal.id)).collect();
        let deals = store.get_all(&keys).await?.into_iter().flatten().filter(|deal| deal.fields.stage_id == stage);
        Ok((to.pipeline_id, ends, deals.collect::<Vec<_>>()))
    };
    let decide = |(pipeline, ends, deals): &(PipelineId, TailPositions, Vec<Deal>), transaction: &mut Transaction| {
        if deals.is_empty() {
            return Ok(None);
        }
        let (moves, ends) = moved(deals.clone(), (*pipeline, work.to), ends.clone(), app.clock().now())?;
        let changes = deals::relocate(transaction, client, &moves, work.by)?;
        deals::tally(transaction, client, changes, Some(*pipeline))?;
        Ok(Some(ends))
    };
    store.decide(read, decide).await
}

/// Deletes what holds nothing any more.
async fn delete(app: &App, store: &Store, client: ClientScope, work: &MoveDeals) -> Result<()> {
    let read = || async {
        let (pipeline, default) = (client.pipeline(work.pipeline), client.default_pipeline());
        tokio::try_join!(store.get(&pipeline), store.get(&default))
    };
    let decide = |(pipeline, default): &(Option<Pipeline>, Option<DefaultPipeline>), transaction: &mut Transaction| {
        let Some(pipeline) = pipeline else { return Ok(()) };
        let stages = of(work, pipeline);
        let deleting = Deleting { app, client, by: work.by, now: app.clock().now() };
        match work.stage {
            // Somebody else was here first.
            Some(_) if stages.is_empty() => return Ok(()),
            Some(stage) => {
                let next = pipeline.without_stage(stage, deleting.now);
                transaction.replace_anew(&client.pipeline(pipeline.id), &next, pipeline.meta.version)?;
            }
            None => pipelines::remove(transaction, client, pipeline, default.as_ref())?,
        }
        deleting.stages(transaction, &stages, None).map(drop)
    };
    store.decide(read, decide).await
}
