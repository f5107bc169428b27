//! Metrics of a run, in the embedded metric format of `CloudWatch`.
//!
//! Source: "Specification: Embedded metric format" in the `CloudWatch` user guide.

use std::io::Write;

use serde_json::{Value, json};

use crate::Report;

/// The namespace of the metrics, as in the alarms of the template.
const NAMESPACE: &str = "Upzento";

/// Writes the metrics of a run as one line to standard output, which Lambda collects; outside of Lambda, nothing.
pub(crate) fn write(report: &Report) {
    let time = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let Ok(function) = std::env::var("AWS_LAMBDA_FUNCTION_NAME") else { return };
    let line = document(report, time.as_millis(), &function);
    // A closed output must not end the run.
    let _ = writeln!(std::io::stdout(), "{line}");
}

fn document(report: &Report, millis: u128, function: &str) -> Value {
    let metric = |name: &str, unit: &str| json!({ "Name": name, "Unit": unit });
    let metrics = [
        metric("RemindersSent", "Count"),
        metric("RemindersFailed", "Count"),
        metric("RemindersDead", "Count"),
        metric("OldestDueReminder", "Seconds"),
    ];
    json!({
        "_aws": {
            "Timestamp": u64::try_from(millis).unwrap_or_default(),
            "CloudWatchMetrics": [{ "Namespace": NAMESPACE, "Dimensions": [["Function"]], "Metrics": metrics }],
        },
        "Function": function,
        "RemindersSent": report.sent,
        "RemindersFailed": report.failed,
        "RemindersDead": report.dead,
        "OldestDueReminder": report.oldest_due_seconds,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_declared_metric_has_a_value() {
        let report = Report { sent: 3, oldest_due_seconds: 61, ..Report::default() };
        let document = document(&report, 1_772_445_600_000, "upzento-reminders");
        let directive = &document["_aws"]["CloudWatchMetrics"][0];
        for metric in directive["Metrics"].as_array().unwrap() {
            assert!(document[metric["Name"].as_str().unwrap()].is_number(), "{metric}");
        }
        assert!(document[directive["Dimensions"][0][0].as_str().unwrap()].is_string());
        assert_eq!((&document["RemindersSent"], &document["OldestDueReminder"]), (&json!(3), &json!(61)));
    }
}
