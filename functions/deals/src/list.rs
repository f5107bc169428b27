//! The list of deals.
//!
//! One index serves the list. The filters that the index does not serve are applied to each page.

use axum::Json;
use deserr::Deserr;
use shared::contacts::{ContactId, hide_deleted_contacts};
use shared::deals::{Deal, DealStatus, PipelineId, StageId};
use shared::identity::{ClientId, ClientScope, UseCrm};
use shared::table::{List, Order, QueryResult, Store};
use shared::users::UserId;
use shared::value::{Instant, ValidationErrors};
use shared::web::page::{PageParams, truncate_page};
use shared::web::{Access, Page, Paging, Result};
use utoipa::IntoParams;

type DealPage = Page<Deal>;

/// The route of the list.
///
/// The cursors of a board are cursors of this route.
pub(crate) const ROUTE: &str = "/v1/clients/{clientId}/deals";

/// The filters of the list.
#[derive(Clone, Debug, Default, Deserr, IntoParams)]
#[deserr(error = ValidationErrors, rename_all = camelCase, deny_unknown_fields)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
pub(crate) struct Filters {
    /// Only deals of this stage, by position, open deals first.
    ///
    /// Always served by an index, together with `status`.
    #[deserr(default)]
    stage_id: Option<StageId>,
    /// Only deals with this contact, oldest first.
    ///
    /// Served by an index unless `stageId` is given.
    #[deserr(default)]
    contact_id: Option<ContactId>,
    /// Only deals that are assigned to this user, oldest first.
    ///
    /// Served by an index unless `stageId` or `contactId` is given.
    #[deserr(default)]
    assigned_to_id: Option<UserId>,
    /// Only deals of this pipeline, oldest first.
    ///
    /// Served by an index unless `stageId`, `contactId` or `assignedToId` is given.
    #[deserr(default)]
    pipeline_id: Option<PipelineId>,
    /// Only deals changed at this time or later, in the order of their last change.
    ///
    /// Served by an index unless another filter than `status` is given. Eventually consistent: to poll for
    /// changes, start one minute before the last `updatedAt` received.
    #[deserr(default)]
    updated_since: Option<Instant>,
    /// Only deals with this status.
    ///
    /// Served by an index together with `stageId`. Without `stageId` it filters each page.
    #[deserr(default)]
    status: Option<DealStatus>,
}

/// The number of deals read for each deal of a page that is filtered.
const READ_FACTOR: usize = 4;

/// List deals.
///
/// Oldest first, unless the description of a filter states another order. Filters can be combined: one index
/// serves the list, and the other filters apply to each page, so that a page may be short or empty and still
/// have a `nextCursor`: continue until it is `null`. Filtered lists are eventually consistent, usually within a
/// second.
#[utoipa::path(
    get, path = "/v1/clients/{clientId}/deals", tag = "deals", operation_id = "listDeals",
    params(("clientId" = ClientId, Path, description = "The client's id."), PageParams, Filters),
    responses((status = 200, body = DealPage, description = "A page of deals."))
)]
pub(crate) async fn list(
    client: Access<ClientScope, UseCrm>,
    store: Store,
    paging: Paging<Filters>,
) -> Result<Json<DealPage>> {
    let filters = &paging.filters;
    let list = filters.list(*client);
    let limit = if filters.are_served() { paging.limit() + 1 } else { READ_FACTOR * paging.limit() + 1 };
    let QueryResult { items: rows, stopped } = paging.query(&store, *client, &list, Order::Asc, limit).await?;
    let (positions, deals): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
    let deals = positions.into_iter().zip(hide_deleted_contacts(&store, *client, deals).await?);
    let mut matching: Vec<_> = deals.filter(|(_, deal)| filters.matches(deal)).collect();
    let end = truncate_page(&mut matching, paging.limit(), stopped);
    paging.page(&list, matching.into_iter().map(|(_, deal)| deal).collect(), end.as_ref()).map(Json)
}

impl Filters {
    /// The list of the index that leaves the fewest deals to filter.
    fn list(&self, client: ClientScope) -> List<Deal> {
        match *self {
            Self { stage_id: Some(stage), status, .. } => client.deals_of_stage(stage, status),
            Self { contact_id: Some(contact), .. } => client.deals_of_contact(contact),
            Self { assigned_to_id: Some(user), .. } => client.deals_of_assignee(user),
            Self { pipeline_id: Some(pipeline), .. } => client.deals_of_pipeline(pipeline),
            Self { updated_since: Some(since), .. } => client.deals_by_change(since),
            Self { .. } => client.deals().into(),
        }
    }

    /// Whether the index serves all filters.
    ///
    /// If so, every page but the last is full.
    const fn are_served(&self) -> bool {
        let Self { stage_id, contact_id, assigned_to_id, pipeline_id, updated_since, status } = self;
        let others = contact_id.is_some() as u8
            + assigned_to_id.is_some() as u8
            + pipeline_id.is_some() as u8
            + updated_since.is_some() as u8;
        match (stage_id, status) {
            (Some(_), _) => others == 0,
            (None, Some(_)) => false,
            (None, None) => others <= 1,
        }
    }

    /// Whether a deal matches all filters.
    fn matches(&self, deal: &Deal) -> bool {
        let fields = &deal.fields;
        self.stage_id.is_none_or(|stage| fields.stage_id == stage)
            && self.contact_id.is_none_or(|contact| fields.contact_id == Some(contact))
            && self.assigned_to_id.is_none_or(|user| fields.assigned_to_id == Some(user))
            && self.pipeline_id.is_none_or(|pipeline| fields.pipeline_id == pipeline)
            && self.updated_since.is_none_or(|since| deal.meta.updated_at >= since)
            && self.status.is_none_or(|status| fields.status == status)
    }
}
