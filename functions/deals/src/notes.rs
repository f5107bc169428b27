//! Notes: what somebody wrote down of a deal.

use axum::Json;
use axum::extract::State;
use shared::auth::{Access, ClientId, ClientScope, UseCrm};
use shared::entity::{Deal, DealId, Meta, Note, NoteFields, NoteId};
use shared::http::page::PageParams;
use shared::http::{Create, Created, Deleted, IfMatch, IfNoneMatch, Page, Paging, Patch, PathId, PathIds, WithEtag};
use shared::store::Store;
use shared::{App, Problem, Result};

type NotePage = Page<Note>;

/// Create a note.
#[utoipa::path(post, path = "/v1/clients/{clientId}/deals/{dealId}/notes", tag = "deals", operation_id = "createNote",
    params(("clientId" = ClientId, Path), ("dealId" = DealId, Path)), request_body = NoteFields,
    responses((status = 201, body = Note, description = "Created.")),
    extensions(("x-round-trips" = json!(1))))]
pub(crate) async fn create(
    client: Access<ClientScope, UseCrm>,
    PathId(deal_id): PathId<Deal>,
    State(app): State<App>,
    store: Store,
    Create { fields, request }: Create<NoteFields>,
) -> Result<Created> {
    let (id, author_id) = (app.ids().make(), client.actor().user());
    let meta = Meta::created(app.clock().now());
    let note = Note { id, client_id: client.id(), deal_id, author_id, fields, meta };
    let mut transaction = store.transaction();
    transaction.require(&client.deal(deal_id), Problem::not_found())?;
    transaction.create(&client.note(deal_id, id), &note)?;
    let location = format!("/v1/clients/{}/deals/{deal_id}/notes/{id}", client.id());
    request.commit(transaction, *client, &note, location).await
}

/// List the notes of a deal, oldest first.
#[utoipa::path(get, path = "/v1/clients/{clientId}/deals/{dealId}/notes", tag = "deals", operation_id = "listNotes",
    params(("clientId" = ClientId, Path), ("dealId" = DealId, Path), PageParams),
    responses((status = 200, body = NotePage, description = "A page.")),
    extensions(("x-round-trips" = json!(3))))]
pub(crate) async fn list(
    client: Access<ClientScope, UseCrm>,
    PathId(id): PathId<Deal>,
    store: Store,
    paging: Paging,
) -> Result<Json<NotePage>> {
    paging.read_of(&store, *client, &client.deal(id), client.notes(id)).await.map(Json)
}

/// Read a note.
#[utoipa::path(get, path = "/v1/clients/{clientId}/deals/{dealId}/notes/{noteId}", tag = "deals", operation_id = "readNote",
    params(("clientId" = ClientId, Path), ("dealId" = DealId, Path), ("noteId" = NoteId, Path)),
    responses((status = 200, body = Note, description = "The note.")),
    extensions(("x-round-trips" = json!(2)), ("x-versioned" = json!(true))))]
pub(crate) async fn read(
    client: Access<ClientScope, UseCrm>,
    PathIds(deal, id): PathIds<Deal, Note>,
    store: Store,
    has: IfNoneMatch,
) -> Result<WithEtag<Note>> {
    let (note, _) = store.find_both(&client.note(deal, id), &client.deal(deal)).await?;
    Ok(WithEtag::unless(note, has))
}

/// Change a note.
#[utoipa::path(patch, path = "/v1/clients/{clientId}/deals/{dealId}/notes/{noteId}", tag = "deals", operation_id = "updateNote",
    params(("clientId" = ClientId, Path), ("dealId" = DealId, Path), ("noteId" = NoteId, Path)),
    request_body(content = NoteFields, content_type = "application/merge-patch+json"),
    responses((status = 200, body = Note, description = "Changed.")),
    extensions(("x-round-trips" = json!(2)), ("x-versioned" = json!(true))))]
pub(crate) async fn update(
    client: Access<ClientScope, UseCrm>,
    PathIds(deal, id): PathIds<Deal, Note>,
    State(app): State<App>,
    store: Store,
    if_match: IfMatch,
    patch: Patch,
) -> Result<WithEtag<Note>> {
    let next = store.update(client.note(deal, id), &if_match, |current, transaction| {
        transaction.require(&client.deal(deal), Problem::not_found())?;
        Ok(current.changed(patch.apply(&current.fields)?, app.clock().now()))
    });
    next.await.map(WithEtag::new)
}

/// Delete a note.
#[utoipa::path(delete, path = "/v1/clients/{clientId}/deals/{dealId}/notes/{noteId}", tag = "deals", operation_id = "deleteNote",
    params(("clientId" = ClientId, Path), ("dealId" = DealId, Path), ("noteId" = NoteId, Path)),
    responses((status = 204, description = "Deleted.")),
    extensions(("x-round-trips" = json!(2)), ("x-versioned" = json!(true))))]
pub(crate) async fn delete(
    client: Access<ClientScope, UseCrm>,
    PathIds(deal, id): PathIds<Deal, Note>,
    store: Store,
    if_match: IfMatch,
) -> Result<Deleted> {
    let delete = store.delete(client.note(deal, id), &if_match, |_, transaction| {
        transaction.require(&client.deal(deal), Problem::not_found())
    });
    delete.await.map(|()| Deleted)
}
