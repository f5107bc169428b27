//! The board of a pipeline: what each stage holds, and the first of it.

use axum::Json;
use futures_util::future::try_join_all;
use rust_decimal::Decimal;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use shared::auth::{Access, ClientId, ClientScope, UseCrm};
use shared::deals::shown;
use shared::entity::{CurrencyTotal, Deal, DealStatus, Pipeline, PipelineId, Stage, StageTotals};
use shared::http::page::end_of;
use shared::http::{Paging, PathId};
use shared::store::{Order, Rows, Store};
use shared::value::{Currency, Percent};
use shared::{Problem, Result};
use utoipa::ToSchema;

use crate::list::ROUTE;

/// A pipeline at a glance.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Board {
    /// The pipeline.
    pipeline: Pipeline,
    /// Its stages, in their order.
    stages: Vec<Column>,
}

/// What a stage holds.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Column {
    /// The stage.
    stage: Stage,
    /// How many open deals it holds.
    count: i64,
    /// What those are worth, in each currency.
    totals: Vec<Total>,
    /// The first of its open deals, in their order.
    deals: Vec<Deal>,
    /// What `GET …/deals?stageId=…&status=OPEN` takes as its `cursor` to go on; `null` if there are no more.
    #[schema(required)]
    next_cursor: Option<String>,
}

/// What open deals are worth in one currency, exactly.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Total {
    /// The currency.
    #[schema(value_type = Currency)]
    currency: String,
    /// The sum of their values.
    #[schema(value_type = f64, example = 1250.5)]
    value: Box<RawValue>,
    /// The same, times the stage's probability; not rounded.
    #[schema(value_type = f64, example = 625.25)]
    weighted: Box<RawValue>,
}

/// Read the board of a pipeline: counts and totals of the open deals of each stage, and the first `limit` of them.
#[utoipa::path(get, path = "/v1/clients/{clientId}/pipelines/{pipelineId}/board", tag = "deals", operation_id = "readBoard",
    params(("clientId" = ClientId, Path), ("pipelineId" = PipelineId, Path),
        ("limit" = Option<u16>, Query, minimum = 1, maximum = 100, description = "How many deals of each stage at most; 25 unless given.")),
    responses((status = 200, body = Board, description = "The board.")),
    extensions(("x-round-trips" = json!(53))))]
pub(crate) async fn read(
    client: Access<ClientScope, UseCrm>,
    PathId(id): PathId<Pipeline>,
    store: Store,
    paging: Paging,
) -> Result<Json<Board>> {
    let pipeline = store.find(&client.pipeline(id)).await?;
    let tallies: Vec<_> = pipeline.stages.iter().map(|stage| client.stage(stage.id)).collect();
    let columns = pipeline.stages.iter().map(|stage| column(&store, *client, &paging, stage));
    let (tallies, columns) = tokio::try_join!(store.get_all(&tallies), try_join_all(columns))?;
    let mut stages = Vec::new();
    for ((stage, tally), (deals, next_cursor)) in pipeline.stages.iter().zip(tallies).zip(columns) {
        let open = tally.map(|tally: StageTotals| tally.open).unwrap_or_default();
        let count = open.values().map(|sum| sum.n).sum();
        let totals = open.into_iter().map(|(code, sum)| Total::of(code, sum, stage.fields.probability));
        stages.push(Column { stage: stage.clone(), count, totals: totals.collect::<Result<_>>()?, deals, next_cursor });
    }
    let deals = stages.iter_mut().flat_map(|column| std::mem::take(&mut column.deals)).collect();
    let mut deals = shown(&store, *client, deals).await?.into_iter().peekable();
    for column in &mut stages {
        while let Some(deal) = deals.next_if(|deal| deal.fields.stage_id == column.stage.id) {
            column.deals.push(deal);
        }
    }
    Ok(Json(Board { pipeline, stages }))
}

/// The first of a stage's open deals, and where the list of all goes on.
async fn column(
    store: &Store,
    client: ClientScope,
    paging: &Paging,
    stage: &Stage,
) -> Result<(Vec<Deal>, Option<String>)> {
    let list = client.deals_in(stage.id, Some(DealStatus::Open));
    // Each stage goes on elsewhere: there is no cursor of this route.
    paging.after(&list)?;
    let limit = i32::try_from(paging.limit() + 1).map_err(Problem::internal)?;
    let Rows { mut rows, stopped } = store.query(&list, None, Order::Asc, limit).await?;
    let end = end_of(&mut rows, paging.limit(), stopped);
    let filters = [("stageId", stage.id.to_string()), ("status", "OPEN".to_owned())];
    let filters: Map<_, _> = filters.into_iter().map(|(name, value)| (name.to_owned(), Value::String(value))).collect();
    let cursor = end.map(|end| paging.cursor_elsewhere(ROUTE, filters, &list, &end)).transpose()?;
    Ok((rows.into_iter().map(|(_, deal)| deal).collect(), cursor))
}

impl Total {
    fn of(currency: String, sum: CurrencyTotal, probability: Percent) -> Result<Self> {
        let decimals =
            currency.parse().map(Currency::decimals).map_err(|_| Problem::internal("a tally in no currency"))?;
        let weighted = sum.minor * i128::from(probability.get());
        Ok(Self { currency, value: number(sum.minor, decimals)?, weighted: number(weighted, decimals + 2)? })
    }
}

/// A decimal number as JSON, digit for digit: a binary one has no room for large sums.
fn number(mantissa: i128, scale: u32) -> Result<Box<RawValue>> {
    let decimal = Decimal::try_from_i128_with_scale(mantissa, scale).map_err(Problem::internal)?;
    RawValue::from_string(decimal.normalize().to_string()).map_err(Problem::internal)
}
