//! Conversion of a stream record to its JSON in a Lambda event.
//!
//! Source: "Using AWS Lambda with Amazon DynamoDB" in the Lambda developer guide.

use std::collections::HashMap;

use aws_sdk_dynamodbstreams::primitives::DateTime;
use aws_sdk_dynamodbstreams::types::{AttributeValue, OperationType, Record, StreamRecord, StreamViewType};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

type Item = HashMap<String, AttributeValue>;

/// Converts a record of the stream with this ARN.
pub(super) fn json(record: &Record, arn: &str) -> Value {
    let mut fields = Map::new();
    put(&mut fields, "eventID", record.event_id());
    put(&mut fields, "eventName", record.event_name().map(OperationType::as_str));
    put(&mut fields, "eventVersion", record.event_version());
    put(&mut fields, "eventSource", record.event_source());
    put(&mut fields, "awsRegion", record.aws_region());
    put(&mut fields, "dynamodb", record.dynamodb().map(change));
    let identity = record.user_identity();
    put(
        &mut fields,
        "userIdentity",
        identity.map(|identity| json!({ "type": identity.r#type(), "principalId": identity.principal_id() })),
    );
    put(&mut fields, "eventSourceARN", Some(arn));
    fields.into()
}

fn change(change: &StreamRecord) -> Value {
    let mut fields = Map::new();
    put(&mut fields, "ApproximateCreationDateTime", change.approximate_creation_date_time().map(DateTime::secs));
    put(&mut fields, "Keys", change.keys().map(item));
    put(&mut fields, "NewImage", change.new_image().map(item));
    put(&mut fields, "OldImage", change.old_image().map(item));
    put(&mut fields, "SequenceNumber", change.sequence_number());
    put(&mut fields, "SizeBytes", change.size_bytes());
    put(&mut fields, "StreamViewType", change.stream_view_type().map(StreamViewType::as_str));
    fields.into()
}

/// Adds a field unless its value is absent.
fn put(fields: &mut Map<String, Value>, name: &str, value: Option<impl Into<Value>>) {
    fields.extend(value.map(|value| (name.to_owned(), value.into())));
}

fn item(item: &Item) -> Value {
    item.iter().map(|(name, value)| (name.clone(), attribute(value))).collect()
}

fn attribute(value: &AttributeValue) -> Value {
    match value {
        AttributeValue::S(text) => json!({ "S": text }),
        AttributeValue::N(number) => json!({ "N": number }),
        AttributeValue::B(bytes) => json!({ "B": STANDARD.encode(bytes) }),
        AttributeValue::Bool(flag) => json!({ "BOOL": flag }),
        AttributeValue::Null(is_null) => json!({ "NULL": is_null }),
        AttributeValue::M(fields) => json!({ "M": item(fields) }),
        AttributeValue::L(items) => json!({ "L": items.iter().map(attribute).collect::<Value>() }),
        AttributeValue::Ss(texts) => json!({ "SS": texts }),
        AttributeValue::Ns(numbers) => json!({ "NS": numbers }),
        AttributeValue::Bs(sets) => json!({ "BS": sets.iter().map(|bytes| STANDARD.encode(bytes)).collect::<Value>() }),
        // A type that this version of the SDK does not know.
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodbstreams::primitives::Blob;
    use aws_sdk_dynamodbstreams::types::Identity;

    use super::*;

    #[test]
    fn all_attribute_types_are_converted() {
        let (text, blob) = (|text: &str| text.to_owned(), |bytes: &[u8]| Blob::new(bytes));
        let of = |value| attribute(&value);
        assert_eq!(of(AttributeValue::S(text("a"))), json!({ "S": "a" }));
        assert_eq!(of(AttributeValue::N(text("1.5"))), json!({ "N": "1.5" }));
        assert_eq!(of(AttributeValue::B(blob(b"abc"))), json!({ "B": "YWJj" }));
        assert_eq!(of(AttributeValue::Bool(false)), json!({ "BOOL": false }));
        assert_eq!(of(AttributeValue::Null(true)), json!({ "NULL": true }));
        assert_eq!(of(AttributeValue::Ss(vec![text("a")])), json!({ "SS": ["a"] }));
        assert_eq!(of(AttributeValue::Ns(vec![text("1")])), json!({ "NS": ["1"] }));
        assert_eq!(of(AttributeValue::Bs(vec![blob(b"abc")])), json!({ "BS": ["YWJj"] }));
        let list = AttributeValue::L(vec![AttributeValue::Bool(true)]);
        let map = AttributeValue::M([(text("list"), list)].into());
        assert_eq!(of(map), json!({ "M": { "list": { "L": [{ "BOOL": true }] } } }));
    }

    #[test]
    fn record_has_the_fields_of_a_lambda_event() {
        let change = StreamRecord::builder()
            .approximate_creation_date_time(DateTime::from_millis(1_700_000_000_500))
            .keys("pk", AttributeValue::S("a".to_owned()))
            .old_image("pk", AttributeValue::S("a".to_owned()))
            .sequence_number("100000000000000000001")
            .size_bytes(3)
            .stream_view_type(StreamViewType::NewAndOldImages)
            .build();
        let expired = Identity::builder().r#type("Service").principal_id("dynamodb.amazonaws.com").build();
        let record = Record::builder()
            .event_id("1")
            .event_name(OperationType::Remove)
            .event_version("1.1")
            .event_source("aws:dynamodb")
            .aws_region("us-east-1")
            .dynamodb(change)
            .user_identity(expired)
            .build();
        let expected = json!({
            "eventID": "1",
            "eventName": "REMOVE",
            "eventVersion": "1.1",
            "eventSource": "aws:dynamodb",
            "awsRegion": "us-east-1",
            "dynamodb": {
                "ApproximateCreationDateTime": 1_700_000_000,
                "Keys": { "pk": { "S": "a" } },
                "OldImage": { "pk": { "S": "a" } },
                "SequenceNumber": "100000000000000000001",
                "SizeBytes": 3,
                "StreamViewType": "NEW_AND_OLD_IMAGES",
            },
            "userIdentity": { "type": "Service", "principalId": "dynamodb.amazonaws.com" },
            "eventSourceARN": "arn:stream",
        });
        assert_eq!(json(&record, "arn:stream"), expected);
    }
}
