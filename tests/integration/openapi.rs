//! The OpenAPI document: matches the template, is valid and is served.

use std::collections::BTreeSet;

use harness::contract::ROUND_TRIPS;
use harness::operation::{all_operations, operations, resolve};
use harness::world::{OPENAPI, TEMPLATE, WIDGETS_OPENAPI, World};
use infra::aws::template::Route;
use serde_json::Value;

/// The path of the document itself, and the default route.
const UNDESCRIBED: [&str; 2] = ["/widgets/openapi.json", "$default"];

/// The paths that the template routes to the documented modules.
fn routed() -> BTreeSet<String> {
    let functions = TEMPLATE.functions.values().filter(|function| function.name != "docs");
    let paths = functions.flat_map(|function| &function.routes).map(|route: &Route| route.path.clone());
    paths.filter(|path| !UNDESCRIBED.contains(&path.as_str())).collect()
}

#[test]
fn document_is_openapi_3_1() {
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
fn document_describes_exactly_the_routes_of_the_template() {
    let described: BTreeSet<_> = all_operations().into_iter().map(|operation| operation.path).collect();
    assert_eq!(described, routed());
}

#[test]
fn every_route_accepts_every_method() {
    for route in TEMPLATE.functions.values().flat_map(|function| &function.routes) {
        assert!(route.is_default() || route.method == "ANY", "{route:?} answers a wrong method with a 404");
    }
}

#[test]
fn throttled_routes_exist_and_include_those_that_hash_passwords_send_mail_or_take_files() {
    let throttled = &TEMPLATE.apis["Api"].throttled_routes;
    let routes = TEMPLATE.functions.values().flat_map(|function| &function.routes);
    let routes: BTreeSet<_> = routes.map(|route| format!("{} {}", route.method, route.path)).collect();
    assert_eq!(throttled.difference(&routes).collect::<Vec<_>>(), Vec::<&String>::new());
    let path = |id: &str| operations().into_iter().find(|operation| operation.id == id).expect("an operation").path;
    for id in [
        "login",
        "refresh",
        "changePassword",
        "forgotPassword",
        "resetPassword",
        "acceptInvitation",
        "createAgencyUser",
        "createClientUser",
        "inviteAgencyUser",
        "inviteClientUser",
        "importContacts",
    ] {
        assert!(throttled.contains(&format!("ANY {}", path(id))), "{id}");
    }
}

#[test]
fn recorded_responses_are_accessible_to_their_module_only() {
    let mut modules = 0;
    for function in TEMPLATE.functions.values() {
        let policies = serde_json::to_string(&function.policies).unwrap();
        let patterns = policies.split('"').filter(|pattern| pattern.contains("#IDEM"));
        let records: BTreeSet<_> = patterns.filter_map(|pattern| Some(pattern.rsplit_once('#')?.1)).collect();
        if !records.is_empty() {
            modules += 1;
            assert_eq!(records, BTreeSet::from([function.name.to_uppercase().as_str()]), "{}", function.name);
        }
    }
    assert!(modules >= 5, "{modules} modules record responses");
}

#[test]
fn operation_ids_are_unique() {
    let ids: Vec<_> = all_operations().into_iter().map(|operation| operation.id).collect();
    assert!(ids.iter().all(|id| !id.is_empty() && id.chars().all(|c| c.is_ascii_alphanumeric())), "{ids:?}");
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "{ids:?}");
}

#[test]
fn every_operation_has_a_known_tag_a_short_summary_and_a_description() {
    let tags = [&*OPENAPI, &*WIDGETS_OPENAPI].into_iter().flat_map(|document| document["tags"].as_array().unwrap());
    let tags: BTreeSet<_> = tags.map(|tag| &tag["name"]).map(text).collect();
    for operation in all_operations() {
        let described = operation.described;
        let own: Vec<_> = described["tags"].as_array().unwrap().iter().map(text).collect();
        assert!(own.len() == 1 && tags.contains(own[0]), "{}: {own:?}", operation.id);
        let summary = described["summary"].as_str().unwrap_or_default();
        assert!((1..=80).contains(&summary.chars().count()), "{}: {summary:?}", operation.id);
        assert!(described["description"].as_str().is_some_and(|text| !text.is_empty()), "{}", operation.id);
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

#[test]
fn every_operation_has_a_round_trip_budget() {
    let described: BTreeSet<_> = all_operations().into_iter().map(|operation| operation.id).collect();
    let budgets: BTreeSet<_> = ROUND_TRIPS.keys().map(|&id| id.to_owned()).collect();
    assert_eq!(described, budgets);
}

#[test]
fn document_has_no_extensions() {
    let mut names = BTreeSet::new();
    member_names(&OPENAPI, &mut names);
    let extensions: Vec<_> = names.iter().filter(|name| name.starts_with("x-")).collect();
    assert!(extensions.is_empty(), "{extensions:?}");
}

fn member_names(part: &Value, names: &mut BTreeSet<String>) {
    match part {
        Value::Object(members) => {
            names.extend(members.keys().cloned());
            members.values().for_each(|member| member_names(member, names));
        }
        Value::Array(items) => items.iter().for_each(|item| member_names(item, names)),
        _ => {}
    }
}

#[test]
fn every_parameter_is_described() {
    for operation in operations() {
        let described = operation.described["parameters"].as_array().cloned().unwrap_or_default();
        let in_path = described.iter().filter(|parameter| parameter["in"] == "path");
        let in_path: Vec<_> = in_path.map(|parameter| parameter["name"].as_str().unwrap()).collect();
        assert_eq!(in_path, operation.parameters(), "{}", operation.id);
        for parameter in described {
            let text = parameter["description"].as_str().unwrap_or_default();
            assert!(parameter["schema"].is_object() && !text.is_empty(), "{}: {}", operation.id, parameter["name"]);
        }
    }
}

#[test]
fn every_problem_response_names_its_codes_and_has_an_example() {
    for operation in operations() {
        let responses = operation.described["responses"].as_object().unwrap();
        for (status, response) in responses.iter().filter(|(status, _)| *status >= &"400".to_owned()) {
            let response = response["$ref"].as_str().map_or(response, resolve);
            if status == "default" {
                let schema = &response["content"]["application/json"]["schema"]["$ref"];
                assert_eq!(schema, "#/components/schemas/GatewayError", "{}", operation.id);
                continue;
            }
            let content = &response["content"]["application/problem+json"];
            assert_eq!(content["schema"]["allOf"][0]["$ref"], "#/components/schemas/Problem", "{}", operation.id);
            let codes = content["schema"]["allOf"][1]["properties"]["code"]["enum"].as_array().unwrap();
            assert!(codes.contains(&content["example"]["code"]), "{} {status}", operation.id);
        }
    }
}

#[test]
fn request_schemas_refuse_unknown_members() {
    for operation in operations() {
        for (media, content) in operation.described["requestBody"]["content"].as_object().into_iter().flatten() {
            let Some(reference) = content["schema"]["$ref"].as_str() else { continue };
            let schema = resolve(reference);
            assert_eq!(schema["additionalProperties"], false, "{} {media}: {reference}", operation.id);
        }
    }
}

#[test]
fn every_list_has_limit_and_cursor() {
    for operation in operations().into_iter().filter(|operation| operation.id.starts_with("list")) {
        let parameters = operation.described["parameters"].as_array().unwrap();
        let in_query = parameters.iter().filter(|parameter| parameter["in"] == "query");
        let in_query: BTreeSet<_> = in_query.map(|parameter| parameter["name"].as_str().unwrap()).collect();
        assert!(in_query.is_superset(&["cursor", "limit"].into()), "{}", operation.id);
    }
}

#[test]
fn contact_filters_document_that_pages_may_be_short() {
    let list = operations().into_iter().find(|operation| operation.id == "listContacts").unwrap();
    let parameters = list.described["parameters"].as_array().unwrap();
    let description = |name: &str| {
        let parameter = parameters.iter().find(|parameter| parameter["name"] == name).unwrap();
        parameter["description"].as_str().unwrap().to_lowercase()
    };
    for name in ["q", "tagId", "updatedSince"] {
        assert!(description(name).contains("filters"), "{name}: {}", description(name));
    }
    assert!(list.described["description"].as_str().unwrap().contains("nextCursor"));
}

#[test]
fn boolean_query_parameters_are_booleans_that_default_to_false() {
    let operations = operations();
    let parameters = operations.iter().filter_map(|operation| operation.described["parameters"].as_array()).flatten();
    for name in ["dryRun", "keepBookings", "explain"] {
        let parameter = parameters.clone().find(|parameter| parameter["name"] == name).unwrap();
        assert_eq!(parameter["schema"], serde_json::json!({ "type": "boolean", "default": false }), "{name}");
        assert_eq!(parameter["required"], false, "{name}");
    }
}

#[test]
fn every_create_has_idempotency_key_and_response_headers() {
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
fn every_reference_resolves() {
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
fn schema_names_are_alphanumeric() {
    for name in OPENAPI["components"]["schemas"].as_object().unwrap().keys() {
        assert!(name.chars().all(|c| c.is_ascii_alphanumeric()), "{name}");
    }
}

#[test]
fn schemas_have_no_stored_attributes() {
    let schemas = OPENAPI["components"]["schemas"].to_string();
    for attribute in ["passwordHash", "\"pk\"", "\"sk\"", "\"ttl\""] {
        assert!(!schemas.contains(attribute), "{attribute}");
    }
}

#[tokio::test]
async fn answer_has_exactly_the_required_members_of_its_schema() {
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
async fn document_is_served() {
    let world = World::new().await;
    let answer = world.anonymous().get("/openapi.json").is(200).await;
    assert_eq!(answer.body, *OPENAPI);
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("cache-control"), "public, max-age=300");
}

#[tokio::test]
async fn api_reference_is_served_with_its_scripts() {
    let world = World::new().await;
    let redirect = world.anonymous().get("/docs").send().await;
    assert!(redirect.status.is_redirection(), "{redirect}");
    assert_eq!(redirect.location(), "/docs/index.html");
    let page = world.anonymous().get(redirect.location()).is(200).await;
    assert!(page.header("content-type").starts_with("text/html"), "{page}");
    assert!(!page.text.contains("https://"), "the page loads nothing from other hosts");
    let scripts: Vec<_> = page.text.split("src=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    assert!(!scripts.is_empty(), "{page}");
    for script in scripts {
        let answer = world.anonymous().get(&format!("/docs/{}", script.trim_start_matches("./"))).is(200).await;
        assert!(answer.header("content-type").contains("javascript"), "{script}");
        assert!(!answer.text.is_empty(), "{script}");
    }
}

#[tokio::test]
async fn api_reference_loads_the_document() {
    let world = World::new().await;
    let script = world.anonymous().get("/docs/swagger-initializer.js").is(200).await;
    assert!(script.text.contains("/openapi.json"), "{script}");
}
