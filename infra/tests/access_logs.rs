//! The access logs of the template are JSON, with and without an error.
//!
//! Whether API Gateway escapes a quote within a message is not documented, and not tested.

use serde_json::Value;

const TEMPLATE: &str = include_str!("../../template.yaml");

/// The format of each access log of the template.
fn formats() -> Vec<&'static str> {
    TEMPLATE.lines().filter_map(|line| line.trim().strip_prefix("Format: '")?.strip_suffix('\'')).collect()
}

/// A line of a log, as API Gateway writes it.
///
/// `messageString`, which no format should have, has its own quotes around an error.
fn line(format: &str, error: Option<&str>) -> Value {
    let quoted = error.map_or_else(|| "-".to_owned(), |error| format!("\"{error}\""));
    let text = format
        .replace("$context.error.messageString", &quoted)
        .replace("$context.error.message", error.unwrap_or("-"))
        .replace("$context.integrationErrorMessage", error.unwrap_or("-"));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text}"))
}

#[test]
fn lines_are_json_with_and_without_an_error() {
    assert_eq!(formats().len(), 2);
    for format in formats() {
        for error in [None, Some("Service Unavailable")] {
            let line = line(format, error);
            assert_eq!(line["error"], error.unwrap_or("-"));
            assert_eq!(line["integrationError"], error.unwrap_or("-"));
        }
    }
}

#[test]
fn both_apis_have_one_format() {
    assert_eq!(formats()[0], formats()[1]);
}

#[test]
fn lines_name_the_caller_and_the_request() {
    for format in formats() {
        let line = line(format, None);
        for (name, variable) in [
            ("requestId", "$context.requestId"),
            ("sourceIp", "$context.identity.sourceIp"),
            ("method", "$context.httpMethod"),
            ("time", "$context.requestTime"),
            ("status", "$context.status"),
        ] {
            assert_eq!(line[name], variable);
        }
    }
}
