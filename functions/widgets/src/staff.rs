//! The staff members that visitors can choose.

use axum::Json;
use deserr::Deserr;
use serde::Serialize;
use shared::appointments::{ServiceId, ServiceRecord, StaffId, StaffRow};
use shared::identity::ClientScope;
use shared::table::Store;
use shared::value::{Name, TimeZone, ValidationErrors};
use shared::web::{Page, Parameters, Problem, Result};
use shared::widgets::WidgetAccess;
use utoipa::{IntoParams, ToSchema};

use crate::services::require_bookable;

/// The query parameters of the list.
#[derive(Deserr, IntoParams)]
#[deserr(error = ValidationErrors, rename_all = camelCase, deny_unknown_fields)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
pub(crate) struct StaffQuery {
    /// Only staff members who offer this service.
    #[deserr(default)]
    service_id: Option<ServiceId>,
}

/// A staff member as visitors see them.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PublicStaff {
    /// The staff member's id.
    id: StaffId,
    /// The name.
    name: Name,
    /// The time zone of the working hours.
    time_zone: TimeZone,
}

type PublicStaffPage = Page<PublicStaff>;

/// List the staff members.
///
/// Returns the active ones, by creation, in one page; with `serviceId`, those who offer the service.
#[utoipa::path(
    get, path = "/widgets/{widgetKey}/staff", tag = "widget", operation_id = "listWidgetStaff", security(()),
    params(("widgetKey" = String, Path, description = "The widget key."), StaffQuery),
    responses((status = 200, body = PublicStaffPage, description = "The staff members."))
)]
pub(crate) async fn list(
    widget: WidgetAccess,
    Parameters(query): Parameters<StaffQuery>,
    store: Store,
) -> Result<Json<PublicStaffPage>> {
    let client = widget.client();
    let everyone = client.staff().into();
    let everyone = async { Ok(store.query_all(&everyone).await?) };
    let (service, everyone) = tokio::try_join!(read_service(&store, client, query.service_id), everyone)?;
    let offers = |staff| service.as_ref().is_none_or(|service| service.fields.require_offered_by(staff).is_ok());
    let everyone = everyone.into_iter().map(|(_, row): (_, StaffRow)| row.staff);
    let offering = everyone.filter(|staff| staff.fields.active && offers(staff.id));
    let items =
        offering.map(|staff| PublicStaff { id: staff.id, name: staff.fields.name, time_zone: staff.fields.time_zone });
    Ok(Json(Page { items: items.collect(), next_cursor: None }))
}

/// Reads the service of the query, which visitors must be able to book.
async fn read_service(store: &Store, client: ClientScope, id: Option<ServiceId>) -> Result<Option<ServiceRecord>> {
    let Some(id) = id else { return Ok(None) };
    let service = store.get(&client.service(id)).await?;
    let service = service.ok_or_else(|| Problem::unresolved_reference("/serviceId"))?;
    require_bookable(&service)?;
    Ok(Some(service))
}
