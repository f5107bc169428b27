//! The board of a pipeline: the totals of its stages, and the first deals of each.

use axum::Json;
use futures_util::future::try_join_all;
use rust_decimal::Decimal;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use shared::contacts::hide_deleted_contacts;
use shared::deals::{CurrencyTotal, Deal, DealStatus, Pipeline, PipelineId, Stage, StageTotals};
use shared::identity::{ClientId, ClientScope, UseCrm};
use shared::table::{Order, QueryResult, Store};
use shared::value::{Currency, Percent};
use shared::web::page::truncate_page;
use shared::web::{Access, Paging, PathId, Problem, Result};
use utoipa::ToSchema;

use crate::list::ROUTE;

/// A pipeline with the totals and the first open deals of each stage.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Board {
    /// The pipeline.
    pipeline: Pipeline,
    /// One column for each stage, in the order of the stages.
    stages: Vec<BoardColumn>,
}

/// A stage with its totals and its first open deals.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BoardColumn {
    /// The stage.
    stage: Stage,
    /// The number of open deals in the stage.
    count: i64,
    /// The total value of the open deals in each currency.
    totals: Vec<BoardTotals>,
    /// The first open deals, by position.
    deals: Vec<Deal>,
    /// The cursor of the next deals of the column; `null` if there are none.
    ///
    /// Send it as `cursor` of `GET …/deals?stageId=…&status=OPEN`.
    #[schema(required)]
    next_cursor: Option<String>,
}

/// The exact total value of open deals in one currency.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BoardTotals {
    /// The currency.
    #[schema(value_type = Currency)]
    currency: String,
    /// The sum of the values.
    #[schema(value_type = f64, example = 1250.5)]
    value: Box<RawValue>,
    /// The sum of the values, multiplied by the stage's probability.
    ///
    /// Exact, not rounded.
    #[schema(value_type = f64, example = 625.25)]
    weighted: Box<RawValue>,
}

/// Get the board of a pipeline.
///
/// Returns the number and the total value of the open deals of each stage, and the first `limit` of these
/// deals.
#[utoipa::path(
    get, path = "/v1/clients/{clientId}/pipelines/{pipelineId}/board", tag = "deals", operation_id = "getBoard",
    params(
        ("clientId" = ClientId, Path, description = "The client's id."),
        ("pipelineId" = PipelineId, Path, description = "The pipeline's id."),
        (
            "limit" = Option<u16>, Query, minimum = 1, maximum = 100,
            description = "The maximum number of deals of each stage. Default: 25."
        )
    ),
    responses(
        (
            status = 200, body = Board,
            description = "The pipeline with the totals and the first open deals of each stage."
        )
    ),
    extensions(("x-errors" = json!(["invalid_cursor"])))
)]
pub(crate) async fn get(
    client: Access<ClientScope, UseCrm>,
    PathId(id): PathId<Pipeline>,
    store: Store,
    paging: Paging,
) -> Result<Json<Board>> {
    let pipeline = store.find(&client.pipeline(id)).await?;
    let totals: Vec<_> = pipeline.stages.iter().map(|stage| client.stage_totals(stage.id)).collect();
    let deals = pipeline.stages.iter().map(|stage| first_deals(&store, *client, &paging, stage));
    let (totals, deals) = tokio::try_join!(async { Ok(store.get_all(&totals).await?) }, try_join_all(deals))?;
    let mut stages = Vec::new();
    for ((stage, totals), (deals, next_cursor)) in pipeline.stages.iter().zip(totals).zip(deals) {
        let open = totals.map(|totals: StageTotals| totals.open).unwrap_or_default();
        let count = open.values().map(|total| total.n).sum();
        let totals = open.into_iter().map(|(code, total)| BoardTotals::new(code, total, stage.fields.probability));
        let totals = totals.collect::<Result<_>>()?;
        stages.push(BoardColumn { stage: stage.clone(), count, totals, deals, next_cursor });
    }
    let deals = stages.iter_mut().flat_map(|column| std::mem::take(&mut column.deals)).collect();
    let mut deals = hide_deleted_contacts(&store, *client, deals).await?.into_iter().peekable();
    for column in &mut stages {
        while let Some(deal) = deals.next_if(|deal| deal.fields.stage_id == column.stage.id) {
            column.deals.push(deal);
        }
    }
    Ok(Json(Board { pipeline, stages }))
}

/// The first open deals of a stage, and the cursor that continues them.
async fn first_deals(
    store: &Store,
    client: ClientScope,
    paging: &Paging,
    stage: &Stage,
) -> Result<(Vec<Deal>, Option<String>)> {
    let list = client.deals_of_stage(stage.id, Some(DealStatus::Open));
    // This route has no cursors of its own: the list of deals continues each column.
    paging.after(&list)?;
    let limit = i32::try_from(paging.limit() + 1).map_err(Problem::internal)?;
    let QueryResult { items: mut rows, stopped } = store.query(&list, None, Order::Asc, limit).await?;
    let end = truncate_page(&mut rows, paging.limit(), stopped);
    let filters = [("stageId", stage.id.to_string()), ("status", "OPEN".to_owned())];
    let filters: Map<_, _> = filters.into_iter().map(|(name, value)| (name.to_owned(), Value::String(value))).collect();
    let cursor = end.map(|end| paging.cursor_of_route(ROUTE, &filters, &list, &end)).transpose()?;
    Ok((rows.into_iter().map(|(_, deal)| deal).collect(), cursor))
}

impl BoardTotals {
    fn new(currency: String, total: CurrencyTotal, probability: Percent) -> Result<Self> {
        let decimals = currency.parse().map(Currency::decimals);
        let decimals = decimals.map_err(|_| Problem::internal("stage totals in an unknown currency"))?;
        let weighted = total.minor * i128::from(probability.get());
        Ok(Self { currency, value: number(total.minor, decimals)?, weighted: number(weighted, decimals + 2)? })
    }
}

/// A decimal number as JSON with all its digits.
///
/// A binary floating-point number cannot represent large sums exactly.
fn number(mantissa: i128, scale: u32) -> Result<Box<RawValue>> {
    let decimal = Decimal::try_from_i128_with_scale(mantissa, scale).map_err(Problem::internal)?;
    RawValue::from_string(decimal.normalize().to_string()).map_err(Problem::internal)
}
