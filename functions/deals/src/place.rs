//! Where a deal goes: to which stage, and to which position in it.

use shared::auth::{ClientScope, Located};
use shared::entity::{Deal, DealId, DealStatus, PipelineId, StageId};
use shared::keys::List;
use shared::store::{Order, Store};
use shared::value::{InvalidValue, Rank, ValidationErrors};
use shared::{Problem, Result};
use uuid::Uuid;

/// The stage that is meant: the one that is named, else the first of the pipeline that is named, else the first of the default
/// pipeline. With its pipeline.
pub(crate) async fn stage(
    store: &Store,
    client: ClientScope,
    pipeline: Option<PipelineId>,
    stage: Option<StageId>,
) -> Result<(PipelineId, StageId)> {
    let found = match stage {
        Some(stage) => named(store, client, pipeline, stage).await,
        None => first(store, client, pipeline).await,
    };
    match found {
        // Without a client there are no stages either.
        Err(problem) if problem.status().is_client_error() && !client.exists(store).await? => Err(Problem::not_found()),
        found => found,
    }
}

async fn named(
    store: &Store,
    client: ClientScope,
    pipeline: Option<PipelineId>,
    stage: StageId,
) -> Result<(PipelineId, StageId)> {
    // To a stage that is being deleted no deal comes any more.
    let tally = store.get(&client.stage(stage)).await?.filter(|tally| tally.moves_to.is_none());
    let tally = tally.ok_or_else(|| Problem::unresolved_reference("/stageId"))?;
    if pipeline.is_some_and(|pipeline| pipeline != tally.pipeline_id) {
        let why = InvalidValue::new("other_pipeline", "is not a stage of the pipeline that pipelineId names");
        return Err(ValidationErrors::field("/stageId", why).into());
    }
    Ok((tally.pipeline_id, stage))
}

async fn first(store: &Store, client: ClientScope, pipeline: Option<PipelineId>) -> Result<(PipelineId, StageId)> {
    let required = || {
        ValidationErrors::field(
            "/stageId",
            InvalidValue::new("required", "is required, as there is no stage to begin with"),
        )
    };
    let id = match pipeline {
        Some(named) => named,
        None => store.get(&client.default_pipeline()).await?.ok_or_else(required)?.pipeline_id,
    };
    let pipeline =
        store.get(&client.pipeline(id)).await?.ok_or_else(|| Problem::unresolved_reference("/pipelineId"))?;
    let stage = pipeline.stages.iter().find(|stage| stage.moves_to.is_none()).ok_or_else(required)?;
    Ok((id, stage.id))
}

/// A position behind all deals of a status in a stage. The index follows the table within moments: deals that come at the same time
/// may come in any order.
pub(crate) async fn at_the_end(store: &Store, client: ClientScope, stage: StageId, status: DealStatus) -> Result<Rank> {
    rank(last(store, client, stage, status).await?.as_ref(), None)
}

async fn last(store: &Store, client: ClientScope, stage: StageId, status: DealStatus) -> Result<Option<Rank>> {
    neighbour(store, &client.deals_in(stage, Some(status)), Order::Desc, None, status).await
}

/// The last positions of a stage, for several deals that come to it one behind the other.
#[derive(Clone)]
pub(crate) struct TailPositions {
    open: Option<Rank>,
    won: Option<Rank>,
    lost: Option<Rank>,
}

impl TailPositions {
    /// Reads them at the same time, as [`at_the_end`] does one.
    pub(crate) async fn read(store: &Store, client: ClientScope, stage: StageId) -> Result<Self> {
        let of = |status| last(store, client, stage, status);
        let (open, won, lost) = tokio::try_join!(of(DealStatus::Open), of(DealStatus::Won), of(DealStatus::Lost))?;
        Ok(Self { open, won, lost })
    }

    /// These, or those of `others` that are further.
    pub(crate) fn or_further(self, others: Self) -> Self {
        // Without a deal there is no position, and `None` is before all.
        Self { open: self.open.max(others.open), won: self.won.max(others.won), lost: self.lost.max(others.lost) }
    }

    /// The position of the next deal of a status.
    pub(crate) fn next(&mut self, status: DealStatus) -> Result<Rank> {
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

/// A position for `deal` right behind another deal of the stage, or before all of them.
pub(crate) async fn behind(
    store: &Store,
    client: ClientScope,
    stage: StageId,
    deal: &Deal,
    after: Option<DealId>,
) -> Result<Rank> {
    let status = deal.fields.status;
    let Some(after) = after else {
        let first = client.deals_in(stage, Some(status));
        let first = neighbour(store, &first, Order::Asc, Some(deal.id), status).await?;
        return rank(None, first.as_ref());
    };
    let before = store.get(&client.deal(after)).await?.ok_or_else(|| Problem::unresolved_reference("/afterDealId"))?;
    if before.fields.stage_id != stage || after == deal.id {
        let why = InvalidValue::new("other_stage", "must be another deal, which stands in that stage");
        return Err(ValidationErrors::field("/afterDealId", why).into());
    }
    let rest = client.deals_behind(stage, status, &before.position);
    let next = neighbour(store, &rest, Order::Asc, Some(deal.id), status).await?;
    rank(Some(&before.position), next.as_ref())
}

/// The position of the first deal of a status in a list, not counting the one that moves.
async fn neighbour(
    store: &Store,
    list: &List<Deal>,
    order: Order,
    moves: Option<DealId>,
    status: DealStatus,
) -> Result<Option<Rank>> {
    let rows = store.query(list, None, order, 2).await?.rows.into_iter().map(|(_, deal)| deal);
    let mut others = rows.filter(|deal| Some(deal.id) != moves);
    Ok(others.next().filter(|deal| deal.fields.status == status).map(|deal| deal.position))
}

fn rank(after: Option<&Rank>, before: Option<&Rank>) -> Result<Rank> {
    let (_, chance) = Uuid::new_v4().as_u64_pair();
    let chance = u32::try_from(chance & u64::from(u32::MAX)).map_err(Problem::internal)?;
    Rank::between(after, before, chance).ok_or_else(|| {
        Problem::conflict("no_room", "There is no room left between these deals. Move one of them elsewhere first.")
    })
}
