//! Tenants, agencies and clients, with the domains and the widget key of a client.

mod agency;
mod brand;
mod children;
mod client;
#[cfg(test)]
pub(crate) mod data_model;
mod domain;
mod keys;
mod tenant;
mod widget;

pub use agency::Agency;
pub use brand::Brand;
pub use children::{count_deleted_agency, count_deleted_client};
pub use client::Client;
pub use domain::Domain;
pub(crate) use keys::widget_pointer;
pub use tenant::Tenant;
pub use widget::{NoWidgetKey, Widget, WidgetKey, WidgetPointer, WidgetsUrl};

use crate::table::Record;
use crate::value::Id;

/// A tenant.
pub type TenantRecord = Record<Tenant>;
/// An agency.
pub type AgencyRecord = Record<Agency>;
/// A client.
pub type ClientRecord = Record<Client>;
/// A domain.
pub type DomainRecord = Record<Domain>;
/// A domain's id.
pub type DomainId = Id<Domain>;
