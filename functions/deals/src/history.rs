//! What was changed of a deal, and by whom.

use axum::Json;
use shared::Result;
use shared::auth::{Access, ClientId, ClientScope, UseCrm};
use shared::entity::{Deal, DealChange, DealId};
use shared::http::page::PageParams;
use shared::http::{Page, Paging, PathId};
use shared::store::Store;

type HistoryPage = Page<DealChange>;

/// List the changes of a deal's stage, status, value, currency and assignee, oldest first, from its creation on.
#[utoipa::path(get, path = "/v1/clients/{clientId}/deals/{dealId}/history", tag = "deals", operation_id = "listDealHistory",
    params(("clientId" = ClientId, Path), ("dealId" = DealId, Path), PageParams),
    responses((status = 200, body = HistoryPage, description = "A page.")),
    extensions(("x-round-trips" = json!(3))))]
pub(crate) async fn list(
    client: Access<ClientScope, UseCrm>,
    PathId(id): PathId<Deal>,
    store: Store,
    paging: Paging,
) -> Result<Json<HistoryPage>> {
    paging.read_of(&store, *client, &client.deal(id), client.deal_history(id)).await.map(Json)
}
