//! The stage that a request selects, and positions of deals in a stage.

use crate::deals::{Deal, DealId, DealStatus, PipelineId, StageId};
use crate::identity::ClientScope;
use crate::table::{List, Order, Store};
use crate::value::{InvalidValue, Rank, ValidationErrors};
use crate::web::{ErrorCode, Located, Problem, Result};
use uuid::Uuid;

/// The pipeline and the stage of a request, both optional.
#[derive(Clone, Copy, Debug)]
pub struct StageSelector {
    /// The pipeline.
    ///
    /// Without a stage, its first stage is selected.
    pub pipeline_id: Option<PipelineId>,
    /// The stage.
    ///
    /// Without it, the first stage of the pipeline or of the client's default pipeline is selected.
    pub stage_id: Option<StageId>,
}

/// A stage and the pipeline that it belongs to.
#[derive(Clone, Copy, Debug)]
pub struct StageRef {
    /// The pipeline.
    pub pipeline_id: PipelineId,
    /// The stage.
    pub stage_id: StageId,
}

/// Resolves the selected stage, and a position after all its deals of a status.
///
/// A stage that is selected by its id costs one round trip, because both reads run at the same time.
/// Otherwise the position is read after the pipeline: two round trips, or three with the default pipeline.
pub async fn resolve_last(
    store: &Store,
    client: ClientScope,
    selector: StageSelector,
    status: DealStatus,
) -> Result<(StageRef, Rank)> {
    let Some(stage_id) = selector.stage_id else {
        let stage = resolve(store, client, selector).await?;
        let position = last(store, client, stage.stage_id, status).await?;
        return Ok((stage, position));
    };
    // Both reads always complete, so that the cost does not depend on whether the stage exists.
    let (stage, position) = tokio::join!(resolve(store, client, selector), last(store, client, stage_id, status));
    Ok((stage?, position?))
}

/// Resolves the selected stage.
pub async fn resolve(store: &Store, client: ClientScope, selector: StageSelector) -> Result<StageRef> {
    let resolved = match selector.stage_id {
        Some(stage_id) => by_id(store, client, selector.pipeline_id, stage_id).await,
        None => first_of(store, client, selector.pipeline_id).await,
    };
    match resolved {
        // A client that does not exist has no stages either.
        Err(problem) if problem.status().is_client_error() && !client.exists(store).await? => Err(Problem::not_found()),
        resolved => resolved,
    }
}

async fn by_id(
    store: &Store,
    client: ClientScope,
    pipeline_id: Option<PipelineId>,
    stage_id: StageId,
) -> Result<StageRef> {
    // No deals are added to a stage that is being deleted.
    let totals = store.get(&client.stage_totals(stage_id)).await?.filter(|totals| totals.moves_to.is_none());
    let totals = totals.ok_or_else(|| Problem::unresolved_reference("/stageId"))?;
    if pipeline_id.is_some_and(|pipeline_id| pipeline_id != totals.pipeline_id) {
        let error = InvalidValue::new("other_pipeline", "must be a stage of the pipeline that pipelineId names");
        return Err(ValidationErrors::field("/stageId", error).into());
    }
    Ok(StageRef { pipeline_id: totals.pipeline_id, stage_id })
}

async fn first_of(store: &Store, client: ClientScope, pipeline_id: Option<PipelineId>) -> Result<StageRef> {
    let required = || {
        let error = InvalidValue::new("required", "is required, because there is no first stage to use instead");
        ValidationErrors::field("/stageId", error)
    };
    let pipeline_id = match pipeline_id {
        Some(pipeline_id) => pipeline_id,
        None => store.get(&client.default_pipeline()).await?.ok_or_else(required)?.pipeline_id,
    };
    let pipeline = store.get(&client.pipeline(pipeline_id)).await?;
    let pipeline = pipeline.ok_or_else(|| Problem::unresolved_reference("/pipelineId"))?;
    let stage = pipeline.stages.iter().find(|stage| stage.moves_to.is_none()).ok_or_else(required)?;
    Ok(StageRef { pipeline_id, stage_id: stage.id })
}

/// A position behind all deals of a status in a stage.
///
/// The index is eventually consistent: deals that are added at the same time may be in any order.
pub async fn last(store: &Store, client: ClientScope, stage: StageId, status: DealStatus) -> Result<Rank> {
    rank(last_rank(store, client, stage, status).await?.as_ref(), None)
}

/// The last position of each status in a stage.
///
/// Several deals are added after it, one after the other.
#[derive(Clone, Debug)]
pub struct TailPositions {
    open: Option<Rank>,
    won: Option<Rank>,
    lost: Option<Rank>,
}

impl TailPositions {
    /// Reads the three positions at the same time, each as [`last`] does.
    pub async fn read(store: &Store, client: ClientScope, stage: StageId) -> Result<Self> {
        let of = |status| last_rank(store, client, stage, status);
        let (open, won, lost) = tokio::try_join!(of(DealStatus::Open), of(DealStatus::Won), of(DealStatus::Lost))?;
        Ok(Self { open, won, lost })
    }

    /// For each status, the later one of two positions.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        // A status without deals has no position, and `None` is less than all.
        Self { open: self.open.max(other.open), won: self.won.max(other.won), lost: self.lost.max(other.lost) }
    }

    /// The position of the next deal of a status.
    pub fn next(&mut self, status: DealStatus) -> Result<Rank> {
        let last = match status {
            DealStatus::Open => &mut self.open,
            DealStatus::Won => &mut self.won,
            DealStatus::Lost => &mut self.lost,
        };
        let next = rank(last.as_ref(), None)?;
        *last = Some(next.clone());
        Ok(next)
    }
}

/// A position for `deal` directly after another deal of a stage.
///
/// Without `after`, a position before all deals of its status.
pub async fn behind(
    store: &Store,
    client: ClientScope,
    stage: StageId,
    deal: &Deal,
    after: Option<DealId>,
) -> Result<Rank> {
    let Some(after) = after else {
        let first = next_rank(store, &client.deals_of_stage(stage, Some(deal.fields.status)), deal).await?;
        return between(None, first.as_ref(), stage, deal);
    };
    let before = store.get(&client.deal(after)).await?.ok_or_else(|| Problem::unresolved_reference("/afterDealId"))?;
    if before.fields.stage_id != stage || after == deal.id {
        let error = InvalidValue::new("other_stage", "must be another deal of the stage that stageId names");
        return Err(ValidationErrors::field("/afterDealId", error).into());
    }
    let behind = client.deals_behind(stage, deal.fields.status, &before.position);
    let next = next_rank(store, &behind, deal).await?;
    between(Some(&before.position), next.as_ref(), stage, deal)
}

/// The current position of `deal` if it is between the two, else a new one.
fn between(after: Option<&Rank>, before: Option<&Rank>, stage: StageId, deal: &Deal) -> Result<Rank> {
    let current = &deal.position;
    let is_there = after.is_none_or(|after| after < current) && before.is_none_or(|before| current < before);
    if is_there && deal.fields.stage_id == stage { Ok(current.clone()) } else { rank(after, before) }
}

/// The position of the last deal of a status in a stage.
async fn last_rank(store: &Store, client: ClientScope, stage: StageId, status: DealStatus) -> Result<Option<Rank>> {
    let found = store.query(&client.deals_of_stage(stage, Some(status)), None, Order::Desc, 1).await?;
    Ok(found.items.into_iter().next().map(|(_, deal)| deal.position))
}

/// The position of the first deal in a list, if it has the status of `moved`.
///
/// `moved` itself is skipped.
async fn next_rank(store: &Store, list: &List<Deal>, moved: &Deal) -> Result<Option<Rank>> {
    let found = store.query(list, None, Order::Asc, 2).await?;
    let mut others = found.items.into_iter().map(|(_, deal)| deal).filter(|deal| deal.id != moved.id);
    Ok(others.next().filter(|deal| deal.fields.status == moved.fields.status).map(|deal| deal.position))
}

fn rank(after: Option<&Rank>, before: Option<&Rank>) -> Result<Rank> {
    let (_, random) = Uuid::new_v4().as_u64_pair();
    let random = u32::try_from(random & u64::from(u32::MAX)).map_err(Problem::internal)?;
    Rank::between(after, before, random).ok_or_else(|| {
        Problem::new(ErrorCode::NoRoom, "There is no room left between these two deals. Move one of them first.")
    })
}
