//! Keys of tenants, agencies, clients, domains and widgets.

use super::{AgencyRecord, ClientRecord, DomainId, DomainRecord, TenantRecord, Widget, WidgetKey, WidgetPointer};
use crate::identity::{AgencyScope, ClientScope, PlatformScope, TenantScope};
use crate::table::{Entity, Key, Partition};

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
        Key::global("WIDGET", key.as_str())
    }
}
