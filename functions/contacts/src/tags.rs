//! Create, list, read, update and delete tags.

use axum::Json;
use axum::extract::State;
use shared::contacts::jobs::RemoveTag;
use shared::contacts::{Tag, TagId, TagName, TagRecord, Tombstones, delete_later, limits};
use shared::identity::{ClientId, ClientScope, UseCrm};
use shared::table::{Record, Store, Transaction, UniqueConstraint};
use shared::value::InvalidValue;
use shared::web::page::PageParams;
use shared::web::{
    Access, App, Create, Created, Deleted, ErrorCode, IfMatch, IfNoneMatch, Page, Paging, Patch, PathId, Problem,
    Result, WithEtag,
};

type TagPage = Page<TagRecord>;

/// Create a tag.
///
/// The name must be unique within the client, regardless of case. `409 too_many_client_tags` if the client has 1,000
/// tags.
#[utoipa::path(
    post, path = "/v1/clients/{clientId}/tags", tag = "contacts", operation_id = "createTag",
    params(("clientId" = ClientId, Path, description = "The client's id.")),
    request_body = Tag,
    responses((status = 201, body = TagRecord, description = "The new tag.")),
    extensions(("x-errors" = json!(["name_taken", "too_many_client_tags"])))
)]
pub(crate) async fn create(
    client: Access<ClientScope, UseCrm>,
    State(app): State<App>,
    store: Store,
    Create { fields, request }: Create<Tag>,
) -> Result<Created> {
    let tag = Record::new(app.ids(), *client, fields, app.now());
    let mut transaction = store.transaction();
    limits::count_tag(&mut transaction, *client, limits::too_many_tags())?;
    transaction.create(&client.tag(tag.id), &tag)?;
    let owner = UniqueConstraint { owner: tag.id.uuid() };
    transaction.create_or(&client.tag_name(&tag.fields.name), &owner, name_taken())?;
    let location = format!("/v1/clients/{}/tags/{}", client.id(), tag.id);
    request.commit(transaction, *client, &tag, location).await
}

/// List tags.
///
/// Oldest first.
#[utoipa::path(
    get, path = "/v1/clients/{clientId}/tags", tag = "contacts", operation_id = "listTags",
    params(("clientId" = ClientId, Path, description = "The client's id."), PageParams),
    responses((status = 200, body = TagPage, description = "A page of tags."))
)]
pub(crate) async fn list(client: Access<ClientScope, UseCrm>, store: Store, paging: Paging) -> Result<Json<TagPage>> {
    paging.read(&store, *client, client.tags()).await.map(Json)
}

/// Get a tag.
///
/// Returns its name and color.
#[utoipa::path(
    get, path = "/v1/clients/{clientId}/tags/{tagId}", tag = "contacts", operation_id = "getTag",
    params(
        ("clientId" = ClientId, Path, description = "The client's id."),
        ("tagId" = TagId, Path, description = "The tag's id.")
    ),
    responses((status = 200, body = TagRecord, description = "The tag.")),
    extensions(("x-versioned" = json!(true)))
)]
pub(crate) async fn read(
    client: Access<ClientScope, UseCrm>,
    PathId(id): PathId<Tag>,
    store: Store,
    if_none_match: IfNoneMatch,
) -> Result<WithEtag<TagRecord>> {
    Ok(WithEtag::unless(store.find(&client.tag(id)).await?, if_none_match))
}

/// Update a tag.
///
/// A JSON Merge Patch: `null` clears a field, an absent field keeps its value. The name must be unique within
/// the client, regardless of case.
#[utoipa::path(
    patch, path = "/v1/clients/{clientId}/tags/{tagId}", tag = "contacts", operation_id = "updateTag",
    params(
        ("clientId" = ClientId, Path, description = "The client's id."),
        ("tagId" = TagId, Path, description = "The tag's id.")
    ),
    request_body(content = Tag, content_type = "application/merge-patch+json"),
    responses((status = 200, body = TagRecord, description = "The updated tag.")),
    extensions(("x-errors" = json!(["name_taken"])), ("x-versioned" = json!(true)))
)]
pub(crate) async fn update(
    client: Access<ClientScope, UseCrm>,
    PathId(id): PathId<Tag>,
    State(app): State<App>,
    store: Store,
    if_match: IfMatch,
    patch: Patch,
) -> Result<WithEtag<TagRecord>> {
    let next = store.update(client.tag(id), &if_match, |current, transaction| {
        let next = patch.change(current, &app)?;
        rename(transaction, *client, id, &current.fields.name, &next.fields.name)?;
        Ok(next)
    });
    next.await.map(WithEtag::new)
}

/// Delete a tag.
///
/// Removes the tag from all contacts. Responses no longer contain the tag; if it has many contacts, their
/// `version` and `updatedAt` change within minutes.
#[utoipa::path(
    delete, path = "/v1/clients/{clientId}/tags/{tagId}", tag = "contacts", operation_id = "deleteTag",
    params(
        ("clientId" = ClientId, Path, description = "The client's id."),
        ("tagId" = TagId, Path, description = "The tag's id.")
    ),
    responses((status = 204, description = "The tag was deleted.")),
    extensions(("x-errors" = json!(["too_many_deletions"])), ("x-versioned" = json!(true)))
)]
pub(crate) async fn delete(
    client: Access<ClientScope, UseCrm>,
    PathId(id): PathId<Tag>,
    State(app): State<App>,
    store: Store,
    if_match: IfMatch,
) -> Result<Deleted> {
    let (key, tombstones) = (client.tag(id), client.tombstones());
    // Both reads always complete, so that the cost does not depend on whether the tag exists.
    let read = || async {
        let (tag, tombstones) = tokio::join!(store.find(&key), store.get(&tombstones));
        Ok((tag?, tombstones?))
    };
    let decide = |(tag, tombstones): &(TagRecord, Option<Tombstones>), transaction: &mut Transaction| {
        if_match.check(tag.meta.version)?;
        transaction.delete(&key, tag.meta.version)?;
        transaction.remove(&client.tag_name(&tag.fields.name))?;
        limits::uncount_tag(transaction, *client)?;
        delete_later(transaction, &app, *client, tombstones.as_ref(), id.uuid(), &RemoveTag { tag: id })
    };
    store.retry_on_conflict(read, decide).await.map(|()| Deleted)
}

/// Moves the unique constraint of a tag's name, if the name changes.
fn rename(
    transaction: &mut Transaction,
    client: ClientScope,
    id: TagId,
    before: &TagName,
    after: &TagName,
) -> Result<()> {
    let (before, after) = (client.tag_name(before), client.tag_name(after));
    if before == after {
        return Ok(());
    }
    transaction.remove(&before)?;
    Ok(transaction.create_or(&after, &UniqueConstraint { owner: id.uuid() }, name_taken())?)
}

fn name_taken() -> Problem {
    Problem::new(ErrorCode::NameTaken, "Another tag of this client has this name.")
        .at("/name", InvalidValue::new("taken", "belongs to another tag"))
}
