//! Deals.

use axum::extract::State;
use deserr::Deserr;
use lambda_http::http::StatusCode;
use serde_json::json;
use shared::contacts::{ContactId, ContactOrigin};
use shared::deals::jobs::DeleteDealChildren;
use shared::deals::position::{self, StageRef, StageSelector};
use shared::deals::{Deal, DealFields, DealId, DealStatus, PipelineId, StageId, repository};
use shared::identity::{ClientId, ClientScope, UseCrm};
use shared::jobs::CascadeDelete;
use shared::table::{Store, Transaction};
use shared::users::UserId;
use shared::value::{Amount, Currency, Date, Name, Rank, ValidationErrors};
use shared::web::{
    Access, App, Body, Create, Created, Deleted, IfMatch, IfNoneMatch, Patch, PathId, Problem, Result, WithEtag,
};
use utoipa::ToSchema;

/// A new deal.
#[derive(Clone, Debug, Deserr, ToSchema)]
#[deserr(error = ValidationErrors, rename_all = camelCase, deny_unknown_fields)]
#[schema(rename_all = "camelCase", example = json!({
    "title": "Catering for the summer party",
    "value": 1250.5,
    "currency": "EUR",
    "assignedToId": null,
    "contactId": null,
    "status": "OPEN",
    "lostReason": null,
    "expectedCloseDate": "2026-09-30"
}))]
pub(crate) struct CreateDealRequest {
    /// The subject of the deal.
    #[schema(example = "Catering for the summer party")]
    title: Name,
    /// The value: at least 0, with at most as many decimals as the currency has.
    #[deserr(default)]
    value: Option<Amount>,
    /// The currency of the value.
    ///
    /// Default: the client's currency.
    #[deserr(default)]
    currency: Option<Currency>,
    /// The stage.
    ///
    /// Default: the first stage of the pipeline.
    #[deserr(default)]
    stage_id: Option<StageId>,
    /// The pipeline of the stage.
    ///
    /// Default: the pipeline of `stageId`; without `stageId`, the client's default pipeline.
    #[deserr(default)]
    pipeline_id: Option<PipelineId>,
    /// The user who is assigned to the deal.
    ///
    /// An active or invited user with access to this client.
    #[deserr(default)]
    assigned_to_id: Option<UserId>,
    /// The contact of the deal: a contact of this client.
    #[deserr(default)]
    contact_id: Option<ContactId>,
    /// The status.
    #[deserr(default)]
    #[schema(required = false)]
    status: DealStatus,
    /// The reason for the loss.
    ///
    /// Only for deals with the status `LOST`.
    #[deserr(default)]
    lost_reason: Option<Name>,
    /// The date on which the deal is expected to be won or lost.
    #[deserr(default)]
    expected_close_date: Option<Date>,
}

/// The target of a move: a stage and a position in it.
#[derive(Clone, Copy, Debug, Deserr, ToSchema)]
#[deserr(error = ValidationErrors, rename_all = camelCase, deny_unknown_fields)]
#[schema(rename_all = "camelCase", example = json!({
    "stageId": "01900000-0000-7000-8000-000000000005",
    "afterDealId": null
}))]
pub(crate) struct MoveDealRequest {
    /// The stage, of any pipeline of the client.
    stage_id: StageId,
    /// The deal of the stage after which the moved deal is placed.
    ///
    /// Without it, the moved deal is placed before all other deals of its status.
    #[deserr(default)]
    after_deal_id: Option<DealId>,
}

impl CreateDealRequest {
    fn into_fields(self, StageRef { pipeline_id, stage_id }: StageRef, currency: Currency) -> DealFields {
        let Self { title, value, assigned_to_id, contact_id, status, lost_reason, expected_close_date, .. } = self;
        DealFields {
            title,
            value,
            currency,
            stage_id,
            pipeline_id,
            assigned_to_id,
            contact_id,
            status,
            lost_reason,
            expected_close_date,
        }
    }

    /// The currency of the request, otherwise that of the client.
    async fn currency(&self, store: &Store, client: ClientScope) -> Result<Currency> {
        match self.currency {
            Some(currency) => Ok(currency),
            None => Ok(store.find(&client.record()).await?.fields.currency),
        }
    }

    /// Completes the fields, and determines the position.
    async fn complete(&self, store: &Store, client: ClientScope) -> Result<(DealFields, Rank)> {
        let selector = StageSelector { pipeline_id: self.pipeline_id, stage_id: self.stage_id };
        // Both reads always complete, so that the cost does not depend on which item is missing.
        let (currency, placement) =
            tokio::join!(self.currency(store, client), position::resolve_last(store, client, selector, self.status),);
        let currency = currency?;
        let checked = DealFields::check_values(self.value, currency, self.status, self.lost_reason.as_ref());
        let ((stage, position), ()) = Problem::both(placement, checked.map_err(Problem::from))?;
        Ok((self.clone().into_fields(stage, currency), position))
    }
}

/// Create a deal.
///
/// The deal is added after the other deals of its status in the stage. The creation is the first entry of the
/// deal's history.
#[utoipa::path(
    post, path = "/v1/clients/{clientId}/deals", tag = "deals", operation_id = "createDeal",
    params(("clientId" = ClientId, Path, description = "The client's id.")),
    request_body = CreateDealRequest,
    responses((status = 201, body = Deal, description = "The new deal."))
)]
pub(crate) async fn create(
    client: Access<ClientScope, UseCrm>,
    State(app): State<App>,
    store: Store,
    Create { fields: new, request }: Create<CreateDealRequest>,
) -> Result<Created> {
    let (id, by) = (app.ids().make(), client.actor().user());
    let read = || new.complete(&store, *client);
    let decide = |(fields, position): &(DealFields, Rank), transaction: &mut Transaction| {
        let deal = Deal::new(id, client.id(), fields.clone(), position.clone(), app.now());
        repository::create(transaction, *client, (&deal, ContactOrigin::Named), Some(by))?;
        Created::new(StatusCode::CREATED, &deal, format!("/v1/clients/{}/deals/{id}", client.id()))
    };
    request.retry_on_conflict(&store, *client, read, decide).await
}

/// Get a deal.
#[utoipa::path(
    get, path = "/v1/clients/{clientId}/deals/{dealId}", tag = "deals", operation_id = "getDeal",
    params(
        ("clientId" = ClientId, Path, description = "The client's id."),
        ("dealId" = DealId, Path, description = "The deal's id.")
    ),
    responses((status = 200, body = Deal, description = "The deal.")),
    extensions(("x-versioned" = json!(true)))
)]
pub(crate) async fn get(
    client: Access<ClientScope, UseCrm>,
    PathId(id): PathId<Deal>,
    store: Store,
    if_none_match: IfNoneMatch,
) -> Result<WithEtag<Deal>> {
    Ok(WithEtag::unless(repository::find(&store, *client, id).await?, if_none_match))
}

/// A stored deal with its next fields and its next position.
struct DealUpdate {
    deal: Deal,
    fields: DealFields,
    position: Rank,
}

/// Update a deal.
///
/// `WON` and `LOST` close the deal; `OPEN` reopens it. A status other than `LOST` clears `lostReason`. A
/// `pipelineId` without a `stageId` selects the first stage of that pipeline. If the stage or the status
/// changes, the deal is placed after the other deals of its new status in its new stage. `currency: null` sets the
/// client's currency.
#[utoipa::path(
    patch, path = "/v1/clients/{clientId}/deals/{dealId}", tag = "deals", operation_id = "updateDeal",
    params(
        ("clientId" = ClientId, Path, description = "The client's id."),
        ("dealId" = DealId, Path, description = "The deal's id.")
    ),
    request_body(content = DealFields, content_type = "application/merge-patch+json"),
    responses((status = 200, body = Deal, description = "The updated deal.")),
    extensions(("x-versioned" = json!(true)))
)]
pub(crate) async fn update(
    client: Access<ClientScope, UseCrm>,
    PathId(id): PathId<Deal>,
    State(app): State<App>,
    store: Store,
    if_match: IfMatch,
    patch: Patch,
) -> Result<WithEtag<Deal>> {
    let by = client.actor().user();
    let read = async || {
        let currency = async { Ok(json!(store.find(&client.record()).await?.fields.currency)) };
        let deal = repository::find(&store, *client, id);
        let (deal, patch) = tokio::join!(deal, patch.with_default("currency", currency));
        let (deal, patch) = (deal?, patch?);
        if_match.check(deal.meta.version)?;
        let (fields, position) = patched(&store, *client, &patch, &deal).await?;
        Ok(DealUpdate { deal, fields, position })
    };
    let decide = |DealUpdate { deal, fields, position }: &DealUpdate, transaction: &mut Transaction| {
        let next = deal.changed(fields.clone(), position.clone(), app.now());
        if next.meta.version != deal.meta.version {
            repository::replace(transaction, *client, deal, &next, by)?;
        }
        Ok(next)
    };
    store.retry_on_conflict(read, decide).await.map(WithEtag::new)
}

/// The fields of a deal with a patch applied, and its position afterwards.
async fn patched(store: &Store, client: ClientScope, patch: &Patch, deal: &Deal) -> Result<(DealFields, Rank)> {
    let mut fields: DealFields = patch.apply(&deal.fields)?;
    if fields.status != DealStatus::Lost && patch.member("lostReason").is_none() {
        fields.lost_reason = None;
    }
    let checked = fields.check().map_err(Problem::from);
    let same_pipeline = fields.pipeline_id == deal.fields.pipeline_id;
    if same_pipeline && fields.stage_id == deal.fields.stage_id {
        checked?;
        let position = if fields.status == deal.fields.status {
            deal.position.clone()
        } else {
            position::last(store, client, fields.stage_id, fields.status).await?
        };
        return Ok((fields, position));
    }
    let is_given = |name| patch.member(name).is_some();
    let selector = StageSelector {
        pipeline_id: is_given("pipelineId").then_some(fields.pipeline_id),
        // Another pipeline without a stage selects the first stage of that pipeline.
        stage_id: (is_given("stageId") || same_pipeline).then_some(fields.stage_id),
    };
    let placement = position::resolve_last(store, client, selector, fields.status).await;
    let ((StageRef { pipeline_id, stage_id }, position), ()) = Problem::both(placement, checked)?;
    Ok((DealFields { stage_id, pipeline_id, ..fields }, position))
}

/// Move a deal within its stage or to another stage.
///
/// The position is relative to the deals of the same status in the stage.
#[utoipa::path(
    post, path = "/v1/clients/{clientId}/deals/{dealId}/move", tag = "deals", operation_id = "moveDeal",
    params(
        ("clientId" = ClientId, Path, description = "The client's id."),
        ("dealId" = DealId, Path, description = "The deal's id.")
    ),
    request_body = MoveDealRequest,
    responses((status = 200, body = Deal, description = "The moved deal.")),
    extensions(("x-errors" = json!(["no_room"])), ("x-versioned" = json!(true)))
)]
pub(crate) async fn relocate(
    client: Access<ClientScope, UseCrm>,
    PathId(id): PathId<Deal>,
    State(app): State<App>,
    store: Store,
    if_match: IfMatch,
    Body(MoveDealRequest { stage_id, after_deal_id }): Body<MoveDealRequest>,
) -> Result<WithEtag<Deal>> {
    let by = client.actor().user();
    let selector = StageSelector { pipeline_id: None, stage_id: Some(stage_id) };
    let read = async || {
        let deal = repository::find(&store, *client, id).await?;
        if_match.check(deal.meta.version)?;
        let (stage, position) = tokio::join!(
            position::resolve(&store, *client, selector),
            position::behind(&store, *client, stage_id, &deal, after_deal_id),
        );
        let (StageRef { pipeline_id, stage_id }, position) = Problem::both(stage, position)?;
        let fields = DealFields { stage_id, pipeline_id, ..deal.fields.clone() };
        Ok(DealUpdate { deal, fields, position })
    };
    let decide = |DealUpdate { deal, fields, position }: &DealUpdate, transaction: &mut Transaction| {
        let next = deal.changed(fields.clone(), position.clone(), app.now());
        if next.meta.version != deal.meta.version {
            repository::replace(transaction, *client, deal, &next, by)?;
        }
        Ok(next)
    };
    store.retry_on_conflict(read, decide).await.map(WithEtag::new)
}

/// Delete a deal, its notes and its history.
#[utoipa::path(
    delete, path = "/v1/clients/{clientId}/deals/{dealId}", tag = "deals", operation_id = "deleteDeal",
    params(
        ("clientId" = ClientId, Path, description = "The client's id."),
        ("dealId" = DealId, Path, description = "The deal's id.")
    ),
    responses((status = 204, description = "The deal was deleted.")),
    extensions(("x-versioned" = json!(true)))
)]
pub(crate) async fn delete(
    client: Access<ClientScope, UseCrm>,
    PathId(id): PathId<Deal>,
    State(app): State<App>,
    store: Store,
    if_match: IfMatch,
) -> Result<Deleted> {
    let read = async || {
        // Both reads always complete, so that the cost does not depend on whether the deal exists.
        let children = CascadeDelete::read(&store, client.deal_children(id));
        let (deal, children) = tokio::join!(repository::find(&store, *client, id), children);
        Ok((deal?, children?))
    };
    let decide = |(deal, children): &(Deal, CascadeDelete), transaction: &mut Transaction| {
        if_match.check(deal.meta.version)?;
        repository::delete(transaction, *client, deal)?;
        children.delete_with(transaction, &app, *client, &DeleteDealChildren { deal: id })
    };
    store.retry_on_conflict(read, decide).await.map(|()| Deleted)
}
