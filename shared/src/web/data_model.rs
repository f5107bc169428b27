//! The access patterns of recorded responses.

use super::idempotency::{Fingerprint, Module, RecordedResponse, record_key};
use crate::table::Key;
use crate::table::data_model::{AccessPattern, Samples};

pub(crate) fn access_patterns(samples: &Samples) -> Vec<AccessPattern> {
    let hash = "<keyed hash of method, path and Idempotency-Key>".to_owned();
    let request = Fingerprint { module: Module("<MODULE>"), hash };
    let read = |words, key: &Key<RecordedResponse>| samples.single(words, "GetItem", key);
    vec![
        read("the recorded response to a repeated request in a client", &record_key(samples.client(), &request)),
        read("the recorded response to a repeated request in an agency", &record_key(samples.agency(), &request)),
        read("the recorded response to a repeated request in a tenant", &record_key(samples.tenant(), &request)),
        read("the recorded response to a repeated request on the platform", &record_key(Samples::platform(), &request)),
    ]
}
