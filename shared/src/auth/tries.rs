//! How often something may be tried: counted in the table, so that all instances of a function count together.
//!
//! A count begins with the first try and ends some minutes later, whatever happens in between: nobody can prolong it, and its
//! row goes away by itself. Limits are decided inside transactions: tries at the same time count one by one.

use std::fmt::Display;

use chrono::Duration;
use lambda_http::http::StatusCode;
use serde::{Deserialize, Serialize};

use crate::keys::{self, Key};
use crate::store::{Store, Transaction};
use crate::value::Instant;
use crate::{App, Problem, Result};

/// So many tries in so many minutes.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    /// Tells counts of one kind from those of another.
    name: &'static str,
    most: u64,
    minutes: i64,
}

/// Failed sign-ins, for one email and for one source address.
pub const SIGN_IN: Limit = Limit { name: "sign-in", most: 10, minutes: 15 };

/// Mail that somebody causes to one address, or about one user.
pub const MAIL: Limit = Limit { name: "mail", most: 5, minutes: 60 };

/// Mail that is asked for from one source address, behind which there may be many.
pub const MAIL_FROM_SOURCE: Limit = Limit { name: "mail from", most: 50, minutes: 60 };

/// How often something was tried since the count began.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AttemptCounter {
    /// So often.
    pub n: u64,
    /// When the count ends.
    pub ends: Instant,
    /// The same in Unix seconds; DynamoDB deletes the row some time after.
    pub ttl: i64,
}

/// One count: its limit, and how it stood when it was read.
pub struct Count {
    limit: Limit,
    key: Key<AttemptCounter>,
    seen: Option<AttemptCounter>,
    now: Instant,
}

impl Limit {
    /// How often `who` tried of late: one read.
    pub async fn count(self, app: &App, store: &Store, who: impl Display) -> Result<Count> {
        let key = self.key(app, who);
        let now = app.clock().now();
        let seen = store.get(&key).await?.filter(|tries| now < tries.ends);
        Ok(Count { limit: self, key, seen, now })
    }

    /// Forgets how often `who` tried.
    pub fn forget(self, app: &App, transaction: &mut Transaction, who: impl Display) -> Result<()> {
        transaction.remove(&self.key(app, who))
    }

    fn key(self, app: &App, who: impl Display) -> Key<AttemptCounter> {
        keys::tries(&app.tries().hash(&format!("{} {who}", self.name)))
    }

    /// The first try.
    fn first(self, now: Instant) -> AttemptCounter {
        let ends = Instant::from(now.to_utc() + Duration::minutes(self.minutes));
        AttemptCounter { n: 1, ends, ttl: ends.unix_seconds() }
    }

    /// What a row that stands in the way means: too many tries, or others that were counted since it was read.
    fn meaning(self, there: Option<&AttemptCounter>, now: Instant) -> Problem {
        match there {
            Some(tries) if now < tries.ends && tries.n >= self.most => too_many(tries.ends, now),
            _ => Problem::stale(),
        }
    }
}

impl Count {
    /// Whether there may be no other try before the count ends.
    pub fn is_full(&self) -> bool {
        self.seen.as_ref().is_some_and(|tries| tries.n >= self.limit.most)
    }

    /// 429 if the count is full.
    pub fn check(&self) -> Result<()> {
        match &self.seen {
            Some(tries) if tries.n >= self.limit.most => Err(too_many(tries.ends, self.now)),
            _ => Ok(()),
        }
    }

    /// Counts a try: 429 if the count is full by then, stale if it must be read again.
    pub fn add(&self, transaction: &mut Transaction) -> Result<()> {
        let (limit, now) = (self.limit, self.now);
        let meaning = move |there: Option<AttemptCounter>| limit.meaning(there.as_ref(), now);
        match &self.seen {
            Some(tries) => transaction.count_try(&self.key, tries.ends, limit.most, meaning),
            None => transaction.begin_tries(&self.key, &limit.first(now), now, meaning),
        }
    }

    /// Requires that the count is not full by then: 429.
    pub fn require(&self, transaction: &mut Transaction) -> Result<()> {
        let (limit, now) = (self.limit, self.now);
        transaction.require_tries(&self.key, limit.most, now, move |there| limit.meaning(there.as_ref(), now))
    }

    /// The same, and ends the count.
    pub fn clear(&self, transaction: &mut Transaction) -> Result<()> {
        let (limit, now) = (self.limit, self.now);
        transaction.clear_tries(&self.key, limit.most, now, move |there| limit.meaning(there.as_ref(), now))
    }
}

fn too_many(ends: Instant, now: Instant) -> Problem {
    let left = u32::try_from((ends.to_utc() - now.to_utc()).num_seconds() + 1).unwrap_or(1);
    let detail = "Too many attempts. Try again later.";
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_attempts", detail).retry_after(left)
}
