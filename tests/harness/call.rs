//! Parses recorded `DynamoDB` calls: keys of the request, cost in the response.

use std::fmt;

use infra::check::readable_key;
use serde_json::Value;

use crate::expression::Expression;
use crate::schema::{KeyNames, TableSchema};

/// One HTTP request to the engine. Each retry is a separate call.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// The API operation, such as `GetItem`.
    pub operation: String,
    /// Every item or partition that the request names, in order.
    pub touches: Vec<Touch>,
    /// Why `touches` is incomplete.
    ///
    /// The isolation rules reject such a call, because its keys are unknown.
    pub unreadable: Option<String>,
    /// The size of the request's body in bytes.
    pub size: usize,
    /// The engine's answer; `None` while it is pending, or if the client timed out.
    pub answer: Option<Answer>,
}

/// One item, or the partition of a query, that a call names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Touch {
    /// The IAM action without the service prefix.
    ///
    /// Each part of a transaction has its own action, such as `PutItem`; the items of a batch have the action
    /// of the batch. Source: "Using IAM with `DynamoDB` transactions" in the developer guide.
    pub action: String,
    /// The table; empty if the operation does not name one.
    pub table: String,
    /// The index of a query or scan.
    pub index: Option<String>,
    /// Whether a read is strongly consistent, which costs twice as much.
    pub consistent: bool,
    /// The key; `None` for an operation without a key, such as `Scan`.
    pub key: Option<Key>,
    /// The index keys that a write gives to the item.
    pub index_keys: Vec<IndexKey>,
}

/// A primary key or an index key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// The partition key's value.
    pub partition: String,
    /// The sort key's value; `None` for a query.
    pub sort: Option<String>,
}

/// An index key that a write gives to an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexKey {
    /// The index name.
    pub index: String,
    /// The item's key in the index.
    pub key: Key,
}

/// The engine's response.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The error type without namespace, such as `ConditionalCheckFailedException`.
    pub error: Option<String>,
    /// The consumed capacity.
    ///
    /// `None` if the request did not set `ReturnConsumedCapacity`, or failed.
    ///
    /// `DynamoDB` Local 3.3 differs from AWS for write transactions: it sums the distinct amounts of the
    /// parts, each once. Two small puts, or a put and a condition check, are `2.0` there and `4.0` on AWS,
    /// and deleting a missing item is `1.0` instead of `2.0`. Single items, batches and read transactions are
    /// correct. A cancelled transaction reports nothing, although AWS charges for it.
    pub capacity: Option<Capacity>,
}

/// `DynamoDB` capacity units.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Capacity {
    /// Read units: one strongly consistent read of 4 KB, or two eventual ones.
    pub read: f64,
    /// Write units: one write of 1 KB, once for the table and once for each index.
    pub write: f64,
}

/// A parsed part of a request, or the reason why it cannot be parsed.
type Parsed<T> = Result<T, String>;

impl Call {
    /// Parses a request from its `X-Amz-Target` header and its body.
    pub(crate) fn parse(target: &str, body: &[u8], schema: &TableSchema) -> Self {
        let (_, operation) = target.rsplit_once('.').unwrap_or(("", target));
        let touches = serde_json::from_slice(body)
            .map_err(|error| error.to_string())
            .and_then(|request| touches(operation, &request, schema));
        let (touches, unreadable) = match touches {
            Ok(touches) => (touches, None),
            Err(problem) => (Vec::new(), Some(problem)),
        };
        Self { operation: operation.to_owned(), touches, unreadable, size: body.len(), answer: None }
    }

    fn is_read(operation: &str) -> bool {
        matches!(operation, "GetItem" | "BatchGetItem" | "TransactGetItems" | "Query" | "Scan")
    }
}

impl Touch {
    /// Whether the touch names one item rather than a range of items.
    pub fn is_exact(&self) -> bool {
        self.key.is_some() && self.action != "Query"
    }

    /// Whether the touch may change an item.
    pub fn is_write(&self) -> bool {
        matches!(self.action.as_str(), "PutItem" | "UpdateItem" | "DeleteItem" | "BatchWriteItem")
    }
}

impl Answer {
    /// Parses the engine's response to `operation`.
    pub(crate) fn parse(operation: &str, status: u16, body: &[u8]) -> Self {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let error = body["__type"].as_str();
        Self {
            status,
            error: error.map(|name| name.rsplit('#').next().unwrap_or(name).to_owned()),
            capacity: Capacity::parse(operation, &body["ConsumedCapacity"]),
        }
    }
}

impl Capacity {
    /// Parses `ConsumedCapacity`.
    ///
    /// It is one object for a single operation, and a list for a batch or a transaction.
    fn parse(operation: &str, reported: &Value) -> Option<Self> {
        let tables = match reported {
            Value::Array(tables) => tables.as_slice(),
            Value::Object(_) => std::slice::from_ref(reported),
            _ => return None,
        };
        let units = tables.iter().filter_map(|t| t["CapacityUnits"].as_f64());
        let units: f64 = units.sum();
        Some(if Call::is_read(operation) { Self { read: units, write: 0.0 } } else { Self { read: 0.0, write: units } })
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sort = self.sort.as_deref().unwrap_or("*");
        write!(f, "{} / {sort}", self.partition)
    }
}

impl fmt::Display for Touch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.action)?;
        if let Some(index) = &self.index {
            write!(f, " on {index}")?;
        }
        match &self.key {
            Some(key) => write!(f, " {key}"),
            None => f.write_str(" without a key"),
        }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.operation)?;
        match &self.answer {
            Some(Answer { error: Some(error), status, .. }) => write!(f, " → {status} {error}")?,
            Some(answer) => write!(f, " → {}", answer.status)?,
            None => f.write_str(" → no answer")?,
        }
        for touch in &self.touches {
            write!(f, "\n     {touch}")?;
            for index_key in &touch.index_keys {
                write!(f, "\n       into {} {}", index_key.index, index_key.key)?;
            }
        }
        Ok(())
    }
}

// ── Requests ────────────────────────────────────────────────────────────────────────────────────────────────────────

fn touches(operation: &str, request: &Value, schema: &TableSchema) -> Parsed<Vec<Touch>> {
    match operation {
        "GetItem" | "PutItem" | "UpdateItem" | "DeleteItem" => Ok(vec![item(operation, request, schema)?]),
        "Query" => Ok(vec![query(request, schema)?]),
        "BatchGetItem" => batch(request, |table, part| batch_get(table, part, schema)),
        "BatchWriteItem" => batch(request, |table, part| batch_write(table, part, schema)),
        "TransactGetItems" | "TransactWriteItems" => transaction(request, schema),
        _ => Ok(vec![touch(operation, request, None)]),
    }
}

/// Builds the fields that all touches share, from a request or a part of a request.
fn touch(action: &str, request: &Value, key: Option<Key>) -> Touch {
    Touch {
        action: action.to_owned(),
        table: request["TableName"].as_str().unwrap_or_default().to_owned(),
        index: request["IndexName"].as_str().map(str::to_owned),
        consistent: request["ConsistentRead"] == true,
        key,
        index_keys: Vec::new(),
    }
}

fn item(action: &str, request: &Value, schema: &TableSchema) -> Parsed<Touch> {
    let attributes = if action == "PutItem" { "Item" } else { "Key" };
    let key = key(&request[attributes], &schema.key)?;
    let index_keys = match action {
        "PutItem" => put_index_keys(&request["Item"], schema)?,
        "UpdateItem" => updated_index_keys(request, schema)?,
        _ => Vec::new(),
    };
    Ok(Touch { index_keys, ..touch(action, request, Some(key)) })
}

fn query(request: &Value, schema: &TableSchema) -> Parsed<Touch> {
    let index = request["IndexName"].as_str();
    let names = schema.read_key(index).ok_or("no such index")?;
    let condition = Expression::of(request, "KeyConditionExpression");
    let partitions = condition.equal_to(&names.partition)?;
    let [partition] = partitions.as_slice() else {
        return Err(format!("the key condition has no single value for {}", names.partition));
    };
    let key = Key { partition: text(partition)?, sort: None };
    Ok(touch("Query", request, Some(key)))
}

fn batch(request: &Value, mut part: impl FnMut(&str, &Value) -> Parsed<Vec<Touch>>) -> Parsed<Vec<Touch>> {
    let tables = request["RequestItems"].as_object();
    let mut touches = Vec::new();
    for (table, requests) in tables.ok_or("no RequestItems")? {
        touches.extend(part(table, requests)?);
    }
    Ok(touches)
}

fn batch_get(table: &str, part: &Value, schema: &TableSchema) -> Parsed<Vec<Touch>> {
    let keys = part["Keys"].as_array().ok_or("no Keys")?;
    keys.iter()
        .map(|attributes| {
            let key = key(attributes, &schema.key)?;
            let touch = touch("BatchGetItem", part, Some(key));
            Ok(Touch { table: table.to_owned(), ..touch })
        })
        .collect()
}

fn batch_write(table: &str, part: &Value, schema: &TableSchema) -> Parsed<Vec<Touch>> {
    let requests = part.as_array().ok_or("no list of writes")?;
    requests
        .iter()
        .map(|request| {
            let touch = match (request.get("PutRequest"), request.get("DeleteRequest")) {
                (Some(put), None) => item("PutItem", put, schema)?,
                (None, Some(delete)) => item("DeleteItem", delete, schema)?,
                _ => return Err("a batch writes by PutRequest or DeleteRequest".to_owned()),
            };
            let (action, table) = ("BatchWriteItem".to_owned(), table.to_owned());
            Ok(Touch { action, table, ..touch })
        })
        .collect()
}

fn transaction(request: &Value, schema: &TableSchema) -> Parsed<Vec<Touch>> {
    let parts = request["TransactItems"].as_array();
    let parts = parts.ok_or("no TransactItems")?.iter();
    parts.map(|part| transaction_part(part, schema)).collect()
}

fn transaction_part(part: &Value, schema: &TableSchema) -> Parsed<Touch> {
    let entries = part.as_object().into_iter().flatten().collect::<Vec<_>>();
    let [(kind, request)] = entries.as_slice() else {
        return Err(format!("not one action: {part}"));
    };
    match kind.as_str() {
        "Get" | "Put" | "Update" | "Delete" | "ConditionCheck" => item(&format!("{kind}Item"), request, schema),
        _ => Err(format!("unknown part of a transaction: {kind}")),
    }
}

// ── Keys ────────────────────────────────────────────────────────────────────────────────────────────────────────────

fn key(attributes: &Value, names: &KeyNames) -> Parsed<Key> {
    let sort = names.sort.as_ref();
    Ok(Key {
        partition: text(&attributes[&names.partition])?,
        sort: sort.map(|name| text(&attributes[name])).transpose()?,
    })
}

fn put_index_keys(item: &Value, schema: &TableSchema) -> Parsed<Vec<IndexKey>> {
    let mut index_keys = Vec::new();
    for (index, names) in &schema.indexes {
        if let Some(partition) = item.get(&names.partition) {
            let sort = names.sort.as_ref().and_then(|name| item.get(name));
            index_keys.push(index_key(index, partition, sort)?);
        }
    }
    Ok(index_keys)
}

/// The index keys that an update sets.
///
/// A removed index key is not included: removing it touches no other scope's partition.
fn updated_index_keys(request: &Value, schema: &TableSchema) -> Parsed<Vec<IndexKey>> {
    if request.get("AttributeUpdates").is_some() {
        return Err("AttributeUpdates is not supported, use UpdateExpression".to_owned());
    }
    let update = Expression::of(request, "UpdateExpression");
    let mut index_keys = Vec::new();
    for (index, names) in &schema.indexes {
        let sorts = names.sort.as_ref().map(|name| update.equal_to(name));
        let sort = sorts.transpose()?.and_then(|values| values.first().copied());
        for partition in update.equal_to(&names.partition)? {
            index_keys.push(index_key(index, partition, sort)?);
        }
    }
    Ok(index_keys)
}

fn index_key(index: &str, partition: &Value, sort: Option<&Value>) -> Parsed<IndexKey> {
    let key = Key { partition: text(partition)?, sort: sort.map(text).transpose()? };
    Ok(IndexKey { index: index.to_owned(), key })
}

/// The text of a key attribute.
///
/// Every partition key is a string; a sort key may be a number.
fn text(attribute: &Value) -> Parsed<String> {
    let text = attribute["S"].as_str().or_else(|| attribute["N"].as_str());
    text.map(readable_key).ok_or_else(|| format!("a key that is neither text nor number: {attribute}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::schema::tests::definition;

    fn parse(operation: &str, request: &Value) -> Call {
        let target = format!("DynamoDB_20120810.{operation}");
        let schema = TableSchema::from_definition(&definition());
        Call::parse(&target, request.to_string().as_bytes(), &schema)
    }

    /// The touches of a request, as violations print them.
    fn lines(operation: &str, request: &Value) -> Vec<String> {
        let call = parse(operation, request);
        assert_eq!(call.unreadable, None);
        call.touches.iter().map(Touch::to_string).collect()
    }

    fn item(partition: &str, sort: &str) -> Value {
        json!({ "pk": { "S": partition }, "sk": { "S": sort } })
    }

    #[test]
    fn single_item_operation_touches_its_key() {
        let request = json!({ "TableName": "t", "Key": item("p", "s"), "ConsistentRead": true });
        let call = parse("GetItem", &request);
        assert_eq!(call.operation, "GetItem");
        assert_eq!(call.touches[0].table, "t");
        assert!(call.touches[0].consistent);
        assert_eq!(lines("GetItem", &request), ["GetItem p / s"]);
        assert_eq!(lines("DeleteItem", &request), ["DeleteItem p / s"]);
    }

    #[test]
    fn query_touches_the_partition_of_its_key_condition() {
        let base = json!({
            "TableName": "t",
            "KeyConditionExpression": "#p = :p AND begins_with(sk, :s)",
            "ExpressionAttributeNames": { "#p": "pk" },
            "ExpressionAttributeValues": { ":p": { "S": "p" }, ":s": { "S": "s" } },
        });
        assert_eq!(lines("Query", &base), ["Query p / *"]);

        let index = json!({
            "TableName": "t",
            "IndexName": "gsi1",
            "KeyConditionExpression": "gsi1pk = :p",
            "ExpressionAttributeValues": { ":p": { "S": "p" } },
        });
        assert_eq!(lines("Query", &index), ["Query on gsi1 p / *"]);
    }

    #[test]
    fn index_range_query_touches_its_partition() {
        for range in ["", " AND begins_with(gsi1sk, :a)", " AND gsi1sk BETWEEN :a AND :b", " AND gsi1sk > :a"] {
            let request = json!({
                "TableName": "t",
                "IndexName": "gsi1",
                "KeyConditionExpression": format!("gsi1pk = :p{range}"),
                "ExpressionAttributeValues": { ":p": { "S": "p" }, ":a": { "S": "a" }, ":b": { "S": "b" } },
                "ScanIndexForward": false,
                "ExclusiveStartKey": { "pk": { "S": "x" }, "sk": { "S": "y" }, "gsi1pk": { "S": "p" } },
            });
            assert_eq!(lines("Query", &request), ["Query on gsi1 p / *"], "{range}");
        }
    }

    #[test]
    fn put_has_the_index_keys_of_its_item() {
        let mut item = item("p", "s");
        item["gsi1pk"] = json!({ "S": "ip" });
        item["gsi1sk"] = json!({ "N": "7" });
        let call = parse("PutItem", &json!({ "TableName": "t", "Item": item }));
        let index_key = &call.touches[0].index_keys[0];
        assert_eq!((index_key.index.as_str(), index_key.key.to_string()), ("gsi1", "ip / 7".to_owned()));
    }

    #[test]
    fn update_has_the_index_keys_that_it_sets() {
        let request = json!({
            "TableName": "t",
            "Key": item("p", "s"),
            "UpdateExpression": "SET #g = :g, gsi1sk = :s REMOVE other",
            "ExpressionAttributeNames": { "#g": "gsi1pk" },
            "ExpressionAttributeValues": { ":g": { "S": "ip" }, ":s": { "S": "is" } },
        });
        let call = parse("UpdateItem", &request);
        assert_eq!(call.touches[0].index_keys[0].key.to_string(), "ip / is");
    }

    #[test]
    fn update_of_a_set_or_removal_from_an_index_has_no_index_keys() {
        for expression in ["ADD ids :v", "DELETE ids :v", "REMOVE gsi1pk, gsi1sk", "SET more = :v REMOVE gsi1pk"] {
            let update = json!({
                "TableName": "t",
                "Key": item("p", "s"),
                "UpdateExpression": expression,
                "ExpressionAttributeValues": { ":v": { "SS": ["one", "two"] } },
            });
            let call = parse("TransactWriteItems", &json!({ "TransactItems": [{ "Update": update }] }));
            assert_eq!((call.unreadable, call.touches[0].to_string()), (None, "UpdateItem p / s".to_owned()));
            assert_eq!(call.touches[0].index_keys, [], "{expression}");
        }
    }

    #[test]
    fn batch_touches_every_item() {
        let request = json!({ "RequestItems": { "t": { "Keys": [item("p", "1"), item("q", "2")] } } });
        assert_eq!(lines("BatchGetItem", &request), ["BatchGetItem p / 1", "BatchGetItem q / 2"]);

        let request = json!({ "RequestItems": { "t": [
            { "PutRequest": { "Item": item("p", "1") } },
            { "DeleteRequest": { "Key": item("q", "2") } },
        ] } });
        assert_eq!(lines("BatchWriteItem", &request), ["BatchWriteItem p / 1", "BatchWriteItem q / 2"]);
        assert_eq!(parse("BatchWriteItem", &request).touches[1].table, "t");
    }

    #[test]
    fn batch_read_has_the_consistency_of_its_table() {
        let keys = json!([item("p", "1")]);
        for consistent in [true, false] {
            let request = json!({ "RequestItems": { "t": { "Keys": keys, "ConsistentRead": consistent } } });
            let call = parse("BatchGetItem", &request);
            assert_eq!((call.touches[0].consistent, call.touches[0].table.as_str()), (consistent, "t"));
        }
    }

    #[test]
    fn transaction_parts_have_their_own_actions() {
        let keyed = |sort| json!({ "TableName": "t", "Key": item("p", sort) });
        let put = json!({ "TableName": "t", "Item": item("p", "1") });
        let write = json!({ "TransactItems": [
            { "Put": put },
            { "Update": keyed("2") },
            { "Delete": keyed("3") },
            { "ConditionCheck": keyed("4") },
        ] });
        let expected = ["PutItem p / 1", "UpdateItem p / 2", "DeleteItem p / 3", "ConditionCheckItem p / 4"];
        assert_eq!(lines("TransactWriteItems", &write), expected);

        let get = json!({ "TransactItems": [{ "Get": keyed("1") }] });
        assert_eq!(lines("TransactGetItems", &get), ["GetItem p / 1"]);
    }

    #[test]
    fn operation_without_keys_touches_no_key() {
        let call = parse("Scan", &json!({ "TableName": "t", "IndexName": "gsi1" }));
        assert_eq!(call.touches[0].to_string(), "Scan on gsi1 without a key");
    }

    #[test]
    fn unparsable_request_has_a_reason() {
        let unreadable = |operation, request: Value| parse(operation, &request).unreadable;
        assert!(unreadable("GetItem", json!({ "TableName": "t" })).is_some());
        assert!(unreadable("Query", json!({ "TableName": "t" })).is_some());
        assert!(unreadable("Query", json!({ "TableName": "t", "IndexName": "gsi9" })).is_some());
        assert!(unreadable("TransactWriteItems", json!({ "TransactItems": [{ "Move": {} }] })).is_some());
        let legacy = json!({ "TableName": "t", "Key": item("p", "s"), "AttributeUpdates": {} });
        assert!(unreadable("UpdateItem", legacy).is_some());
    }

    #[test]
    fn answer_has_error_and_capacity() {
        let body = json!({ "ConsumedCapacity": { "TableName": "t", "CapacityUnits": 0.5 } });
        let answer = Answer::parse("GetItem", 200, body.to_string().as_bytes());
        assert_eq!(answer.error, None);
        assert_eq!(answer.capacity, Some(Capacity { read: 0.5, write: 0.0 }));

        let body = json!({ "ConsumedCapacity": [{ "CapacityUnits": 2.0 }, { "CapacityUnits": 1.0 }] });
        let answer = Answer::parse("BatchWriteItem", 200, body.to_string().as_bytes());
        assert_eq!(answer.capacity, Some(Capacity { read: 0.0, write: 3.0 }));

        let answer = Answer::parse("BatchGetItem", 200, body.to_string().as_bytes());
        assert_eq!(answer.capacity, Some(Capacity { read: 3.0, write: 0.0 }));

        let body = json!({ "__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException" });
        let answer = Answer::parse("PutItem", 400, body.to_string().as_bytes());
        assert_eq!(answer.error.as_deref(), Some("ConditionalCheckFailedException"));
        assert_eq!(answer.capacity, None);
    }
}
