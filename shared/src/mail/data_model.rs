//! The access patterns of queued mails.

use serde_json::json;

use super::DUE_MAILS;
use crate::table::data_model::{AccessPattern, Samples};

pub(crate) fn access_patterns(samples: &Samples) -> Vec<AccessPattern> {
    let (key, due) = (samples.home().mail(samples.id("mail")), samples.instant("due"));
    let mail = Samples::item(json!({ "sealed": "", "attempts": 0, "due": due, "createdAt": due }));
    vec![
        samples.due("mails of all homes that are due", &DUE_MAILS, &mail, &key),
        samples.single("a mail", "GetItem", &key),
    ]
}
