//! The types of jobs that a worker can run.

use std::collections::BTreeMap;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::Value;

use super::job::{Job, JobContext, JobOutcome, Payload};
use crate::web::{Problem, Result};

type Step = for<'a> fn(Value, JobContext<'a>) -> BoxFuture<'a, Result<JobOutcome>>;

/// The types of jobs by their names. Each module registers its types.
#[derive(Clone, Default)]
pub struct JobRegistry {
    steps: BTreeMap<&'static str, Step>,
}

impl JobRegistry {
    /// Adds a type of job.
    pub fn register<J: Job>(&mut self) {
        self.steps.insert(J::NAME, step::<J>);
    }

    /// The names of all types.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.steps.keys().copied()
    }

    /// Runs one step of a job.
    pub(super) async fn step(&self, payload: &Payload, context: JobContext<'_>) -> Result<JobOutcome> {
        let step = self.steps.get(payload.job.as_str()).ok_or_else(|| Problem::internal("a job of an unknown type"))?;
        step(payload.payload.clone(), context).await
    }
}

fn step<J: Job>(payload: Value, context: JobContext<'_>) -> BoxFuture<'_, Result<JobOutcome>> {
    async move {
        let job: J = serde_json::from_value(payload).map_err(Problem::internal)?;
        job.step(&context).await
    }
    .boxed()
}
