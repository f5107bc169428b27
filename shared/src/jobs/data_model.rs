//! The access patterns of jobs.

use serde_json::json;

use super::JobItem;
use super::job::DUE_JOBS;
use crate::table::data_model::{AccessPattern, Samples};

pub(crate) fn access_patterns(samples: &Samples) -> Vec<AccessPattern> {
    let (key, due) = (JobItem::key(samples.client(), samples.id("job")), samples.instant("due"));
    let job = Samples::item(json!({
        "job": "example", "payload": {}, "due": due, "attempts": 0, "failures": 0, "createdAt": due,
    }));
    vec![
        samples.due("jobs of all clients that are due", &DUE_JOBS, &job, &key),
        samples.query("jobs of a client", JobItem::of_client(samples.client()), &key),
    ]
}
