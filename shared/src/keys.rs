//! The access patterns: every partition, sort key and index of the table, on one screen. Nothing else formats a key.
//!
//! | What | Partition key `pk` | Sort key `sk` |
//! |---|---|---|
//! | tenants; agencies; clients | `PLATFORM#TENANT` · `<tenant>AGENCY` · `<agency>CLIENT` | id |
//! | how much stands directly below a tenant, agency, client | `<scope>HOLDS` | `COUNT` |
//! | users of a home (platform, agency, client) | `<home>USER` | id |
//! | sessions of a user | `<home>SESSION` | user id `#` session id |
//! | contacts, by creation | `<client>CONTACT` | id |
//! | tags | `<client>TAG` | id |
//! | what is unique in a client | `<client>UNIQ` | `CONTACT_EMAIL#` folded address |
//! | recorded answers, by `Idempotency-Key` | `<scope>IDEM` | hash |
//! | whose email this is | `GLOBAL#EMAIL#` hash | `AT` |
//! | where an agency, a client is (for `ADMIN`) | `GLOBAL#AGENCY#` id · `GLOBAL#CLIENT#` id | `AT` |
//! | nothing: read to see whether the table answers | `GLOBAL#HEALTH` | `AT` |
//!
//! `<tenant>` is `T#<id>#`, `<agency>` is `T#<id>#A#<id>#`, `<client>` is `T#<id>#A#<id>#C#<id>#`, the platform `PLATFORM#`.
//! Ids sort by creation. `GLOBAL` rows hold pointers only and are read by their exact key.

use std::fmt::Display;
use std::marker::PhantomData;

use crate::auth::{AgencyId, AgencyScope, ClientId, ClientScope, HomeScope, PlatformScope, SessionId, TenantScope};
use crate::entity::{
    Account, AccountPointer, Agency, Claim, Client, Contact, Holdings, Place, Record, Session, Tag, Tenant, User,
};
use crate::http::idempotency::{Fingerprint, Recorded};
use crate::id::Id;
use crate::value::Email;

/// The key of one row, and the type of what lies there.
pub struct Key<T> {
    pub(crate) pk: String,
    pub(crate) sk: String,
    holds: PhantomData<fn() -> T>,
}

/// A partition whose rows are all a `T`, in the order of their sort keys.
pub struct Partition<T> {
    pub(crate) pk: String,
    holds: PhantomData<fn() -> T>,
}

impl<T> Key<T> {
    fn new(pk: String, sk: impl Display) -> Self {
        Self { pk, sk: sk.to_string(), holds: PhantomData }
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

    /// One tag.
    pub fn tag(self, id: Id<Tag>) -> Key<Record<Tag>> {
        Partition::new(self, "TAG").at(id)
    }
}

impl HomeScope {
    /// One user of this home.
    pub fn user(self, id: Id<User>) -> Key<Account> {
        Partition::new(self, "USER").at(id)
    }

    /// One session of a user.
    pub fn session(self, user: Id<User>, session: SessionId) -> Key<Session> {
        Partition::new(self, "SESSION").at(format!("{user}#{session}"))
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

/// A row that never exists.
pub(crate) fn health() -> Key<Place> {
    Key::new("GLOBAL#HEALTH".to_owned(), "AT")
}
