//! Keys of tenants, agencies, clients, domains and widgets.

use super::{AgencyRecord, ClientRecord, DomainId, DomainRecord, TenantRecord, Widget, WidgetKey, WidgetPointer};
use crate::identity::{AgencyScope, ClientId, ClientScope, PlatformScope, TenantScope};
use crate::table::{Bounds, Entity, Key, List, Partition};

impl Entity for Widget {}
impl Entity for WidgetPointer {}

/// The collection of tenants.
const TENANTS: &str = "TENANT";

impl PlatformScope {
    /// All tenants.
    pub fn tenants(self) -> Partition<TenantRecord> {
        Partition::new(self, TENANTS)
    }
}

impl TenantScope {
    /// The tenant itself.
    pub fn record(self) -> Key<TenantRecord> {
        Key::of_tenant(self, TENANTS)
    }

    /// The tenant's agencies.
    pub fn agencies(self) -> Partition<AgencyRecord> {
        Partition::new(self, "AGENCY")
    }
}

impl AgencyScope {
    /// The agency itself.
    pub fn record(self) -> Key<AgencyRecord> {
        self.tenant().agencies().item(self.id())
    }

    /// The agency's clients.
    pub fn clients(self) -> Partition<ClientRecord> {
        Partition::new(self, "CLIENT")
    }

    /// The agency's clients by creation, from one of them on.
    pub fn clients_from(self, first: Option<ClientId>) -> List<ClientRecord> {
        self.clients().all().bounded(first.map_or(Bounds::None, |first| Bounds::From(first.to_key())))
    }
}

impl ClientScope {
    /// The client itself.
    pub fn record(self) -> Key<ClientRecord> {
        self.agency().clients().item(self.id())
    }

    /// The client's domains.
    pub fn domains(self) -> Partition<DomainRecord> {
        Partition::new(self, "DOMAIN")
    }

    /// One domain.
    pub fn domain(self, id: DomainId) -> Key<DomainRecord> {
        self.domains().item(id)
    }

    /// The widget key and the domains of the client.
    pub fn widget(self) -> Key<Widget> {
        Partition::new(self, "WIDGET").item("KEY")
    }

    /// The pointer from a widget key to the client.
    pub fn widget_pointer(self, key: &WidgetKey) -> Key<WidgetPointer> {
        widget_pointer(key)
    }
}

/// The pointer from a widget key to its client.
pub(crate) fn widget_pointer(key: &WidgetKey) -> Key<WidgetPointer> {
    Key::global("WIDGET", key.as_str())
}
