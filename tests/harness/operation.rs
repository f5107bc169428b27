//! The operations of the OpenAPI document, as requests that tests can send.
//!
//! A test that iterates over the operations covers a new operation too.

use lambda_http::http::Method;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::tree::PathParams;
use crate::users::{RequestBuilder, TestUser};
use crate::world::{OPENAPI, WIDGETS_OPENAPI};

/// One operation: a method of a path.
#[derive(Clone, Debug)]
pub struct Operation {
    /// The `operationId`.
    pub id: String,
    /// The HTTP method.
    pub method: Method,
    /// The path template, with `{parameters}`.
    pub path: String,
    /// The operation object of the document.
    pub described: &'static Value,
}

/// Every operation of the API, in the document's order.
pub fn operations() -> Vec<Operation> {
    operations_of(&OPENAPI)
}

/// Every operation of the API and of the widget API.
pub fn all_operations() -> Vec<Operation> {
    [operations(), operations_of(&WIDGETS_OPENAPI)].concat()
}

fn operations_of(document: &'static Value) -> Vec<Operation> {
    let paths = document["paths"].as_object().expect("paths");
    let items = paths.iter().flat_map(|(path, item)| {
        let item = item.as_object().expect("a path item");
        item.iter().map(move |(method, described)| Operation {
            id: described["operationId"].as_str().unwrap_or_default().to_owned(),
            method: method.to_uppercase().parse().expect("a method"),
            path: path.clone(),
            described,
        })
    });
    items.collect()
}

impl Operation {
    /// Whether the operation needs no access token.
    pub fn is_public(&self) -> bool {
        self.described["security"] == json!([{}])
    }

    /// Whether the operation authenticates by a secret in the URL only.
    pub fn takes_secret(&self) -> bool {
        let security = &self.described["security"][0];
        ["calendar", "optOut"].iter().any(|scheme| security[scheme].is_array())
    }

    /// The names of the path parameters.
    pub fn parameters(&self) -> Vec<&str> {
        let parts = self.path.split('/').filter(|part| part.starts_with('{'));
        parts.map(|part| part.trim_matches(['{', '}'])).collect()
    }

    /// Whether the path has parameters: the operation acts on a node of the tree.
    pub fn is_scoped(&self) -> bool {
        !self.parameters().is_empty()
    }

    /// The path with these parameters and the required query.
    pub fn at(&self, paths: &PathParams) -> String {
        let id = |name: &str| paths.id_in(&self.path, name).to_owned();
        self.fill(id) + &self.query(id)
    }

    /// The path with ids that never existed and the required query.
    pub fn missing_path(&self) -> String {
        let id = |_: &str| Uuid::now_v7().to_string();
        self.fill(id) + &self.query(id)
    }

    /// The required query parameters. A time range is one day.
    fn query(&self, id: impl Fn(&str) -> String) -> String {
        let parameters = self.described["parameters"].as_array().into_iter().flatten();
        let needed = parameters.filter(|parameter| parameter["in"] == "query" && parameter["required"] == true);
        // A secret cannot be guessed.
        let needed = needed.filter(|_| !self.takes_secret());
        let pairs = needed.map(|parameter| match parameter["name"].as_str().expect("a name") {
            "from" => "from=2030-06-03T00:00:00Z".to_owned(),
            "to" => "to=2030-06-04T00:00:00Z".to_owned(),
            name => format!("{name}={}", id(name)),
        });
        let pairs: Vec<_> = pairs.collect();
        if pairs.is_empty() { String::new() } else { format!("?{}", pairs.join("&")) }
    }

    /// The path in the scope of `scope`, with the other ids of `resources`.
    pub fn cross_scope_path(&self, scope: &PathParams, resources: &PathParams) -> String {
        let first = self.parameters()[0].to_owned();
        self.fill(|name| if name == first { scope.id(name) } else { resources.id_in(&self.path, name) }.to_owned())
    }

    fn fill(&self, value: impl Fn(&str) -> String) -> String {
        let parts = self.path.split('/').map(|part| match part.strip_prefix('{') {
            Some(name) => value(name.trim_end_matches('}')),
            None => part.to_owned(),
        });
        parts.collect::<Vec<_>>().join("/")
    }

    /// The media type of the request body and its example.
    ///
    /// # Panics
    /// If the operation has no request body, or the body has no example.
    pub fn example(&self) -> (&'static str, Value) {
        let content = self.described["requestBody"]["content"].as_object().expect("a request body");
        let (media, content) = content.iter().next().expect("a media type");
        let schema = &content["schema"];
        let schema = schema["$ref"].as_str().map_or(schema, resolve);
        let examples = [&content["example"], &schema["example"], &schema["examples"][0]];
        let example = examples.into_iter().find(|example| !example.is_null());
        (media, example.unwrap_or_else(|| panic!("{} has no example", self.id)).clone())
    }

    /// Builds a request on `path` with the smallest valid body.
    pub fn request<'w>(&self, user: &TestUser<'w>, path: &str) -> RequestBuilder<'w> {
        let request = user.request(self.method.clone(), path);
        let Some(content) = self.described["requestBody"]["content"].as_object() else { return request };
        let (media, content) = content.iter().next().expect("a media type");
        request.body(media, minimal_body(media, &content["schema"]))
    }
}

/// The smallest valid body of a media type: plain text for CSV, otherwise JSON.
fn minimal_body(media: &str, schema: &Value) -> String {
    match minimal_value(schema) {
        Value::String(text) if media == "text/csv" => text,
        json => json.to_string(),
    }
}

/// The smallest value that a schema accepts: an object has its required fields.
fn minimal_value(schema: &Value) -> Value {
    if let Some(reference) = schema["$ref"].as_str() {
        // Domains and tag names are unique within a client.
        if reference.ends_with("/WebDomain") {
            return json!(format!("{}.example.com", Uuid::new_v4()));
        }
        if reference.ends_with("/ContactTagFields") {
            return json!({ "name": Uuid::new_v4() });
        }
        if reference.ends_with("/TimeOffFields") {
            return json!({ "start": "2030-02-01T00:00:00Z", "end": "2030-02-02T00:00:00Z" });
        }
        // A contact needs a name, an email or a phone number, which the schema cannot require.
        if reference.ends_with("/ContactFields") {
            return json!({ "firstName": "Ada", "lastName": "Lovelace" });
        }
        // An upsert that creates a contact needs a name.
        if reference.ends_with("/UpsertContactRequest") {
            let email = format!("{}@example.com", Uuid::new_v4());
            return json!({ "email": email, "firstName": "Ada", "lastName": "Lovelace" });
        }
        return minimal_value(resolve(reference));
    }
    if let Some(properties) = schema["properties"].as_object() {
        let required = schema["required"].as_array().cloned().unwrap_or_default();
        let required = properties.iter().filter(|(name, _)| required.contains(&json!(name)));
        return required.map(|(name, schema)| (name.clone(), minimal_value(schema))).collect::<Map<_, _>>().into();
    }
    for example in [&schema["example"], &schema["examples"][0]] {
        if !example.is_null() {
            return example.clone();
        }
    }
    for part in [&schema["oneOf"][0], &schema["allOf"][0]] {
        if !part.is_null() {
            return minimal_value(part);
        }
    }
    match (schema["type"].as_str(), schema["format"].as_str()) {
        (Some("string"), Some("email")) => json!(format!("{}@example.com", Uuid::new_v4())),
        (Some("string"), Some("uuid")) => json!(Uuid::now_v7()),
        (Some("string"), _) => json!("Sample"),
        (Some("integer" | "number"), _) => json!(1),
        (Some("boolean"), _) => json!(true),
        (Some("array"), _) => json!([]),
        _ => json!({}),
    }
}

/// The part of the document that a `$ref` points to.
pub fn resolve(reference: &str) -> &'static Value {
    resolve_in(&OPENAPI, reference)
}

/// The part of `document` that a `$ref` points to.
pub(crate) fn resolve_in(document: &'static Value, reference: &str) -> &'static Value {
    let pointer = reference.strip_prefix('#').expect("a reference within the document");
    document.pointer(pointer).unwrap_or_else(|| panic!("{reference} does not resolve"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csv_example_is_sent_as_text_and_other_bodies_as_json() {
        let file = json!({ "type": "string", "example": "firstName,lastName\r\nAda,Lovelace\r\n" });
        assert_eq!(minimal_body("text/csv", &file), "firstName,lastName\r\nAda,Lovelace\r\n");
        let json = json!({ "type": "object", "required": ["name"], "properties": { "name": { "example": "Ada" } } });
        assert_eq!(minimal_body("application/json", &json), r#"{"name":"Ada"}"#);
        assert_eq!(minimal_body("application/json", &json!({ "type": "string" })), r#""Sample""#);
    }
}
