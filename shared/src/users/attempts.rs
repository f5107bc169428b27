//! Limits on attempts, counted in the table.
//!
//! All instances of a function share the counts. A count starts with the first attempt and ends after a fixed
//! time; further attempts do not extend it, and DynamoDB deletes its item afterwards. Limits are enforced
//! inside transactions, so that concurrent attempts are counted one by one.

use std::fmt::Display;

use chrono::Duration;
use serde::{Deserialize, Serialize};

use super::keys::attempt_counter;
use crate::identity::{Actor, DataKey, HomeScope};
use crate::table::{BatchItems, BatchKeys, Condition, Failure, Key, OnFailed, Store, StoreError, Transaction, Update};
use crate::value::{Email, Instant};
use crate::web::{App, ErrorCode, Problem, Result};

/// The maximum number of attempts within a number of minutes.
#[derive(Clone, Copy, Debug)]
pub struct AttemptLimit {
    /// Separates the counts of this limit from those of other limits.
    name: &'static str,
    max: u64,
    minutes: i64,
}

/// The limit on wrong passwords.
///
/// Counted by email, by source address, by the pair of both, and by session.
pub const SIGN_IN: AttemptLimit = AttemptLimit { name: "sign-in", max: 10, minutes: 15 };

/// The limit on mails to one address.
///
/// Mails that anyone can request are counted apart from those that users cause, which they cannot prevent.
pub const MAIL: AttemptLimit = AttemptLimit { name: "mail", max: 5, minutes: 60 };

/// The limit on mails requested from one source address.
///
/// Higher than the other limit, because many users may share an address.
pub const MAIL_FROM_SOURCE: AttemptLimit = AttemptLimit { name: "mail from", max: 50, minutes: 60 };

/// The limits on the mails that users cause, such as invitations.
pub const MAILS: ActorLimits = ActorLimits {
    actor: AttemptLimit { name: "mails by", max: 50, minutes: 60 },
    client: AttemptLimit { name: "mails in client", max: 50, minutes: 60 },
    agency: AttemptLimit { name: "mails in agency", max: 200, minutes: 60 },
};

/// The limits on learning that a user of another home has an email.
pub const TAKEN_EMAILS: ActorLimits = ActorLimits {
    actor: AttemptLimit { name: "taken emails by", max: 10, minutes: 60 },
    client: AttemptLimit { name: "taken emails in client", max: 20, minutes: 60 },
    agency: AttemptLimit { name: "taken emails in agency", max: 40, minutes: 60 },
};

/// The limits on one kind of action by one actor, in one client and in one agency.
///
/// The limits of the home and its agency hold for an actor who makes more users, or more clients. The users of the
/// platform have no limits.
#[derive(Clone, Copy, Debug)]
pub struct ActorLimits {
    actor: AttemptLimit,
    client: AttemptLimit,
    agency: AttemptLimit,
}

impl ActorLimits {
    /// The counters of an action of an actor on users of a home.
    pub fn counters(self, app: &App, actor: &Actor, home: HomeScope) -> Result<Counters> {
        let counters = Counters::default();
        if matches!(actor.home(), HomeScope::Platform(_)) {
            return Ok(counters);
        }
        let counters = counters.and(app, self.actor, actor.user())?;
        let (_, agency, client) = home.ids();
        let counters = match client {
            Some(client) => counters.and(app, self.client, client)?,
            None => counters,
        };
        match agency {
            Some(agency) => counters.and(app, self.agency, agency),
            None => Ok(counters),
        }
    }
}

/// The counters of mails to an address that an actor causes.
pub fn mail_counters(app: &App, actor: &Actor, home: HomeScope, to: &Email) -> Result<Counters> {
    MAILS.counters(app, actor, home)?.and(app, MAIL, format!("to {}", to.folded()))
}

/// Counters of several limits that one action counts in.
#[derive(Default)]
pub struct Counters(Vec<(AttemptLimit, Key<AttemptCounter>)>);

impl Counters {
    /// Adds the counter of a subject.
    pub fn and(mut self, app: &App, limit: AttemptLimit, subject: impl Display) -> Result<Self> {
        self.0.push((limit, limit.key(app, subject)?));
        Ok(self)
    }

    /// Adds the keys to those of a batch.
    #[must_use]
    pub fn add_to(&self, batch: BatchKeys) -> BatchKeys {
        self.0.iter().fold(batch, |batch, (_, key)| batch.and(key))
    }

    /// The attempts of a batch with [these keys](Self::add_to).
    pub fn attempts(self, app: &App, items: &BatchItems) -> Result<CountedAttempts, StoreError> {
        let now = app.now();
        let attempts = self.0.into_iter().map(|(limit, key)| {
            let counter = items.get(&key)?.filter(|counter: &AttemptCounter| now < counter.ends);
            Ok(Attempts { limit, key, counter, now })
        });
        attempts.collect::<Result<_, _>>().map(CountedAttempts)
    }

    /// Reads the attempts: one BatchGetItem, or none without counters.
    pub async fn read(self, app: &App, store: &Store) -> Result<CountedAttempts> {
        let items = store.get_batch(self.add_to(BatchKeys::default())).await?;
        Ok(self.attempts(app, &items)?)
    }
}

/// The current attempts in several counters.
pub struct CountedAttempts(Vec<Attempts>);

impl CountedAttempts {
    /// Returns `429 too_many_attempts` if a limit is reached.
    pub fn check(&self) -> Result<()> {
        self.0.iter().try_for_each(Attempts::check)
    }

    /// Counts an attempt in all counters.
    ///
    /// Fails as [`Attempts::record`] does.
    pub fn record(&self, transaction: &mut Transaction) -> Result<()> {
        self.check()?;
        Ok(self.0.iter().try_for_each(|attempts| attempts.record(transaction))?)
    }
}

/// The stored number of attempts since the count started.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AttemptCounter {
    /// The number of attempts.
    pub n: u64,
    /// When the count ends.
    pub ends: Instant,
    /// `ends` in Unix seconds, for DynamoDB's time to live.
    pub ttl: i64,
}

/// The current attempts of one subject, with their limit.
pub struct Attempts {
    limit: AttemptLimit,
    key: Key<AttemptCounter>,
    counter: Option<AttemptCounter>,
    now: Instant,
}

impl AttemptLimit {
    /// Reads the attempts of a subject.
    pub async fn attempts(self, app: &App, store: &Store, subject: impl Display) -> Result<Attempts> {
        let key = self.key(app, subject)?;
        let now = app.now();
        let counter = store.get(&key).await?.filter(|counter| now < counter.ends);
        Ok(Attempts { limit: self, key, counter, now })
    }

    /// Resets the attempts of a subject.
    pub fn reset(self, app: &App, transaction: &mut Transaction, subject: impl Display) -> Result<()> {
        Ok(transaction.remove(&self.key(app, subject)?)?)
    }

    fn key(self, app: &App, subject: impl Display) -> Result<Key<AttemptCounter>> {
        Ok(attempt_counter(&app.hasher(DataKey::Users, "tries")?.hash(&format!("{} {subject}", self.name))))
    }

    /// The counter after the first attempt.
    fn first(self, now: Instant) -> AttemptCounter {
        let ends = Instant::from(now.to_utc() + Duration::minutes(self.minutes));
        AttemptCounter { n: 1, ends, ttl: ends.unix_seconds() }
    }

    /// The meaning of a failed condition.
    ///
    /// The limit is reached, or the counter has changed since it was read.
    fn on_failed(self, now: Instant) -> OnFailed {
        OnFailed::decide(move |existing: Option<AttemptCounter>| match existing {
            Some(counter) if now < counter.ends && counter.n >= self.max => too_many(counter.ends, now).into(),
            _ => Failure::Conflict,
        })
    }

    /// The condition that the count has not started, is below the limit, or has ended.
    fn is_below(self, now: Instant) -> Condition {
        Condition::NotExists.or(Condition::less("n", self.max)).or(Condition::at_most("ends", now))
    }
}

impl Attempts {
    /// Whether the limit is reached.
    ///
    /// Then no further attempt is allowed before the count ends.
    pub fn is_limit_reached(&self) -> bool {
        self.counter.as_ref().is_some_and(|counter| counter.n >= self.limit.max)
    }

    /// Returns `429 too_many_attempts` if the limit is reached.
    pub fn check(&self) -> Result<()> {
        match &self.counter {
            Some(counter) if counter.n >= self.limit.max => Err(too_many(counter.ends, self.now)),
            _ => Ok(()),
        }
    }

    /// Counts an attempt.
    ///
    /// Fails with `429 too_many_attempts` if the limit is reached by then, and with a conflict if the counter
    /// must be read again.
    pub fn record(&self, transaction: &mut Transaction) -> Result<(), StoreError> {
        let (limit, now) = (self.limit, self.now);
        if let Some(counter) = &self.counter {
            let below = Condition::equal("ends", counter.ends).and(Condition::less("n", limit.max));
            transaction.update(&self.key, Update::default().add("n", 1_u64), below, limit.on_failed(now))
        } else {
            let none = Condition::NotExists.or(Condition::at_most("ends", now));
            transaction.put(&self.key, &limit.first(now), none, limit.on_failed(now))
        }
    }

    /// Requires that the limit is not reached by then; else `429 too_many_attempts`.
    pub fn require_below_limit(&self, transaction: &mut Transaction) -> Result<(), StoreError> {
        let (limit, now) = (self.limit, self.now);
        transaction.check_or(&self.key, limit.is_below(now), limit.on_failed(now))
    }

    /// Resets the count; `429 too_many_attempts` if the limit is reached by then.
    pub fn reset(&self, transaction: &mut Transaction) -> Result<(), StoreError> {
        let (limit, now) = (self.limit, self.now);
        transaction.delete_if(&self.key, limit.is_below(now), limit.on_failed(now))
    }
}

fn too_many(ends: Instant, now: Instant) -> Problem {
    let seconds = u32::try_from((ends.to_utc() - now.to_utc()).num_seconds() + 1).unwrap_or(1);
    let detail = "Too many attempts. Try again later.";
    Problem::new(ErrorCode::TooManyAttempts, detail).retry_after(seconds)
}
