//! Contacts: people whom a client knows.

use axum::Json;
use axum::extract::State;
use shared::auth::{Access, ClientId, ClientScope, UseCrm};
use shared::entity::{Claim, Contact, ContactId, ContactRecord, Record};
use shared::http::page::PageParams;
use shared::http::{Create, Created, Deleted, Found, IfMatch, IfNoneMatch, Page, Paging, Patch, PathId};
use shared::keys::Scope;
use shared::store::{Store, Transaction};
use shared::value::{Email, Rejected};
use shared::{App, Problem, Result};

type ContactPage = Page<ContactRecord>;

/// Create a contact.
#[utoipa::path(post, path = "/v1/clients/{clientId}/contacts", tag = "contacts", operation_id = "createContact",
    params(("clientId" = ClientId, Path)), request_body = Contact,
    responses((status = 201, body = ContactRecord, description = "Created.")),
    extensions(("x-round-trips" = json!(1))))]
pub(crate) async fn create(
    client: Access<ClientScope, UseCrm>,
    State(app): State<App>,
    store: Store,
    Create { fields, request }: Create<Contact>,
) -> Result<Created> {
    let contact = Record::new(&app, *client, fields);
    let mut transaction = store.transaction();
    transaction.hold(&client.holdings())?;
    transaction.create(&client.contact(contact.id), &contact)?;
    settle(&mut transaction, *client, None, Some(&contact))?;
    let location = format!("/v1/clients/{}/contacts/{}", client.id(), contact.id);
    request.commit(transaction, *client, &contact, location).await
}

/// List the contacts, oldest first.
#[utoipa::path(get, path = "/v1/clients/{clientId}/contacts", tag = "contacts", operation_id = "listContacts",
    params(("clientId" = ClientId, Path), PageParams),
    responses((status = 200, body = ContactPage, description = "A page.")),
    extensions(("x-round-trips" = json!(1))))]
pub(crate) async fn list(
    client: Access<ClientScope, UseCrm>,
    store: Store,
    paging: Paging,
) -> Result<Json<ContactPage>> {
    paging.read(&store, *client, client.contacts()).await.map(Json)
}

/// Read a contact.
#[utoipa::path(get, path = "/v1/clients/{clientId}/contacts/{contactId}", tag = "contacts", operation_id = "readContact",
    params(("clientId" = ClientId, Path), ("contactId" = ContactId, Path)),
    responses((status = 200, body = ContactRecord, description = "The contact.")),
    extensions(("x-round-trips" = json!(1)), ("x-versioned" = json!(true))))]
pub(crate) async fn read(
    client: Access<ClientScope, UseCrm>,
    PathId(id): PathId<Contact>,
    store: Store,
    has: IfNoneMatch,
) -> Result<Found<ContactRecord>> {
    Ok(Found::unless(store.find(&client.contact(id)).await?, has))
}

/// Change a contact.
#[utoipa::path(patch, path = "/v1/clients/{clientId}/contacts/{contactId}", tag = "contacts", operation_id = "updateContact",
    params(("clientId" = ClientId, Path), ("contactId" = ContactId, Path)),
    request_body(content = Contact, content_type = "application/merge-patch+json"),
    responses((status = 200, body = ContactRecord, description = "Changed.")),
    extensions(("x-round-trips" = json!(2)), ("x-versioned" = json!(true))))]
pub(crate) async fn update(
    client: Access<ClientScope, UseCrm>,
    PathId(id): PathId<Contact>,
    State(app): State<App>,
    store: Store,
    if_match: IfMatch,
    patch: Patch,
) -> Result<Found<ContactRecord>> {
    let next = store.update(client.contact(id), &if_match, |current, transaction| {
        let next = patch.change(current, &app)?;
        settle(transaction, *client, Some(current), Some(&next))?;
        Ok(next)
    });
    next.await.map(Found::new)
}

/// Delete a contact.
#[utoipa::path(delete, path = "/v1/clients/{clientId}/contacts/{contactId}", tag = "contacts", operation_id = "deleteContact",
    params(("clientId" = ClientId, Path), ("contactId" = ContactId, Path)),
    responses((status = 204, description = "Deleted.")),
    extensions(("x-round-trips" = json!(2)), ("x-versioned" = json!(true))))]
pub(crate) async fn delete(
    client: Access<ClientScope, UseCrm>,
    PathId(id): PathId<Contact>,
    store: Store,
    if_match: IfMatch,
) -> Result<Deleted> {
    let gone = store.delete(client.contact(id), &if_match, |current, transaction| {
        settle(transaction, *client, Some(current), None)?;
        transaction.let_go(&client.holdings())
    });
    gone.await.map(|()| Deleted)
}

/// Adds what must change when a contact goes from `before` to `after`: its email's uniqueness moves, and its new tags must
/// exist.
fn settle(
    transaction: &mut Transaction,
    client: ClientScope,
    before: Option<&ContactRecord>,
    after: Option<&ContactRecord>,
) -> Result<()> {
    let had = before.and_then(|contact| contact.fields.email.as_ref());
    let has = after.and_then(|contact| contact.fields.email.as_ref());
    if had.map(Email::folded) != has.map(Email::folded) {
        if let Some(email) = had {
            transaction.remove(&client.contact_email(email))?;
        }
        if let (Some(email), Some(contact)) = (has, after) {
            transaction.claim(&client.contact_email(email), contact.id.uuid(), email_taken)?;
        }
    }
    let Some(after) = after else { return Ok(()) };
    let kept = before.map(|contact| contact.fields.tag_ids.as_slice()).unwrap_or_default();
    for (index, tag) in after.fields.tag_ids.iter().enumerate().filter(|(_, tag)| !kept.contains(tag)) {
        transaction.require(&client.tag(*tag), Problem::dangling(format!("/tagIds/{index}")))?;
    }
    Ok(())
}

fn email_taken(by: &Claim) -> Problem {
    Problem::conflict("email_taken", "Another contact of this client has this email.")
        .at("/email", Rejected::new("taken", "belongs to another contact"))
        .with("existingId", by.owner.to_string())
}
