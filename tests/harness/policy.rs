//! Evaluates a function's IAM policies on its recorded calls.
//!
//! A test fails where AWS would deny a call. The semantics are those of the IAM user guide ("Policy
//! evaluation logic", "Set operators for multi-valued context keys") and of the `DynamoDB` developer guide
//! ("Using IAM policy conditions for fine-grained access control", "Using IAM with `DynamoDB` transactions").
//! An unsupported policy element is an error: an evaluator that skips a condition would allow calls that AWS
//! denies.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::call::{Call, Touch};

/// The condition key that holds the partition keys of a request.
const LEADING_KEYS: &str = "dynamodb:LeadingKeys";

/// The table that the template's policies refer to.
#[derive(Debug, Clone, Copy)]
pub struct PolicyTable<'a> {
    /// The logical id in the template, which resources refer to.
    pub logical_id: &'a str,
    /// The table name in calls.
    pub name: &'a str,
}

/// The `DynamoDB` permissions of one function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policies {
    statements: Vec<Statement>,
}

impl Policies {
    /// Parses policy documents, with intrinsic functions in long form.
    ///
    /// Statements about other services are skipped. An unsupported element is an error that names it.
    pub fn parse(documents: &[Value], table: PolicyTable<'_>) -> Result<Self, String> {
        let mut statements = Vec::new();
        for document in documents {
            let document: Document =
                serde_json::from_value(document.clone()).map_err(|error| format!("{error} in policy {document}"))?;
            for raw in document.statement {
                let name = raw.sid.clone();
                let statement = Statement::parse(raw, table);
                statements.extend(statement.map_err(|problem| format!("{name}: {problem}"))?);
            }
        }
        Ok(Self { statements })
    }

    /// The requests of these calls that AWS would deny, one line each.
    ///
    /// A call that cannot be parsed is denied.
    pub fn violations(&self, calls: &[Call]) -> Vec<String> {
        let mut violations = Vec::new();
        for call in calls {
            if call.unreadable.is_some() {
                violations.push(format!("{}: unreadable, so not allowed", call.operation));
            }
            for request in requests(call) {
                let denial = self.denial(&request);
                violations.extend(denial.map(|reason| format!("{request}: {reason}")));
            }
        }
        violations
    }

    /// Why a request is denied: by a deny statement, or because no statement allows it.
    fn denial(&self, request: &AuthRequest<'_>) -> Option<String> {
        let statements = self.statements.iter();
        let applicable: Vec<_> = statements.filter(|statement| statement.applies(request)).collect();
        match applicable.iter().find(|statement| statement.effect == Effect::Deny) {
            Some(deny) => Some(format!("denied by {}", deny.sid)),
            None if applicable.is_empty() => Some("no statement allows it".to_owned()),
            None => None,
        }
    }
}

// ── Authorization requests ──────────────────────────────────────────────────────────────────────────────────────────

/// One authorization request: an action on a resource, for these partitions.
#[derive(Debug, PartialEq, Eq)]
struct AuthRequest<'a> {
    action: String,
    resource: String,
    /// Empty if the request has no partition key, such as a `Scan`.
    leading_keys: Vec<&'a str>,
}

impl std::fmt::Display for AuthRequest<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (action, resource) = (&self.action, &self.resource);
        write!(f, "{action} on {resource} for {:?}", self.leading_keys)
    }
}

/// The authorization requests of a call.
///
/// There is one per action and resource, with all partition keys: this is how batches are evaluated. The
/// parts of a transaction need the permissions of `PutItem` and so on, but it is not documented whether parts
/// with the same action are evaluated together or separately. A transaction must pass both ways, so that AWS
/// allows it in any case.
fn requests(call: &Call) -> Vec<AuthRequest<'_>> {
    let mut requests = combined(&call.touches);
    if call.operation.starts_with("Transact") && call.touches.len() > 1 {
        requests.extend(call.touches.chunks(1).flat_map(combined));
    }
    requests
}

/// Groups the touches by action and resource.
fn combined(touches: &[Touch]) -> Vec<AuthRequest<'_>> {
    let mut keys_by_request: BTreeMap<(String, String), Vec<&str>> = BTreeMap::new();
    for touch in touches {
        let action = format!("dynamodb:{}", touch.action);
        let keys = keys_by_request.entry((action, resource(touch))).or_default();
        keys.extend(touch.key.iter().map(|key| key.partition.as_str()));
    }
    let requests = keys_by_request.into_iter();
    requests.map(|((action, resource), leading_keys)| AuthRequest { action, resource, leading_keys }).collect()
}

/// The ARN of the table or index.
///
/// An index is a separate resource. Writing an item needs no permission on its indexes.
fn resource(touch: &Touch) -> String {
    let table = table_arn(&touch.table);
    match &touch.index {
        Some(index) => format!("{table}/index/{index}"),
        None => table,
    }
}

fn table_arn(name: &str) -> String {
    format!("arn:aws:dynamodb:local:000000000000:table/{name}")
}

// ── Statements ──────────────────────────────────────────────────────────────────────────────────────────────────────

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Document {
    #[serde(rename = "Version")]
    _version: Version,
    statement: Vec<RawStatement>,
}

#[derive(Deserialize)]
enum Version {
    #[serde(rename = "2012-10-17")]
    Current,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct RawStatement {
    sid: String,
    effect: Effect,
    action: OneOrMany<String>,
    resource: OneOrMany<Value>,
    #[serde(default)]
    condition: BTreeMap<String, BTreeMap<String, OneOrMany<Value>>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany<T> {
    // Tried first, because any JSON, including a list, is one `Value`.
    Many(Vec<T>),
    One(T),
}

impl<T> OneOrMany<T> {
    fn into_vec(self) -> Vec<T> {
        match self {
            Self::Many(items) => items,
            Self::One(item) => vec![item],
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
enum Effect {
    Allow,
    Deny,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Statement {
    sid: String,
    effect: Effect,
    actions: Vec<String>,
    resources: Vec<String>,
    conditions: Vec<Condition>,
}

impl Statement {
    /// Parses a statement; `None` if it is about other services only.
    fn parse(raw: RawStatement, table: PolicyTable<'_>) -> Result<Option<Self>, String> {
        let actions = raw.action.into_vec();
        if !actions.iter().any(|action| may_be_dynamodb(action)) {
            return Ok(None);
        }
        let resources = raw.resource.into_vec();
        let resources = resources.iter().map(|resource| resolve(resource, table));
        let conditions = raw.condition.into_iter().flat_map(|(operator, keys)| {
            let parse =
                move |(key, values): (String, OneOrMany<_>)| Condition::parse(&operator, &key, values.into_vec());
            keys.into_iter().map(parse)
        });
        Ok(Some(Self {
            sid: raw.sid,
            effect: raw.effect,
            actions,
            resources: resources.collect::<Result<_, _>>()?,
            conditions: conditions.collect::<Result<_, _>>()?,
        }))
    }

    /// Whether action, resource and every condition match.
    fn applies(&self, request: &AuthRequest<'_>) -> bool {
        let action = request.action.to_lowercase();
        self.actions.iter().any(|pattern| is_like(&pattern.to_lowercase(), &action))
            && self.resources.iter().any(|pattern| is_like(pattern, &request.resource))
            && self.conditions.iter().all(|condition| condition.holds(&request.leading_keys))
    }
}

/// Whether an action is a `DynamoDB` action, possibly by a wildcard.
fn may_be_dynamodb(action: &str) -> bool {
    let (service, _) = action.split_once(':').unwrap_or((action, ""));
    is_like(&service.to_lowercase(), "dynamodb")
}

/// The ARN pattern of a resource element.
fn resolve(resource: &Value, table: PolicyTable<'_>) -> Result<String, String> {
    let id = table.logical_id;
    let arn = table_arn(table.name);
    if *resource == serde_json::json!({ "Fn::GetAtt": [id, "Arn"] }) {
        return Ok(arn);
    }
    let pattern = resource
        .as_str()
        .map(str::to_owned)
        .or_else(|| Some(resource["Fn::Sub"].as_str()?.replace(&format!("${{{id}.Arn}}"), &arn)))
        .filter(|pattern| !pattern.contains("${"));
    pattern.ok_or_else(|| format!("unsupported resource: {resource}"))
}

// ── Conditions ──────────────────────────────────────────────────────────────────────────────────────────────────────

/// A condition on the leading keys, the only supported context key.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Condition {
    /// `Null`: whether the key must be absent from the request.
    Absent(bool),
    /// A set operator with its comparison of each value.
    Set { quantifier: Quantifier, comparison: Comparison, values: Vec<String> },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quantifier {
    /// `ForAllValues`: true for a request without the key.
    All,
    /// `ForAnyValue`: false for a request without the key.
    Any,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Equals,
    Like,
}

impl Condition {
    fn parse(operator: &str, key: &str, values: Vec<Value>) -> Result<Self, String> {
        if key != LEADING_KEYS {
            return Err(format!("unsupported condition key: {key}"));
        }
        let values = values.into_iter().map(text).collect::<Result<Vec<_>, _>>()?;
        if let Some(variable) = values.iter().find(|value| value.contains("${")) {
            return Err(format!("unsupported policy variable: {variable}"));
        }
        if operator == "Null" {
            return parse_null(&values);
        }
        // The leading keys are multivalued, and a multivalued key requires a set operator.
        let (quantifier, comparison) = match operator {
            "ForAllValues:StringLike" => (Quantifier::All, Comparison::Like),
            "ForAllValues:StringEquals" => (Quantifier::All, Comparison::Equals),
            "ForAnyValue:StringLike" => (Quantifier::Any, Comparison::Like),
            "ForAnyValue:StringEquals" => (Quantifier::Any, Comparison::Equals),
            _ => return Err(format!("unsupported condition operator: {operator}")),
        };
        Ok(Self::Set { quantifier, comparison, values })
    }

    fn holds(&self, keys: &[&str]) -> bool {
        match self {
            Self::Absent(expected) => keys.is_empty() == *expected,
            Self::Set { quantifier, comparison, values } => {
                let matches = |key: &&str| values.iter().any(|value| comparison.holds(value, key));
                match quantifier {
                    Quantifier::All => keys.iter().all(matches),
                    Quantifier::Any => keys.iter().any(matches),
                }
            }
        }
    }
}

fn text(value: Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text),
        other => Err(format!("unsupported condition value: {other}")),
    }
}

fn parse_null(values: &[String]) -> Result<Condition, String> {
    match values {
        [value] if value == "true" => Ok(Condition::Absent(true)),
        [value] if value == "false" => Ok(Condition::Absent(false)),
        _ => Err(format!("Null must be true or false, not {values:?}")),
    }
}

impl Comparison {
    fn holds(self, pattern: &str, value: &str) -> bool {
        match self {
            Self::Equals => pattern == value,
            Self::Like => is_like(pattern, value),
        }
    }
}

/// Matches a pattern in which `*` is any characters and `?` is one character.
fn is_like(pattern: &str, value: &str) -> bool {
    let mut rest = pattern.chars();
    match rest.next() {
        None => value.is_empty(),
        Some('*') => {
            let mut tails = value.char_indices().map(|(at, _)| &value[at..]).chain([""]);
            tails.any(|tail| is_like(rest.as_str(), tail))
        }
        Some(expected) => {
            let mut tail = value.chars();
            let first = tail.next();
            first.is_some_and(|c| expected == '?' || expected == c) && is_like(rest.as_str(), tail.as_str())
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::schema::TableSchema;
    use crate::schema::tests::definition;

    const TABLE: PolicyTable<'_> = PolicyTable { logical_id: "Table", name: "crm" };

    fn try_parse(statements: &[Value]) -> Result<Policies, String> {
        let document = json!({ "Version": "2012-10-17", "Statement": statements });
        Policies::parse(&[document], TABLE)
    }

    fn policies(statements: &[Value]) -> Policies {
        try_parse(statements).unwrap()
    }

    /// A statement that allows actions on the table under a condition.
    fn allow(actions: &[&str], condition: &Value) -> Value {
        json!({
            "Sid": "Test",
            "Effect": "Allow",
            "Action": actions,
            "Resource": { "Fn::GetAtt": ["Table", "Arn"] },
            "Condition": condition,
        })
    }

    /// A statement that allows actions on partitions, with a `Null` guard.
    ///
    /// The template's policies have the same guard.
    fn guarded(actions: &[&str], patterns: &[&str]) -> Value {
        let condition = json!({
            "Null": { LEADING_KEYS: "false" },
            "ForAllValues:StringLike": { LEADING_KEYS: patterns },
        });
        allow(actions, &condition)
    }

    fn call(operation: &str, request: &Value) -> Call {
        let schema = TableSchema::from_definition(&definition());
        Call::parse(operation, request.to_string().as_bytes(), &schema)
    }

    fn key(partition: &str) -> Value {
        json!({ "pk": { "S": partition }, "sk": { "S": "sort" } })
    }

    fn get(partition: &str) -> Call {
        call("GetItem", &json!({ "TableName": "crm", "Key": key(partition) }))
    }

    fn puts(partitions: &[&str]) -> Call {
        let put = |partition: &&str| json!({ "Put": { "TableName": "crm", "Item": key(partition) } });
        let parts: Vec<_> = partitions.iter().map(put).collect();
        call("TransactWriteItems", &json!({ "TransactItems": parts }))
    }

    fn scan() -> Call {
        call("Scan", &json!({ "TableName": "crm" }))
    }

    impl Policies {
        fn allows(&self, call: &Call) -> bool {
            self.violations(std::slice::from_ref(call)).is_empty()
        }
    }

    #[test]
    fn call_without_an_allow_statement_is_denied() {
        let policies = policies(&[guarded(&["dynamodb:GetItem"], &["T#*#CONTACT"])]);
        assert!(policies.allows(&get("T#1#CONTACT")));
        assert!(!policies.allows(&get("T#1#DEAL")));
        assert!(!policies.allows(&puts(&["T#1#CONTACT"])));
        let other_table = json!({ "TableName": "other", "Key": key("T#1#CONTACT") });
        assert!(!policies.allows(&call("GetItem", &other_table)));
    }

    #[test]
    fn violation_names_action_resource_and_keys() {
        let violations = policies(&[]).violations(&[get("T#1#CONTACT")]);
        let arn = table_arn("crm");
        assert_eq!(violations, [format!("dynamodb:GetItem on {arn} for [\"T#1#CONTACT\"]: no statement allows it")]);
    }

    #[test]
    fn index_is_a_separate_resource() {
        let request = json!({
            "TableName": "crm",
            "IndexName": "gsi1",
            "KeyConditionExpression": "gsi1pk = :p",
            "ExpressionAttributeValues": { ":p": { "S": "T#1#CONTACT" } },
        });
        let query = call("Query", &request);
        let mut statement = guarded(&["dynamodb:Query"], &["T#*#CONTACT"]);
        assert!(!policies(&[statement.clone()]).allows(&query));
        statement["Resource"] = json!([{ "Fn::Sub": "${Table.Arn}/index/gsi2" }]);
        assert!(!policies(&[statement.clone()]).allows(&query));
        statement["Resource"] = json!([{ "Fn::Sub": "${Table.Arn}/index/gsi1" }]);
        assert!(policies(&[statement]).allows(&query));
    }

    #[test]
    fn actions_match_by_wildcard_in_any_case() {
        for action in ["dynamodb:Get*", "DynamoDB:getitem", "dynamodb:*", "*"] {
            assert!(policies(&[guarded(&[action], &["*"])]).allows(&get("x")), "{action}");
        }
    }

    #[test]
    fn deny_overrides_allow() {
        let mut deny = guarded(&["dynamodb:*"], &["T#*#USER"]);
        deny["Effect"] = json!("Deny");
        let policies = policies(&[guarded(&["dynamodb:*"], &["*"]), deny]);
        assert!(policies.allows(&get("T#1#CONTACT")));
        assert!(!policies.allows(&get("T#1#USER")));
    }

    #[test]
    fn for_all_values_without_null_guard_allows_a_request_without_keys() {
        let unguarded = json!({ "ForAllValues:StringLike": { LEADING_KEYS: ["T#*#CONTACT"] } });
        assert!(policies(&[allow(&["dynamodb:Scan"], &unguarded)]).allows(&scan()));
        assert!(!policies(&[guarded(&["dynamodb:Scan"], &["T#*#CONTACT"])]).allows(&scan()));
    }

    #[test]
    fn for_any_value_denies_no_keys_and_allows_one_match_of_several() {
        let any = json!({ "ForAnyValue:StringEquals": { LEADING_KEYS: ["a"] } });
        let policies = policies(&[allow(&["dynamodb:*"], &any)]);
        assert!(!policies.allows(&scan()));
        let keys = |partitions: [&str; 2]| {
            let keys = json!({ "crm": { "Keys": partitions.map(key) } });
            call("BatchGetItem", &json!({ "RequestItems": keys }))
        };
        assert!(policies.allows(&keys(["a", "b"])));
        assert!(!policies.allows(&keys(["b", "c"])));
    }

    #[test]
    fn string_equals_ignores_wildcards() {
        let equals = json!({ "ForAllValues:StringEquals": { LEADING_KEYS: ["a*"] } });
        let policies = policies(&[allow(&["dynamodb:GetItem"], &equals)]);
        assert!(policies.allows(&get("a*")));
        assert!(!policies.allows(&get("ab")));
    }

    #[test]
    fn batch_needs_its_own_action_and_one_statement_for_all_keys() {
        let keys = json!({ "crm": { "Keys": [key("a"), key("b")] } });
        let batch = call("BatchGetItem", &json!({ "RequestItems": keys }));
        let allow_one = |action, patterns: &[&str]| guarded(&[action], patterns);
        assert!(!policies(&[allow_one("dynamodb:GetItem", &["*"])]).allows(&batch));
        let separate = [allow_one("dynamodb:BatchGetItem", &["a"]), allow_one("dynamodb:BatchGetItem", &["b"])];
        assert!(!policies(&separate).allows(&batch));
        assert!(policies(&[allow_one("dynamodb:BatchGetItem", &["a", "b"])]).allows(&batch));
    }

    #[test]
    fn transaction_needs_the_actions_of_its_parts() {
        let check = json!({
            "TableName": "crm",
            "Key": key("b"),
            "ConditionExpression": "attribute_exists(pk)",
        });
        let put = json!({ "TableName": "crm", "Item": key("a") });
        let parts = json!({ "TransactItems": [{ "Put": put }, { "ConditionCheck": check }] });
        let write = call("TransactWriteItems", &parts);
        let (put, check) = ("dynamodb:PutItem", "dynamodb:ConditionCheckItem");
        assert!(policies(&[guarded(&[put], &["a"]), guarded(&[check], &["b"])]).allows(&write));
        assert!(!policies(&[guarded(&[put], &["*"])]).allows(&write));
        assert!(!policies(&[guarded(&["dynamodb:TransactWriteItems"], &["*"])]).allows(&write));
    }

    #[test]
    fn transaction_must_pass_with_parts_together_and_separate() {
        let put = ["dynamodb:PutItem"];
        let separate = policies(&[guarded(&put, &["a"]), guarded(&put, &["b"])]);
        assert!(!separate.allows(&puts(&["a", "b"])));
        let mut deny = guarded(&put, &["b"]);
        deny["Effect"] = json!("Deny");
        let denied = policies(&[guarded(&put, &["*"]), deny]);
        assert!(!denied.allows(&puts(&["a", "b"])));
        assert!(policies(&[guarded(&put, &["a", "b"])]).allows(&puts(&["a", "b"])));
    }

    #[test]
    fn unparsable_call_is_denied() {
        let policies = policies(&[allow(&["*"], &json!({}))]);
        assert!(!policies.allows(&call("Query", &json!({ "TableName": "crm" }))));
    }

    #[test]
    fn statements_about_other_services_are_skipped() {
        let mail = json!({
            "Sid": "Mail",
            "Effect": "Allow",
            "Action": "ses:SendEmail",
            "Resource": { "Fn::Sub": "arn:aws:ses:${AWS::Region}:x" },
            "Condition": { "StringEquals": { "ses:FromAddress": { "Ref": "MailFrom" } } },
        });
        assert_eq!(policies(&[mail]), policies(&[]));
    }

    #[test]
    fn unsupported_policy_element_is_an_error() {
        let conditions = [
            json!({ "StringLike": { LEADING_KEYS: "a" } }),
            json!({ "ForAllValues:StringLikeIfExists": { LEADING_KEYS: "a" } }),
            json!({ "ForAllValues:StringEquals": { "dynamodb:Attributes": ["a"] } }),
            json!({ "ForAllValues:StringLike": { LEADING_KEYS: ["${aws:PrincipalTag/Tenant}#*"] } }),
            json!({ "Null": { LEADING_KEYS: "no" } }),
            json!({ "ForAllValues:StringLike": { LEADING_KEYS: { "Ref": "Partition" } } }),
        ];
        for condition in conditions {
            let statement = allow(&["dynamodb:GetItem"], &condition);
            assert!(try_parse(&[statement]).is_err(), "{condition}");
        }

        let changes = [
            ("NotAction", json!("dynamodb:Scan")),
            ("Principal", json!("*")),
            ("Effect", json!("Maybe")),
            ("Resource", json!({ "Fn::GetAtt": ["Elsewhere", "Arn"] })),
            ("Resource", json!([{ "Fn::Sub": "${Elsewhere.Arn}/index/gsi1" }])),
            ("Resource", json!({ "Fn::ImportValue": "table" })),
        ];
        for (element, value) in changes {
            let mut statement = guarded(&["dynamodb:GetItem"], &["a"]);
            statement[element] = value;
            assert!(try_parse(&[statement.clone()]).is_err(), "{statement}");
        }
        assert!(Policies::parse(&[json!("AmazonDynamoDBReadOnlyAccess")], TABLE).is_err());
    }

    #[test]
    fn wildcards_match_as_in_iam() {
        let contacts = "T#*#C#*#CONTACT";
        assert!(is_like(contacts, "T#t#A#a#C#c#CONTACT"));
        assert!(!is_like(contacts, "T#t#A#a#C#c#CONTACT#more"));
        assert!(!is_like(contacts, "T#t#A#a#CONTACT"));
        assert!(is_like("a?c", "abc") && !is_like("a?c", "ac"));
        assert!(is_like("*", "") && is_like("a*", "a") && !is_like("", "a"));
    }

    fn template() -> infra::aws::template::Template {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../template.yaml");
        infra::aws::template::Template::load(path.as_ref()).unwrap()
    }

    #[test]
    fn calls_without_a_key_are_denied_to_every_function() {
        for (id, function) in template().functions {
            let policies = Policies::parse(&function.policies, TABLE).unwrap();
            let actions = policies.statements.iter().flat_map(|statement| &statement.actions);
            let actions = actions.map(String::as_str).chain(["dynamodb:Scan", "dynamodb:PartiQLSelect"]);
            for action in actions {
                let operation = action.trim_start_matches("dynamodb:");
                let mut call = scan();
                operation.clone_into(&mut call.touches[0].action);
                assert!(!policies.allows(&call), "{id} may {operation}");
            }
        }
    }

    #[test]
    fn contacts_function_reads_contacts_and_not_users() {
        let function = template().functions.remove("ContactsFunction").unwrap();
        let policies = Policies::parse(&function.policies, TABLE).unwrap();
        assert!(policies.allows(&get("T#t#A#a#C#c#CONTACT")));
        assert!(!policies.allows(&get("T#t#A#a#C#c#USER")));
    }

    #[test]
    fn jobs_function_reads_due_jobs_and_references_of_contacts() {
        let function = template().functions.remove("JobsFunction").unwrap();
        let policies = Policies::parse(&function.policies, TABLE).unwrap();
        let query = |index: &str, partition: &str| {
            let touch =
                Touch { action: "Query".to_owned(), index: Some(index.to_owned()), ..get(partition).touches.remove(0) };
            Call { touches: vec![touch], ..get(partition) }
        };
        assert!(policies.allows(&query("due", "DUE#JOB#07")));
        assert!(policies.allows(&query("gsi3", "T#t#A#a#C#c#CONTACT#x")));
        assert!(!policies.allows(&query("due", "DUE#MAIL#07")));
        assert!(!policies.allows(&query("gsi1", "T#t#A#a#C#c#CONTACT#NAME")));
        assert!(!policies.allows(&get("T#t#A#a#C#c#USER")));
    }
}
