//! Which tags a contact has.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use shared::auth::{Access, ClientId, ClientScope, UseCrm};
use shared::contacts::{self, Otherwise};
use shared::entity::{Contact, ContactId, ContactRecord, Tag, TagId, TagRecord};
use shared::http::{Deleted, Found, IfMatch, PathId, PathIds};
use shared::store::Store;
use shared::{App, Problem, Result};
use utoipa::ToSchema;

use crate::contacts::replace;

/// All tags of a contact, which are few.
#[derive(Serialize, ToSchema)]
pub(crate) struct ContactTags {
    /// In the order in which the contact got them.
    items: Vec<TagRecord>,
}

/// Read the tags of a contact, all at once.
#[utoipa::path(get, path = "/v1/clients/{clientId}/contacts/{contactId}/tags", tag = "contacts", operation_id = "readContactTags",
    params(("clientId" = ClientId, Path), ("contactId" = ContactId, Path)),
    responses((status = 200, body = ContactTags, description = "The tags.")),
    extensions(("x-round-trips" = json!(3))))]
pub(crate) async fn read(
    client: Access<ClientScope, UseCrm>,
    PathId(id): PathId<Contact>,
    store: Store,
) -> Result<Json<ContactTags>> {
    let contact = contacts::find(&store, *client, id).await?.contact;
    let keys: Vec<_> = contact.fields.tag_ids.iter().map(|tag| client.tag(*tag)).collect();
    Ok(Json(ContactTags { items: store.get_all(&keys).await?.into_iter().flatten().collect() }))
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
) -> Result<Found<ContactRecord>> {
    // The path names it.
    let otherwise = Otherwise { missing: &|_, _| Problem::not_found(), ..Otherwise::REFUSE };
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
    tagged.await.map(Found::new)
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
    let untagged = replace(&store, *client, id, &if_match, Otherwise::REFUSE, |contact| {
        let mut fields = contact.fields.clone();
        fields.tag_ids.retain(|other| *other != tag);
        if fields.tag_ids.len() == contact.fields.tag_ids.len() {
            return Err(Problem::not_found());
        }
        Ok(contact.changed(fields, app.clock().now()))
    });
    untagged.await.map(|_| Deleted)
}
