//! Tags by name, and the creation of missing tags.

use std::collections::HashMap;
use std::slice;

use super::limits::count_tag;
use super::{Tag, TagId, TagName};
use crate::identity::ClientScope;
use crate::table::{Failure, Record, Store, StoreError, Transaction, UniqueConstraint};
use crate::web::App;

/// The ids of tags by lowercase name.
pub type TagIds = HashMap<String, TagId>;

/// The tags with these names: one BatchGetItem for each 100 names.
pub async fn by_name(store: &Store, client: ClientScope, names: &[TagName]) -> Result<TagIds, StoreError> {
    let keys: Vec<_> = names.iter().map(|name| client.tag_name(name)).collect();
    let owners = names.iter().zip(store.get_all(&keys).await?);
    Ok(owners.filter_map(|(name, owner)| Some((lower(name), TagId::from_uuid(owner?.owner)))).collect())
}

/// The client has the largest number of tags.
#[derive(Debug, thiserror::Error)]
#[error("the client has too many tags")]
struct TagLimitReached;

/// Creates a tag for a name that [`by_name`] did not find.
///
/// Returns the existing tag if another request has created it since; `None` if the client has the largest number
/// of tags.
pub async fn create_missing(
    app: &App,
    store: &Store,
    client: ClientScope,
    name: &TagName,
) -> Result<Option<TagId>, StoreError> {
    let key = client.tag_name(name);
    let read = async || Ok(by_name(store, client, slice::from_ref(name)).await?.into_values().next());
    let decide = |existing: &Option<TagId>, transaction: &mut Transaction| -> Result<TagId, StoreError> {
        if let Some(id) = existing {
            return Ok(*id);
        }
        let tag = Record::new(app.ids(), client, Tag { name: name.clone(), color: None }, app.now());
        count_tag(transaction, client, TagLimitReached)?;
        transaction.create(&client.tag(tag.id), &tag)?;
        transaction.create_or(&key, &UniqueConstraint { owner: tag.id.uuid() }, Failure::Conflict)?;
        Ok(tag.id)
    };
    match store.retry_on_conflict_from(Some(None), read, decide).await {
        Err(StoreError::Rejected(reasons)) if reasons.iter().any(|reason| reason.is::<TagLimitReached>()) => Ok(None),
        tag => tag.map(Some),
    }
}

/// The lowercase form in which names are compared.
pub fn lower(name: &TagName) -> String {
    name.to_string().to_lowercase()
}
