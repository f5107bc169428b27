//! Appointments that visitors book.

use std::time::Duration;

use axum::extract::State;
use deserr::Deserr;
use lambda_http::http::StatusCode;
use serde::Serialize;
use serde_json::Value;
use shared::appointments::{
    Appointment, AppointmentFields, AppointmentId, BookingRequest, BookingSource, Days, HoldId, HoldPolicy, ServiceId,
    SlotAllocator, StaffId, VisitHold, repository,
};
use shared::contacts::{ConflictPolicy, ContactId, normalize_phone};
use shared::identity::ClientScope;
use shared::reminders::ReminderRules;
use shared::table::{Order, Store, Transaction};
use shared::value::{
    Email, Instant, Language, MultilineText, Name, PersonName, Phone, TimeRange, TimeZone, ValidationErrors,
};
use shared::web::{App, Create, Created, Problem, Result, Source, parse};
use shared::widgets::{SourceActivity, VisitorSource, WidgetSession, manage_token, too_many_bookings};
use utoipa::ToSchema;

use crate::captcha::CaptchaResponse;
use crate::holds::read_hold;
use crate::services::require_bookable;
use crate::view::VisitorAppointment;
use crate::visitor::{KnownContact, Visitor, check_honeypot};

/// A booking of a visitor.
#[derive(Clone, Debug, Deserr, ToSchema)]
#[deserr(error = ValidationErrors, rename_all = camelCase, deny_unknown_fields)]
#[schema(rename_all = "camelCase", example = json!({
    "serviceId": "01900000-0000-7000-8000-000000000008",
    "staffId": null,
    "startTime": "2030-03-04T09:00:00.000Z",
    "holdId": null,
    "firstName": "Ada",
    "lastName": "Lovelace",
    "email": "ada@example.com",
    "phone": "+14155552671",
    "notes": "First visit.",
    "source": "website",
    "timeZone": "Europe/London",
    "language": "en",
    "website": "",
}))]
pub(crate) struct BookAppointmentRequest {
    /// The service to book.
    service_id: ServiceId,
    /// The staff member. Default: the one of the hold, or else the available one with the least booked time.
    #[deserr(default)]
    staff_id: Option<StaffId>,
    /// The start time.
    start_time: Instant,
    /// The session's hold, which the appointment replaces.
    #[deserr(default)]
    #[schema(value_type = Option<uuid::Uuid>)]
    hold_id: Option<HoldId>,
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
    /// A message for the staff.
    #[deserr(default)]
    notes: Option<MultilineText<2000>>,
    /// How the client got the contact.
    #[deserr(default)]
    source: Option<Name>,
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

/// The booked appointment.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[allow(dead_code, reason = "only its description is used")]
pub(crate) struct BookedAppointment {
    #[serde(flatten)]
    appointment: VisitorAppointment,
    /// The token to manage the appointment. It is valid until the appointment ends.
    manage_token: String,
}

/// What the decision on a booking is made from.
struct BookingInput {
    booking: BookingRequest,
    allocator: SlotAllocator,
    hold: Option<(VisitHold, Days)>,
    activity: SourceActivity,
    contact: KnownContact,
    open_bookings: usize,
    rules: ReminderRules,
}

/// The maximum number of open appointments in the future that visitors book for one contact.
const MAX_OPEN_BOOKINGS: usize = 5;

/// Book an appointment.
///
/// Finds the contact by the email or creates it. A contact who exists is not changed; what the visitor typed is in the
/// notes of the appointment. With `holdId`, replaces the hold of the session in the same transaction.
#[utoipa::path(
    post, path = "/widgets/{widgetKey}/appointments", tag = "booking", operation_id = "bookAppointment",
    security(("session" = [])),
    params(
        ("widgetKey" = String, Path, description = "The widget key."),
        ("Captcha-Response" = Option<String>, Header, description = "The response to the challenge of the configuration.")
    ),
    request_body = BookAppointmentRequest,
    responses((status = 201, body = BookedAppointment, description = "The appointment, with its manage token.")),
    extensions(("x-errors" = json!(["slot_unavailable", "too_many_bookings", "too_many_attempts", "too_fast", "captcha_failed"])))
)]
pub(crate) async fn create(
    session: WidgetSession,
    captcha: CaptchaResponse,
    State(app): State<App>,
    store: Store,
    source: Source,
    Create { fields: body, request }: Create<Value>,
) -> Result<Created> {
    let (client, id) = (session.client(), app.ids().make());
    let new: BookAppointmentRequest = parse(normalize_phone(&store, client, body).await?)?;
    let visitor = new.visitor();
    Problem::both(visitor.check().map_err(Problem::from), check_honeypot(new.website.as_ref()).map_err(Problem::from))?;
    session.require_fill_time(app.now())?;
    let source = VisitorSource::new(&app, client, &source)?;
    let location = |id: AppointmentId| format!("/widgets/{}/appointments/{id}", session.key());
    let read = async || {
        captcha.require_accepted().await?;
        new.read(&app, &store, &session, &source).await
    };
    let decide = |input: &BookingInput, transaction: &mut Transaction| {
        let now = app.now();
        let slot = input.allocator.allocate(&input.booking, None, now)?;
        input.require_few_bookings()?;
        let hold = input.hold.as_ref().map(|(hold, days)| (hold, days));
        let activity = input.activity.with_booking(slot.span.start, hold.map(|(hold, _)| hold), now)?;
        source.write(transaction, activity)?;
        if let Some((hold, _)) = hold {
            repository::forget_hold(transaction, client, session.visit(), hold)?;
        }
        let (contact, origin) =
            visitor.find_or_create(transaction, &app, client, &input.contact, (&[], ConflictPolicy::RETRY))?;
        let notes = visitor.text(&input.contact, new.notes.as_ref().map(ToString::to_string));
        let fields = AppointmentFields { contact_id: Some(contact), notes: notes.parse().ok() };
        let appointment = Appointment::new(id, client.id(), &slot, fields, BookingSource::Widget, now);
        let appointment = appointment.with_reminders(&input.rules, now);
        let booked = (&appointment, origin);
        repository::create(transaction, client, (&input.allocator, &slot), hold, booked, &input.rules)?;
        let view = VisitorAppointment::new(&appointment, input.allocator.service(), input.allocator.staff(&slot)?);
        let created = Created::unversioned(StatusCode::CREATED, &view, location(id))?;
        with_manage_token(&app, client, &appointment, created)
    };
    let created = request.bound_to(&app, session.visit())?.retry_on_conflict(&store, client, read, decide).await?;
    if created.is_replayed() { replayed(&app, &store, client, created).await } else { Ok(created) }
}

fn with_manage_token(app: &App, client: ClientScope, appointment: &Appointment, created: Created) -> Result<Created> {
    let token = manage_token(app, client, appointment)?.ok_or_else(|| Problem::internal("no manage token"))?;
    Ok(created.with_secret("manageToken", token))
}

/// A recorded response, with the manage token that it does not contain.
async fn replayed(app: &App, store: &Store, client: ClientScope, created: Created) -> Result<Created> {
    let appointment = store.find(&client.appointment(created.entity_id()?)).await?;
    with_manage_token(app, client, &appointment, created)
}

impl BookAppointmentRequest {
    fn visitor(&self) -> Visitor {
        Visitor {
            first_name: self.first_name.clone(),
            last_name: self.last_name.clone(),
            email: self.email.clone(),
            phone: self.phone.clone(),
            company: None,
            source: self.source.clone(),
            time_zone: self.time_zone,
            language: self.language.clone(),
        }
    }

    /// Reads what decides on the booking.
    ///
    /// Two sequential reads with a staff member, three without.
    async fn read(
        &self,
        app: &App,
        store: &Store,
        session: &WidgetSession,
        source: &VisitorSource,
    ) -> Result<BookingInput> {
        let (client, now) = (session.client(), app.now());
        let hold = async { if self.hold_id.is_some() { read_hold(store, session).await } else { Ok(None) } };
        let contact = KnownContact::read(store, client, &self.email);
        let (hold, contact, activity) = tokio::try_join!(hold, contact, source.activity(store, now))?;
        let hold = self.own_hold(hold)?;
        let of_hold = hold.as_ref().filter(|(hold, _)| hold.span().start == self.start_time && hold.is_live(now));
        let booking = BookingRequest {
            service: self.service_id,
            staff: self.staff_id.or_else(|| of_hold.map(|(hold, _)| hold.staff_id)),
            start: self.start_time,
            force: false,
            holds: HoldPolicy::Respect(Some(session.visit())),
        };
        // A visitor without a contact costs the same Query, so that the time does not reveal who is a contact.
        let contact_id = contact.id().unwrap_or_else(|| app.ids().make());
        let allocator = SlotAllocator::read(store, client, &booking);
        let rules = async { Ok(ReminderRules::read(store, client, Some(contact_id)).await?) };
        let open_bookings = open_bookings(store, client, contact_id, now);
        let (allocator, open_bookings, rules) = tokio::try_join!(allocator, open_bookings, rules)?;
        require_bookable(allocator.service())?;
        let rules = if contact.id().is_some() { rules } else { rules.in_zone(self.time_zone) };
        Ok(BookingInput { booking, allocator, hold, activity, contact, open_bookings, rules })
    }

    /// The session's hold, which must be the one that the request names.
    fn own_hold(&self, hold: Option<(VisitHold, Days)>) -> Result<Option<(VisitHold, Days)>> {
        match (self.hold_id, hold) {
            (None, _) => Ok(None),
            (Some(id), Some(own)) if own.0.id == id => Ok(Some(own)),
            (Some(_), _) => Err(Problem::unresolved_reference("/holdId")),
        }
    }
}

impl BookingInput {
    fn require_few_bookings(&self) -> Result<()> {
        if self.open_bookings < MAX_OPEN_BOOKINGS {
            return Ok(());
        }
        Err(too_many_bookings("Too many appointments are booked with this email already. Cancel one first."))
    }
}

/// Longer than the longest booking horizon: 3650 days.
const LONGEST_HORIZON: Duration = Duration::from_hours(3660 * 24);

/// The number of open appointments in the future that visitors booked for a contact, at most 100.
async fn open_bookings(store: &Store, client: ClientScope, contact: ContactId, now: Instant) -> Result<usize> {
    let future = TimeRange { start: now, end: now.after(LONGEST_HORIZON) };
    let list = client.appointments_of_contact(contact, Some(future));
    let page = store.query(&list, None, Order::Asc, 100).await?;
    let open = page
        .items
        .iter()
        .filter(|(_, appointment)| appointment.status.is_open() && appointment.source == BookingSource::Widget);
    Ok(open.count())
}
