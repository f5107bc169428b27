//! The list of deals: which index serves what is asked for, and what is left to be filtered.

use axum::Json;
use deserr::Deserr;
use shared::Result;
use shared::auth::{Access, ClientId, ClientScope, UseCrm};
use shared::deals::shown;
use shared::entity::{ContactId, Deal, DealStatus, PipelineId, StageId, UserId};
use shared::http::page::{PageParams, end_of};
use shared::http::{Page, Paging};
use shared::keys::List;
use shared::store::{Order, Rows, Store};
use shared::value::{Instant, ValidationErrors};
use utoipa::IntoParams;

pub(crate) type DealPage = Page<Deal>;

/// The route, to which a board's cursors lead.
pub(crate) const ROUTE: &str = "/v1/clients/{clientId}/deals";

/// Which deals are asked for.
#[derive(Clone, Debug, Default, Deserr, IntoParams)]
#[deserr(error = ValidationErrors, rename_all = camelCase, deny_unknown_fields)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
pub(crate) struct Filters {
    /// Deals of this stage, in their order, open ones first. Served by an index, with `status` too, whatever else is asked for.
    #[deserr(default)]
    stage_id: Option<StageId>,
    /// Deals with this contact, by creation. Served by an index, unless `stageId` is.
    #[deserr(default)]
    contact_id: Option<ContactId>,
    /// Deals on which this user works, by creation. Served by an index, unless one of those before it is.
    #[deserr(default)]
    assigned_to_id: Option<UserId>,
    /// Deals of this pipeline, by creation. Served by an index, unless one of those before it is.
    #[deserr(default)]
    pipeline_id: Option<PipelineId>,
    /// Deals that changed then or later, in the order of their last change. Served by an index, unless one of those before it is. The
    /// index follows within moments: whoever polls asks again from a minute before the last change that they saw.
    #[deserr(default)]
    updated_since: Option<Instant>,
    /// Deals with this status. Served by an index with `stageId`; filters pages otherwise.
    #[deserr(default)]
    status: Option<DealStatus>,
}

/// How many times the deals of a page are looked at for one that an index does not serve alone.
const LOOKED_AT: usize = 4;

/// List the deals, oldest first unless an index says otherwise.
///
/// Filters can be combined. One index serves the list; what it does not serve is filtered page by page, and such a page may be
/// short, or empty, and have a `nextCursor`: go on until that is `null`. All but the unfiltered list follow changes within moments.
#[utoipa::path(get, path = "/v1/clients/{clientId}/deals", tag = "deals", operation_id = "listDeals",
    params(("clientId" = ClientId, Path), PageParams, Filters),
    responses((status = 200, body = DealPage, description = "A page.")),
    extensions(("x-round-trips" = json!(2))))]
pub(crate) async fn list(
    client: Access<ClientScope, UseCrm>,
    store: Store,
    paging: Paging<Filters>,
) -> Result<Json<DealPage>> {
    let filters = &paging.filters;
    let list = filters.served(*client);
    let look_at = if filters.are_served() { paging.limit() + 1 } else { LOOKED_AT * paging.limit() + 1 };
    let Rows { rows, stopped } = paging.query(&store, *client, &list, Order::Asc, look_at).await?;
    let (positions, deals): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
    let deals = positions.into_iter().zip(shown(&store, *client, deals).await?);
    let mut through: Vec<_> = deals.filter(|(_, deal)| filters.let_through(deal)).collect();
    let end = end_of(&mut through, paging.limit(), stopped);
    paging.page(&list, through.into_iter().map(|(_, deal)| deal).collect(), end.as_ref()).map(Json)
}

impl Filters {
    /// The index that leaves the least to filter.
    fn served(&self, client: ClientScope) -> List<Deal> {
        match *self {
            Self { stage_id: Some(stage), status, .. } => client.deals_in(stage, status),
            Self { contact_id: Some(contact), .. } => client.deals_of(contact),
            Self { assigned_to_id: Some(user), .. } => client.deals_of_assignee(user),
            Self { pipeline_id: Some(pipeline), .. } => client.deals_of_pipeline(pipeline),
            Self { updated_since: Some(since), .. } => client.deals_by_change(since),
            Self { .. } => client.deals().into(),
        }
    }

    /// Whether the index alone serves them: then a page is full as long as there are more.
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

    /// Whether they let a deal through.
    fn let_through(&self, deal: &Deal) -> bool {
        let fields = &deal.fields;
        self.stage_id.is_none_or(|stage| fields.stage_id == stage)
            && self.contact_id.is_none_or(|contact| fields.contact_id == Some(contact))
            && self.assigned_to_id.is_none_or(|user| fields.assigned_to_id == Some(user))
            && self.pipeline_id.is_none_or(|pipeline| fields.pipeline_id == pipeline)
            && self.updated_since.is_none_or(|since| deal.meta.updated_at >= since)
            && self.status.is_none_or(|status| fields.status == status)
    }
}
