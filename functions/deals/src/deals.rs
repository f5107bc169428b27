//! Deals: what a client hopes to sell.

use axum::extract::State;
use deserr::Deserr;
use lambda_http::http::StatusCode;
use shared::auth::{Access, ClientId, ClientScope, UseCrm};
use shared::belongings::CascadeDelete;
use shared::deals::{self, with_assignee};
use shared::entity::{ContactId, Deal, DealFields, DealId, DealStatus, PipelineId, StageId, UserId};
use shared::http::{Body, Create, Created, Deleted, IfMatch, IfNoneMatch, Patch, PathId, WithEtag};
use shared::job::Work;
use shared::store::{Store, Transaction};
use shared::value::{Amount, Currency, Date, Name, Rank, ValidationErrors};
use shared::{App, Problem, Result};
use utoipa::ToSchema;

use crate::place;

/// A deal that is to be made.
#[derive(Clone, Debug, Deserr, ToSchema)]
#[deserr(error = ValidationErrors, rename_all = camelCase, deny_unknown_fields)]
#[schema(rename_all = "camelCase")]
pub(crate) struct NewDeal {
    /// What it is about.
    #[schema(example = "Catering for the summer party")]
    title: Name,
    /// What it is worth, not below zero, with at most the decimals of its currency.
    #[deserr(default)]
    value: Option<Amount>,
    /// In what; the client's currency unless given.
    #[deserr(default)]
    currency: Option<Currency>,
    /// Where it stands; the first stage of the pipeline unless given. It goes behind the others there.
    #[deserr(default)]
    stage_id: Option<StageId>,
    /// The pipeline of that stage; the client's default one unless either is given.
    #[deserr(default)]
    pipeline_id: Option<PipelineId>,
    /// The user who works on it: one who may act in this client.
    #[deserr(default)]
    assigned_to_id: Option<UserId>,
    /// With whom it is made: a contact of this client.
    #[deserr(default)]
    contact_id: Option<ContactId>,
    /// Whether it is decided.
    #[deserr(default)]
    #[schema(required = false)]
    status: DealStatus,
    /// Why it was lost, if it was.
    #[deserr(default)]
    lost_reason: Option<Name>,
    /// When it is expected to be decided.
    #[deserr(default)]
    expected_close_date: Option<Date>,
}

/// Where a deal is to go.
#[derive(Clone, Copy, Debug, Deserr, ToSchema)]
#[deserr(error = ValidationErrors, rename_all = camelCase, deny_unknown_fields)]
#[schema(rename_all = "camelCase")]
pub(crate) struct Move {
    /// To which stage, of whatever pipeline.
    stage_id: StageId,
    /// Behind which deal of that stage; before all others unless given.
    #[deserr(default)]
    after_deal_id: Option<DealId>,
}

impl NewDeal {
    fn into_fields(self, (pipeline_id, stage_id): (PipelineId, StageId), currency: Currency) -> DealFields {
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

    /// The currency that is given, else the client's.
    async fn currency(&self, store: &Store, client: ClientScope) -> Result<Currency> {
        match self.currency {
            Some(currency) => Ok(currency),
            None => store.find(&client.row()).await.map(|client| client.fields.currency),
        }
    }

    async fn placed(&self, store: &Store, client: ClientScope) -> Result<(DealFields, Rank)> {
        // Both are always read to their end, so that it costs the same whichever is missing.
        let place = place::stage(store, client, self.pipeline_id, self.stage_id);
        let (currency, place) = tokio::join!(self.currency(store, client), place);
        let currency = currency?;
        let checked = DealFields::check_of(self.value, currency, self.status, self.lost_reason.as_ref());
        let (place, ()) = Problem::both(place, checked.map_err(Problem::from))?;
        let fields = self.clone().into_fields(place, currency);
        let position = place::at_the_end(store, client, fields.stage_id, fields.status).await?;
        Ok((fields, position))
    }
}

/// Create a deal.
#[utoipa::path(post, path = "/v1/clients/{clientId}/deals", tag = "deals", operation_id = "createDeal",
    params(("clientId" = ClientId, Path)), request_body = NewDeal,
    responses((status = 201, body = Deal, description = "Created.")),
    extensions(("x-round-trips" = json!(11))))]
pub(crate) async fn create(
    client: Access<ClientScope, UseCrm>,
    State(app): State<App>,
    store: Store,
    Create { fields: new, request }: Create<NewDeal>,
) -> Result<Created> {
    let (id, by) = (app.ids().make(), client.actor().user());
    let (store, request, app, new) = (&store, &request, &app, &new);
    // Read once for all homes of the assignee, and anew only if the stage is gone.
    let placed = &new.placed(store, *client).await.ok();
    let read = move || new.placed(store, *client);
    with_assignee(*client, |home| {
        let decide = move |(fields, position): &(DealFields, Rank), transaction: &mut Transaction| {
            let deal = Deal::new(id, client.id(), fields.clone(), position.clone(), app.clock().now());
            deals::create(transaction, *client, &deal, by, Some(home))?;
            let location = format!("/v1/clients/{}/deals/{id}", client.id());
            Created::new(StatusCode::CREATED, &deal, location)
        };
        async move { request.decide_from(store, *client, placed.clone(), read, decide).await }
    })
    .await
}

/// Read a deal.
#[utoipa::path(get, path = "/v1/clients/{clientId}/deals/{dealId}", tag = "deals", operation_id = "readDeal",
    params(("clientId" = ClientId, Path), ("dealId" = DealId, Path)),
    responses((status = 200, body = Deal, description = "The deal.")),
    extensions(("x-round-trips" = json!(2)), ("x-versioned" = json!(true))))]
pub(crate) async fn read(
    client: Access<ClientScope, UseCrm>,
    PathId(id): PathId<Deal>,
    store: Store,
    has: IfNoneMatch,
) -> Result<WithEtag<Deal>> {
    Ok(WithEtag::unless(deals::find(&store, *client, id).await?, has))
}

/// Change a deal. `WON` and `LOST` close it, `OPEN` opens it again and clears why it was lost. In another stage or with another status
/// it goes behind the others there.
#[utoipa::path(patch, path = "/v1/clients/{clientId}/deals/{dealId}", tag = "deals", operation_id = "updateDeal",
    params(("clientId" = ClientId, Path), ("dealId" = DealId, Path)),
    request_body(content = DealFields, content_type = "application/merge-patch+json"),
    responses((status = 200, body = Deal, description = "Changed.")),
    extensions(("x-round-trips" = json!(18)), ("x-versioned" = json!(true))))]
pub(crate) async fn update(
    client: Access<ClientScope, UseCrm>,
    PathId(id): PathId<Deal>,
    State(app): State<App>,
    store: Store,
    if_match: IfMatch,
    patch: Patch,
) -> Result<WithEtag<Deal>> {
    let (client, by) = (*client, client.actor().user());
    let patch = &patch;
    let (store, app, if_match) = (&store, &app, &if_match);
    let read = move || async move {
        let deal = deals::find(store, client, id).await?;
        if_match.check(deal.meta.version)?;
        let next = patched(store, client, patch, &deal).await?;
        Ok((deal, next))
    };
    let updated = with_assignee(client, |home| {
        let decide = move |(deal, (fields, position)): &(Deal, (DealFields, Rank)), transaction: &mut Transaction| {
            let next = deal.changed(fields.clone(), position.clone(), app.clock().now());
            deals::replace(transaction, client, deal, &next, by, Some(home))?;
            Ok(next)
        };
        store.decide(read, decide)
    });
    updated.await.map(WithEtag::new)
}

/// A deal's fields with a patch merged in, and the position that it has then.
async fn patched(store: &Store, client: ClientScope, patch: &Patch, deal: &Deal) -> Result<(DealFields, Rank)> {
    let mut fields: DealFields = patch.apply(&deal.fields)?;
    if fields.status != DealStatus::Lost && patch.member("lostReason").is_none() {
        fields.lost_reason = None;
    }
    let checked = fields.check().map_err(Problem::from);
    let names = |name| patch.member(name).is_some();
    if (fields.pipeline_id, fields.stage_id) == (deal.fields.pipeline_id, deal.fields.stage_id) {
        checked?;
    } else {
        let pipeline = names("pipelineId").then_some(fields.pipeline_id);
        // Another pipeline alone means its first stage.
        let elsewhere = fields.pipeline_id != deal.fields.pipeline_id;
        let stage = (names("stageId") || !elsewhere).then_some(fields.stage_id);
        let place = place::stage(store, client, pipeline, stage).await;
        ((fields.pipeline_id, fields.stage_id), ()) = Problem::both(place, checked)?;
    }
    let stands = (fields.stage_id, fields.status) == (deal.fields.stage_id, deal.fields.status);
    let position = if stands {
        deal.position.clone()
    } else {
        place::at_the_end(store, client, fields.stage_id, fields.status).await?
    };
    Ok((fields, position))
}

/// Move a deal within its stage or to another.
#[utoipa::path(post, path = "/v1/clients/{clientId}/deals/{dealId}/move", tag = "deals", operation_id = "moveDeal",
    params(("clientId" = ClientId, Path), ("dealId" = DealId, Path)), request_body = Move,
    responses((status = 200, body = Deal, description = "Moved.")),
    extensions(("x-round-trips" = json!(7)), ("x-versioned" = json!(true))))]
pub(crate) async fn relocate(
    client: Access<ClientScope, UseCrm>,
    PathId(id): PathId<Deal>,
    State(app): State<App>,
    store: Store,
    if_match: IfMatch,
    Body(to): Body<Move>,
) -> Result<WithEtag<Deal>> {
    let by = client.actor().user();
    let read = || async {
        let deal = deals::find(&store, *client, id).await?;
        if_match.check(deal.meta.version)?;
        let place = place::stage(&store, *client, None, Some(to.stage_id));
        let position = place::behind(&store, *client, to.stage_id, &deal, to.after_deal_id);
        let (place, position) = tokio::join!(place, position);
        let ((pipeline_id, stage_id), position) = Problem::both(place, position)?;
        let fields = DealFields { pipeline_id, stage_id, ..deal.fields.clone() };
        Ok((deal, fields, position))
    };
    let decide = |(deal, fields, position): &(Deal, DealFields, Rank), transaction: &mut Transaction| {
        let next = deal.changed(fields.clone(), position.clone(), app.clock().now());
        deals::replace(transaction, *client, deal, &next, by, None)?;
        Ok(next)
    };
    store.decide(read, decide).await.map(WithEtag::new)
}

/// Delete a deal, its notes and its history.
#[utoipa::path(delete, path = "/v1/clients/{clientId}/deals/{dealId}", tag = "deals", operation_id = "deleteDeal",
    params(("clientId" = ClientId, Path), ("dealId" = DealId, Path)),
    responses((status = 204, description = "Deleted.")),
    extensions(("x-round-trips" = json!(7)), ("x-versioned" = json!(true))))]
pub(crate) async fn delete(
    client: Access<ClientScope, UseCrm>,
    PathId(id): PathId<Deal>,
    State(app): State<App>,
    store: Store,
    if_match: IfMatch,
) -> Result<Deleted> {
    let read = || async {
        // All are always read to their end, so that it costs the same whether or not the deal is there.
        let belongings = CascadeDelete::some(&store, client.belongings_of_deal(id));
        let (deal, belongings) = tokio::join!(deals::find(&store, *client, id), belongings);
        Ok((deal?, belongings?))
    };
    let decide = |(deal, belongings): &(Deal, CascadeDelete), transaction: &mut Transaction| {
        if_match.check(deal.meta.version)?;
        deals::delete(transaction, *client, deal)?;
        belongings.go(transaction, &app, *client, Work::ClearDeal { deal: id })
    };
    store.decide(read, decide).await.map(|()| Deleted)
}
