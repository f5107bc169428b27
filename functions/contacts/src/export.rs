//! Export of all contacts as CSV.

use std::collections::{BTreeSet, HashMap};

use axum::response::{IntoResponse, Response};
use deserr::Deserr;
use lambda_http::http::header;
use shared::contacts::{ContactRow, TagId, repository, sheet};
use shared::identity::{ClientId, ClientScope, UseCrm};
use shared::table::Store;
use shared::value::{QueryBool, ValidationErrors};
use shared::web::{Access, Page, Paging, Problem, Result};

/// The largest and the default number of contacts of a page.
const MAX_LIMIT: u16 = 1000;

/// Query parameters of an export besides those of its pages.
#[derive(Clone, Copy, Debug, Deserr)]
#[deserr(error = ValidationErrors, deny_unknown_fields)]
pub(crate) struct Options {
    #[deserr(default)]
    bom: QueryBool,
}

/// The byte order mark.
const BYTE_ORDER_MARK: &str = "\u{feff}";

/// Export contacts as CSV.
///
/// All contacts, oldest first, in pages. Each page is a complete file with a header; the `Link` header has
/// the URL of the next page. The import accepts these files unchanged, also several files concatenated. A
/// cell that a spreadsheet would evaluate as a formula, or a part of a cell after a separator, is prefixed with `'`,
/// which the import removes.
#[utoipa::path(
    get, path = "/v1/clients/{clientId}/contacts/export", tag = "contacts", operation_id = "exportContacts",
    params(
        ("clientId" = ClientId, Path, description = "The client's id."),
        (
            "limit" = Option<u16>, Query, minimum = 1, maximum = 1000,
            description = "Maximum number of contacts; default 1000."
        ),
        (
            "bom" = Option<bool>, Query,
            description = "Begin with a byte order mark, without which Excel reads the file in another encoding; default false."
        ), ("cursor" = Option<String>, Query, description = "The cursor in the `Link` header of the previous page.")
    ),
    responses(
        (
            status = 200, content_type = "text/csv", body = String,
            description = "A page of contacts as CSV with a header.",
            headers(("Link" = String, description = "The next page, with `rel=\"next\"`. Absent on the last page."))
        )
    )
)]
pub(crate) async fn export(
    client: Access<ClientScope, UseCrm>,
    store: Store,
    paging: Paging<Options, MAX_LIMIT, MAX_LIMIT>,
) -> Result<Response> {
    let Page { items, next_cursor } = paging.read(&store, *client, client.contacts()).await?;
    let rows = repository::hide_deleted_tags(&store, *client, items).await?;
    let tag_names = tag_names(&store, *client, &rows).await?;
    let contacts = rows.iter().map(|row| &row.contact);
    let file = sheet::write(contacts, |tag| tag_names.get(&tag).map(String::as_str))?;
    let bom = paging.filters.bom.is_set();
    // Two, because `lambda_http` removes one when it decodes the body as text.
    let file = if bom { format!("{BYTE_ORDER_MARK}{BYTE_ORDER_MARK}{file}") } else { file };
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8; header=present"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"contacts.csv\""),
    ];
    let mut response = (headers, file).into_response();
    if let Some(cursor) = next_cursor {
        let path = format!("/v1/clients/{}/contacts/export", client.id());
        let bom = if bom { "&bom=true" } else { "" };
        let link = format!("<{path}?limit={}&cursor={cursor}{bom}>; rel=\"next\"", paging.limit());
        response.headers_mut().insert(header::LINK, link.parse().map_err(Problem::internal)?);
    }
    Ok(response)
}

/// The tags of contacts, by id.
async fn tag_names(store: &Store, client: ClientScope, rows: &[ContactRow]) -> Result<HashMap<TagId, String>> {
    let ids: BTreeSet<_> = rows.iter().flat_map(|row| row.contact.fields.tag_ids.iter().copied()).collect();
    let keys: Vec<_> = ids.iter().map(|tag| client.tag(*tag)).collect();
    let tags = store.get_all(&keys).await?.into_iter().flatten();
    Ok(tags.map(|tag| (tag.id, tag.fields.name.to_string())).collect())
}
