//! Staff members and their working hours.

use axum::Json;
use axum::extract::State;
use lambda_http::http::StatusCode;
use serde_json::json;
use shared::appointments::jobs::DeleteStaffChildren;
use shared::appointments::{Staff, StaffCount, StaffId, StaffRecord, StaffRow, UsageGuard};
use shared::identity::{ClientId, ClientScope, ManageSchedules, UseCrm};
use shared::jobs::CascadeDelete;
use shared::table::{Record, Store, Transaction};
use shared::users::require_current_actor;
use shared::web::page::PageParams;
use shared::web::{
    Access, App, Create, Created, Deleted, Draft, ErrorCode, IfMatch, IfNoneMatch, Page, Paging, Patch, PathId,
    Problem, Result, WithEtag,
};

type StaffPage = Page<StaffRecord>;

/// Create a staff member.
///
/// Without `timeZone`, the working hours are in the client's time zone. `409 too_many_staff` if the client has
/// 100 staff members.
#[utoipa::path(
    post, path = "/v1/clients/{clientId}/staff", tag = "appointments", operation_id = "createStaff",
    params(("clientId" = ClientId, Path, description = "The client's id.")),
    request_body = Staff,
    responses((status = 201, body = StaffRecord, description = "The new staff member.")),
    extensions(("x-errors" = json!(["forbidden", "too_many_staff"])))
)]
pub(crate) async fn create(
    client: Access<ClientScope, ManageSchedules>,
    State(app): State<App>,
    store: Store,
    Create { fields: draft, request }: Create<Draft>,
) -> Result<Created> {
    let time_zone = async { Ok(json!(store.find(&client.record()).await?.fields.time_zone)) };
    let new = Record::new(app.ids(), *client, draft.parse_with_default("timeZone", time_zone).await?, app.now());
    let mut transaction = store.transaction();
    transaction.increment_children(*client)?;
    let too_many = Problem::new(ErrorCode::TooManyStaff, "The client has reached the limit of 100 staff members.");
    StaffCount::increment(&mut transaction, &client.staff_count(), Staff::MAX_PER_CLIENT, too_many)?;
    let row = StaffRow::new(new);
    let new = &row.staff;
    transaction.create(&client.staff_member(new.id), &row)?;
    UsageGuard::create(&mut transaction, &client.staff_guard(new.id))?;
    let location = format!("/v1/clients/{}/staff/{}", client.id(), new.id);
    let created = Created::new(StatusCode::CREATED, new, location)?.sealed(&app, row.seal)?;
    let created = request.commit_with(transaction, *client, created).await?;
    if !created.is_replayed() {
        return Ok(created);
    }
    // The data of a recorded response can be read until the staff member is deleted.
    let row = store.find(&client.staff_member(created.entity_id()?)).await?;
    created.opened(&app, row.seal)
}

/// List staff members.
///
/// Oldest first.
#[utoipa::path(
    get, path = "/v1/clients/{clientId}/staff", tag = "appointments", operation_id = "listStaff",
    params(("clientId" = ClientId, Path, description = "The client's id."), PageParams),
    responses((status = 200, body = StaffPage, description = "A page of staff members."))
)]
pub(crate) async fn list(client: Access<ClientScope, UseCrm>, store: Store, paging: Paging) -> Result<Json<StaffPage>> {
    let page = paging.read(&store, *client, client.staff()).await?;
    Ok(Json(page.map(|row| row.staff)))
}

/// Get a staff member.
#[utoipa::path(
    get, path = "/v1/clients/{clientId}/staff/{staffId}", tag = "appointments", operation_id = "getStaff",
    params(
        ("clientId" = ClientId, Path, description = "The client's id."),
        ("staffId" = StaffId, Path, description = "The staff member's id.")
    ),
    responses((status = 200, body = StaffRecord, description = "The staff member.")),
    extensions(("x-versioned" = json!(true)))
)]
pub(crate) async fn get(
    client: Access<ClientScope, UseCrm>,
    PathId(id): PathId<Staff>,
    store: Store,
    if_none_match: IfNoneMatch,
) -> Result<WithEtag<StaffRecord>> {
    Ok(WithEtag::unless(store.find(&client.staff_member(id)).await?.staff, if_none_match))
}

/// Update a staff member.
///
/// Existing appointments do not change, even outside of the new working hours. `timeZone: null` sets the client's
/// time zone.
#[utoipa::path(
    patch, path = "/v1/clients/{clientId}/staff/{staffId}", tag = "appointments", operation_id = "updateStaff",
    params(
        ("clientId" = ClientId, Path, description = "The client's id."),
        ("staffId" = StaffId, Path, description = "The staff member's id.")
    ),
    request_body(content = Staff, content_type = "application/merge-patch+json"),
    responses((status = 200, body = StaffRecord, description = "The updated staff member.")),
    extensions(("x-errors" = json!(["forbidden"])), ("x-versioned" = json!(true)))
)]
pub(crate) async fn update(
    client: Access<ClientScope, ManageSchedules>,
    PathId(id): PathId<Staff>,
    State(app): State<App>,
    store: Store,
    if_match: IfMatch,
    patch: Patch,
) -> Result<WithEtag<StaffRecord>> {
    let key = client.staff_member(id);
    let read = async || {
        let time_zone = async { Ok(json!(store.find(&client.record()).await?.fields.time_zone)) };
        let (current, patch) = tokio::join!(store.find(&key), patch.with_default("timeZone", time_zone));
        Ok((current?, patch?))
    };
    let decide = |(current, patch): &(StaffRow, Patch), transaction: &mut Transaction| {
        if_match.check(current.staff.meta.version)?;
        let next = patch.change(&current.staff, &app)?;
        if next.meta.version != current.staff.meta.version {
            replace_row(transaction, *client, current, &current.with_record(next.clone()))?;
        }
        Ok(next)
    };
    store.retry_on_conflict(read, decide).await.map(WithEtag::new)
}

/// Delete a staff member.
///
/// Also deletes the time off. `409 in_use` if the staff member has appointments, in any status, or is in the
/// `staffIds` of a service. To keep the appointments, set `active` to `false` instead.
#[utoipa::path(
    delete, path = "/v1/clients/{clientId}/staff/{staffId}", tag = "appointments", operation_id = "deleteStaff",
    params(
        ("clientId" = ClientId, Path, description = "The client's id."),
        ("staffId" = StaffId, Path, description = "The staff member's id.")
    ),
    responses((status = 204, description = "The staff member was deleted.")),
    extensions(("x-errors" = json!(["forbidden", "in_use"])), ("x-versioned" = json!(true)))
)]
pub(crate) async fn delete(
    client: Access<ClientScope, ManageSchedules>,
    PathId(id): PathId<Staff>,
    State(app): State<App>,
    store: Store,
    if_match: IfMatch,
) -> Result<Deleted> {
    let read = || async {
        // All reads always complete, so that the cost does not depend on which items exist.
        let (row, children) = (client.staff_member(id), CascadeDelete::read(&store, client.staff_children(id)));
        let (row, children) = tokio::join!(store.find(&row), children);
        Ok((row?, children?))
    };
    let decide = |(row, children): &(StaffRow, CascadeDelete), transaction: &mut Transaction| {
        if_match.check(row.staff.meta.version)?;
        require_current_actor(transaction, client.actor())?;
        delete_row(transaction, *client, row)?;
        children.delete_with(transaction, &app, *client, &DeleteStaffChildren { staff: id })
    };
    store.retry_on_conflict(read, decide).await.map(|()| Deleted)
}

/// Deletes the row of a staff member, its usage guard and its share in the counts.
fn delete_row(transaction: &mut Transaction, client: ClientScope, row: &StaffRow) -> Result<()> {
    let detail = "The staff member has appointments, or services name them. Change or delete those first.";
    let in_use = Problem::new(ErrorCode::InUse, detail);
    UsageGuard::delete(transaction, &client.staff_guard(row.id()), row.revision, in_use)?;
    transaction.remove(&client.staff_member(row.id()))?;
    StaffCount::decrement(transaction, &client.staff_count())?;
    Ok(transaction.decrement_children(client)?)
}

/// Writes the next revision of a staff member's row.
///
/// A conflict if the row has changed since its read, not found if it was deleted.
pub(crate) fn replace_row(
    transaction: &mut Transaction,
    client: ClientScope,
    current: &StaffRow,
    next: &StaffRow,
) -> Result<()> {
    UsageGuard::advance(transaction, &client.staff_guard(current.id()), current.revision)?;
    Ok(transaction.overwrite(&client.staff_member(current.id()), next)?)
}
