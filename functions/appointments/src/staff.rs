//! The staff: who serves a client's customers, and when they work.

use axum::Json;
use axum::extract::State;
use serde_json::json;
use shared::auth::{Access, ClientId, ClientScope, ManageSchedules, UseCrm};
use shared::belongings::CascadeDelete;
use shared::entity::{Record, Staff, StaffId, StaffRecord, StaffRow};
use shared::http::page::PageParams;
use shared::http::{Create, Created, Deleted, Draft, IfMatch, IfNoneMatch, Page, Paging, Patch, PathId, WithEtag};
use shared::job::Work;
use shared::keys::Scope;
use shared::store::{Store, Transaction};
use shared::{App, Problem, Result};

type StaffPage = Page<StaffRecord>;

/// Create a member of the staff. Their time zone is the client's unless given.
#[utoipa::path(post, path = "/v1/clients/{clientId}/staff", tag = "appointments", operation_id = "createStaff",
    params(("clientId" = ClientId, Path)), request_body = Staff,
    responses((status = 201, body = StaffRecord, description = "Created.")),
    extensions(("x-round-trips" = json!(2))))]
pub(crate) async fn create(
    client: Access<ClientScope, ManageSchedules>,
    State(app): State<App>,
    store: Store,
    Create { fields: draft, request }: Create<Draft>,
) -> Result<Created> {
    let time_zone = async { store.find(&client.row()).await.map(|client| json!(client.fields.time_zone)) };
    let new = Record::new(&app, *client, draft.complete("timeZone", time_zone).await?);
    let mut transaction = store.transaction();
    transaction.hold(&client.holdings())?;
    let too_many = Problem::conflict("too_many_staff", "The client has as many members of its staff as it can have.");
    transaction.join(&client.team(), Staff::MOST, too_many)?;
    transaction.create(&client.staff_member(new.id), &StaffRow::new(new.clone()))?;
    transaction.open_uses(&client.staff_uses(new.id))?;
    let location = format!("/v1/clients/{}/staff/{}", client.id(), new.id);
    request.commit(transaction, *client, &new, location).await
}

/// List the staff, oldest first.
#[utoipa::path(get, path = "/v1/clients/{clientId}/staff", tag = "appointments", operation_id = "listStaff",
    params(("clientId" = ClientId, Path), PageParams),
    responses((status = 200, body = StaffPage, description = "A page.")),
    extensions(("x-round-trips" = json!(2))))]
pub(crate) async fn list(client: Access<ClientScope, UseCrm>, store: Store, paging: Paging) -> Result<Json<StaffPage>> {
    let page = paging.read(&store, *client, client.staff()).await?;
    Ok(Json(page.map(|row| row.staff)))
}

/// Read a member of the staff.
#[utoipa::path(get, path = "/v1/clients/{clientId}/staff/{staffId}", tag = "appointments", operation_id = "readStaff",
    params(("clientId" = ClientId, Path), ("staffId" = StaffId, Path)),
    responses((status = 200, body = StaffRecord, description = "The member of the staff.")),
    extensions(("x-round-trips" = json!(1)), ("x-versioned" = json!(true))))]
pub(crate) async fn read(
    client: Access<ClientScope, UseCrm>,
    PathId(id): PathId<Staff>,
    store: Store,
    has: IfNoneMatch,
) -> Result<WithEtag<StaffRecord>> {
    store.find(&client.staff_member(id)).await.map(|row| WithEtag::unless(row.staff, has))
}

/// Change a member of the staff. What is booked stays as it is, whatever their hours are now.
#[utoipa::path(patch, path = "/v1/clients/{clientId}/staff/{staffId}", tag = "appointments", operation_id = "updateStaff",
    params(("clientId" = ClientId, Path), ("staffId" = StaffId, Path)),
    request_body(content = Staff, content_type = "application/merge-patch+json"),
    responses((status = 200, body = StaffRecord, description = "Changed.")),
    extensions(("x-round-trips" = json!(2)), ("x-versioned" = json!(true))))]
pub(crate) async fn update(
    client: Access<ClientScope, ManageSchedules>,
    PathId(id): PathId<Staff>,
    State(app): State<App>,
    store: Store,
    if_match: IfMatch,
    patch: Patch,
) -> Result<WithEtag<StaffRecord>> {
    let key = client.staff_member(id);
    let decide = |current: &StaffRow, transaction: &mut Transaction| {
        if_match.check(current.staff.meta.version)?;
        let next = patch.change(&current.staff, &app)?;
        revise(transaction, *client, current, &current.showing(next.clone()))?;
        Ok(next)
    };
    store.decide(|| store.find(&key), decide).await.map(WithEtag::new)
}

/// Delete a member of the staff, and when they were off. `409 in_use` while there are appointments with them, whatever became of
/// those, or services that name them: take them out of the schedule with `active`.
#[utoipa::path(delete, path = "/v1/clients/{clientId}/staff/{staffId}", tag = "appointments", operation_id = "deleteStaff",
    params(("clientId" = ClientId, Path), ("staffId" = StaffId, Path)),
    responses((status = 204, description = "Deleted.")),
    extensions(("x-round-trips" = json!(4)), ("x-versioned" = json!(true))))]
pub(crate) async fn delete(
    client: Access<ClientScope, ManageSchedules>,
    PathId(id): PathId<Staff>,
    State(app): State<App>,
    store: Store,
    if_match: IfMatch,
) -> Result<Deleted> {
    let read = || async {
        // All are always read to their end, so that it costs the same whether or not they are there.
        let (row, belongings) = (client.staff_member(id), CascadeDelete::some(&store, client.belongings_of_staff(id)));
        let (row, belongings) = tokio::join!(store.find(&row), belongings);
        Ok((row?, belongings?))
    };
    let decide = |(row, belongings): &(StaffRow, CascadeDelete), transaction: &mut Transaction| {
        if_match.check(row.staff.meta.version)?;
        dismiss(transaction, *client, row)?;
        belongings.go(transaction, &app, *client, Work::ClearStaff { staff: id })
    };
    store.decide(read, decide).await.map(|()| Deleted)
}

/// Adds that somebody is no longer of the staff.
fn dismiss(transaction: &mut Transaction, client: ClientScope, row: &StaffRow) -> Result<()> {
    let detail = "There are appointments with them, or services that name them. Change or delete those first.";
    transaction.close_uses(&client.staff_uses(row.id()), row.revision, Problem::conflict("in_use", detail))?;
    transaction.remove(&client.staff_member(row.id()))?;
    transaction.leave(&client.team())?;
    transaction.let_go(&client.holdings())
}

/// Adds the next revision of a staff member's row: stale if it is no longer the one that was read, 404 if they are gone.
pub(crate) fn revise(
    transaction: &mut Transaction,
    client: ClientScope,
    read: &StaffRow,
    next: &StaffRow,
) -> Result<()> {
    transaction.revise(&client.staff_uses(read.id()), read.revision)?;
    transaction.write(&client.staff_member(read.id()), next)
}
