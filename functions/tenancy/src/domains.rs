//! Create, list, read, update and delete the domains where a client's widgets work.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use shared::identity::{ClientId, ClientScope, ManageSettings, ReadSettings};
use shared::table::{Record, Store};
use shared::tenants::{Domain, DomainId, DomainRecord};
use shared::users::require_current_actor;
use shared::web::page::PageParams;
use shared::web::{
    Access, App, Create, Created, Deleted, IfMatch, IfNoneMatch, Page, Paging, Patch, PathId, Result, WithEtag,
};

use crate::widget;

type DomainPage = Page<DomainRecord>;

/// Register a domain.
///
/// Widgets work only on the registered domains of their client. A client has at most 50 domains.
#[utoipa::path(
    post, path = "/v1/clients/{clientId}/domains", tag = "tenancy", operation_id = "createDomain",
    params(("clientId" = ClientId, Path, description = "The client's id.")),
    request_body = Domain,
    responses((status = 201, body = DomainRecord, description = "The new domain.")),
    extensions(("x-errors" = json!(["forbidden", "domain_taken", "too_many_domains"])))
)]
pub(crate) async fn create(
    client: Access<ClientScope, ManageSettings>,
    State(app): State<App>,
    store: Store,
    Create { fields, request }: Create<Domain>,
) -> Result<Created> {
    let domain = Record::new(app.ids(), *client, fields, app.now());
    let location = format!("/v1/clients/{}/domains/{}", client.id(), domain.id);
    let widget_key = client.widget();
    let read = async || Ok(store.find(&widget_key).await?);
    let created = request.retry_on_conflict(&store, *client, read, |widget, transaction| {
        let next = widget.with_domain(None, Some(&domain.fields.domain), app.now())?;
        require_current_actor(transaction, client.actor())?;
        transaction.increment_children(*client)?;
        transaction.create(&client.domain(domain.id), &domain)?;
        widget::replace(transaction, *client, widget, &next)?;
        Created::new(StatusCode::CREATED, &domain, location.clone())
    });
    created.await
}

/// List domains.
///
/// Oldest first.
#[utoipa::path(
    get, path = "/v1/clients/{clientId}/domains", tag = "tenancy", operation_id = "listDomains",
    params(("clientId" = ClientId, Path, description = "The client's id."), PageParams),
    responses((status = 200, body = DomainPage, description = "A page of domains."))
)]
pub(crate) async fn list(
    client: Access<ClientScope, ReadSettings>,
    store: Store,
    paging: Paging,
) -> Result<Json<DomainPage>> {
    paging.read(&store, *client, client.domains()).await.map(Json)
}

/// Get a domain.
///
/// Returns its host name.
#[utoipa::path(
    get, path = "/v1/clients/{clientId}/domains/{domainId}", tag = "tenancy", operation_id = "getDomain",
    params(
        ("clientId" = ClientId, Path, description = "The client's id."),
        ("domainId" = DomainId, Path, description = "The domain's id.")
    ),
    responses((status = 200, body = DomainRecord, description = "The domain.")),
    extensions(("x-versioned" = json!(true)))
)]
pub(crate) async fn read(
    client: Access<ClientScope, ReadSettings>,
    PathId(id): PathId<Domain>,
    store: Store,
    if_none_match: IfNoneMatch,
) -> Result<WithEtag<DomainRecord>> {
    Ok(WithEtag::unless(store.find(&client.domain(id)).await?, if_none_match))
}

/// Update a domain.
///
/// A JSON Merge Patch: an absent field keeps its value.
#[utoipa::path(
    patch, path = "/v1/clients/{clientId}/domains/{domainId}", tag = "tenancy", operation_id = "updateDomain",
    params(
        ("clientId" = ClientId, Path, description = "The client's id."),
        ("domainId" = DomainId, Path, description = "The domain's id.")
    ),
    request_body(content = Domain, content_type = "application/merge-patch+json"),
    responses((status = 200, body = DomainRecord, description = "The updated domain.")),
    extensions(("x-errors" = json!(["forbidden", "domain_taken"])), ("x-versioned" = json!(true)))
)]
pub(crate) async fn update(
    client: Access<ClientScope, ManageSettings>,
    PathId(id): PathId<Domain>,
    State(app): State<App>,
    store: Store,
    if_match: IfMatch,
    patch: Patch,
) -> Result<WithEtag<DomainRecord>> {
    let (key, widget_key) = (client.domain(id), client.widget());
    let read = async || Ok(store.find_both(&key, &widget_key).await?);
    let updated = store.retry_on_conflict(read, |(domain, widget), transaction| {
        if_match.check(domain.meta.version)?;
        let next = patch.change(domain, &app)?;
        if next.meta.version == domain.meta.version {
            return Ok(next);
        }
        let (before, after) = (&domain.fields.domain, &next.fields.domain);
        require_current_actor(transaction, client.actor())?;
        transaction.replace(&key, &next, domain.meta.version)?;
        if before != after {
            let next_widget = widget.with_domain(Some(before), Some(after), app.now())?;
            widget::replace(transaction, *client, widget, &next_widget)?;
        }
        Ok(next)
    });
    updated.await.map(WithEtag::new)
}

/// Delete a domain.
///
/// The client's widgets stop working on this domain.
#[utoipa::path(
    delete, path = "/v1/clients/{clientId}/domains/{domainId}", tag = "tenancy", operation_id = "deleteDomain",
    params(
        ("clientId" = ClientId, Path, description = "The client's id."),
        ("domainId" = DomainId, Path, description = "The domain's id.")
    ),
    responses((status = 204, description = "The domain was deleted.")),
    extensions(("x-errors" = json!(["forbidden"])), ("x-versioned" = json!(true)))
)]
pub(crate) async fn delete(
    client: Access<ClientScope, ManageSettings>,
    PathId(id): PathId<Domain>,
    State(app): State<App>,
    store: Store,
    if_match: IfMatch,
) -> Result<Deleted> {
    let (key, widget_key) = (client.domain(id), client.widget());
    let read = async || Ok(store.find_both(&key, &widget_key).await?);
    let deleted = store.retry_on_conflict(read, |(domain, widget), transaction| {
        if_match.check(domain.meta.version)?;
        let next = widget.with_domain(Some(&domain.fields.domain), None, app.now())?;
        require_current_actor(transaction, client.actor())?;
        transaction.delete(&key, domain.meta.version)?;
        transaction.decrement_children(*client)?;
        widget::replace(transaction, *client, widget, &next)
    });
    deleted.await.map(|()| Deleted)
}
