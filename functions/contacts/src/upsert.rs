//! A contact by its email, whether it is there yet or not.

use axum::extract::State;
use deserr::Deserr;
use lambda_http::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared::auth::{Access, ClientId, ClientScope, UseCrm};
use shared::contacts::{self, ConflictPolicy, PartialContact};
use shared::entity::{Contact, ContactRecord, ContactRow, Record, TagId};
use shared::http::{Create, Created, parse};
use shared::store::{Store, Transaction};
use shared::value::{Email, Instant, InvalidValue, Name, Phone, ValidationErrors};
use shared::{App, Problem, Result};
use utoipa::ToSchema;

use crate::contacts::location;
use crate::phones::international;

/// What is known of a contact. What is absent or `null` says nothing: it blanks no field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Deserr, ToSchema)]
#[serde(rename_all = "camelCase")]
#[deserr(error = ValidationErrors, rename_all = camelCase, deny_unknown_fields)]
pub(crate) struct ContactUpsert {
    /// Whose it is: the contact of the client that has it, whatever its case, or a new one.
    #[schema(example = "ada@example.com")]
    email: Email,
    /// Given name; required if the contact is new.
    #[deserr(default)]
    first_name: Option<Name>,
    /// Family name; required if the contact is new.
    #[deserr(default)]
    last_name: Option<Name>,
    /// Kept in E.164.
    #[deserr(default)]
    phone: Option<Phone>,
    /// Whom the person works for.
    #[deserr(default)]
    company: Option<Name>,
    /// What the person does there.
    #[deserr(default)]
    job_title: Option<Name>,
    /// Where the contact came from.
    #[deserr(default)]
    source: Option<Name>,
    /// Tags that are added to those that the contact has.
    #[deserr(default)]
    #[schema(value_type = Option<Vec<TagId>>, max_items = 30)]
    tag_ids: Option<Tags>,
}

/// Not too many tags. One that is named twice is added once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Deserr)]
#[serde(transparent)]
#[deserr(error = ValidationErrors, try_from(Vec<TagId>) = Tags::of -> InvalidValue)]
struct Tags(Vec<TagId>);

impl Tags {
    fn of(tags: Vec<TagId>) -> std::result::Result<Self, InvalidValue> {
        if tags.len() > Contact::MAX_TAGS { Err(Contact::too_many_tags()) } else { Ok(Self(tags)) }
    }
}

/// Create a contact, or merge into the one that has the email.
#[utoipa::path(post, path = "/v1/clients/{clientId}/contacts/upsert", tag = "contacts", operation_id = "upsertContact",
    params(("clientId" = ClientId, Path)), request_body = ContactUpsert,
    responses((status = 201, body = ContactRecord, description = "Created."),
        (status = 200, body = ContactRecord, description = "Merged into the contact that has this email.")),
    extensions(("x-round-trips" = json!(4))))]
pub(crate) async fn upsert(
    client: Access<ClientScope, UseCrm>,
    State(app): State<App>,
    store: Store,
    Create { fields: body, request }: Create<Value>,
) -> Result<Created> {
    let client = *client;
    let fields: ContactUpsert = parse(international(&store, client, body).await?)?;
    let tags = fields.tag_ids.iter().flat_map(|tags| &tags.0);
    let asked = |tag| tags.clone().position(|other| *other == tag).unwrap_or_default();
    let missing = |tag, _| Problem::unresolved_reference(format!("/tagIds/{}", asked(tag)));
    let otherwise = ConflictPolicy { missing: &missing, ..ConflictPolicy::RETRY };
    let read = || by_email(&store, client, &fields.email);
    let decide = |read: &Option<ContactRow>, transaction: &mut Transaction| {
        let known = PartialContact::from(fields.clone());
        if let Some(read) = read {
            return merge(transaction, client, read, known, app.clock().now(), otherwise);
        }
        let row = ContactRow::new(Record::new(&app, client, known.into_new()?), None);
        contacts::create(transaction, client, &row, otherwise)?;
        Created::new(StatusCode::CREATED, &row.contact, location(client, row.contact.id))
    };
    request.decide_as(&store, client, read, decide).await
}

async fn by_email(store: &Store, client: ClientScope, email: &Email) -> Result<Option<ContactRow>> {
    match store.get(&client.email_term(email)).await? {
        None => Ok(None),
        Some(term) => match contacts::find(store, client, term.owner).await {
            // Deleted meanwhile, and the email with it; or it has another by now.
            Err(problem) if problem.status() == StatusCode::NOT_FOUND => Ok(None),
            found => found.map(|read| Some(read).filter(|read| read.contact.fields.has_email(email))),
        },
    }
}

fn merge(
    transaction: &mut Transaction,
    client: ClientScope,
    read: &ContactRow,
    known: PartialContact,
    now: Instant,
    otherwise: ConflictPolicy<'_>,
) -> Result<Created> {
    let is = &read.contact;
    let merged = known.merged_into(&is.fields)?;
    let contact = if merged == is.fields { is.clone() } else { is.changed(merged, now) };
    if contact.meta.version != is.meta.version {
        contacts::replace(transaction, client, read, &read.next(contact.clone()), otherwise)?;
    }
    Created::new(StatusCode::OK, &contact, location(client, contact.id))
}

impl From<ContactUpsert> for PartialContact {
    fn from(upsert: ContactUpsert) -> Self {
        let ContactUpsert { email, first_name, last_name, phone, company, job_title, source, tag_ids } = upsert;
        let tag_ids = tag_ids.map(|tags| tags.0).unwrap_or_default();
        Self { email: Some(email), first_name, last_name, phone, company, job_title, source, tag_ids }
    }
}
