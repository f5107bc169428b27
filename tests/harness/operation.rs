//! The operations of the OpenAPI document, ready to be asked for: what a test does for every operation, a new one cannot
//! slip past.

use lambda_http::http::Method;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::tree::PathParams;
use crate::who::{RequestBuilder, Who};
use crate::world::OPENAPI;

/// One method of one path.
#[derive(Clone, Debug)]
pub struct Operation {
    /// Its `operationId`.
    pub id: String,
    /// Its method.
    pub method: Method,
    /// Its path, with `{parameters}`.
    pub path: String,
    /// The operation as the document has it.
    pub described: Value,
}

/// Every operation, in the document's order.
pub fn operations() -> Vec<Operation> {
    let paths = OPENAPI["paths"].as_object().expect("paths");
    let items = paths.iter().flat_map(|(path, item)| {
        let item = item.as_object().expect("a path item");
        item.iter().map(move |(method, described)| Operation {
            id: described["operationId"].as_str().unwrap_or_default().to_owned(),
            method: method.to_uppercase().parse().expect("a method"),
            path: path.clone(),
            described: described.clone(),
        })
    });
    items.collect()
}

impl Operation {
    /// Whether it needs no access token.
    pub fn is_public(&self) -> bool {
        self.described["security"] == json!([{}])
    }

    /// Whether it knows its caller by a secret in its address, and by nothing else.
    pub fn takes_secret(&self) -> bool {
        self.described["security"][0]["calendar"].is_array()
    }

    /// The names of the parameters in its path.
    pub fn parameters(&self) -> Vec<&str> {
        let parts = self.path.split('/').filter(|part| part.starts_with('{'));
        parts.map(|part| part.trim_matches(['{', '}'])).collect()
    }

    /// Whether it acts somewhere in the tree.
    pub fn is_scoped(&self) -> bool {
        !self.parameters().is_empty()
    }

    /// Its path at a place in the tree, with what its query must have.
    pub fn at(&self, spot: &PathParams) -> String {
        let id = |name: &str| spot.id_in(&self.path, name).to_owned();
        self.fill(id) + &self.query(id)
    }

    /// Its path at a place that never existed, with what its query must have.
    pub fn nowhere(&self) -> String {
        let id = |_: &str| Uuid::now_v7().to_string();
        self.fill(id) + &self.query(id)
    }

    /// The parameters that its query must have. A range is a day.
    fn query(&self, id: impl Fn(&str) -> String) -> String {
        let parameters = self.described["parameters"].as_array().into_iter().flatten();
        let needed = parameters.filter(|parameter| parameter["in"] == "query" && parameter["required"] == true);
        // A secret cannot be made up.
        let needed = needed.filter(|_| !self.takes_secret());
        let pairs = needed.map(|parameter| match parameter["name"].as_str().expect("a name") {
            "from" => "from=2030-06-03T00:00:00Z".to_owned(),
            "to" => "to=2030-06-04T00:00:00Z".to_owned(),
            name => format!("{name}={}", id(name)),
        });
        let pairs: Vec<_> = pairs.collect();
        if pairs.is_empty() { String::new() } else { format!("?{}", pairs.join("&")) }
    }

    /// Its path in the scope of one place, naming a thing of another.
    pub fn across(&self, scope: &PathParams, thing: &PathParams) -> String {
        let first = self.parameters()[0].to_owned();
        self.fill(|name| if name == first { scope.id(name) } else { thing.id_in(&self.path, name) }.to_owned())
    }

    fn fill(&self, value: impl Fn(&str) -> String) -> String {
        let parts = self.path.split('/').map(|part| match part.strip_prefix('{') {
            Some(name) => value(name.trim_end_matches('}')),
            None => part.to_owned(),
        });
        parts.collect::<Vec<_>>().join("/")
    }

    /// Asks for it on a path, with the least body that it takes.
    pub fn ask<'w>(&self, who: &Who<'w>, path: &str) -> RequestBuilder<'w> {
        let ask = who.ask(self.method.clone(), path);
        let Some(content) = self.described["requestBody"]["content"].as_object() else { return ask };
        let (media, content) = content.iter().next().expect("a media type");
        ask.body(media, least_body(media, &content["schema"]))
    }
}

/// The least body of a media type. A CSV file is the text itself, everything else is JSON.
fn least_body(media: &str, schema: &Value) -> String {
    match least(schema) {
        Value::String(text) if media == "text/csv" => text,
        json => json.to_string(),
    }
}

/// The least value that a schema takes: an object has the fields that are required.
fn least(schema: &Value) -> Value {
    if let Some(reference) = schema["$ref"].as_str() {
        // A client has each domain once, and each tag's name.
        if reference.ends_with("/WebDomain") {
            return json!(format!("{}.example.com", Uuid::new_v4()));
        }
        if reference.ends_with("/ContactTagFields") {
            return json!({ "name": Uuid::new_v4() });
        }
        if reference.ends_with("/TimeOffFields") {
            return json!({ "start": "2030-02-01T00:00:00Z", "end": "2030-02-02T00:00:00Z" });
        }
        // A contact that is not there yet has a name.
        if reference.ends_with("/ContactUpsert") {
            let email = format!("{}@example.com", Uuid::new_v4());
            return json!({ "email": email, "firstName": "Ada", "lastName": "Lovelace" });
        }
        return least(resolve(reference));
    }
    if let Some(properties) = schema["properties"].as_object() {
        let required = schema["required"].as_array().cloned().unwrap_or_default();
        let required = properties.iter().filter(|(name, _)| required.contains(&json!(name)));
        return required.map(|(name, schema)| (name.clone(), least(schema))).collect::<Map<_, _>>().into();
    }
    for example in [&schema["example"], &schema["examples"][0]] {
        if !example.is_null() {
            return example.clone();
        }
    }
    for part in [&schema["oneOf"][0], &schema["allOf"][0]] {
        if !part.is_null() {
            return least(part);
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

/// The part of the document that a `$ref` names.
pub fn resolve(reference: &str) -> &'static Value {
    let pointer = reference.strip_prefix('#').expect("a reference within the document");
    OPENAPI.pointer(pointer).unwrap_or_else(|| panic!("{reference} names nothing"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_csv_file_is_sent_as_its_example_has_it_and_the_rest_as_json() {
        let file = json!({ "type": "string", "example": "firstName,lastName\r\nAda,Lovelace\r\n" });
        assert_eq!(least_body("text/csv", &file), "firstName,lastName\r\nAda,Lovelace\r\n");
        let json = json!({ "type": "object", "required": ["name"], "properties": { "name": { "example": "Ada" } } });
        assert_eq!(least_body("application/json", &json), r#"{"name":"Ada"}"#);
        assert_eq!(least_body("application/json", &json!({ "type": "string" })), r#""Sample""#);
    }
}
