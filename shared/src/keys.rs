//! The access patterns: every partition, sort key and index of the table, on one screen. Nothing else formats a key.
//!
//! | What | Partition key `pk` | Sort key `sk` |
//! |---|---|---|
//! | tenants; agencies; clients | `PLATFORM#TENANT` · `<tenant>AGENCY` · `<agency>CLIENT` | id |
//! | how much stands directly below a tenant, agency, client | `<scope>HOLDS` | `COUNT` |
//! | users of a home (platform, agency, client) | `<home>USER` | id |
//! | sessions of a user | `<home>SESSION` | user id `#` session id |
//! | from where a user signed in before | `<home>SOURCE` | user id `#` hash |
//! | contacts, by creation | `<client>CONTACT` | id |
//! | what a contact is found by: names; email | `<client>TERM` | folded name `~` id; folded email, then `~` exact email if that differs |
//! | how many rows refer to a contact | `<client>REFERRED` | contact id |
//! | tags; contacts of a tag | `<client>TAG` · `<client>TAG#<id>#CONTACT` | id |
//! | pipelines with their stages; which is the default one | `<client>PIPELINE` · `<client>PIPELINE_DEFAULT` | id; `AT` |
//! | what a stage holds | `<client>STAGE` | stage id |
//! | deals; appointments | `<client>DEAL` · `<client>APPOINTMENT` | id |
//! | services; staff; how many the staff are | `<client>SERVICE` · `<client>STAFF` · `<client>TEAM` | id; id; `COUNT` |
//! | how many rows refer to a service, to a member of the staff | `<client>USED` | id |
//! | a day of a member of the staff, by UTC; when they are off | `<client>STAFF#<id>#DAY` · `<client>STAFF#<id>#OFF` | date; id |
//! | notes of a deal; its history | `<client>DEAL#<id>#NOTE` · `<client>DEAL#<id>#HISTORY` | id; version |
//! | what was deleted and is still referred to | `<client>GONE` | `IDS` |
//! | jobs: work that fits no call | `<client>JOB` | id |
//! | imports; their faults; their text | `<client>IMPORT` · `<client>IMPORT#<id>#FAULT` · `<client>IMPORT#<id>#TEXT` | id; line; number |
//! | domains | `<client>DOMAIN` | id |
//! | the widgets' key, and where they work | `<client>WIDGET` | `KEY` |
//! | what else is unique in a client | `<client>UNIQ` | `TAG_NAME#` lower-case name · `CONTACT_ORIGIN#` hash of an imported row |
//! | recorded answers, by `Idempotency-Key` | `<scope>IDEM` | hash |
//! | mail that waits to be sent | `<home>MAIL` | id |
//! | whose email this is | `GLOBAL#EMAIL#` hash | `AT` |
//! | whose invitation or reset this token is | `GLOBAL#TOKEN#` hash | `AT` |
//! | how often somebody failed, or asked, of late | `GLOBAL#TRIES#` hash | `AT` |
//! | whose widget key this is, and where it works | `GLOBAL#WIDGET#` key | `AT` |
//! | where an agency, a client is (for `ADMIN`) | `GLOBAL#AGENCY#` id · `GLOBAL#CLIENT#` id | `AT` |
//! | nothing: read to see whether the table answers | `GLOBAL#HEALTH` | `AT` |
//!
//! | Index | Partition | Sort key | Holds |
//! |---|---|---|---|
//! | `sorted` | `<client>CONTACT#NAME` | folded last name `~` folded first name `~` id | contacts |
//! | `sorted` | `<client>STAGE#<id>#DEAL` | 0 if open, 1 if won, 2 if lost `#` position `#` id | deals of that stage |
//! | `sorted` | `<client>APPOINTMENT#<yyyy-mm>` | start `#` id | appointments that begin in that month, by UTC |
//! | `changed` | `<client>CONTACT#CHANGED` · `<client>DEAL#CHANGED` | instant of the last change `#` id | contacts; deals |
//! | `pipeline` | `<client>PIPELINE#<id>#DEAL` | id | deals of that pipeline |
//! | `pipeline` | `<client>APPOINTMENT#<status>` | start `#` id | appointments of that status |
//! | `assignee` | `<client>USER#<id>#DEAL` | id | deals of that user |
//! | `assignee` | `<client>STAFF#<id>#APPOINTMENT` | start `#` id | appointments of that member of the staff |
//! | `contact` | `<client>CONTACT#<id>` | `DEAL#` id · `APPT#` start `#` id | deals and appointments of that contact |
//! | `due` | `DUE#MAIL` · `DUE#JOB` | instant `#` id | keys of what is to be done from that instant on |
//!
//! An index `x` is of the attributes `x_pk` and `x_sk`; all but `due` hold whole rows. `~` is the character U+0001, which no text
//! contains and which sorts before all others, so that «Ann» comes before «Ann-Marie».
//!
//! `<tenant>` is `T#<id>#`, `<agency>` is `T#<id>#A#<id>#`, `<client>` is `T#<id>#A#<id>#C#<id>#`, the platform `PLATFORM#`.
//! Ids sort by creation. `GLOBAL` rows hold pointers and counters only and are read by their exact key. `due` crosses tenants on
//! purpose, is sparse, and has nothing but keys: only the function that does what is due reads it.

use std::fmt::Display;
use std::marker::PhantomData;

use crate::auth::credential::Credential;
use crate::auth::tries::AttemptCounter;
use crate::auth::{AgencyId, AgencyScope, ClientId, ClientScope, HomeScope, PlatformScope, SessionId, TenantScope};
use crate::belongings::OwnedRow;
use crate::entity::{
    Account, Agency, Appointment, AppointmentId, AppointmentStatus, ChildCount, Client, ContactId, ContactRow, Day,
    Deal, DealChange, DealId, DealStatus, DefaultPipeline, Domain, EmailPointer, Import, ImportFaults,
    ImportFingerprint, ImportId, ImportText, KnownIp, Note, NoteId, Pipeline, PipelineId, Record, ReferenceCount,
    ScopePointer, SearchEntry, ServiceId, ServiceRecord, Session, StaffCount, StaffId, StaffRow, StageId, StageTotals,
    Tag, TagId, TagName, Tagged, Tenant, TimeOff, TimeOffId, Tombstones, UniqueConstraint, UsageGuard, User, UserId,
    Widget, WidgetKey, WidgetPlace,
};
use crate::http::idempotency::{Fingerprint, Recorded};
use crate::job::Job;
use crate::mail::QueuedMail;
use crate::store::Item;
use crate::value::Id;
use crate::value::TimeRange;
use crate::value::{Date, Email, Instant, Month, NormalizedText, Rank, months};

/// The key of one row, and the type of what lies there.
pub struct Key<T> {
    pub(crate) pk: String,
    pub(crate) sk: String,
    holds: PhantomData<fn() -> T>,
}

/// An index and the attributes that make up its key.
pub(crate) struct Index {
    pub(crate) name: &'static str,
    pub(crate) pk: &'static str,
    pub(crate) sk: &'static str,
}

/// What is to be done at some time, by that time.
pub(crate) const DUE: Index = Index { name: "due", pk: "due_pk", sk: "due_sk" };
/// Rows in an order of their own.
pub(crate) const SORTED: Index = Index { name: "sorted", pk: "sorted_pk", sk: "sorted_sk" };
/// Rows by their last change.
pub(crate) const CHANGED: Index = Index { name: "changed", pk: "changed_pk", sk: "changed_sk" };
/// What refers to a contact.
pub(crate) const CONTACT: Index = Index { name: "contact", pk: "contact_pk", sk: "contact_sk" };

/// Rows by how far they have come: deals by their pipeline, appointments by their status.
pub(crate) const PIPELINE: Index = Index { name: "pipeline", pk: "pipeline_pk", sk: "pipeline_sk" };
/// Rows by who is to do something: deals by the user who works on them, appointments by the member of the staff.
pub(crate) const ASSIGNEE: Index = Index { name: "assignee", pk: "assignee_pk", sk: "assignee_sk" };

/// Attributes that place a row in an index.
pub(crate) type IndexKeys = [(&'static str, String); 2];

/// Sorts before every character of a text.
const END: char = '\u{1}';

/// The part of the index `due` that holds one kind of rows, all of whose partitions end in the same collection.
pub struct DueQueue<T> {
    pub(crate) pk: &'static str,
    collection: &'static str,
    holds: PhantomData<fn() -> T>,
}

/// A partition whose rows are all a `T`, in the order of their sort keys.
pub struct Partition<T> {
    pub(crate) pk: String,
    holds: PhantomData<fn() -> T>,
}

/// Rows of one partition in an order: that of their sort keys or of an index; all of them, or those between bounds.
pub struct List<T> {
    /// The partition of the base table in which every row of the list lies.
    pub(crate) pk: String,
    /// The index and its partition, if it is not the base table's.
    pub(crate) through: Option<(&'static Index, String)>,
    pub(crate) bounds: Bounds,
    holds: PhantomData<fn() -> T>,
}

/// What the sort keys of a list have in common.
pub(crate) enum Bounds {
    None,
    /// They begin with this.
    Prefix(String),
    /// They are this or later.
    From(String),
    /// They are the first or later, and the second or earlier.
    Between(String, String),
}

impl<T> From<Partition<T>> for List<T> {
    fn from(partition: Partition<T>) -> Self {
        Self { pk: partition.pk, through: None, bounds: Bounds::None, holds: PhantomData }
    }
}

impl<T> List<T> {
    fn through(mut self, index: &'static Index, pk: String) -> Self {
        self.through = Some((index, pk));
        self
    }

    fn bounded(mut self, bounds: Bounds) -> Self {
        self.bounds = bounds;
        self
    }

    /// The row of this list with this sort key.
    pub(crate) fn row(&self, sk: String) -> Key<T> {
        Key::new(self.pk.clone(), sk)
    }

    /// The partition that is queried, which is another for every list of every client.
    pub(crate) fn partition(&self) -> &str {
        self.through.as_ref().map_or(&self.pk, |(_, pk)| pk)
    }
}

impl Index {
    fn at(&self, pk: impl Into<String>, sk: impl Into<String>) -> IndexKeys {
        [(self.pk, pk.into()), (self.sk, sk.into())]
    }
}

impl<T> Key<T> {
    fn new(pk: String, sk: impl Display) -> Self {
        Self { pk, sk: sk.to_string(), holds: PhantomData }
    }
}

// By hand, because a derive would ask the same of `T`, which only says what lies there.
impl<T> PartialEq for Key<T> {
    fn eq(&self, other: &Self) -> bool {
        (&self.pk, &self.sk) == (&other.pk, &other.sk)
    }
}
impl<T> Eq for Key<T> {}

impl<T> Partition<T> {
    fn new(scope: impl Display, collection: &str) -> Self {
        Self { pk: format!("{scope}{collection}"), holds: PhantomData }
    }

    fn at(self, sk: impl Display) -> Key<T> {
        Key::new(self.pk, sk)
    }

    fn of_belongings(self) -> Partition<OwnedRow> {
        Partition { pk: self.pk, holds: PhantomData }
    }
}

impl PlatformScope {
    /// All tenants.
    pub fn tenants(self) -> Partition<Record<Tenant>> {
        Partition::new(self, "TENANT")
    }
}

impl TenantScope {
    /// The tenant's own row.
    pub fn row(self) -> Key<Record<Tenant>> {
        PlatformScope::of(self).tenants().at(self.id())
    }

    /// The tenant's agencies.
    pub fn agencies(self) -> Partition<Record<Agency>> {
        Partition::new(self, "AGENCY")
    }
}

impl AgencyScope {
    /// The agency's own row.
    pub fn row(self) -> Key<Record<Agency>> {
        self.tenant().agencies().at(self.id())
    }

    /// The agency's clients.
    pub fn clients(self) -> Partition<Record<Client>> {
        Partition::new(self, "CLIENT")
    }

    /// Where `ADMIN` finds this agency by its id alone.
    pub fn pointer(self) -> Key<ScopePointer> {
        agency_place(self.id())
    }
}

impl ClientScope {
    /// The client's own row.
    pub fn row(self) -> Key<Record<Client>> {
        self.agency().clients().at(self.id())
    }

    /// Where `ADMIN` finds this client by its id alone.
    pub fn pointer(self) -> Key<ScopePointer> {
        client_place(self.id())
    }

    /// The client's contacts, by creation.
    pub fn contacts(self) -> Partition<ContactRow> {
        Partition::new(self, "CONTACT")
    }

    /// The client's contacts, by last name, then first name.
    pub fn contacts_by_name(self) -> List<ContactRow> {
        let contacts = self.contacts();
        let names = contacts_by_name(&contacts.pk);
        List::from(contacts).through(&SORTED, names)
    }

    /// The client's contacts by their last change, those that changed at `since` or later.
    pub fn contacts_by_change(self, since: Option<Instant>) -> List<ContactRow> {
        let contacts = self.contacts();
        let changes = by_change(&contacts.pk);
        let bounds = since.map_or(Bounds::None, |since| Bounds::From(since.to_string()));
        List::from(contacts).through(&CHANGED, changes).bounded(bounds)
    }

    /// One contact.
    pub fn contact(self, id: ContactId) -> Key<ContactRow> {
        self.contacts().at(id)
    }

    /// What the client's contacts are found by, as far as it begins with `prefix`.
    pub fn terms(self, prefix: &NormalizedText) -> List<SearchEntry> {
        List::from(Partition::new(self, "TERM")).bounded(Bounds::Prefix(prefix.cut().to_owned()))
    }

    /// A contact's first or last name among what contacts are found by.
    pub fn name_term(self, name: &NormalizedText, contact: ContactId) -> Key<SearchEntry> {
        Partition::new(self, "TERM").at(format!("{}{END}{contact}", name.cut()))
    }

    /// A contact's email among what contacts are found by; also what makes it unique in the client, whatever its case.
    pub fn email_term(self, email: &Email) -> Key<SearchEntry> {
        let (search, exact) = (email.search_form(), email.folded());
        let search = search.cut();
        let terms = Partition::new(self, "TERM");
        if search == exact { terms.at(exact) } else { terms.at(format!("{search}{END}{exact}")) }
    }

    /// How many rows refer to a contact.
    pub fn references(self, contact: ContactId) -> Key<ReferenceCount> {
        Partition::new(self, "REFERRED").at(contact)
    }

    /// Whose a row of an imported file became that has neither an id nor an email.
    pub fn origin(self, origin: &ImportFingerprint) -> Key<UniqueConstraint> {
        Partition::new(self, "UNIQ").at(format!("CONTACT_ORIGIN#{origin}"))
    }

    /// The client's tags.
    pub fn tags(self) -> Partition<Record<Tag>> {
        Partition::new(self, "TAG")
    }

    /// One tag.
    pub fn tag(self, id: TagId) -> Key<Record<Tag>> {
        self.tags().at(id)
    }

    /// The row that makes a tag's name unique in the client, whatever its case.
    pub fn tag_name(self, name: &TagName) -> Key<UniqueConstraint> {
        Partition::new(self, "UNIQ").at(format!("TAG_NAME#{}", name.to_string().to_lowercase()))
    }

    /// The contacts that have a tag, by their creation.
    pub fn tagged(self, tag: TagId) -> Partition<Tagged> {
        Partition::new(self, &format!("TAG#{tag}#CONTACT"))
    }

    /// That a contact has a tag.
    pub fn tagging(self, tag: TagId, contact: ContactId) -> Key<Tagged> {
        self.tagged(tag).at(contact)
    }

    /// One deal.
    pub fn deal(self, id: DealId) -> Key<Deal> {
        self.deals().at(id)
    }

    /// The client's deals, by creation.
    pub fn deals(self) -> Partition<Deal> {
        Partition::new(self, "DEAL")
    }

    /// The client's deals by their last change, those that changed at `since` or later.
    pub fn deals_by_change(self, since: Instant) -> List<Deal> {
        let deals = self.deals();
        let changes = by_change(&deals.pk);
        List::from(deals).through(&CHANGED, changes).bounded(Bounds::From(since.to_string()))
    }

    /// The deals of a stage in their order, open ones first; those of one status, if it is named.
    pub fn deals_in(self, stage: StageId, status: Option<DealStatus>) -> List<Deal> {
        let bounds = status.map_or(Bounds::None, |status| Bounds::Prefix(format!("{}#", column(status))));
        List::from(self.deals()).through(&SORTED, of_stage(self, stage)).bounded(bounds)
    }

    /// The deals of a stage that stand behind a position among those of a status, and those of the statuses after it.
    pub fn deals_behind(self, stage: StageId, status: DealStatus, position: &Rank) -> List<Deal> {
        // `$` is the next character after `#`, and before those of positions.
        let from = Bounds::From(format!("{}#{position}$", column(status)));
        List::from(self.deals()).through(&SORTED, of_stage(self, stage)).bounded(from)
    }

    /// The deals of a pipeline, by creation.
    pub fn deals_of_pipeline(self, pipeline: PipelineId) -> List<Deal> {
        List::from(self.deals()).through(&PIPELINE, of_pipeline(self, pipeline))
    }

    /// The deals on which a user works, by creation.
    pub fn deals_of_assignee(self, user: UserId) -> List<Deal> {
        List::from(self.deals()).through(&ASSIGNEE, of_assignee(self, user))
    }

    /// What was changed of a deal, from its creation on.
    pub fn deal_history(self, deal: DealId) -> Partition<DealChange> {
        Partition::new(self, &format!("DEAL#{deal}#HISTORY"))
    }

    /// What was changed of a deal when it got this version.
    pub fn deal_change(self, deal: DealId, version: u64) -> Key<DealChange> {
        self.deal_history(deal).at(format!("{version:010}"))
    }

    /// The notes of a deal, by creation.
    pub fn notes(self, deal: DealId) -> Partition<Note> {
        Partition::new(self, &format!("DEAL#{deal}#NOTE"))
    }

    /// One note of a deal.
    pub fn note(self, deal: DealId, id: NoteId) -> Key<Note> {
        self.notes(deal).at(id)
    }

    /// What belongs to a deal, whatever it is.
    pub fn belongings_of_deal(self, deal: DealId) -> [Partition<OwnedRow>; 2] {
        [self.notes(deal).of_belongings(), self.deal_history(deal).of_belongings()]
    }

    /// The client's pipelines.
    pub fn pipelines(self) -> Partition<Pipeline> {
        Partition::new(self, "PIPELINE")
    }

    /// One pipeline.
    pub fn pipeline(self, id: PipelineId) -> Key<Pipeline> {
        self.pipelines().at(id)
    }

    /// Which of the client's pipelines is the default one.
    pub fn default_pipeline(self) -> Key<DefaultPipeline> {
        Partition::new(self, "PIPELINE_DEFAULT").at("AT")
    }

    /// What a stage holds; exists as long as the stage does.
    pub fn stage(self, id: StageId) -> Key<StageTotals> {
        Partition::new(self, "STAGE").at(id)
    }

    /// The deals of a contact, by creation.
    pub fn deals_of(self, contact: ContactId) -> List<Deal> {
        self.of_contact(self.deals(), contact, "DEAL#")
    }

    /// One appointment.
    pub fn appointment(self, id: AppointmentId) -> Key<Appointment> {
        self.appointments().at(id)
    }

    /// The client's appointments, by creation.
    pub fn appointments(self) -> Partition<Appointment> {
        Partition::new(self, "APPOINTMENT")
    }

    /// The appointments of a contact, by their start.
    pub fn appointments_of(self, contact: ContactId) -> List<Appointment> {
        self.of_contact(self.appointments(), contact, "APPT#")
    }

    /// The appointments of a contact that begin in a stretch of time, by their start.
    pub fn appointments_of_in(self, contact: ContactId, within: TimeRange) -> List<Appointment> {
        let [from, to] = starts_in(within).map(|start| format!("APPT#{start}"));
        self.appointments_of(contact).bounded(Bounds::Between(from, to))
    }

    /// The appointments that begin in a stretch of time, by their start: a list for each month, by UTC, that it touches.
    pub fn appointments_in(self, within: TimeRange) -> impl Iterator<Item = List<Appointment>> {
        let [from, to] = starts_in(within);
        months(within).map(move |month| {
            let partition = in_month(self, month);
            let bounds = Bounds::Between(from.clone(), to.clone());
            List::from(self.appointments()).through(&SORTED, partition).bounded(bounds)
        })
    }

    /// The appointments of a status, by their start; those that begin in a stretch of time, if it is given.
    pub fn appointments_with(self, status: AppointmentStatus, within: Option<TimeRange>) -> List<Appointment> {
        starting(List::from(self.appointments()).through(&PIPELINE, of_status(self, status)), within)
    }

    /// The appointments of a member of the staff, by their start; those that begin in a stretch of time, if it is given.
    pub fn appointments_of_staff(self, staff: StaffId, within: Option<TimeRange>) -> List<Appointment> {
        starting(List::from(self.appointments()).through(&ASSIGNEE, of_staff(self, staff)), within)
    }

    /// The client's services, by creation.
    pub fn services(self) -> Partition<ServiceRecord> {
        Partition::new(self, "SERVICE")
    }

    /// One service.
    pub fn service(self, id: ServiceId) -> Key<ServiceRecord> {
        self.services().at(id)
    }

    /// How many rows refer to a service; exists as long as the service does.
    pub fn service_uses(self, id: ServiceId) -> Key<UsageGuard> {
        Partition::new(self, "USED").at(id)
    }

    /// The client's staff, by creation.
    pub fn staff(self) -> Partition<StaffRow> {
        Partition::new(self, "STAFF")
    }

    /// One member of the staff.
    pub fn staff_member(self, id: StaffId) -> Key<StaffRow> {
        self.staff().at(id)
    }

    /// How many rows refer to a member of the staff; exists as long as they do.
    pub fn staff_uses(self, id: StaffId) -> Key<UsageGuard> {
        Partition::new(self, "USED").at(id)
    }

    /// How many the staff are.
    pub fn team(self) -> Key<StaffCount> {
        Partition::new(self, "TEAM").at("COUNT")
    }

    /// The days of a member of the staff on which they were ever booked.
    pub fn days(self, staff: StaffId) -> Partition<Day> {
        Partition::new(self, &format!("STAFF#{staff}#DAY"))
    }

    /// One day of a member of the staff, by UTC.
    pub fn day(self, staff: StaffId, date: Date) -> Key<Day> {
        self.days(staff).at(date)
    }

    /// The days of a member of the staff from one to another.
    pub fn days_between(self, staff: StaffId, first: Date, last: Date) -> List<Day> {
        List::from(self.days(staff)).bounded(Bounds::Between(first.to_string(), last.to_string()))
    }

    /// When a member of the staff is off, by creation.
    pub fn times_off(self, staff: StaffId) -> Partition<TimeOff> {
        Partition::new(self, &format!("STAFF#{staff}#OFF"))
    }

    /// One time off of a member of the staff.
    pub fn time_off(self, staff: StaffId, id: TimeOffId) -> Key<TimeOff> {
        self.times_off(staff).at(id)
    }

    /// What belongs to a member of the staff, whatever it is.
    pub fn belongings_of_staff(self, staff: StaffId) -> [Partition<OwnedRow>; 2] {
        [self.times_off(staff).of_belongings(), self.days(staff).of_belongings()]
    }

    fn of_contact<T>(self, rows: Partition<T>, contact: ContactId, kind: &str) -> List<T> {
        let bounds = Bounds::Prefix(kind.to_owned());
        List::from(rows).through(&CONTACT, of_contact(self, contact)).bounded(bounds)
    }

    /// What was deleted and is still referred to.
    pub fn gone(self) -> Key<Tombstones> {
        Partition::new(self, "GONE").at("IDS")
    }

    /// A job.
    pub fn job(self, id: Id<Job>) -> Key<Job> {
        Partition::new(self, "JOB").at(id)
    }

    /// An import of contacts.
    pub fn import(self, id: ImportId) -> Key<Import> {
        Partition::new(self, "IMPORT").at(id)
    }

    /// What was wrong with an import's rows, in their order.
    pub fn import_faults(self, id: ImportId) -> Partition<ImportFaults> {
        Partition::new(self, &format!("IMPORT#{id}#FAULT"))
    }

    /// What was wrong with an import's rows from `line` on.
    pub fn import_fault(self, id: ImportId, line: u64) -> Key<ImportFaults> {
        self.import_faults(id).at(format!("{line:08}"))
    }

    /// A piece of an import's text.
    pub fn import_text(self, id: ImportId, number: usize) -> Key<ImportText> {
        Partition::new(self, &format!("IMPORT#{id}#TEXT")).at(format!("{number:04}"))
    }

    /// The client's domains.
    pub fn domains(self) -> Partition<Record<Domain>> {
        Partition::new(self, "DOMAIN")
    }

    /// One domain.
    pub fn domain(self, id: Id<Domain>) -> Key<Record<Domain>> {
        self.domains().at(id)
    }

    /// The client's widgets.
    pub fn widget(self) -> Key<Widget> {
        Partition::new(self, "WIDGET").at("KEY")
    }

    /// Where a request of the client's widgets finds whose they are.
    pub fn widget_place(self, key: &WidgetKey) -> Key<WidgetPlace> {
        Key::new(format!("GLOBAL#WIDGET#{key}"), "AT")
    }
}

impl HomeScope {
    /// The count of what stands directly below it. The platform is never deleted, and nobody counts what it holds.
    pub fn holdings(self) -> Option<Key<ChildCount>> {
        match self {
            Self::Platform(_) => None,
            Self::Agency(agency) => Some(agency.holdings()),
            Self::Client(client) => Some(client.holdings()),
        }
    }

    /// One user of this home.
    pub fn user(self, id: Id<User>) -> Key<Account> {
        self.users().at(id)
    }

    /// The home's users.
    pub fn users(self) -> Partition<Account> {
        Partition::new(self, "USER")
    }

    /// A mail that waits to be sent.
    pub fn mail(self, id: Id<QueuedMail>) -> Key<QueuedMail> {
        Partition::new(self, "MAIL").at(id)
    }

    /// That a user signed in from a source before.
    pub fn known_source(self, user: Id<User>, pseudonym: &str) -> Key<KnownIp> {
        Partition::new(self, "SOURCE").at(format!("{user}#{pseudonym}"))
    }

    /// One session of a user.
    pub fn session(self, user: Id<User>, session: SessionId) -> Key<Session> {
        Partition::new(self, "SESSION").at(format!("{user}#{session}"))
    }
}

/// The mail that waits to be sent.
pub const MAIL_DUE: DueQueue<QueuedMail> = DueQueue { pk: "DUE#MAIL", collection: "#MAIL", holds: PhantomData };

/// The jobs that are to be taken up.
pub const JOBS_DUE: DueQueue<Job> = DueQueue { pk: "DUE#JOB", collection: "#JOB", holds: PhantomData };

impl<T> DueQueue<T> {
    /// The key of a row that the index or the table's stream names; `None` for rows of another kind.
    pub(crate) fn row(&self, pk: &str, sk: &str) -> Option<Key<T>> {
        pk.ends_with(self.collection).then(|| Key::new(pk.to_owned(), sk))
    }

    /// Where a row of this agenda stands in the index, if it is ever due.
    fn at(&self, due: Option<Instant>, key: &Key<T>) -> Vec<IndexKeys> {
        due.map(|due| DUE.at(self.pk, format!("{due}#{}", key.sk))).into_iter().collect()
    }
}

impl Key<Job> {
    /// The client whose job it is.
    pub fn client(&self) -> Option<ClientScope> {
        ClientScope::of_row(self.pk.strip_suffix("JOB")?)
    }
}

fn contacts_by_name(contacts: &str) -> String {
    format!("{contacts}#NAME")
}

fn by_change(collection: &str) -> String {
    format!("{collection}#CHANGED")
}

fn of_stage(client: impl Display, stage: StageId) -> String {
    format!("{client}STAGE#{stage}#DEAL")
}

fn of_pipeline(client: impl Display, pipeline: PipelineId) -> String {
    format!("{client}PIPELINE#{pipeline}#DEAL")
}

fn in_month(client: impl Display, month: Month) -> String {
    format!("{client}APPOINTMENT#{month}")
}

fn of_status(client: impl Display, status: AppointmentStatus) -> String {
    format!("{client}APPOINTMENT#{}", status.name())
}

fn of_staff(client: impl Display, staff: StaffId) -> String {
    format!("{client}STAFF#{staff}#APPOINTMENT")
}

/// What stands between the sort keys of appointments that begin in a stretch of time: `!` sorts before the `#` after their start, so
/// that the end is not in it.
fn starts_in(within: TimeRange) -> [String; 2] {
    [within.start.to_string(), format!("{}!", within.end)]
}

fn starting(list: List<Appointment>, within: Option<TimeRange>) -> List<Appointment> {
    let bounds = within.map(starts_in).map_or(Bounds::None, |[from, to]| Bounds::Between(from, to));
    list.bounded(bounds)
}

fn of_assignee(client: impl Display, user: UserId) -> String {
    format!("{client}USER#{user}#DEAL")
}

/// What the sort key of a deal in its stage begins with.
const fn column(status: DealStatus) -> char {
    match status {
        DealStatus::Open => '0',
        DealStatus::Won => '1',
        DealStatus::Lost => '2',
    }
}

fn of_contact(client: impl Display, contact: ContactId) -> String {
    format!("{client}CONTACT#{contact}")
}

/// The prefix of the client in whose `collection` a row lies.
fn client_of<'a, T>(key: &'a Key<T>, collection: &str) -> &'a str {
    key.pk.strip_suffix(collection).unwrap_or_default()
}

// Where rows stand in indexes, decided by what they say.

impl Item for QueuedMail {
    fn placed(&self, key: &Key<Self>) -> Vec<IndexKeys> {
        MAIL_DUE.at(self.failed_at.is_none().then_some(self.due), key)
    }
}

impl Item for Job {
    fn placed(&self, key: &Key<Self>) -> Vec<IndexKeys> {
        JOBS_DUE.at(Some(self.due), key)
    }
}

impl Item for ContactRow {
    fn placed(&self, key: &Key<Self>) -> Vec<IndexKeys> {
        let Record { id, fields, meta, .. } = &self.contact;
        let [last, first] = [&fields.last_name, &fields.first_name].map(|name| NormalizedText::of(&name.to_string()));
        vec![
            SORTED.at(contacts_by_name(&key.pk), format!("{}{END}{}{END}{id}", last.cut(), first.cut())),
            CHANGED.at(by_change(&key.pk), format!("{}#{id}", meta.updated_at)),
        ]
    }
}

impl Item for Deal {
    fn placed(&self, key: &Key<Self>) -> Vec<IndexKeys> {
        let (client, id) = (client_of(key, "DEAL"), self.id);
        let fields = &self.fields;
        let within_stage = format!("{}#{}#{id}", column(fields.status), self.position);
        let always = [
            SORTED.at(of_stage(client, fields.stage_id), within_stage),
            CHANGED.at(by_change(&key.pk), format!("{}#{id}", self.meta.updated_at)),
            PIPELINE.at(of_pipeline(client, fields.pipeline_id), id.to_string()),
        ];
        let contact = fields.contact_id.map(|contact| CONTACT.at(of_contact(client, contact), format!("DEAL#{id}")));
        let assignee = fields.assigned_to_id.map(|user| ASSIGNEE.at(of_assignee(client, user), id.to_string()));
        always.into_iter().chain(contact).chain(assignee).collect()
    }
}

impl Item for Appointment {
    fn placed(&self, key: &Key<Self>) -> Vec<IndexKeys> {
        let client = client_of(key, "APPOINTMENT");
        let start = format!("{}#{}", self.start_time, self.id);
        let always = [
            SORTED.at(in_month(client, Month::of(self.start_time)), &start),
            PIPELINE.at(of_status(client, self.status), &start),
            ASSIGNEE.at(of_staff(client, self.staff_id), &start),
        ];
        let contact = self.fields.contact_id.map(|id| CONTACT.at(of_contact(client, id), format!("APPT#{start}")));
        always.into_iter().chain(contact).collect()
    }
}

/// What every scope has.
pub trait Scope: Copy + Display + Send + Sync {
    /// The count of what stands directly below it; exists as long as the scope does.
    fn holdings(self) -> Key<ChildCount> {
        Partition::new(self, "HOLDS").at("COUNT")
    }

    /// The answer recorded for a request that may come again.
    fn recorded(self, request: &Fingerprint) -> Key<Recorded> {
        Partition::new(self, "IDEM").at(request)
    }
}

impl Scope for PlatformScope {}
impl Scope for TenantScope {}
impl Scope for AgencyScope {}
impl Scope for ClientScope {}

/// `ADMIN` names an agency by its id alone.
pub(crate) fn agency_place(id: AgencyId) -> Key<ScopePointer> {
    Key::new(format!("GLOBAL#AGENCY#{id}"), "AT")
}

/// `ADMIN` names a client by its id alone.
pub(crate) fn client_place(id: ClientId) -> Key<ScopePointer> {
    Key::new(format!("GLOBAL#CLIENT#{id}"), "AT")
}

/// The user who has this email; `hash` is a keyed hash of the folded address, so that no address stands in a key.
pub(crate) fn account_pointer(hash: &str) -> Key<EmailPointer> {
    Key::new(format!("GLOBAL#EMAIL#{hash}"), "AT")
}

/// Whose invitation or reset a token is; `hash` is that of the token.
pub(crate) fn credential(hash: &str) -> Key<Credential> {
    Key::new(format!("GLOBAL#TOKEN#{hash}"), "AT")
}

/// How often something was tried of late; `hash` is a keyed hash of what, by whom or from where.
pub(crate) fn tries(hash: &str) -> Key<AttemptCounter> {
    Key::new(format!("GLOBAL#TRIES#{hash}"), "AT")
}

/// A row that never exists.
pub(crate) fn health() -> Key<ScopePointer> {
    Key::new("GLOBAL#HEALTH".to_owned(), "AT")
}
