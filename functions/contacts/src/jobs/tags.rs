//! Taking a deleted tag off its contacts.

use shared::auth::ClientScope;
use shared::contacts::{self, ConflictPolicy};
use shared::entity::{ContactRow, TagId, Tagged};
use shared::job::JobOutcome;
use shared::store::{Order, Store, Transaction};
use shared::value::Instant;
use shared::{App, Result};

use super::mourn;

/// How many contacts a step takes the tag off: a transaction has at most 100 parts, and each contact takes two.
const AT_ONCE: i32 = 40;

/// Takes the tag off some of those who have it. Nobody gets it any more: whoever tags requires that the tag is there.
pub(super) async fn untag(app: &App, store: &Store, client: ClientScope, tag: TagId) -> Result<JobOutcome> {
    let read = || some(store, client, tag);
    let decide = |some: &Vec<(Tagged, Option<ContactRow>)>, transaction: &mut Transaction| {
        for (tagged, row) in some {
            take_off(transaction, client, tag, tagged, row.as_ref(), app.clock().now())?;
        }
        Ok(some.is_empty())
    };
    let done = store.decide(read, decide).await?;
    Ok(if done { mourn(tag.uuid()) } else { JobOutcome::Continue })
}

async fn some(store: &Store, client: ClientScope, tag: TagId) -> Result<Vec<(Tagged, Option<ContactRow>)>> {
    let tagged = store.query(&client.tagged(tag).into(), None, Order::Asc, AT_ONCE).await?;
    let tagged: Vec<_> = tagged.rows.into_iter().map(|(_, tagged)| tagged).collect();
    let keys: Vec<_> = tagged.iter().map(|tagged| client.contact(tagged.owner)).collect();
    Ok(tagged.into_iter().zip(store.get_all(&keys).await?).collect())
}

fn take_off(
    transaction: &mut Transaction,
    client: ClientScope,
    tag: TagId,
    tagged: &Tagged,
    row: Option<&ContactRow>,
    now: Instant,
) -> Result<()> {
    let Some(row) = row.filter(|row| row.contact.fields.tag_ids.contains(&tag)) else {
        return transaction.remove(&client.tagging(tag, tagged.owner));
    };
    let mut fields = row.contact.fields.clone();
    fields.tag_ids.retain(|other| *other != tag);
    let next = row.next(row.contact.changed(fields, now));
    contacts::replace(transaction, client, row, &next, ConflictPolicy::RETRY)
}
