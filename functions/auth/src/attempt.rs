//! Whether somebody may try a password at all.
//!
//! Failures are counted by email and by source address. Whoever comes from where the user signed in before has a count of their
//! own and is bound by that alone: neither a stranger who keeps failing on the email nor a neighbour who keeps failing on others
//! shuts the user out. From a new place a reset by mail, which signs in, is always open.

use chrono::Duration;
use shared::auth::account::Found;
use shared::auth::tries::{Count, SIGN_IN};
use shared::entity::KnownSource;
use shared::http::Source;
use shared::keys::Key;
use shared::store::{Store, Transaction};
use shared::value::{Email, Instant};
use shared::{App, Problem, Result};

/// A source from which a user has not signed in for so many days is a strange one again.
const KNOWN_DAYS: i64 = 90;

/// Somebody at the door, with the counts that bind them.
pub(crate) struct Attempt {
    /// Ends with a success: counts failures on the user.
    own: Count,
    /// Counts failures on whomever.
    source: Option<Count>,
}

impl Attempt {
    /// Reads the counts; 429 if one that binds is full. The answer is the same for an email that nobody has.
    pub(crate) async fn at(
        app: &App,
        store: &Store,
        email: &Email,
        source: &Source,
        found: Option<&Found>,
    ) -> Result<Self> {
        let (own, by_source) = tokio::try_join!(
            SIGN_IN.count(app, store, whom(email)),
            SIGN_IN.count(app, store, format!("source {source}")),
        )?;
        if (own.is_full() || by_source.is_full()) && is_known(app, store, source, found).await? {
            let own = SIGN_IN.count(app, store, format!("{} source {source}", whom(email))).await?;
            own.check()?;
            return Ok(Self { own, source: None });
        }
        own.check()?;
        by_source.check()?;
        Ok(Self { own, source: Some(by_source) })
    }

    /// Requires that there were not too many failures in the meantime, and forgets those on the user.
    pub(crate) fn succeed(&self, transaction: &mut Transaction) -> Result<()> {
        self.own.clear(transaction)?;
        self.source.as_ref().map_or(Ok(()), |count| count.require(transaction))
    }

    /// Counts a failure. Gives `otherwise`, or 429 if there were too many by then.
    pub(crate) async fn fail(
        self,
        app: &App,
        store: &Store,
        email: &Email,
        source: &Source,
        found: Option<&Found>,
        otherwise: Problem,
    ) -> Problem {
        let again = || Self::at(app, store, email, source, found);
        let counted = store.decide_from(Some(self), again, |attempt, transaction| {
            attempt.own.add(transaction)?;
            attempt.source.as_ref().map_or(Ok(()), |count| count.add(transaction))
        });
        counted.await.err().unwrap_or(otherwise)
    }
}

/// Forgets the failures on a user: they have proved that the mailbox is theirs.
pub(crate) fn forgive(app: &App, transaction: &mut Transaction, email: &Email) -> Result<()> {
    SIGN_IN.forget(app, transaction, whom(email))
}

/// Notes from where a user signs in.
pub(crate) fn remember(app: &App, transaction: &mut Transaction, source: &Source, found: &Found) -> Result<()> {
    let until = Instant::from(app.clock().now().to_utc() + Duration::days(KNOWN_DAYS));
    transaction.write(&known(app, source, found), &KnownSource { until, ttl: until.unix_seconds() })
}

fn whom(email: &Email) -> String {
    format!("email {}", email.folded())
}

fn known(app: &App, source: &Source, found: &Found) -> Key<KnownSource> {
    found.home.known_source(found.account.user.id, &source.pseudonym(app))
}

/// Whether the user signed in from this source before: one read, also when there is no user.
async fn is_known(app: &App, store: &Store, source: &Source, found: Option<&Found>) -> Result<bool> {
    let Some(found) = found else { return store.probe().await.map(|()| false) };
    let known = store.get(&known(app, source, found)).await?;
    Ok(known.is_some_and(|known| app.clock().now() < known.until))
}
