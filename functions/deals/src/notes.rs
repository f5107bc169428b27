//! Notes on deals.

use axum::Json;
use axum::extract::State;
use shared::deals::{Deal, DealId, Note, NoteFields, NoteId};
use shared::identity::{ClientId, ClientScope, UseCrm};
use shared::table::{Failure, Meta, Store};
use shared::web::page::PageParams;
use shared::web::{
    Access, App, Create, Created, Deleted, IfMatch, IfNoneMatch, Page, Paging, Patch, PathId, PathIds, Result, WithEtag,
};

type NotePage = Page<Note>;

/// Create a note.
///
/// The author is the caller.
#[utoipa::path(
    post, path = "/v1/clients/{clientId}/deals/{dealId}/notes", tag = "deals", operation_id = "createNote",
    params(
        ("clientId" = ClientId, Path, description = "The client's id."),
        ("dealId" = DealId, Path, description = "The deal's id.")
    ),
    request_body = NoteFields,
    responses((status = 201, body = Note, description = "The new note."))
)]
pub(crate) async fn create(
    client: Access<ClientScope, UseCrm>,
    PathId(deal_id): PathId<Deal>,
    State(app): State<App>,
    store: Store,
    Create { fields, request }: Create<NoteFields>,
) -> Result<Created> {
    let (id, author_id) = (app.ids().make(), Some(client.actor().user()));
    let meta = Meta::created(app.now());
    let note = Note { id, client_id: client.id(), deal_id, author_id, fields, meta };
    let mut transaction = store.transaction();
    transaction.require(&client.deal(deal_id), Failure::NotFound)?;
    transaction.create(&client.note(deal_id, id), &note)?;
    let location = format!("/v1/clients/{}/deals/{deal_id}/notes/{id}", client.id());
    request.commit(transaction, *client, &note, location).await
}

/// List the notes of a deal, oldest first.
#[utoipa::path(
    get, path = "/v1/clients/{clientId}/deals/{dealId}/notes", tag = "deals", operation_id = "listNotes",
    params(
        ("clientId" = ClientId, Path, description = "The client's id."),
        ("dealId" = DealId, Path, description = "The deal's id."), PageParams
    ),
    responses((status = 200, body = NotePage, description = "A page of notes."))
)]
pub(crate) async fn list(
    client: Access<ClientScope, UseCrm>,
    PathId(id): PathId<Deal>,
    store: Store,
    paging: Paging,
) -> Result<Json<NotePage>> {
    paging.read_children(&store, *client, &client.deal(id), client.notes(id)).await.map(Json)
}

/// Get a note.
#[utoipa::path(
    get, path = "/v1/clients/{clientId}/deals/{dealId}/notes/{noteId}", tag = "deals", operation_id = "getNote",
    params(
        ("clientId" = ClientId, Path, description = "The client's id."),
        ("dealId" = DealId, Path, description = "The deal's id."),
        ("noteId" = NoteId, Path, description = "The note's id.")
    ),
    responses((status = 200, body = Note, description = "The note.")),
    extensions(("x-versioned" = json!(true)))
)]
pub(crate) async fn get(
    client: Access<ClientScope, UseCrm>,
    PathIds(deal, id): PathIds<Deal, Note>,
    store: Store,
    if_none_match: IfNoneMatch,
) -> Result<WithEtag<Note>> {
    let (note, _) = store.find_both(&client.note(deal, id), &client.deal(deal)).await?;
    Ok(WithEtag::unless(note, if_none_match))
}

/// Update a note.
#[utoipa::path(
    patch, path = "/v1/clients/{clientId}/deals/{dealId}/notes/{noteId}", tag = "deals", operation_id = "updateNote",
    params(
        ("clientId" = ClientId, Path, description = "The client's id."),
        ("dealId" = DealId, Path, description = "The deal's id."),
        ("noteId" = NoteId, Path, description = "The note's id.")
    ),
    request_body(content = NoteFields, content_type = "application/merge-patch+json"),
    responses((status = 200, body = Note, description = "The updated note.")),
    extensions(("x-versioned" = json!(true)))
)]
pub(crate) async fn update(
    client: Access<ClientScope, UseCrm>,
    PathIds(deal, id): PathIds<Deal, Note>,
    State(app): State<App>,
    store: Store,
    if_match: IfMatch,
    patch: Patch,
) -> Result<WithEtag<Note>> {
    let next = store.update(client.note(deal, id), &if_match, |current, transaction| {
        let next = current.changed(patch.apply(&current.fields)?, app.now());
        if next.meta.version != current.meta.version {
            transaction.require(&client.deal(deal), Failure::NotFound)?;
        }
        Ok(next)
    });
    next.await.map(WithEtag::new)
}

/// Delete a note.
#[utoipa::path(
    delete, path = "/v1/clients/{clientId}/deals/{dealId}/notes/{noteId}", tag = "deals", operation_id = "deleteNote",
    params(
        ("clientId" = ClientId, Path, description = "The client's id."),
        ("dealId" = DealId, Path, description = "The deal's id."),
        ("noteId" = NoteId, Path, description = "The note's id.")
    ),
    responses((status = 204, description = "The note was deleted.")),
    extensions(("x-versioned" = json!(true)))
)]
pub(crate) async fn delete(
    client: Access<ClientScope, UseCrm>,
    PathIds(deal, id): PathIds<Deal, Note>,
    store: Store,
    if_match: IfMatch,
) -> Result<Deleted> {
    let delete = store.delete(client.note(deal, id), &if_match, |_, transaction| {
        Ok(transaction.require(&client.deal(deal), Failure::NotFound)?)
    });
    delete.await.map(|()| Deleted)
}
