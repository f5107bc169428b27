//! The OpenAPI document: true to the template and to itself, and there to be read.

use std::collections::BTreeSet;

use harness::operation::{operations, resolve};
use harness::world::{OPENAPI, TEMPLATE, World};
use infra::template::Route;
use serde_json::Value;

/// The paths that the template routes to the modules that the document describes.
fn routed() -> BTreeSet<String> {
    let functions = TEMPLATE.functions.values().filter(|function| function.name != "docs");
    functions.flat_map(|function| &function.routes).map(|route: &Route| route.path.clone()).collect()
}

#[test]
fn it_is_an_openapi_3_1_document() {
    assert!(OPENAPI["openapi"].as_str().unwrap().starts_with("3.1."));
    assert!(OPENAPI["info"]["title"].is_string() && OPENAPI["info"]["version"].is_string());
    for (path, item) in OPENAPI["paths"].as_object().unwrap() {
        assert!(path.starts_with('/'), "{path}");
        for (method, operation) in item.as_object().unwrap() {
            assert!(["get", "post", "put", "patch", "delete"].contains(&method.as_str()), "{method} {path}");
            assert!(!operation["responses"].as_object().unwrap().is_empty(), "{method} {path}");
        }
    }
}

#[test]
fn it_describes_every_route_of_the_template_and_no_other() {
    let described: BTreeSet<_> = operations().into_iter().map(|operation| operation.path).collect();
    assert_eq!(described, routed());
}

#[test]
fn every_route_of_the_template_takes_every_method() {
    for route in TEMPLATE.functions.values().flat_map(|function| &function.routes) {
        assert!(route.is_default() || route.method == "ANY", "{route:?} turns a wrong method into a 404");
    }
}

#[test]
fn every_operation_has_an_id_of_its_own() {
    let ids: Vec<_> = operations().into_iter().map(|operation| operation.id).collect();
    assert!(ids.iter().all(|id| !id.is_empty() && id.chars().all(|c| c.is_ascii_alphanumeric())), "{ids:?}");
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "{ids:?}");
}

#[test]
fn every_operation_has_a_tag_a_summary_and_a_budget() {
    for operation in operations() {
        let described = &operation.described;
        assert_eq!(described["tags"].as_array().map(Vec::len), Some(1), "{}", operation.id);
        assert!(described["summary"].is_string(), "{}", operation.id);
        assert!(described["x-round-trips"].is_u64(), "{}", operation.id);
    }
}

#[test]
fn every_parameter_of_a_path_is_described() {
    for operation in operations() {
        let described = operation.described["parameters"].as_array().cloned().unwrap_or_default();
        let in_path = described.iter().filter(|parameter| parameter["in"] == "path");
        let in_path: Vec<_> = in_path.map(|parameter| parameter["name"].as_str().unwrap()).collect();
        assert_eq!(in_path, operation.parameters(), "{}", operation.id);
        assert!(described.iter().all(|parameter| parameter["schema"].is_object()), "{}", operation.id);
    }
}

#[test]
fn every_operation_may_answer_a_problem() {
    for operation in operations() {
        let problem = &operation.described["responses"]["default"]["content"]["application/problem+json"]["schema"];
        assert_eq!(problem["$ref"], "#/components/schemas/Problem", "{}", operation.id);
    }
}

#[test]
fn every_list_takes_limit_and_cursor() {
    for operation in operations().into_iter().filter(|operation| operation.id.starts_with("list")) {
        let parameters = operation.described["parameters"].as_array().unwrap();
        let in_query = parameters.iter().filter(|parameter| parameter["in"] == "query");
        let in_query: BTreeSet<_> = in_query.map(|parameter| parameter["name"].as_str().unwrap()).collect();
        assert!(in_query.is_superset(&["cursor", "limit"].into()), "{}", operation.id);
    }
}

#[test]
fn every_filter_of_contacts_says_whether_an_index_serves_it_and_when_it_filters_pages() {
    let list = operations().into_iter().find(|operation| operation.id == "listContacts").unwrap();
    let parameters = list.described["parameters"].as_array().unwrap();
    let about = |name: &str| {
        let parameter = parameters.iter().find(|parameter| parameter["name"] == name).unwrap();
        parameter["description"].as_str().unwrap().to_lowercase()
    };
    for name in ["q", "email", "tagId", "updatedSince", "sort"] {
        assert!(about(name).contains("served by an index"), "{name}: {}", about(name));
    }
    for name in ["q", "tagId", "updatedSince"] {
        assert!(about(name).contains("filters"), "{name}: {}", about(name));
    }
    assert!(list.described["description"].as_str().unwrap().contains("nextCursor"));
}

#[test]
fn every_create_takes_an_idempotency_key() {
    let creates = operations().into_iter().filter(|operation| operation.described["responses"].get("201").is_some());
    for operation in creates {
        let parameters = operation.described["parameters"].as_array().unwrap();
        let named = parameters.iter().any(|parameter| parameter["name"] == "Idempotency-Key");
        assert!(named, "{}", operation.id);
        let headers = operation.described["responses"]["201"]["headers"].as_object().unwrap();
        assert!(headers.contains_key("Location") && headers.contains_key("ETag"), "{}", operation.id);
    }
}

#[test]
fn every_reference_names_something() {
    let mut references = BTreeSet::new();
    collect(&OPENAPI, &mut references);
    assert!(!references.is_empty());
    for reference in references {
        resolve(&reference);
    }
}

fn collect(part: &Value, references: &mut BTreeSet<String>) {
    match part {
        Value::Object(members) => {
            references.extend(members.get("$ref").and_then(Value::as_str).map(str::to_owned));
            members.values().for_each(|member| collect(member, references));
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, references)),
        _ => {}
    }
}

#[test]
fn every_component_has_a_plain_name() {
    for name in OPENAPI["components"]["schemas"].as_object().unwrap().keys() {
        assert!(name.chars().all(|c| c.is_ascii_alphanumeric()), "{name}");
    }
}

#[test]
fn no_schema_shows_what_is_stored_only() {
    let schemas = OPENAPI["components"]["schemas"].to_string();
    for inner in ["passwordHash", "\"pk\"", "\"sk\"", "\"ttl\""] {
        assert!(!schemas.contains(inner), "{inner}");
    }
}

#[tokio::test]
async fn an_answer_has_exactly_the_members_that_its_schema_requires() {
    let world = World::new().await;
    let tree = world.tree().await;
    let own = tree.own();
    for (path, schema) in
        [(&own.tenant, "Tenant"), (&own.agency, "Agency"), (&own.client, "Client"), (&own.contact, "Contact")]
    {
        let schema = resolve(&format!("#/components/schemas/{schema}"));
        let required: BTreeSet<_> =
            schema["required"].as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect();
        let answer = tree.admin().get(path).is(200).await;
        let members: BTreeSet<_> = answer.body.as_object().unwrap().keys().cloned().collect();
        assert_eq!(members, required, "{answer}");
    }
}

#[tokio::test]
async fn the_document_can_be_fetched() {
    let world = World::new().await;
    let answer = world.anyone().get("/openapi.json").is(200).await;
    assert_eq!(answer.body, *OPENAPI);
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("cache-control"), "public, max-age=300");
}

#[tokio::test]
async fn the_reference_can_be_read_in_a_browser() {
    let world = World::new().await;
    let redirect = world.anyone().get("/docs").send().await;
    assert!(redirect.status.is_redirection(), "{redirect}");
    assert_eq!(redirect.location(), "/docs/");
    let page = world.anyone().get("/docs/").is(200).await;
    assert!(page.header("content-type").starts_with("text/html"), "{page}");
    assert!(!page.text.contains("https://"), "it loads nothing from elsewhere");
    let scripts: Vec<_> = page.text.split("src=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    assert!(!scripts.is_empty(), "{page}");
    for script in scripts {
        let answer = world.anyone().get(&format!("/docs/{}", script.trim_start_matches("./"))).is(200).await;
        assert!(answer.header("content-type").contains("javascript"), "{script}");
        assert!(!answer.text.is_empty(), "{script}");
    }
}

#[tokio::test]
async fn the_reference_shows_the_document() {
    let world = World::new().await;
    let script = world.anyone().get("/docs/swagger-initializer.js").is(200).await;
    assert!(script.text.contains("/openapi.json"), "{script}");
}
