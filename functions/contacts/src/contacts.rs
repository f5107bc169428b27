//! Contacts: people whom a client knows.

use axum::extract::State;
use serde_json::Value;
use shared::auth::{Access, ClientId, ClientScope, UseCrm};
use shared::contacts::{self, ConflictPolicy};
use shared::entity::{Contact, ContactId, ContactRecord, ContactRow, Record, ReferenceCount, Tombstones};
use shared::http::{Create, Created, Deleted, IfMatch, IfNoneMatch, Patch, PathId, WithEtag, parse};
use shared::store::Store;
use shared::{App, Result};

use crate::phones::{international, international_patch};
use crate::references::{self, Referring};

/// Create a contact.
#[utoipa::path(post, path = "/v1/clients/{clientId}/contacts", tag = "contacts", operation_id = "createContact",
    params(("clientId" = ClientId, Path)), request_body = Contact,
    responses((status = 201, body = ContactRecord, description = "Created.")),
    extensions(("x-round-trips" = json!(1))))]
pub(crate) async fn create(
    client: Access<ClientScope, UseCrm>,
    State(app): State<App>,
    store: Store,
    Create { fields: body, request }: Create<Value>,
) -> Result<Created> {
    let fields: Contact = parse(international(&store, *client, body).await?)?;
    let row = ContactRow::new(Record::new(&app, *client, fields), None);
    let mut transaction = store.transaction();
    contacts::create(&mut transaction, *client, &row, ConflictPolicy::FAIL)?;
    request.commit(transaction, *client, &row.contact, location(*client, row.contact.id)).await
}

/// Read a contact.
#[utoipa::path(get, path = "/v1/clients/{clientId}/contacts/{contactId}", tag = "contacts", operation_id = "readContact",
    params(("clientId" = ClientId, Path), ("contactId" = ContactId, Path)),
    responses((status = 200, body = ContactRecord, description = "The contact.")),
    extensions(("x-round-trips" = json!(2)), ("x-versioned" = json!(true))))]
pub(crate) async fn read(
    client: Access<ClientScope, UseCrm>,
    PathId(id): PathId<Contact>,
    store: Store,
    has: IfNoneMatch,
) -> Result<WithEtag<ContactRecord>> {
    Ok(WithEtag::unless(contacts::find(&store, *client, id).await?.contact, has))
}

/// Change a contact.
#[utoipa::path(patch, path = "/v1/clients/{clientId}/contacts/{contactId}", tag = "contacts", operation_id = "updateContact",
    params(("clientId" = ClientId, Path), ("contactId" = ContactId, Path)),
    request_body(content = Contact, content_type = "application/merge-patch+json"),
    responses((status = 200, body = ContactRecord, description = "Changed.")),
    extensions(("x-round-trips" = json!(3)), ("x-versioned" = json!(true))))]
pub(crate) async fn update(
    client: Access<ClientScope, UseCrm>,
    PathId(id): PathId<Contact>,
    State(app): State<App>,
    store: Store,
    if_match: IfMatch,
    patch: Patch,
) -> Result<WithEtag<ContactRecord>> {
    let patch = international_patch(&store, *client, patch).await?;
    let change = |contact: &ContactRecord| patch.change(contact, &app);
    replace(&store, *client, id, &if_match, ConflictPolicy::FAIL, change).await.map(WithEtag::new)
}

/// Delete a contact. Its deals and appointments stay, without it.
#[utoipa::path(delete, path = "/v1/clients/{clientId}/contacts/{contactId}", tag = "contacts", operation_id = "deleteContact",
    params(("clientId" = ClientId, Path), ("contactId" = ContactId, Path)),
    responses((status = 204, description = "Deleted.")),
    extensions(("x-round-trips" = json!(7)), ("x-versioned" = json!(true))))]
pub(crate) async fn delete(
    client: Access<ClientScope, UseCrm>,
    PathId(id): PathId<Contact>,
    State(app): State<App>,
    store: Store,
    if_match: IfMatch,
) -> Result<Deleted> {
    let gone = store.decide(
        || read_to_delete(&store, *client, id),
        |read, transaction| {
            if_match.check(read.shown.contact.meta.version)?;
            transaction.delete(&client.contact(id), read.row.contact.meta.version)?;
            contacts::delete(transaction, *client, &read.row)?;
            let referring = (&read.references, read.referring.as_ref(), read.gone.as_ref());
            references::clear(transaction, &app, *client, id, referring)
        },
    );
    gone.await.map(|()| Deleted)
}

/// A contact that is to be deleted.
struct ToDelete {
    row: ContactRow,
    /// As its version is told.
    shown: ContactRow,
    references: ReferenceCount,
    /// What refers to it, if that fits into the transaction that deletes it.
    referring: Option<Referring>,
    /// What else is gone, if it does not.
    gone: Option<Tombstones>,
}

async fn read_to_delete(store: &Store, client: ClientScope, id: ContactId) -> Result<ToDelete> {
    let (contact, references) = (client.contact(id), client.references(id));
    // Both are always read to their end, so that it costs the same whether or not the contact is there.
    let (row, references) = tokio::join!(store.find(&contact), store.get(&references));
    let (row, references) = (row?, references?.unwrap_or_default());
    let referring = Referring::whole(store, client, id, &references).await?;
    let gone = if referring.is_none() && references.n > 0 { store.get(&client.gone()).await? } else { None };
    let shown = contacts::shown(store, client, vec![row.clone()]).await?.pop().unwrap_or_else(|| row.clone());
    Ok(ToDelete { row, shown, references, referring, gone })
}

/// Writes the next version of a contact, made of the one that is shown; nothing if that is the same.
pub(crate) async fn replace(
    store: &Store,
    client: ClientScope,
    id: ContactId,
    if_match: &IfMatch,
    otherwise: ConflictPolicy<'_>,
    change: impl Fn(&ContactRecord) -> Result<ContactRecord>,
) -> Result<ContactRecord> {
    let write = |read: &ContactRow, transaction: &mut _| {
        if_match.check(read.contact.meta.version)?;
        let next = read.next(change(&read.contact)?);
        if next.contact.meta.version != read.contact.meta.version {
            contacts::replace(transaction, client, read, &next, otherwise)?;
        }
        Ok(next.contact)
    };
    store.decide(|| contacts::find(store, client, id), write).await
}

/// Where a contact is found.
pub(crate) fn location(client: ClientScope, id: ContactId) -> String {
    format!("/v1/clients/{}/contacts/{id}", client.id())
}
