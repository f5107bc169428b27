//! Whether somebody may try a password at all.
//!
//! Failures are counted by email, by source address, and by both together. Whoever comes from where the user signed in before is
//! bound by the last alone: neither a stranger who keeps failing on the email nor a neighbour who keeps failing on others shuts
//! the user out. From a new place a reset by mail, which signs in, is always open. All who come from elsewhere get the same
//! answers whether or not anybody has the email; a neighbour in the user's own network can tell that they are excused there.

use chrono::Duration;
use shared::auth::account::FoundUser;
use shared::auth::tries::{Count, SIGN_IN};
use shared::entity::KnownIp;
use shared::http::Source;
use shared::keys::Key;
use shared::store::{Store, Transaction};
use shared::value::{Email, Instant};
use shared::{App, Problem, Result};

/// A source from which a user has not signed in for so many days is a strange one again.
const KNOWN_DAYS: i64 = 90;

/// Somebody at the door, with the counts of failures.
pub(crate) struct Attempt {
    by_email: Count,
    by_source: Count,
    /// On this email, from this source.
    by_both: Count,
    /// Whether another count is full, and does not bind them.
    excused: bool,
}

impl Attempt {
    /// Reads the counts; 429 if one that binds is full.
    pub(crate) async fn at(
        app: &App,
        store: &Store,
        email: &Email,
        source: &Source,
        found: Option<&FoundUser>,
    ) -> Result<Self> {
        let (by_email, by_source, by_both) = tokio::try_join!(
            SIGN_IN.count(app, store, by_email(email)),
            SIGN_IN.count(app, store, format!("source {source}")),
            SIGN_IN.count(app, store, by_both(email, source)),
        )?;
        let full = by_email.is_full() || by_source.is_full();
        let excused = full && is_known(app, store, source, found).await?;
        let attempt = Self { by_email, by_source, by_both, excused };
        attempt.binding().into_iter().try_for_each(Count::check).map(|()| attempt)
    }

    fn binding(&self) -> Vec<&Count> {
        if self.excused { vec![&self.by_both] } else { vec![&self.by_both, &self.by_email, &self.by_source] }
    }

    /// Requires that there were not too many failures in the meantime, and forgets those on the user.
    pub(crate) fn succeed(&self, transaction: &mut Transaction) -> Result<()> {
        self.by_both.clear(transaction)?;
        if self.excused {
            return Ok(());
        }
        self.by_email.clear(transaction)?;
        self.by_source.require(transaction)
    }

    /// Counts a failure. Gives `otherwise`, or 429 if there were too many by then.
    pub(crate) async fn fail(
        self,
        app: &App,
        store: &Store,
        email: &Email,
        source: &Source,
        found: Option<&FoundUser>,
        otherwise: Problem,
    ) -> Problem {
        let again = || Self::at(app, store, email, source, found);
        let counted = store.decide_from(Some(self), again, |attempt, transaction| {
            attempt.binding().into_iter().try_for_each(|count| count.add(transaction))
        });
        counted.await.err().unwrap_or(otherwise)
    }
}

/// Forgets the failures on a user: they have proved that the mailbox is theirs.
pub(crate) fn forgive(app: &App, transaction: &mut Transaction, email: &Email) -> Result<()> {
    SIGN_IN.forget(app, transaction, by_email(email))
}

/// Notes from where a user signs in.
pub(crate) fn remember(app: &App, transaction: &mut Transaction, source: &Source, found: &FoundUser) -> Result<()> {
    let until = Instant::from(app.clock().now().to_utc() + Duration::days(KNOWN_DAYS));
    transaction.write(&known(app, source, found), &KnownIp { until, ttl: until.unix_seconds() })
}

fn by_email(email: &Email) -> String {
    format!("email {}", email.folded())
}

fn by_both(email: &Email, source: &Source) -> String {
    format!("email {} source {source}", email.folded())
}

fn known(app: &App, source: &Source, found: &FoundUser) -> Key<KnownIp> {
    found.home.known_source(found.account.user.id, &source.pseudonym(app))
}

/// Whether the user signed in from this source before: one read, also when there is no user.
async fn is_known(app: &App, store: &Store, source: &Source, found: Option<&FoundUser>) -> Result<bool> {
    let Some(found) = found else { return store.ping().await.map(|()| false) };
    let known = store.get(&known(app, source, found)).await?;
    Ok(known.is_some_and(|known| app.clock().now() < known.until))
}
