//! Tags: labels for contacts.

use std::collections::HashMap;
use std::slice;

use axum::Json;
use axum::extract::State;
use shared::auth::{Access, ClientId, ClientScope, UseCrm};
use shared::entity::{Record, Tag, TagId, TagName, TagRecord, Tombstones, UniqueConstraint};
use shared::http::page::PageParams;
use shared::http::{Create, Created, Deleted, IfMatch, IfNoneMatch, Page, Paging, Patch, PathId, WithEtag};
use shared::job::Work;
use shared::keys::Scope;
use shared::store::{Store, Transaction};
use shared::value::InvalidValue;
use shared::{App, Problem, Result};

use crate::jobs;

type TagPage = Page<TagRecord>;

/// Create a tag.
#[utoipa::path(post, path = "/v1/clients/{clientId}/tags", tag = "contacts", operation_id = "createTag",
    params(("clientId" = ClientId, Path)), request_body = Tag,
    responses((status = 201, body = TagRecord, description = "Created.")),
    extensions(("x-round-trips" = json!(1))))]
pub(crate) async fn create(
    client: Access<ClientScope, UseCrm>,
    State(app): State<App>,
    store: Store,
    Create { fields, request }: Create<Tag>,
) -> Result<Created> {
    let tag = Record::new(&app, *client, fields);
    let mut transaction = store.transaction();
    transaction.hold(&client.holdings())?;
    transaction.create(&client.tag(tag.id), &tag)?;
    transaction
        .claim(&client.tag_name(&tag.fields.name), &UniqueConstraint { owner: tag.id.uuid() }, |_| name_taken())?;
    let location = format!("/v1/clients/{}/tags/{}", client.id(), tag.id);
    request.commit(transaction, *client, &tag, location).await
}

/// List the tags, oldest first.
#[utoipa::path(get, path = "/v1/clients/{clientId}/tags", tag = "contacts", operation_id = "listTags",
    params(("clientId" = ClientId, Path), PageParams),
    responses((status = 200, body = TagPage, description = "A page.")),
    extensions(("x-round-trips" = json!(1))))]
pub(crate) async fn list(client: Access<ClientScope, UseCrm>, store: Store, paging: Paging) -> Result<Json<TagPage>> {
    paging.read(&store, *client, client.tags()).await.map(Json)
}

/// Read a tag.
#[utoipa::path(get, path = "/v1/clients/{clientId}/tags/{tagId}", tag = "contacts", operation_id = "readTag",
    params(("clientId" = ClientId, Path), ("tagId" = TagId, Path)),
    responses((status = 200, body = TagRecord, description = "The tag.")),
    extensions(("x-round-trips" = json!(1)), ("x-versioned" = json!(true))))]
pub(crate) async fn read(
    client: Access<ClientScope, UseCrm>,
    PathId(id): PathId<Tag>,
    store: Store,
    has: IfNoneMatch,
) -> Result<WithEtag<TagRecord>> {
    Ok(WithEtag::unless(store.find(&client.tag(id)).await?, has))
}

/// Change a tag.
#[utoipa::path(patch, path = "/v1/clients/{clientId}/tags/{tagId}", tag = "contacts", operation_id = "updateTag",
    params(("clientId" = ClientId, Path), ("tagId" = TagId, Path)),
    request_body(content = Tag, content_type = "application/merge-patch+json"),
    responses((status = 200, body = TagRecord, description = "Changed.")),
    extensions(("x-round-trips" = json!(2)), ("x-versioned" = json!(true))))]
pub(crate) async fn update(
    client: Access<ClientScope, UseCrm>,
    PathId(id): PathId<Tag>,
    State(app): State<App>,
    store: Store,
    if_match: IfMatch,
    patch: Patch,
) -> Result<WithEtag<TagRecord>> {
    let next = store.update(client.tag(id), &if_match, |current, transaction| {
        let next = patch.change(current, &app)?;
        rename(transaction, *client, id, &current.fields.name, &next.fields.name)?;
        Ok(next)
    });
    next.await.map(WithEtag::new)
}

/// Delete a tag, and take it off every contact.
#[utoipa::path(delete, path = "/v1/clients/{clientId}/tags/{tagId}", tag = "contacts", operation_id = "deleteTag",
    params(("clientId" = ClientId, Path), ("tagId" = TagId, Path)),
    responses((status = 204, description = "Deleted.")),
    extensions(("x-round-trips" = json!(3)), ("x-versioned" = json!(true))))]
pub(crate) async fn delete(
    client: Access<ClientScope, UseCrm>,
    PathId(id): PathId<Tag>,
    State(app): State<App>,
    store: Store,
    if_match: IfMatch,
) -> Result<Deleted> {
    let (row, gone) = (client.tag(id), client.gone());
    // Both are always read to their end, so that it costs the same whether or not the tag is there.
    let read = || async {
        let (tag, gone) = tokio::join!(store.find(&row), store.get(&gone));
        Ok((tag?, gone?))
    };
    let decide = |(tag, gone): &(TagRecord, Option<Tombstones>), transaction: &mut Transaction| {
        if_match.check(tag.meta.version)?;
        transaction.delete(&row, tag.meta.version)?;
        transaction.remove(&client.tag_name(&tag.fields.name))?;
        transaction.let_go(&client.holdings())?;
        jobs::accept(transaction, &app, *client, gone.as_ref(), id.uuid(), Work::Untag { tag: id })
    };
    store.decide(read, decide).await.map(|()| Deleted)
}

/// Adds what makes a tag's name unique when it changes.
fn rename(
    transaction: &mut Transaction,
    client: ClientScope,
    id: TagId,
    before: &TagName,
    after: &TagName,
) -> Result<()> {
    let (had, has) = (client.tag_name(before), client.tag_name(after));
    if had == has {
        return Ok(());
    }
    transaction.remove(&had)?;
    transaction.claim(&has, &UniqueConstraint { owner: id.uuid() }, |_| name_taken())
}

fn name_taken() -> Problem {
    Problem::conflict("name_taken", "Another tag of this client has this name.")
        .at("/name", InvalidValue::new("taken", "belongs to another tag"))
}

/// The ids of tags, by their names in lower case.
pub(crate) type TagIds = HashMap<String, TagId>;

/// The tags of these names: one BatchGetItem for each hundred of them.
pub(crate) async fn by_name(store: &Store, client: ClientScope, names: &[TagName]) -> Result<TagIds> {
    let keys: Vec<_> = names.iter().map(|name| client.tag_name(name)).collect();
    let claims = names.iter().zip(store.get_all(&keys).await?);
    Ok(claims.filter_map(|(name, claim)| Some((lower(name), TagId::from_uuid(claim?.owner)))).collect())
}

/// Makes a tag of this name, which was not there when it was looked up. The one that somebody else made since, if they did.
pub(crate) async fn make(app: &App, store: &Store, client: ClientScope, name: &TagName) -> Result<TagId> {
    let key = client.tag_name(name);
    let read = async || Ok(by_name(store, client, slice::from_ref(name)).await?.into_values().next());
    let decide = |known: &Option<TagId>, transaction: &mut Transaction| {
        if let Some(id) = known {
            return Ok(*id);
        }
        let tag = Record::new(app, client, Tag { name: name.clone(), color: None });
        transaction.hold(&client.holdings())?;
        transaction.create(&client.tag(tag.id), &tag)?;
        transaction.claim_anew(&key, &UniqueConstraint { owner: tag.id.uuid() })?;
        Ok(tag.id)
    };
    // It was looked up before.
    store.decide_from(Some(None), read, decide).await
}

/// The form under which names are one.
pub(crate) fn lower(name: &TagName) -> String {
    name.to_string().to_lowercase()
}
