//! Which tags a contact has.

use axum::Json;
use axum::extract::State;
use shared::auth::{Access, ClientId, ClientScope, UseCrm};
use shared::contacts::{self, ConflictPolicy};
use shared::entity::{Contact, ContactId, ContactRecord, Tag, TagId, TagRecord};
use shared::http::page::PageParams;
use shared::http::{Deleted, IfMatch, Page, Paging, PathId, PathIds, WithEtag};
use shared::store::Store;
use shared::{App, Problem, Result};

use crate::contacts::replace;

type TagPage = Page<TagRecord>;

/// List the tags of a contact, in the order in which it got them.
#[utoipa::path(get, path = "/v1/clients/{clientId}/contacts/{contactId}/tags", tag = "contacts", operation_id = "listContactTags",
    params(("clientId" = ClientId, Path), ("contactId" = ContactId, Path), PageParams),
    responses((status = 200, body = TagPage, description = "A page.")),
    extensions(("x-round-trips" = json!(3))))]
pub(crate) async fn list(
    client: Access<ClientScope, UseCrm>,
    PathId(id): PathId<Contact>,
    store: Store,
    paging: Paging,
) -> Result<Json<TagPage>> {
    let contact = contacts::find(&store, *client, id).await?.contact;
    // Two contacts' tags are two lists, and a cursor is of one.
    let page = paging.of_row(&client.deals_of(id), contact.fields.tag_ids, |tag| *tag)?;
    let keys: Vec<_> = page.items.iter().map(|tag| client.tag(*tag)).collect();
    let items = store.get_all(&keys).await?.into_iter().flatten().collect();
    Ok(Json(Page { items, next_cursor: page.next_cursor }))
}

/// Tag a contact. It may have the tag already.
#[utoipa::path(put, path = "/v1/clients/{clientId}/contacts/{contactId}/tags/{tagId}", tag = "contacts", operation_id = "tagContact",
    params(("clientId" = ClientId, Path), ("contactId" = ContactId, Path), ("tagId" = TagId, Path)),
    responses((status = 200, body = ContactRecord, description = "The contact, with the tag.")),
    extensions(("x-round-trips" = json!(3)), ("x-versioned" = json!(true))))]
pub(crate) async fn tag(
    client: Access<ClientScope, UseCrm>,
    PathIds(id, tag): PathIds<Contact, Tag>,
    State(app): State<App>,
    store: Store,
    if_match: IfMatch,
) -> Result<WithEtag<ContactRecord>> {
    // The path names it.
    let otherwise = ConflictPolicy { missing: &|_, _| Problem::not_found(), ..ConflictPolicy::FAIL };
    let tagged = replace(&store, *client, id, &if_match, otherwise, |contact| {
        let mut fields = contact.fields.clone();
        if fields.tag_ids.contains(&tag) {
            return Ok(contact.clone());
        }
        if fields.tag_ids.len() >= Contact::MAX_TAGS {
            return Err(Problem::conflict("too_many_tags", "The contact has as many tags as it can have."));
        }
        fields.tag_ids.push(tag);
        Ok(contact.changed(fields, app.clock().now()))
    });
    tagged.await.map(WithEtag::new)
}

/// Take a tag off a contact.
#[utoipa::path(delete, path = "/v1/clients/{clientId}/contacts/{contactId}/tags/{tagId}", tag = "contacts", operation_id = "untagContact",
    params(("clientId" = ClientId, Path), ("contactId" = ContactId, Path), ("tagId" = TagId, Path)),
    responses((status = 204, description = "The contact has not the tag any more.")),
    extensions(("x-round-trips" = json!(3)), ("x-versioned" = json!(true))))]
pub(crate) async fn untag(
    client: Access<ClientScope, UseCrm>,
    PathIds(id, tag): PathIds<Contact, Tag>,
    State(app): State<App>,
    store: Store,
    if_match: IfMatch,
) -> Result<Deleted> {
    let untagged = replace(&store, *client, id, &if_match, ConflictPolicy::FAIL, |contact| {
        let mut fields = contact.fields.clone();
        fields.tag_ids.retain(|other| *other != tag);
        if fields.tag_ids.len() == contact.fields.tag_ids.len() {
            return Err(Problem::not_found());
        }
        Ok(contact.changed(fields, app.clock().now()))
    });
    untagged.await.map(|_| Deleted)
}
