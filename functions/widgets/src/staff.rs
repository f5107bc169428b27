//! The staff members that visitors can choose.

use axum::Json;
use deserr::Deserr;
use serde::Serialize;
use shared::appointments::{ServiceId, StaffId, StaffRow};
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
    service_id: ServiceId,
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

/// List the staff members who offer a service.
///
/// Returns the active ones, by creation, in one page.
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
    let (service, everyone) = (client.service(query.service_id), client.staff().into());
    let (service, everyone) = tokio::try_join!(store.get(&service), store.query_all(&everyone))?;
    let service = service.ok_or_else(|| Problem::unresolved_reference("/serviceId"))?;
    require_bookable(&service)?;
    let offering = everyone
        .into_iter()
        .map(|(_, row): (_, StaffRow)| row.staff)
        .filter(|staff| staff.fields.active && service.fields.require_offered_by(staff.id).is_ok());
    let items =
        offering.map(|staff| PublicStaff { id: staff.id, name: staff.fields.name, time_zone: staff.fields.time_zone });
    Ok(Json(Page { items: items.collect(), next_cursor: None }))
}
