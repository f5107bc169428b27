//! Taking a deleted contact off the deals and appointments that name it.

use std::time::Duration;

use shared::auth::ClientScope;
use shared::entity::{ContactId, ReferenceCount};
use shared::job::JobOutcome;
use shared::store::{Store, Transaction};
use shared::{App, Result};

use super::mourn;
use crate::references::Referring;

/// How long an index may take to follow the table.
const GSI_LAG: Duration = Duration::from_secs(5);

/// Takes the contact off some of what refers to it. Nothing comes to refer to it any more: whatever does requires that it is there.
/// The count says when nothing is left; the index, which follows the table within moments, what is.
pub(super) async fn unrefer(app: &App, store: &Store, client: ClientScope, contact: ContactId) -> Result<JobOutcome> {
    let key = client.references(contact);
    let read = || async {
        let counted = store.get(&key).await?.unwrap_or_default();
        Ok((counted, Referring::some(store, client, contact).await?))
    };
    let decide = |(counted, referring): &(ReferenceCount, Referring), transaction: &mut Transaction| {
        match (counted.n, referring.len()) {
            (0, _) => transaction.close_references(&key, counted)?,
            // The index has not caught up.
            (_, 0) => return Ok(JobOutcome::RetryAfter(GSI_LAG)),
            (_, some) => {
                referring.clear(transaction, client, app.clock().now())?;
                transaction.unrefer(&key, some)?;
                return Ok(JobOutcome::Continue);
            }
        }
        Ok(mourn(contact.uuid()))
    };
    store.decide(read, decide).await
}
