//! All contacts as CSV.

use axum::response::{IntoResponse, Response};
use lambda_http::http::header;
use shared::auth::{Access, ClientId, ClientScope, UseCrm};
use shared::contacts::shown;
use shared::entity::{ContactRow, TagId};
use shared::http::page::NoFilters;
use shared::http::{Page, Paging};
use shared::store::Store;
use shared::{Problem, Result};
use std::collections::{BTreeSet, HashMap};

use crate::sheet;

/// How many contacts a page has at most.
const MOST: u16 = 1000;

/// Export all contacts as CSV, oldest first.
///
/// Each page is a file of its own, with a header, and `Link` leads to the next one while there is one. Import takes them as they
/// are, also one after another in one file. A cell that a spreadsheet would take for a formula begins with `'`, which import takes
/// off again.
#[utoipa::path(get, path = "/v1/clients/{clientId}/contacts/export", tag = "contacts", operation_id = "exportContacts",
    params(("clientId" = ClientId, Path),
        ("limit" = Option<u16>, Query, minimum = 1, maximum = 1000, description = "How many contacts at most; 1000 unless told."),
        ("cursor" = Option<String>, Query, description = "From the `Link` of the page before.")),
    responses((status = 200, content_type = "text/csv", body = String, description = "A page.",
        headers(("Link" = String, description = "With `rel=\"next\"`: the next page. Absent on the last.")))),
    extensions(("x-round-trips" = json!(3))))]
pub(crate) async fn export(
    client: Access<ClientScope, UseCrm>,
    store: Store,
    paging: Paging<NoFilters, MOST, MOST>,
) -> Result<Response> {
    let Page { items, next_cursor } = paging.read(&store, *client, client.contacts()).await?;
    let rows = shown(&store, *client, items).await?;
    let names = names(&store, *client, &rows).await?;
    let contacts = rows.iter().map(|row| &row.contact);
    let file = sheet::write(contacts, |tag| names.get(&tag).map(String::as_str))?;
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8; header=present"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"contacts.csv\""),
    ];
    let mut response = (headers, file).into_response();
    if let Some(cursor) = next_cursor {
        let path = format!("/v1/clients/{}/contacts/export", client.id());
        let link = format!("<{path}?limit={}&cursor={cursor}>; rel=\"next\"", paging.limit());
        response.headers_mut().insert(header::LINK, link.parse().map_err(Problem::internal)?);
    }
    Ok(response)
}

/// The names of the tags that some contacts have.
async fn names(store: &Store, client: ClientScope, rows: &[ContactRow]) -> Result<HashMap<TagId, String>> {
    let ids: BTreeSet<_> = rows.iter().flat_map(|row| row.contact.fields.tag_ids.iter().copied()).collect();
    let keys: Vec<_> = ids.iter().map(|tag| client.tag(*tag)).collect();
    let tags = store.get_all(&keys).await?.into_iter().flatten();
    Ok(tags.map(|tag| (tag.id, tag.fields.name.to_string())).collect())
}
