//! Create, read, update and delete contacts.

use std::collections::HashSet;

use axum::extract::State;
use lambda_http::http::StatusCode;
use serde_json::Value;
use shared::contacts::{
    ConflictPolicy, Contact, ContactId, ContactRecord, ContactRow, ReferenceCount, TagId, Tombstones, normalize_patch,
    normalize_phone, repository,
};
use shared::identity::{ClientId, ClientScope, UseCrm};
use shared::references::{self, ContactReferences};
use shared::table::{Record, Store};
use shared::web::{
    Access, App, Create, Created, Deleted, IfMatch, IfNoneMatch, Patch, PathId, Result, WithEtag, parse,
};

/// Create a contact.
///
/// The email must be unique within the client, regardless of case; a `409 email_taken` returns the id of the
/// other contact in `existingId`. A phone number without a country code belongs to the client's country.
#[utoipa::path(
    post, path = "/v1/clients/{clientId}/contacts", tag = "contacts", operation_id = "createContact",
    params(("clientId" = ClientId, Path, description = "The client's id.")),
    request_body = Contact,
    responses((status = 201, body = ContactRecord, description = "The new contact.")),
    extensions(("x-errors" = json!(["email_taken"])))
)]
pub(crate) async fn create(
    client: Access<ClientScope, UseCrm>,
    State(app): State<App>,
    store: Store,
    Create { fields: body, request }: Create<Value>,
) -> Result<Created> {
    let fields: Contact = parse(normalize_phone(&store, *client, body).await?)?;
    let row = ContactRow::new(Record::new(app.ids(), *client, fields, app.now()), None);
    let mut transaction = store.transaction();
    repository::create(&mut transaction, *client, &row, ConflictPolicy::FAIL)?;
    let created = Created::new(StatusCode::CREATED, &row.contact, location(*client, row.contact.id))?;
    let created = created.sealed(&app, row.seal)?;
    let created = request.commit_with(transaction, *client, created).await?;
    open_recorded(&app, &store, *client, created).await
}

/// Opens a recorded response: its data can be read until the contact is deleted. One read for a recorded response.
///
/// # Errors
/// 404 if the contact was deleted since.
pub(crate) async fn open_recorded(app: &App, store: &Store, client: ClientScope, created: Created) -> Result<Created> {
    if !created.is_replayed() {
        return Ok(created);
    }
    let row = store.find(&client.contact(created.entity_id()?)).await?;
    created.opened(app, row.seal)
}

/// Get a contact.
///
/// Deleted tags are not in `tagIds`.
#[utoipa::path(
    get, path = "/v1/clients/{clientId}/contacts/{contactId}", tag = "contacts", operation_id = "getContact",
    params(
        ("clientId" = ClientId, Path, description = "The client's id."),
        ("contactId" = ContactId, Path, description = "The contact's id.")
    ),
    responses((status = 200, body = ContactRecord, description = "The contact.")),
    extensions(("x-versioned" = json!(true)))
)]
pub(crate) async fn read(
    client: Access<ClientScope, UseCrm>,
    PathId(id): PathId<Contact>,
    store: Store,
    if_none_match: IfNoneMatch,
) -> Result<WithEtag<ContactRecord>> {
    Ok(WithEtag::unless(repository::find(&store, *client, id).await?.contact, if_none_match))
}

/// Update a contact.
///
/// A JSON Merge Patch: `null` clears a field, an absent field keeps its value. `tagIds` replaces all tags of
/// the contact. A phone number without a country code belongs to the client's country.
#[utoipa::path(
    patch, path = "/v1/clients/{clientId}/contacts/{contactId}", tag = "contacts", operation_id = "updateContact",
    params(
        ("clientId" = ClientId, Path, description = "The client's id."),
        ("contactId" = ContactId, Path, description = "The contact's id.")
    ),
    request_body(content = Contact, content_type = "application/merge-patch+json"),
    responses((status = 200, body = ContactRecord, description = "The updated contact.")),
    extensions(("x-errors" = json!(["email_taken"])), ("x-versioned" = json!(true)))
)]
pub(crate) async fn update(
    client: Access<ClientScope, UseCrm>,
    PathId(id): PathId<Contact>,
    State(app): State<App>,
    store: Store,
    if_match: IfMatch,
    patch: Patch,
) -> Result<WithEtag<ContactRecord>> {
    let patch = normalize_patch(&store, *client, patch).await?;
    let change = |contact: &ContactRecord| patch.change(contact, &app);
    replace(&store, *client, id, &if_match, ConflictPolicy::FAIL, change).await.map(WithEtag::new)
}

/// Delete a contact.
///
/// The deals and appointments of the contact are kept, with `contactId` set to `null`.
#[utoipa::path(
    delete, path = "/v1/clients/{clientId}/contacts/{contactId}", tag = "contacts", operation_id = "deleteContact",
    params(
        ("clientId" = ClientId, Path, description = "The client's id."),
        ("contactId" = ContactId, Path, description = "The contact's id.")
    ),
    responses((status = 204, description = "The contact was deleted.")),
    extensions(("x-errors" = json!(["too_many_deletions"])), ("x-versioned" = json!(true)))
)]
pub(crate) async fn delete(
    client: Access<ClientScope, UseCrm>,
    PathId(id): PathId<Contact>,
    State(app): State<App>,
    store: Store,
    if_match: IfMatch,
) -> Result<Deleted> {
    let deletion = store.retry_on_conflict(
        || Deletion::read(&store, *client, id),
        |deletion, transaction| {
            if_match.check(deletion.visible.contact.meta.version)?;
            transaction.delete(&client.contact(id), deletion.row.contact.meta.version)?;
            repository::delete(transaction, *client, &deletion.row)?;
            let Deletion { count, references, tombstones, .. } = deletion;
            let references = (count, references.as_ref(), tombstones.as_ref());
            references::clear(transaction, &app, *client, id, references)
        },
    );
    deletion.await.map(|()| Deleted)
}

/// The items that decide how a contact is deleted.
struct Deletion {
    row: ContactRow,
    /// The contact as reads return it.
    ///
    /// Without deleted tags, and with the version of its `ETag`.
    visible: ContactRow,
    count: ReferenceCount,
    /// The references to the contact, if the deletion can include their removal.
    references: Option<ContactReferences>,
    /// The tombstones, if the references do not fit.
    tombstones: Option<Tombstones>,
}

impl Deletion {
    async fn read(store: &Store, client: ClientScope, id: ContactId) -> Result<Self> {
        let (contact, count) = (client.contact(id), client.reference_count(id));
        // Both reads always complete, so that the cost does not depend on whether the contact exists.
        let (row, count) = tokio::join!(store.find(&contact), store.get(&count));
        let (row, count) = (row?, count?.unwrap_or_default());
        let references = ContactReferences::read_all(store, client, id, &count).await?;
        let needs_job = references.is_none() && count.n > 0;
        let tombstones = if needs_job { store.get(&client.tombstones()).await? } else { None };
        let mut visible = repository::hide_deleted_tags(store, client, vec![row.clone()]).await?;
        let visible = visible.pop().unwrap_or_else(|| row.clone());
        Ok(Self { row, visible, count, references, tombstones })
    }
}

/// Writes the next version of a contact.
///
/// Writes nothing if `change` returns the current version.
pub(crate) async fn replace(
    store: &Store,
    client: ClientScope,
    id: ContactId,
    if_match: &IfMatch,
    policy: ConflictPolicy<'_>,
    change: impl Fn(&ContactRecord) -> Result<ContactRecord>,
) -> Result<ContactRecord> {
    let read = async || {
        let current = repository::find(store, client, id).await?;
        if_match.check(current.contact.meta.version)?;
        let next = current.next(change(&current.contact)?);
        let [before, after] = [&current, &next].map(|row| row.contact.fields.tag_ids.as_slice());
        let existing_tags = repository::read_many_tags(store, client, before, after).await?;
        Ok((current, next, existing_tags))
    };
    let write = |(current, next, tags): &(ContactRow, ContactRow, Option<HashSet<TagId>>), transaction: &mut _| {
        if next.contact.meta.version != current.contact.meta.version {
            let policy = ConflictPolicy { existing_tags: tags.as_ref(), ..policy };
            repository::replace(transaction, client, current, next, policy)?;
        }
        Ok(next.contact.clone())
    };
    store.retry_on_conflict(read, write).await
}

/// The path of a contact.
pub(crate) fn location(client: ClientScope, id: ContactId) -> String {
    format!("/v1/clients/{}/contacts/{id}", client.id())
}
