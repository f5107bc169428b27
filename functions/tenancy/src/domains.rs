//! Domains of a client's website: where its widgets work.

use axum::Json;
use axum::extract::State;
use shared::auth::{Access, ClientId, ClientScope, ManageSettings, ReadSettings};
use shared::entity::{Domain, DomainId, DomainRecord, Record};
use shared::http::page::PageParams;
use shared::http::{Create, Created, Deleted, IfMatch, IfNoneMatch, Page, Paging, Patch, PathId, WithEtag};
use shared::keys::Scope;
use shared::store::Store;
use shared::{App, Result};

use crate::widget;

type DomainPage = Page<DomainRecord>;

/// Register a domain of a client.
#[utoipa::path(post, path = "/v1/clients/{clientId}/domains", tag = "tenancy", operation_id = "createDomain",
    params(("clientId" = ClientId, Path)), request_body = Domain,
    responses((status = 201, body = DomainRecord, description = "Registered.")),
    extensions(("x-round-trips" = json!(2))))]
pub(crate) async fn create(
    client: Access<ClientScope, ManageSettings>,
    State(app): State<App>,
    store: Store,
    Create { fields, request }: Create<Domain>,
) -> Result<Created> {
    let domain = Record::new(&app, *client, fields);
    let location = format!("/v1/clients/{}/domains/{}", client.id(), domain.id);
    let beside = client.widget();
    let read = || store.find(&beside);
    let created = request.decide(&store, *client, &domain, location, read, |widget, transaction| {
        let next = widget.with_domain(None, Some(&domain.fields.domain), app.clock().now())?;
        transaction.hold(&client.holdings())?;
        transaction.create(&client.domain(domain.id), &domain)?;
        widget::replace(transaction, *client, widget, &next)
    });
    created.await
}

/// List a client's domains, oldest first.
#[utoipa::path(get, path = "/v1/clients/{clientId}/domains", tag = "tenancy", operation_id = "listDomains",
    params(("clientId" = ClientId, Path), PageParams),
    responses((status = 200, body = DomainPage, description = "A page.")),
    extensions(("x-round-trips" = json!(1))))]
pub(crate) async fn list(
    client: Access<ClientScope, ReadSettings>,
    store: Store,
    paging: Paging,
) -> Result<Json<DomainPage>> {
    paging.read(&store, *client, client.domains()).await.map(Json)
}

/// Read a domain.
#[utoipa::path(get, path = "/v1/clients/{clientId}/domains/{domainId}", tag = "tenancy", operation_id = "readDomain",
    params(("clientId" = ClientId, Path), ("domainId" = DomainId, Path)),
    responses((status = 200, body = DomainRecord, description = "The domain.")),
    extensions(("x-round-trips" = json!(1)), ("x-versioned" = json!(true))))]
pub(crate) async fn read(
    client: Access<ClientScope, ReadSettings>,
    PathId(id): PathId<Domain>,
    store: Store,
    has: IfNoneMatch,
) -> Result<WithEtag<DomainRecord>> {
    Ok(WithEtag::unless(store.find(&client.domain(id)).await?, has))
}

/// Change a domain.
#[utoipa::path(patch, path = "/v1/clients/{clientId}/domains/{domainId}", tag = "tenancy", operation_id = "updateDomain",
    params(("clientId" = ClientId, Path), ("domainId" = DomainId, Path)),
    request_body(content = Domain, content_type = "application/merge-patch+json"),
    responses((status = 200, body = DomainRecord, description = "Changed.")),
    extensions(("x-round-trips" = json!(3)), ("x-versioned" = json!(true))))]
pub(crate) async fn update(
    client: Access<ClientScope, ManageSettings>,
    PathId(id): PathId<Domain>,
    State(app): State<App>,
    store: Store,
    if_match: IfMatch,
    patch: Patch,
) -> Result<WithEtag<DomainRecord>> {
    let (key, beside) = (client.domain(id), client.widget());
    let read = || store.find_both(&key, &beside);
    let changed = store.decide(read, |(domain, widget), transaction| {
        if_match.check(domain.meta.version)?;
        let next = patch.change(domain, &app)?;
        let (before, after) = (&domain.fields.domain, &next.fields.domain);
        transaction.replace(&key, &next, domain.meta.version)?;
        if before != after {
            let moved = widget.with_domain(Some(before), Some(after), app.clock().now())?;
            widget::replace(transaction, *client, widget, &moved)?;
        }
        Ok(next)
    });
    changed.await.map(WithEtag::new)
}

/// Delete a domain. The client's widgets stop working there.
#[utoipa::path(delete, path = "/v1/clients/{clientId}/domains/{domainId}", tag = "tenancy", operation_id = "deleteDomain",
    params(("clientId" = ClientId, Path), ("domainId" = DomainId, Path)),
    responses((status = 204, description = "Deleted.")),
    extensions(("x-round-trips" = json!(3)), ("x-versioned" = json!(true))))]
pub(crate) async fn delete(
    client: Access<ClientScope, ManageSettings>,
    PathId(id): PathId<Domain>,
    State(app): State<App>,
    store: Store,
    if_match: IfMatch,
) -> Result<Deleted> {
    let (key, beside) = (client.domain(id), client.widget());
    let read = || store.find_both(&key, &beside);
    let gone = store.decide(read, |(domain, widget), transaction| {
        if_match.check(domain.meta.version)?;
        let next = widget.with_domain(Some(&domain.fields.domain), None, app.clock().now())?;
        transaction.delete(&key, domain.meta.version)?;
        transaction.let_go(&client.holdings())?;
        widget::replace(transaction, *client, widget, &next)
    });
    gone.await.map(|()| Deleted)
}
