//! Leads: contact forms of visitors.

use axum::extract::State;
use deserr::Deserr;
use lambda_http::http::StatusCode;
use serde::Serialize;
use serde_json::Value;
use shared::contacts::{
    ConflictPolicy, ContactId, ContactOrigin, ContactRow, PartialContact, TagId, normalize_phone, repository,
};
use shared::deals::position::{self, StageRef, StageSelector};
use shared::deals::{self, Deal, DealFields, DealStatus, Note, NoteFields};
use shared::identity::ClientScope;
use shared::table::{Meta, Store, StoreError, Transaction};
use shared::value::{
    Currency, Email, Instant, InvalidValue, Language, MultilineText, Name, PersonName, Phone, Rank, TimeZone,
    ValidationErrors,
};
use shared::web::{App, Create, Created, Problem, Result, Source, parse};
use shared::widgets::{SourceActivity, VisitorSource, WidgetSession};
use utoipa::ToSchema;

use crate::captcha::CaptchaResponse;
use crate::visitor::{KnownContact, Visitor, check_honeypot};

/// A contact form.
#[derive(Clone, Debug, Deserr, ToSchema)]
#[deserr(error = ValidationErrors, rename_all = camelCase, deny_unknown_fields)]
#[schema(rename_all = "camelCase", example = json!({
    "firstName": "Ada",
    "lastName": "Lovelace",
    "email": "ada@example.com",
    "phone": "+14155552671",
    "company": "Analytical Engines Ltd",
    "message": "Do you offer group bookings?",
    "source": "website",
    "tagIds": [],
    "openDeal": true,
    "timeZone": "Europe/London",
    "language": "en",
    "website": "",
}))]
pub(crate) struct CreateLeadRequest {
    /// Given name; required unless the family name is present.
    #[deserr(default)]
    #[schema(required = false)]
    first_name: PersonName,
    /// Family name.
    #[deserr(default)]
    #[schema(required = false)]
    last_name: PersonName,
    /// Email: of a contact of the client, or of a new one.
    email: Email,
    /// Phone number. Without a country code, it belongs to the client's country.
    #[deserr(default)]
    phone: Option<Phone>,
    /// Employer.
    #[deserr(default)]
    company: Option<Name>,
    /// The message, which becomes a note on the deal.
    #[deserr(default)]
    message: Option<MultilineText<5000>>,
    /// How the client got the contact.
    #[deserr(default)]
    source: Option<Name>,
    /// Tags to add to the contact.
    #[deserr(default, try_from(Vec<TagId>) = few -> InvalidValue)]
    #[schema(required = false, max_items = 5)]
    tag_ids: Vec<TagId>,
    /// Open a deal in the first stage of the client's default pipeline.
    #[deserr(default = true)]
    #[schema(required = false, default = true)]
    open_deal: bool,
    /// The visitor's time zone (IANA).
    #[deserr(default)]
    time_zone: Option<TimeZone>,
    /// The visitor's language (BCP 47).
    #[deserr(default)]
    language: Option<Language>,
    /// Must be empty: a field that people do not see.
    #[deserr(default)]
    website: Option<String>,
}

/// The maximum number of tags of a lead.
const MAX_TAGS: usize = 5;

fn few(tags: Vec<TagId>) -> Result<Vec<TagId>, InvalidValue> {
    if tags.len() > MAX_TAGS {
        return Err(InvalidValue::new("too_many", "must be at most 5 tags"));
    }
    Ok(tags)
}

/// The receipt of a lead. It is the same whether or not the contact existed.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = LeadReceipt)]
pub(crate) struct LeadReceipt {
    /// The time of receipt.
    received_at: Instant,
}

/// What the decision on a lead is made from.
struct LeadInput {
    contact: KnownContact,
    /// The row of the contact, if tags are added to it.
    row: Option<ContactRow>,
    activity: SourceActivity,
    deal: Option<DealPlace>,
}

/// The stage, the position and the currency of the new deal.
struct DealPlace {
    stage: StageRef,
    position: Rank,
    currency: Currency,
}

/// Send a contact form.
///
/// Finds the contact by the email or creates it, adds the tags, and opens a deal with the message as its note. A contact
/// who exists is not changed except for the tags; what the visitor typed is in the note.
#[utoipa::path(
    post, path = "/widgets/{widgetKey}/leads", tag = "booking", operation_id = "createLead",
    security(("session" = [])),
    params(
        ("widgetKey" = String, Path, description = "The widget key."),
        ("Captcha-Response" = Option<String>, Header, description = "The response to the challenge of the configuration.")
    ),
    request_body = CreateLeadRequest,
    responses((status = 201, body = LeadReceipt, description = "The receipt.")),
    extensions(("x-errors" = json!(["too_many_attempts", "too_fast", "captcha_failed"])))
)]
pub(crate) async fn create(
    session: WidgetSession,
    captcha: CaptchaResponse,
    State(app): State<App>,
    store: Store,
    source: Source,
    Create { fields: body, request }: Create<Value>,
) -> Result<Created> {
    let client = session.client();
    let lead: CreateLeadRequest = parse(normalize_phone(&store, client, body).await?)?;
    let visitor = lead.visitor();
    lead.check(&visitor)?;
    session.require_fill_time(app.now())?;
    let source = VisitorSource::new(&app, client, &source)?;
    let read = async || {
        captcha.require_accepted().await?;
        lead.read(&app, &store, client, &source).await
    };
    let decide = |input: &LeadInput, transaction: &mut Transaction| {
        let now = app.now();
        source.write(transaction, input.activity.with_lead(now)?)?;
        let (contact, origin) = lead.write_contact(transaction, &app, client, (&visitor, input))?;
        if let Some(place) = &input.deal {
            let text = visitor.text(&input.contact, lead.message.as_ref().map(ToString::to_string));
            write_deal(transaction, &app, client, (contact, origin), (place, &visitor, &text))?;
        }
        let receipt = LeadReceipt { received_at: now };
        Created::unversioned(StatusCode::CREATED, &receipt, format!("/widgets/{}/leads", session.key()))
    };
    request.bound_to(&app, session.visit())?.retry_on_conflict(&store, client, read, decide).await
}

impl CreateLeadRequest {
    fn visitor(&self) -> Visitor {
        Visitor {
            first_name: self.first_name.clone(),
            last_name: self.last_name.clone(),
            email: self.email.clone(),
            phone: self.phone.clone(),
            company: self.company.clone(),
            source: self.source.clone(),
            time_zone: self.time_zone,
            language: self.language.clone(),
        }
    }

    /// Validates fields together: a message needs a deal, because it is stored as a note.
    fn check(&self, visitor: &Visitor) -> Result<()> {
        let message = if self.message.is_some() && !self.open_deal {
            let detail = "must be absent unless openDeal is true: a message is stored as a note on the deal";
            Err(ValidationErrors::field("/message", InvalidValue::new("no_deal", detail)))
        } else {
            Ok(())
        };
        let checks = [visitor.check(), check_honeypot(self.website.as_ref()), message];
        let errors = checks.into_iter().filter_map(Result::err).reduce(ValidationErrors::and);
        errors.map_or(Ok(()), |errors| Err(errors.into()))
    }

    /// Reads what decides on the lead.
    async fn read(&self, app: &App, store: &Store, client: ClientScope, source: &VisitorSource) -> Result<LeadInput> {
        let contact = async {
            let contact = KnownContact::read(store, client, &self.email).await?;
            let row = self.read_row(app, store, client, &contact).await?;
            Ok::<_, Problem>((contact, row))
        };
        let deal = async { if self.open_deal { self.read_place(store, client).await.map(Some) } else { Ok(None) } };
        let ((contact, row), deal, activity) = tokio::try_join!(contact, deal, source.activity(store, app.now()))?;
        Ok(LeadInput { contact, row, activity, deal })
    }

    /// Reads the contact to add tags to.
    ///
    /// Without a contact, a read of another id takes the same time.
    async fn read_row(
        &self,
        app: &App,
        store: &Store,
        client: ClientScope,
        contact: &KnownContact,
    ) -> Result<Option<ContactRow>> {
        if self.tag_ids.is_empty() {
            return Ok(None);
        }
        let id = contact.id().unwrap_or_else(|| app.ids().make());
        match repository::find(store, client, id).await {
            Ok(row) => Ok(Some(row)),
            Err(StoreError::NotFound) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    async fn read_place(&self, store: &Store, client: ClientScope) -> Result<DealPlace> {
        let selector = StageSelector { pipeline_id: None, stage_id: None };
        let place = position::resolve_last(store, client, selector, DealStatus::Open);
        let record = async { Ok(store.find(&client.record()).await?) };
        let (place, record) = tokio::try_join!(place, record)?;
        Ok(DealPlace { stage: place.0, position: place.1, currency: record.fields.currency })
    }

    /// Finds or creates the contact, and adds the tags.
    fn write_contact(
        &self,
        transaction: &mut Transaction,
        app: &App,
        client: ClientScope,
        (visitor, input): (&Visitor, &LeadInput),
    ) -> Result<(ContactId, ContactOrigin)> {
        let missing_tag = |tag, _| {
            let index = self.tag_ids.iter().position(|other| *other == tag).unwrap_or_default();
            Problem::unresolved_reference(format!("/tagIds/{index}")).into()
        };
        let policy = ConflictPolicy { missing_tag: &missing_tag, ..ConflictPolicy::RETRY };
        let Some(row) = &input.row else {
            return visitor.find_or_create(transaction, app, client, &input.contact, (&self.tag_ids, policy));
        };
        let fields = &row.contact.fields;
        let added = PartialContact { tag_ids: self.tag_ids.clone(), ..PartialContact::default() };
        // A contact with too many tags keeps those it has: an error would reveal the contact.
        let merged = added.merged_into(fields).unwrap_or_else(|_| fields.clone());
        if merged == *fields {
            return Ok((row.contact.id, ContactOrigin::Read));
        }
        let next = row.next(row.contact.changed(merged, app.now()));
        repository::replace(transaction, client, row, &next, policy)?;
        // The transaction replaces the contact, on condition that it exists.
        Ok((row.contact.id, ContactOrigin::Created))
    }
}

/// Adds a deal in the name of the visitor, with a note.
fn write_deal(
    transaction: &mut Transaction,
    app: &App,
    client: ClientScope,
    (contact, origin): (ContactId, ContactOrigin),
    (place, visitor, text): (&DealPlace, &Visitor, &str),
) -> Result<()> {
    let (id, now) = (app.ids().make(), app.now());
    let fields = DealFields {
        title: title(visitor)?,
        value: None,
        currency: place.currency,
        stage_id: place.stage.stage_id,
        pipeline_id: place.stage.pipeline_id,
        assigned_to_id: None,
        contact_id: Some(contact),
        status: DealStatus::Open,
        lost_reason: None,
        expected_close_date: None,
    };
    let deal = Deal::new(id, client.id(), fields, place.position.clone(), now);
    deals::repository::create(transaction, client, (&deal, origin), None)?;
    let Ok(content) = text.parse() else { return Ok(()) };
    let note = Note {
        id: app.ids().make(),
        client_id: client.id(),
        deal_id: id,
        author_id: None,
        fields: NoteFields { content },
        meta: Meta::created(now),
    };
    Ok(transaction.create(&client.note(id, note.id), &note)?)
}

/// The title of the deal: the beginning of the visitor's name.
fn title(visitor: &Visitor) -> Result<Name> {
    let short: String = visitor.name().chars().take(100).collect();
    short.parse().map_err(|_| Problem::internal("a name that is not the title of a deal"))
}
