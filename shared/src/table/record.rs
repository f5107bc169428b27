//! Records: entities made of user-written fields, an id, a parent and a version.

use std::borrow::Cow;

use deserr::Deserr;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::openapi::{Object, Ref, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::entity::{Entity, Meta, Versioned};
use crate::identity::{AgencyId, AgencyScope, ClientId, ClientScope, PlatformScope, TenantId, TenantScope};
use crate::value::{Id, IdMaker, Instant, ValidationErrors};

/// The user-written fields of an entity.
///
/// Together with an id, a parent and a version they are a [`Record`].
pub trait Fields:
    Deserr<ValidationErrors> + Serialize + DeserializeOwned + PartialEq + ToSchema + Send + Sync + 'static
{
    /// The entity's name in the OpenAPI document.
    const NAME: &'static str;
    /// The marker type of the entity's ids.
    type Marker: 'static;
    /// The scope of the entity.
    type Scope: Copy + Into<Self::Parent>;
    /// The reference to that scope in the API.
    type Parent: Clone + Serialize + DeserializeOwned + PartialSchema + Send + Sync;
}

/// An entity, as it is stored and as the API returns it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Record<F: Fields> {
    /// The id.
    pub id: Id<F::Marker>,
    /// The reference to the parent.
    #[serde(flatten)]
    pub parent: F::Parent,
    /// The user-written fields.
    #[serde(flatten)]
    pub fields: F,
    /// The version and times.
    #[serde(flatten)]
    pub meta: Meta,
}

impl<F: Fields> Record<F> {
    /// A new entity in `scope`.
    pub fn new(ids: &IdMaker, scope: F::Scope, fields: F, now: Instant) -> Self {
        Self { id: ids.make(), parent: scope.into(), fields, meta: Meta::created(now) }
    }

    /// The next version with these fields, or the current version if they are the same.
    #[must_use]
    pub fn changed(&self, fields: F, now: Instant) -> Self {
        let meta = self.meta.changed_if(fields != self.fields, now);
        Self { id: self.id, parent: self.parent.clone(), fields, meta }
    }
}

impl<F: Fields> PartialSchema for Record<F> {
    fn schema() -> RefOr<Schema> {
        let mut whole = Object::default();
        whole.properties.insert("id".to_owned(), RefOr::Ref(Ref::from_schema_name(Id::<F::Marker>::name())));
        for part in [F::schema(), F::Parent::schema(), Meta::schema()] {
            if let RefOr::T(Schema::Object(part)) = part {
                whole.properties.extend(part.properties);
                whole.description = whole.description.or(part.description);
            }
        }
        // A response has all fields; the value of an absent field is `null`.
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

/// The parent of an entity directly below the platform.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct OnPlatform {}

/// The parent of an entity directly below a tenant.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct InTenant {
    /// The tenant's id.
    pub tenant_id: TenantId,
}

/// The parent of an entity directly below an agency.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct InAgency {
    /// The agency's id.
    pub agency_id: AgencyId,
}

/// The parent of an entity in a client.
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

impl<F: Fields> Entity for Record<F> {}

impl<F: Fields> Versioned for Record<F> {
    fn meta(&self) -> &Meta {
        &self.meta
    }
}
