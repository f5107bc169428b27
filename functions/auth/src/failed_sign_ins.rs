//! Limits on failed sign-ins.
//!
//! Failures are counted by email, by source address, and by the pair of both. For a source from which the
//! user has signed in before, only the count of the pair applies: failures for the email from other sources, or
//! for other emails from the same source, cannot lock the user out. From a new source, the user can always sign in
//! with a password reset by mail.
//!
//! From an unknown source, the responses do not reveal whether the email is in use. Other people who share a known
//! source with the user can find out, because they get the same exemption.

use chrono::Duration;
use shared::table::{Key, Store, Transaction};
use shared::users::KnownIp;
use shared::users::accounts::FoundUser;
use shared::users::attempts::{Attempts, SIGN_IN};
use shared::value::{Email, Instant};
use shared::web::{App, Problem, Result, Source};

/// The number of days after a sign-in for which its source is known.
const KNOWN_DAYS: i64 = 90;

/// The counts of failed sign-ins that can block a sign-in.
pub(crate) struct FailedSignIns {
    by_email: Attempts,
    by_source: Attempts,
    by_pair: Attempts,
    /// Whether only the count of the pair applies.
    is_exempt: bool,
}

impl FailedSignIns {
    /// Reads the counts; `429 too_many_attempts` if a limit that applies is reached.
    pub(crate) async fn read(
        app: &App,
        store: &Store,
        email: &Email,
        source: &Source,
        found: Option<&FoundUser>,
    ) -> Result<Self> {
        let (by_email, by_source, by_pair) = tokio::try_join!(
            SIGN_IN.attempts(app, store, email_subject(email)),
            SIGN_IN.attempts(app, store, format!("source {source}")),
            SIGN_IN.attempts(app, store, pair_subject(email, source)),
        )?;
        let is_limit_reached = by_email.is_limit_reached() || by_source.is_limit_reached();
        let is_exempt = is_limit_reached && is_known(app, store, source, found).await?;
        let failures = Self { by_email, by_source, by_pair, is_exempt };
        failures.applicable().into_iter().try_for_each(Attempts::check).map(|()| failures)
    }

    /// The counts that apply.
    fn applicable(&self) -> Vec<&Attempts> {
        if self.is_exempt { vec![&self.by_pair] } else { vec![&self.by_pair, &self.by_email, &self.by_source] }
    }

    /// Resets the counts of the user at a successful sign-in.
    ///
    /// Fails with `429 too_many_attempts` if a limit that applies is reached by then.
    pub(crate) fn reset(&self, transaction: &mut Transaction) -> Result<()> {
        self.by_pair.reset(transaction)?;
        if self.is_exempt {
            return Ok(());
        }
        self.by_email.reset(transaction)?;
        Ok(self.by_source.require_below_limit(transaction)?)
    }

    /// Counts a failed sign-in.
    ///
    /// Returns `problem`, or `429 too_many_attempts` if a limit that applies is reached by then.
    pub(crate) async fn record(
        self,
        app: &App,
        store: &Store,
        email: &Email,
        source: &Source,
        found: Option<&FoundUser>,
        problem: Problem,
    ) -> Problem {
        let read = || Self::read(app, store, email, source, found);
        let recorded = store.retry_on_conflict_from(Some(self), read, |failures, transaction| {
            Ok(failures.applicable().into_iter().try_for_each(|attempts| attempts.record(transaction))?)
        });
        recorded.await.err().unwrap_or(problem)
    }
}

/// Resets the count of an email after the user has proved access to the mailbox.
pub(crate) fn reset_by_email(app: &App, transaction: &mut Transaction, email: &Email) -> Result<()> {
    SIGN_IN.reset(app, transaction, email_subject(email))
}

/// Records the source of a sign-in as known.
pub(crate) fn remember_source(
    app: &App,
    transaction: &mut Transaction,
    source: &Source,
    found: &FoundUser,
) -> Result<()> {
    let until = Instant::from(app.now().to_utc() + Duration::days(KNOWN_DAYS));
    Ok(transaction.overwrite(&known_ip(app, source, found)?, &KnownIp { until, ttl: until.unix_seconds() })?)
}

fn email_subject(email: &Email) -> String {
    format!("email {}", email.folded())
}

fn pair_subject(email: &Email, source: &Source) -> String {
    format!("email {} source {source}", email.folded())
}

fn known_ip(app: &App, source: &Source, found: &FoundUser) -> Result<Key<KnownIp>> {
    Ok(found.home.known_ip(found.account.user.id, &source.pseudonym(app)?))
}

/// Whether the user has signed in from this source before.
///
/// Always one read, also without a user.
async fn is_known(app: &App, store: &Store, source: &Source, found: Option<&FoundUser>) -> Result<bool> {
    let Some(found) = found else {
        store.ping().await?;
        return Ok(false);
    };
    let known_ip = store.get(&known_ip(app, source, found)?).await?;
    Ok(known_ip.is_some_and(|known_ip| app.now() < known_ip.until))
}
