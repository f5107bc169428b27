//! Create or update a contact by its email.

use axum::extract::State;
use deserr::Deserr;
use lambda_http::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared::contacts::{
    ConflictPolicy, Contact, ContactRecord, ContactRow, PartialContact, TagId, normalize_phone, repository,
};
use shared::identity::{ClientId, ClientScope, UseCrm};
use shared::table::{Record, Store, Transaction};
use shared::value::{Email, Instant, InvalidValue, Language, Name, PersonName, Phone, TimeZone, ValidationErrors};
use shared::web::{Access, App, Create, Created, Problem, Result, parse};
use utoipa::ToSchema;

use crate::contacts::{location, open_recorded};

/// The fields to create or update a contact with.
///
/// Absent and `null` fields and empty names keep their values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Deserr, ToSchema)]
#[serde(rename_all = "camelCase")]
#[deserr(error = ValidationErrors, rename_all = camelCase, deny_unknown_fields)]
#[schema(example = json!({
    "email": "ada@example.com",
    "firstName": "Ada",
    "lastName": "Lovelace",
    "phone": "+14155552671",
    "company": "Analytical Engines Ltd",
    "jobTitle": "Programmer",
    "source": "website",
    "timeZone": "Europe/London",
    "language": "en",
    "tagIds": [],
}))]
pub(crate) struct UpsertContactRequest {
    /// Email; identifies the contact, regardless of case.
    #[schema(example = "ada@example.com")]
    email: Email,
    /// Given name.
    #[deserr(default)]
    #[schema(required = false)]
    first_name: PersonName,
    /// Family name.
    #[deserr(default)]
    #[schema(required = false)]
    last_name: PersonName,
    /// Phone number, stored in E.164.
    ///
    /// A number without a country code belongs to the client's `country`, which must be set.
    #[deserr(default)]
    phone: Option<Phone>,
    /// Employer.
    #[deserr(default)]
    company: Option<Name>,
    /// Position at the employer.
    #[deserr(default)]
    job_title: Option<Name>,
    /// How the client got the contact.
    #[deserr(default)]
    source: Option<Name>,
    /// Time zone (IANA).
    #[deserr(default)]
    time_zone: Option<TimeZone>,
    /// Language (BCP 47).
    #[deserr(default)]
    language: Option<Language>,
    /// Tags to add to those of the contact.
    #[deserr(default)]
    #[schema(value_type = Option<Vec<TagId>>, max_items = 30)]
    tag_ids: Option<TagIds>,
}

/// At most 30 tag ids. Duplicates are allowed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Deserr)]
#[serde(transparent)]
#[deserr(error = ValidationErrors, try_from(Vec<TagId>) = TagIds::new -> InvalidValue)]
struct TagIds(Vec<TagId>);

impl TagIds {
    fn new(tags: Vec<TagId>) -> std::result::Result<Self, InvalidValue> {
        if tags.len() > Contact::MAX_TAGS { Err(Contact::too_many_tags()) } else { Ok(Self(tags)) }
    }
}

/// Create or update a contact by its email.
///
/// Updates the contact that has this email, or creates one. An update sets the fields of the request, adds
/// the tags, and never clears a field.
#[utoipa::path(
    post, path = "/v1/clients/{clientId}/contacts/upsert", tag = "contacts", operation_id = "upsertContact",
    params(("clientId" = ClientId, Path, description = "The client's id.")),
    request_body = UpsertContactRequest,
    responses(
        (status = 201, body = ContactRecord, description = "The new contact."),
        (status = 200, body = ContactRecord, description = "The updated contact.")
    )
)]
pub(crate) async fn upsert(
    client: Access<ClientScope, UseCrm>,
    State(app): State<App>,
    store: Store,
    Create { fields: body, request }: Create<Value>,
) -> Result<Created> {
    let client = *client;
    let fields: UpsertContactRequest = parse(normalize_phone(&store, client, body).await?)?;
    let tags = fields.tag_ids.iter().flat_map(|tags| &tags.0);
    let index_in_request = |tag| tags.clone().position(|other| *other == tag).unwrap_or_default();
    let missing_tag = |tag, _| Problem::unresolved_reference(format!("/tagIds/{}", index_in_request(tag))).into();
    let policy = ConflictPolicy { missing_tag: &missing_tag, ..ConflictPolicy::RETRY };
    let read = async || Ok(repository::find_by_email(&store, client, &fields.email).await?);
    let decide = |existing: &Option<ContactRow>, transaction: &mut Transaction| {
        let partial = PartialContact::from(fields.clone());
        if let Some(existing) = existing {
            let merged = merge(transaction, client, existing, partial, app.now(), policy)?;
            return merged.sealed(&app, existing.seal);
        }
        let row = ContactRow::new(Record::new(app.ids(), client, partial.into_new()?, app.now()), None);
        repository::create(transaction, client, &row, policy)?;
        Created::new(StatusCode::CREATED, &row.contact, location(client, row.contact.id))?.sealed(&app, row.seal)
    };
    let created = request.retry_on_conflict(&store, client, read, decide).await?;
    open_recorded(&app, &store, client, created).await
}

fn merge(
    transaction: &mut Transaction,
    client: ClientScope,
    existing: &ContactRow,
    partial: PartialContact,
    now: Instant,
    policy: ConflictPolicy<'_>,
) -> Result<Created> {
    let current = &existing.contact;
    let merged = partial.merged_into(&current.fields)?;
    let contact = if merged == current.fields { current.clone() } else { current.changed(merged, now) };
    if contact.meta.version != current.meta.version {
        repository::replace(transaction, client, existing, &existing.next(contact.clone()), policy)?;
    }
    Created::new(StatusCode::OK, &contact, location(client, contact.id))
}

impl From<UpsertContactRequest> for PartialContact {
    fn from(request: UpsertContactRequest) -> Self {
        Self {
            first_name: request.first_name,
            last_name: request.last_name,
            email: Some(request.email),
            phone: request.phone,
            company: request.company,
            job_title: request.job_title,
            source: request.source,
            time_zone: request.time_zone,
            language: request.language,
            tag_ids: request.tag_ids.map(|tags| tags.0).unwrap_or_default(),
        }
    }
}
