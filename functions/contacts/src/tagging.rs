//! The tags of one contact.

use axum::Json;
use axum::extract::State;
use shared::contacts::{ConflictPolicy, Contact, ContactId, ContactRecord, Tag, TagId, TagRecord, repository};
use shared::identity::{ClientId, ClientScope, UseCrm};
use shared::table::{Failure, Store};
use shared::web::page::PageParams;
use shared::web::{Access, App, Deleted, ErrorCode, IfMatch, Page, Paging, PathId, PathIds, Problem, Result, WithEtag};

use crate::contacts::replace;

type TagPage = Page<TagRecord>;

/// List the tags of a contact.
///
/// In the order in which the tags were added to the contact.
#[utoipa::path(
    get, path = "/v1/clients/{clientId}/contacts/{contactId}/tags", tag = "contacts", operation_id = "listContactTags",
    params(
        ("clientId" = ClientId, Path, description = "The client's id."),
        ("contactId" = ContactId, Path, description = "The contact's id."), PageParams
    ),
    responses((status = 200, body = TagPage, description = "A page of tags."))
)]
pub(crate) async fn list(
    client: Access<ClientScope, UseCrm>,
    PathId(id): PathId<Contact>,
    store: Store,
    paging: Paging,
) -> Result<Json<TagPage>> {
    let contact = repository::find(&store, *client, id).await?.contact;
    // The tags are in the contact's item. This list only binds the cursor to the contact.
    let page = paging.page_of_elements(&client.deals_of_contact(id), contact.fields.tag_ids, |tag| *tag)?;
    let keys: Vec<_> = page.items.iter().map(|tag| client.tag(*tag)).collect();
    let items = store.get_all(&keys).await?.into_iter().flatten().collect();
    Ok(Json(Page { items, next_cursor: page.next_cursor }))
}

/// Add a tag to a contact.
///
/// Changes nothing if the contact has the tag already. A contact has at most 30 tags.
#[utoipa::path(
    put, path = "/v1/clients/{clientId}/contacts/{contactId}/tags/{tagId}", tag = "contacts",
    operation_id = "tagContact",
    params(
        ("clientId" = ClientId, Path, description = "The client's id."),
        ("contactId" = ContactId, Path, description = "The contact's id."),
        ("tagId" = TagId, Path, description = "The tag's id.")
    ),
    responses((status = 200, body = ContactRecord, description = "The contact with the tag.")),
    extensions(("x-errors" = json!(["too_many_tags"])), ("x-versioned" = json!(true)))
)]
pub(crate) async fn tag(
    client: Access<ClientScope, UseCrm>,
    PathIds(id, tag): PathIds<Contact, Tag>,
    State(app): State<App>,
    store: Store,
    if_match: IfMatch,
) -> Result<WithEtag<ContactRecord>> {
    // The tag is named by the path, not by a field: 404, not 422.
    let policy = ConflictPolicy { missing_tag: &|_, _| Failure::NotFound, ..ConflictPolicy::FAIL };
    let tagged = replace(&store, *client, id, &if_match, policy, |contact| {
        let mut fields = contact.fields.clone();
        if fields.tag_ids.contains(&tag) {
            return Ok(contact.clone());
        }
        if fields.tag_ids.len() >= Contact::MAX_TAGS {
            return Err(Problem::new(ErrorCode::TooManyTags, "The contact has 30 tags, which is the maximum."));
        }
        fields.tag_ids.push(tag);
        Ok(contact.changed(fields, app.now()))
    });
    tagged.await.map(WithEtag::new)
}

/// Remove a tag from a contact.
///
/// `404` if the contact does not have the tag.
#[utoipa::path(
    delete, path = "/v1/clients/{clientId}/contacts/{contactId}/tags/{tagId}", tag = "contacts",
    operation_id = "untagContact",
    params(
        ("clientId" = ClientId, Path, description = "The client's id."),
        ("contactId" = ContactId, Path, description = "The contact's id."),
        ("tagId" = TagId, Path, description = "The tag's id.")
    ),
    responses((status = 204, description = "The tag was removed from the contact.")),
    extensions(("x-versioned" = json!(true)))
)]
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
        Ok(contact.changed(fields, app.now()))
    });
    untagged.await.map(|_| Deleted)
}
