//! Whether somebody may try a password at all.
//!
//! Failures are counted by email and by source address. The count of an email does not bind those who come from where the
//! user is signed in already: so a stranger who keeps failing shuts out other strangers, and never the user.

use shared::auth::account::Found;
use shared::auth::tries::{Count, SIGN_IN};
use shared::http::Source;
use shared::store::{Store, Transaction};
use shared::value::Email;
use shared::{App, Problem, Result};

/// How many of a user's sessions are looked at, the latest first.
const SESSIONS: i32 = 100;

/// Somebody at the door, with the counts that bind them.
pub(crate) struct Attempt {
    by_email: Option<Count>,
    by_source: Count,
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
        let (by_email, by_source) = tokio::try_join!(
            SIGN_IN.count(app, store, format!("email {}", email.folded())),
            SIGN_IN.count(app, store, format!("source {source}")),
        )?;
        by_source.check()?;
        let by_email = if by_email.is_full() && is_known(app, store, source, found).await? {
            None
        } else {
            by_email.check()?;
            Some(by_email)
        };
        Ok(Self { by_email, by_source })
    }

    /// Requires that there were not too many failures in the meantime, and forgets those of the email.
    pub(crate) fn succeed(&self, transaction: &mut Transaction) -> Result<()> {
        self.by_source.require(transaction)?;
        self.by_email.as_ref().map_or(Ok(()), |count| count.clear(transaction))
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
            attempt.by_source.add(transaction)?;
            attempt.by_email.as_ref().map_or(Ok(()), |count| count.add(transaction))
        });
        counted.await.err().unwrap_or(otherwise)
    }
}

/// Forgets the failures of an email: its owner has proved that they have the mailbox.
pub(crate) fn forgive(app: &App, transaction: &mut Transaction, email: &Email) -> Result<()> {
    SIGN_IN.forget(app, transaction, format!("email {}", email.folded()))
}

/// Whether the user is signed in at this source already. Nobody's sessions are looked for too, so that the time it takes does
/// not tell whether there is a user.
async fn is_known(app: &App, store: &Store, source: &Source, found: Option<&Found>) -> Result<bool> {
    let Some(found) = found else { return store.probe().await.map(|()| false) };
    let sessions = store.latest(&found.home.sessions_of(found.account.user.id), SESSIONS).await?;
    let (here, now) = (source.pseudonym(app), app.clock().now());
    Ok(sessions.iter().any(|session| {
        session.source.as_ref() == Some(&here) && session.epoch == found.account.epoch && now < session.expires
    }))
}
