//! Work that does not fit one call: a row, written in the transaction that accepts the work, and advanced in steps until it is
//! done. Each step is a transaction that can be made twice, so that whoever dies costs one step.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use uuid::Uuid;

use crate::Problem;
use crate::entity::{ContactId, DealId, ImportId, PipelineId, StaffId, StageId, TagId, UserId};
use crate::keys::Key;
use crate::value::Instant;

/// A job, and who is at it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Job {
    /// What is to be done.
    #[serde(flatten)]
    pub work: Work,
    /// When somebody is to take it up: while somebody is at it, after they would have ended.
    pub due: Instant,
    /// How often it was taken up. Whoever took it up later than somebody else ends what they do.
    pub attempts: u64,
    /// How often in a row it went wrong.
    pub failures: u32,
    /// When it was accepted.
    pub created_at: Instant,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "work", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Work {
    /// Takes a deleted tag off every contact.
    Untag {
        /// The tag.
        tag: TagId,
    },
    /// Takes a deleted contact off every deal and appointment.
    Unrefer {
        /// The contact.
        contact: ContactId,
    },
    /// Deletes what belonged to a deleted deal.
    ClearDeal {
        /// The deal.
        deal: DealId,
    },
    /// Deletes what belonged to a deleted member of the staff.
    ClearStaff {
        /// The member of the staff.
        staff: StaffId,
    },
    /// Forgets that something was deleted, once no read can still be under way that saw a reference to it.
    Forget {
        /// What.
        id: Uuid,
    },
    /// Goes on with an import of contacts.
    Import {
        /// The import.
        import: ImportId,
    },
    /// Moves all deals to another stage, and deletes what held them.
    Vacate(MoveDeals),
}

/// What is deleted once its deals stand elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MoveDeals {
    /// The pipeline.
    pub pipeline: PipelineId,
    /// The one stage of it that goes; all of it goes otherwise.
    pub stage: Option<StageId>,
    /// The stage to which the deals go.
    pub to: StageId,
    /// The user who deleted it.
    pub by: UserId,
}

/// How a step of a job ended.
#[derive(Debug)]
pub enum JobOutcome {
    /// There is more to do.
    Continue,
    /// There is more to do, after so short a time that whoever is at it waits.
    RetryAfter(Duration),
    /// There is this to do, after so long. The clock, which ticks every minute, wakes whoever does it.
    Next(Work, Duration),
    /// There is no more to do.
    Done,
}

impl Job {
    /// To be taken up at `due`.
    pub const fn new(work: Work, due: Instant, now: Instant) -> Self {
        Self { work, due, attempts: 0, failures: 0, created_at: now }
    }

    /// The same, taken up now by somebody who gives it up after `lease` at the latest.
    #[must_use]
    pub fn begun(&self, now: Instant, lease: Duration) -> Self {
        Self { attempts: self.attempts + 1, due: now.after(lease), ..self.clone() }
    }

    /// The same, to be gone on with later.
    #[must_use]
    pub fn resting(&self, work: Work, due: Instant) -> Self {
        Self { work, due, failures: 0, ..self.clone() }
    }

    /// The same, to be tried again: after 2, 4, 8 … 60 seconds, then every minute.
    #[must_use]
    pub fn failed(&self, now: Instant) -> Self {
        let failures = self.failures.saturating_add(1);
        let pause = Duration::from_secs(2_u64.saturating_pow(failures).min(60));
        Self { due: now.after(pause), failures, ..self.clone() }
    }
}

impl Key<Job> {
    /// Names the job in the log.
    pub fn id(&self) -> &str {
        &self.sk
    }
}

/// Somebody else has taken a job up.
pub fn taken() -> Problem {
    Problem::conflict("job_taken", "Somebody else is at this job.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Instant {
        text.parse().unwrap()
    }

    #[test]
    fn a_job_rests_while_somebody_is_at_it_and_longer_each_time_it_fails() {
        let (now, work) = (at("2026-03-08T06:30:00Z"), Work::Forget { id: Uuid::nil() });
        let job = Job::new(work.clone(), now, now).begun(now, Duration::from_secs(90));
        assert_eq!((job.attempts, job.due), (1, at("2026-03-08T06:31:30Z")));
        let mut failed = job;
        let pauses = [2, 4, 8, 16, 32, 60, 60].map(|pause| {
            failed = failed.failed(now);
            (failed.due.to_utc() - now.to_utc()).num_seconds() == pause
        });
        assert_eq!(pauses, [true; 7]);
        assert_eq!(failed.resting(work, now).failures, 0);
    }
}
