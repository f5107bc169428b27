//! The access patterns of widgets.

use crate::table::data_model::{AccessPattern, Samples};

pub(crate) fn access_patterns(samples: &Samples) -> Vec<AccessPattern> {
    let hash = "sourceHash";
    samples.placeholder(hash, "sourceHash");
    vec![samples.single("holds and bookings from a source address", "GetItem", &samples.client().source_activity(hash))]
}
