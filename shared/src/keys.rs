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
//! | tags | `<client>TAG` | id |
//! | domains | `<client>DOMAIN` | id |
//! | the widgets' key, and where they work | `<client>WIDGET` | `KEY` |
//! | what is unique in a client | `<client>UNIQ` | `CONTACT_EMAIL#` folded address |
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
//! | `due`, of `due_pk` and `due_sk` | `DUE#MAIL` | instant `#` id | keys of the mail to send from that instant on |
//!
//! `<tenant>` is `T#<id>#`, `<agency>` is `T#<id>#A#<id>#`, `<client>` is `T#<id>#A#<id>#C#<id>#`, the platform `PLATFORM#`.
//! Ids sort by creation. `GLOBAL` rows hold pointers and counters only and are read by their exact key. `due` crosses tenants on
//! purpose, is sparse, and has nothing but keys: only the function that does what is due reads it.

use std::fmt::Display;
use std::marker::PhantomData;

use crate::auth::credential::Credential;
use crate::auth::tries::Tries;
use crate::auth::{AgencyId, AgencyScope, ClientId, ClientScope, HomeScope, PlatformScope, SessionId, TenantScope};
use crate::entity::{
    Account, AccountPointer, Agency, Claim, Client, Contact, Domain, Holdings, KnownSource, Place, Record, Session,
    Tag, Tenant, User, Widget, WidgetKey, WidgetPlace,
};
use crate::http::idempotency::{Fingerprint, Recorded};
use crate::id::Id;
use crate::mail::QueuedMail;
use crate::value::{Email, Instant};

/// The key of one row, and the type of what lies there.
pub struct Key<T> {
    pub(crate) pk: String,
    pub(crate) sk: String,
    /// Attributes that place the row in indexes when it is written.
    pub(crate) placed: Vec<(&'static str, String)>,
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

/// The part of the index `due` that holds one kind of rows, all of whose partitions end in the same collection.
pub struct Agenda<T> {
    pub(crate) pk: &'static str,
    collection: &'static str,
    holds: PhantomData<fn() -> T>,
}

/// A partition whose rows are all a `T`, in the order of their sort keys.
pub struct Partition<T> {
    pub(crate) pk: String,
    holds: PhantomData<fn() -> T>,
}

impl<T> Key<T> {
    fn new(pk: String, sk: impl Display) -> Self {
        Self { pk, sk: sk.to_string(), placed: Vec::new(), holds: PhantomData }
    }

    fn placed_in(mut self, index: &Index, pk: &str, sk: impl Display) -> Self {
        self.placed = vec![(index.pk, pk.to_owned()), (index.sk, sk.to_string())];
        self
    }
}

impl<T> Partition<T> {
    fn new(scope: impl Display, collection: &str) -> Self {
        Self { pk: format!("{scope}{collection}"), holds: PhantomData }
    }

    fn at(self, sk: impl Display) -> Key<T> {
        Key::new(self.pk, sk)
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
    pub fn pointer(self) -> Key<Place> {
        agency_place(self.id())
    }
}

impl ClientScope {
    /// The client's own row.
    pub fn row(self) -> Key<Record<Client>> {
        self.agency().clients().at(self.id())
    }

    /// Where `ADMIN` finds this client by its id alone.
    pub fn pointer(self) -> Key<Place> {
        client_place(self.id())
    }

    /// The client's contacts.
    pub fn contacts(self) -> Partition<Record<Contact>> {
        Partition::new(self, "CONTACT")
    }

    /// One contact.
    pub fn contact(self, id: Id<Contact>) -> Key<Record<Contact>> {
        self.contacts().at(id)
    }

    /// The row that makes a contact's email unique in the client, whatever its case.
    pub fn contact_email(self, email: &Email) -> Key<Claim> {
        Partition::new(self, "UNIQ").at(format!("CONTACT_EMAIL#{}", email.folded()))
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

    /// One tag.
    pub fn tag(self, id: Id<Tag>) -> Key<Record<Tag>> {
        Partition::new(self, "TAG").at(id)
    }
}

impl HomeScope {
    /// The count of what stands directly below it. The platform is never deleted, and nobody counts what it holds.
    pub fn holdings(self) -> Option<Key<Holdings>> {
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

    /// A mail, to be sent from `due` on.
    pub fn mail(self, id: Id<QueuedMail>, due: Instant) -> Key<QueuedMail> {
        Partition::new(self, "MAIL").at(id).due(Some(due))
    }

    /// That a user signed in from a source before.
    pub fn known_source(self, user: Id<User>, pseudonym: &str) -> Key<KnownSource> {
        Partition::new(self, "SOURCE").at(format!("{user}#{pseudonym}"))
    }

    /// One session of a user.
    pub fn session(self, user: Id<User>, session: SessionId) -> Key<Session> {
        Partition::new(self, "SESSION").at(format!("{user}#{session}"))
    }
}

/// The mail that waits to be sent.
pub const MAIL_DUE: Agenda<QueuedMail> = Agenda { pk: "DUE#MAIL", collection: "#MAIL", holds: PhantomData };

impl<T> Agenda<T> {
    /// The key of a row that the index or the table's stream names; `None` for rows of another kind.
    pub(crate) fn row(&self, pk: &str, sk: &str) -> Option<Key<T>> {
        pk.ends_with(self.collection).then(|| Key::new(pk.to_owned(), sk))
    }
}

impl Key<QueuedMail> {
    /// The same row, to be looked at again at `due`, or never.
    #[must_use]
    pub fn due(&self, due: Option<Instant>) -> Self {
        let row = Self::new(self.pk.clone(), &self.sk);
        match due {
            Some(due) => row.placed_in(&DUE, MAIL_DUE.pk, format!("{due}#{}", self.sk)),
            None => row,
        }
    }
}

/// What every scope has.
pub trait Scope: Copy + Display + Send + Sync {
    /// The count of what stands directly below it; exists as long as the scope does.
    fn holdings(self) -> Key<Holdings> {
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
pub(crate) fn agency_place(id: AgencyId) -> Key<Place> {
    Key::new(format!("GLOBAL#AGENCY#{id}"), "AT")
}

/// `ADMIN` names a client by its id alone.
pub(crate) fn client_place(id: ClientId) -> Key<Place> {
    Key::new(format!("GLOBAL#CLIENT#{id}"), "AT")
}

/// The user who has this email; `hash` is a keyed hash of the folded address, so that no address stands in a key.
pub(crate) fn account_pointer(hash: &str) -> Key<AccountPointer> {
    Key::new(format!("GLOBAL#EMAIL#{hash}"), "AT")
}

/// Whose invitation or reset a token is; `hash` is that of the token.
pub(crate) fn credential(hash: &str) -> Key<Credential> {
    Key::new(format!("GLOBAL#TOKEN#{hash}"), "AT")
}

/// How often something was tried of late; `hash` is a keyed hash of what, by whom or from where.
pub(crate) fn tries(hash: &str) -> Key<Tries> {
    Key::new(format!("GLOBAL#TRIES#{hash}"), "AT")
}

/// A row that never exists.
pub(crate) fn health() -> Key<Place> {
    Key::new("GLOBAL#HEALTH".to_owned(), "AT")
}
