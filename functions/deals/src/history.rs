//! The history of a deal.

use axum::Json;
use shared::deals::{Deal, DealChange, DealId};
use shared::identity::{ClientId, ClientScope, UseCrm};
use shared::table::Store;
use shared::web::page::PageParams;
use shared::web::{Access, Page, Paging, PathId, Result};

type HistoryPage = Page<DealChange>;

/// List the history of a deal, oldest change first.
///
/// Contains the changes of the stage, the status, the value, the currency and the assignee. The first entry is
/// the creation.
#[utoipa::path(
    get, path = "/v1/clients/{clientId}/deals/{dealId}/history", tag = "deals", operation_id = "listDealHistory",
    params(
        ("clientId" = ClientId, Path, description = "The client's id."),
        ("dealId" = DealId, Path, description = "The deal's id."), PageParams
    ),
    responses((status = 200, body = HistoryPage, description = "A page of changes."))
)]
pub(crate) async fn list(
    client: Access<ClientScope, UseCrm>,
    PathId(id): PathId<Deal>,
    store: Store,
    paging: Paging,
) -> Result<Json<HistoryPage>> {
    paging.read_children(&store, *client, &client.deal(id), client.deal_history(id)).await.map(Json)
}
