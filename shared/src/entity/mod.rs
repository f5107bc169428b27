//! What is stored: one file per entity, with its fields and its rules.

mod agency;
mod appointment;
mod client;
mod contact;
mod day;
mod deal;
mod domain;
mod gone;
mod import;
mod note;
mod pipeline;
mod service;
mod staff;
mod tag;
mod tally;
mod tenant;
mod user;
mod widget;

use std::borrow::Cow;

use deserr::Deserr;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::openapi::{Object, Ref, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

pub use agency::Agency;
pub use appointment::{Appointment, AppointmentFields, AppointmentStatus, BookingSource, ReservedSlot, Transition};
pub use client::Client;
pub use contact::{Contact, ContactRow, ImportFingerprint, ReferenceCount, SearchEntry};
pub use day::Day;
pub use deal::{Deal, DealChange, DealFields, DealStatus, FieldChange};
pub use domain::Domain;
pub use gone::Tombstones;
pub use import::{Import, ImportFaults, ImportProgress, ImportStatus, ImportText, RowFault};
pub use note::{Note, NoteFields};
pub use pipeline::{DefaultPipeline, Pipeline, PipelineFields, Stage, StageFields};
pub use service::Service;
pub use staff::{Absence, Staff, StaffCount, StaffRow, TimeOff, TimeOffFields, UsageGuard};
pub use tag::{Tag, TagName, Tagged};
pub use tally::{CurrencyTotal, StageTotals, StageTotalsChange};
pub use tenant::Tenant;
pub use user::{Account, EmailPointer, KnownIp, Profile, Session, Status, User, UserCountChange, UserFields};
pub use widget::{Widget, WidgetKey, WidgetPlace};

use crate::App;
use crate::auth::{AgencyId, AgencyScope, ClientId, ClientScope, PlatformScope, TenantId, TenantScope};
use crate::value::Id;
use crate::value::{Instant, ValidationErrors};

/// An appointment's id.
pub type AppointmentId = Id<Appointment>;
/// A contact's id.
pub type ContactId = Id<Contact>;
/// A deal's id.
pub type DealId = Id<Deal>;
/// A domain's id.
pub type DomainId = Id<Domain>;
/// A note's id.
pub type NoteId = Id<Note>;
/// A pipeline's id.
pub type PipelineId = Id<Pipeline>;
/// A service's id.
pub type ServiceId = Id<Service>;
/// A staff member's id.
pub type StaffId = Id<Staff>;
/// A stage's id.
pub type StageId = Id<Stage>;
/// An import's id.
pub type ImportId = Id<Import>;
/// A time off's id.
pub type TimeOffId = Id<TimeOff>;
/// A tag's id.
pub type TagId = Id<Tag>;
/// A user's id.
pub type UserId = Id<User>;

/// The fields of an entity that its users write. With an id, its parent and a version they are a [`Record`].
pub trait Fields: Deserr<ValidationErrors> + Serialize + DeserializeOwned + ToSchema + Send + Sync + 'static {
    /// The entity's name in the OpenAPI document.
    const NAME: &'static str;
    /// The scope in which it is created.
    type Scope: Copy + Into<Self::Parent>;
    /// What it says of that scope.
    type Parent: Clone + Serialize + DeserializeOwned + PartialSchema + Send + Sync;
}

/// An entity as it is stored and as the API shows it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Record<F: Fields> {
    /// Its id.
    pub id: Id<F>,
    /// Whose it is.
    #[serde(flatten)]
    pub parent: F::Parent,
    /// What its users write.
    #[serde(flatten)]
    pub fields: F,
    /// Its version and its times.
    #[serde(flatten)]
    pub meta: Meta,
}

/// What every entity carries.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Meta {
    /// 1 when created, one more with each change; also its `ETag`.
    #[schema(minimum = 1)]
    pub version: u64,
    /// When it was created.
    pub created_at: Instant,
    /// When it last changed.
    pub updated_at: Instant,
}

impl Meta {
    /// Of a thing that is created now.
    pub const fn created(now: Instant) -> Self {
        Self { version: 1, created_at: now, updated_at: now }
    }

    /// Of the same thing, changed now.
    #[must_use]
    pub const fn changed(self, now: Instant) -> Self {
        Self { version: self.version + 1, created_at: self.created_at, updated_at: now }
    }
}

impl<F: Fields> Record<F> {
    /// A new entity in `scope`.
    pub fn new(app: &App, scope: F::Scope, fields: F) -> Self {
        Self { id: app.ids().make(), parent: scope.into(), fields, meta: Meta::created(app.clock().now()) }
    }

    /// The same entity with other fields, changed now.
    #[must_use]
    pub fn changed(&self, fields: F, now: Instant) -> Self {
        Self { id: self.id, parent: self.parent.clone(), fields, meta: self.meta.changed(now) }
    }
}

impl<F: Fields> PartialSchema for Record<F> {
    fn schema() -> RefOr<Schema> {
        let mut whole = Object::default();
        whole.properties.insert("id".to_owned(), RefOr::Ref(Ref::from_schema_name(Id::<F>::name())));
        for part in [F::schema(), F::Parent::schema(), Meta::schema()] {
            if let RefOr::T(Schema::Object(part)) = part {
                whole.properties.extend(part.properties);
                whole.description = whole.description.or(part.description);
            }
        }
        // An answer shows every field: one that is not set is `null`.
        whole.required = whole.properties.keys().cloned().collect();
        whole.into()
    }
}

impl<F: Fields> ToSchema for Record<F> {
    fn name() -> Cow<'static, str> {
        F::NAME.into()
    }

    fn schemas(referred: &mut Vec<(String, RefOr<Schema>)>) {
        F::schemas(referred);
        Meta::schemas(referred);
    }
}

/// A tenant.
pub type TenantRecord = Record<Tenant>;
/// An agency.
pub type AgencyRecord = Record<Agency>;
/// A client.
pub type ClientRecord = Record<Client>;
/// A contact.
pub type ContactRecord = Record<Contact>;
/// A tag.
pub type TagRecord = Record<Tag>;
/// A service.
pub type ServiceRecord = Record<Service>;
/// A member of the staff.
pub type StaffRecord = Record<Staff>;

/// A domain.
pub type DomainRecord = Record<Domain>;

/// Stands directly below the platform.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct OnPlatform {}

/// Stands directly below a tenant.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct InTenant {
    /// The tenant's id.
    pub tenant_id: TenantId,
}

/// Stands directly below an agency.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct InAgency {
    /// The agency's id.
    pub agency_id: AgencyId,
}

/// Stands inside a client.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct InClient {
    /// The client's id.
    pub client_id: ClientId,
}

impl From<PlatformScope> for OnPlatform {
    fn from(_: PlatformScope) -> Self {
        Self {}
    }
}

impl From<TenantScope> for InTenant {
    fn from(scope: TenantScope) -> Self {
        Self { tenant_id: scope.id() }
    }
}

impl From<AgencyScope> for InAgency {
    fn from(scope: AgencyScope) -> Self {
        Self { agency_id: scope.id() }
    }
}

impl From<ClientScope> for InClient {
    fn from(scope: ClientScope) -> Self {
        Self { client_id: scope.id() }
    }
}

/// How many things stand directly below a scope. Each is counted in the transaction that creates or deletes it, so that a
/// scope is deleted only when it is empty, decided in the deleting transaction itself.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ChildCount {
    /// How many.
    pub n: u64,
    /// How many of them are users.
    #[serde(default)]
    pub users: u64,
    /// How many of these are admins who can act.
    #[serde(default)]
    pub admins: u64,
}

/// The row that makes a value unique: whose it is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct UniqueConstraint {
    /// The id of the entity that has the value.
    pub owner: uuid::Uuid,
}

/// Where an agency or a client stands in the tree.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ScopePointer {
    /// Its tenant.
    pub tenant_id: TenantId,
    /// Its agency (itself, for an agency).
    pub agency_id: AgencyId,
}

impl From<AgencyScope> for ScopePointer {
    fn from(scope: AgencyScope) -> Self {
        Self { tenant_id: scope.tenant().id(), agency_id: scope.id() }
    }
}
