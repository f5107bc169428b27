//! The services that visitors can book.

use axum::Json;
use serde::Serialize;
use shared::appointments::{ServiceId, ServiceRecord};
use shared::identity::ClientScope;
use shared::table::Store;
use shared::value::{Amount, Currency, Name};
use shared::web::{Page, Problem, Result};
use shared::widgets::WidgetAccess;
use utoipa::ToSchema;

/// A service as visitors see it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PublicService {
    /// The service's id.
    id: ServiceId,
    /// The name.
    name: Name,
    /// The duration in minutes.
    #[schema(value_type = u32)]
    duration: u16,
    /// The price.
    #[schema(required)]
    price: Option<Amount>,
    /// The currency of the price.
    currency: Currency,
    /// How far ahead a start can be booked, in days.
    #[schema(value_type = u32)]
    horizon_days: u16,
}

type PublicServicePage = Page<PublicService>;

/// List the services.
///
/// Returns the services that visitors can book, by creation, in one page.
#[utoipa::path(
    get, path = "/widgets/{widgetKey}/services", tag = "widget", operation_id = "listWidgetServices", security(()),
    params(("widgetKey" = String, Path, description = "The widget key.")),
    responses((status = 200, body = PublicServicePage, description = "The services."))
)]
pub(crate) async fn list(widget: WidgetAccess, store: Store) -> Result<Json<PublicServicePage>> {
    Ok(Json(Page { items: bookable_services(&store, widget.client()).await?, next_cursor: None }))
}

/// Reads the services that visitors can book.
pub(crate) async fn bookable_services(store: &Store, client: ClientScope) -> Result<Vec<PublicService>> {
    let services = store.query_all(&client.services().into()).await?.into_iter();
    let bookable = services.map(|(_, service): (_, ServiceRecord)| service);
    Ok(bookable.filter(|service| service.fields.bookable_online).map(PublicService::from).collect())
}

/// Requires that visitors can book a service; to them, any other service does not exist.
pub(crate) fn require_bookable(service: &ServiceRecord) -> Result<()> {
    if service.fields.bookable_online { Ok(()) } else { Err(Problem::unresolved_reference("/serviceId")) }
}

impl From<ServiceRecord> for PublicService {
    fn from(service: ServiceRecord) -> Self {
        let fields = service.fields;
        let rules = fields.slot_rules();
        Self {
            id: service.id,
            name: fields.name,
            duration: rules.duration,
            price: fields.price,
            currency: fields.currency,
            horizon_days: rules.horizon_days,
        }
    }
}
