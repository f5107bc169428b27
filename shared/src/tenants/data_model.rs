//! The access patterns of tenants, agencies, clients, domains and widgets.

use super::WidgetKey;
use crate::table::data_model::{AccessPattern, Samples};

pub(crate) fn access_patterns(samples: &Samples) -> Vec<AccessPattern> {
    let (platform, tenant) = (Samples::platform(), samples.tenant());
    let (agency, client) = (samples.agency(), samples.client());
    let domain = client.domain(samples.id("domain"));
    let widget_key = WidgetKey::random();
    samples.placeholder(&widget_key, "widgetKey");
    vec![
        samples.single("a tenant", "GetItem", &tenant.record()),
        samples.query("tenants by creation", platform.tenants(), &tenant.record()),
        samples.single("an agency", "GetItem", &agency.record()),
        samples.query("agencies of a tenant by creation", tenant.agencies(), &agency.record()),
        samples.single("a client", "GetItem", &client.record()),
        samples.query("clients of an agency by creation", agency.clients(), &client.record()),
        samples.single("a domain", "GetItem", &domain),
        samples.query("domains of a client by creation", client.domains(), &domain),
        samples.single("widget key and allowed domains of a client", "GetItem", &client.widget()),
        samples.single("the client of a widget key, with its domains", "GetItem", &client.widget_pointer(&widget_key)),
    ]
}
