//! The OpenAPI document: what is true of every operation is said once, here.

use std::collections::BTreeMap;

use serde_json::json;
use utoipa::OpenApi as _;
use utoipa::openapi::path::{Operation, ParameterBuilder, ParameterIn, PathItem};
use utoipa::openapi::schema::Type;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    Components, ContentBuilder, HeaderBuilder, InfoBuilder, ObjectBuilder, OneOfBuilder, OpenApi, Ref, RefOr, Response,
    ResponseBuilder, Schema,
};

use super::problem::ProblemDetails;
use crate::value::FieldError;

#[derive(utoipa::OpenApi)]
#[openapi(components(schemas(ProblemDetails, FieldError)))]
struct Common;

/// One document of the modules' documents.
pub fn describe(modules: impl IntoIterator<Item = OpenApi>) -> OpenApi {
    let mut document = modules.into_iter().fold(Common::openapi(), OpenApi::merge_from);
    document.info =
        InfoBuilder::new().title("Upzento CRM").version("1").description(Some(include_str!("description.md"))).build();
    let components = document.components.get_or_insert_with(Components::default);
    components.add_security_scheme("bearer", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
    let calendar = ApiKeyValue::with_description("token", "The secret in the address of a staff member's calendar.");
    components.add_security_scheme("calendar", SecurityScheme::ApiKey(ApiKey::Query(calendar)));
    document.security = Some(vec![SecurityRequirement::new("bearer", Vec::<String>::new())]);
    document.paths.paths.values_mut().for_each(complete);
    let patches = document.paths.paths.values_mut().filter_map(|path| describe_patch(path, &components.schemas));
    let patches: Vec<_> = patches.collect();
    components.schemas.extend(patches);
    document
}

/// A merge patch has the fields of the entity, none of them required. Gives the schema under its name.
fn describe_patch(item: &mut PathItem, schemas: &BTreeMap<String, RefOr<Schema>>) -> Option<(String, RefOr<Schema>)> {
    let RefOr::T(body) = item.patch.as_mut()?.request_body.as_mut()? else { return None };
    let RefOr::T(content) = body.content.values_mut().next()? else { return None };
    let RefOr::Ref(Ref { ref_location, .. }) = content.schema.as_ref()? else { return None };
    let fields = ref_location.rsplit('/').next()?.to_owned();
    let RefOr::T(Schema::Object(mut patch)) = schemas.get(&fields)?.clone() else { return None };
    for (name, property) in &mut patch.properties {
        if !patch.required.contains(name) {
            allow_null(property);
        }
    }
    patch.required.clear();
    let name = format!("{}Patch", fields.trim_end_matches("Fields"));
    content.schema = Some(RefOr::Ref(Ref::from_schema_name(&name)));
    Some((name, RefOr::T(Schema::Object(patch))))
}

/// `null` clears a field that need not be there.
fn allow_null(property: &mut RefOr<Schema>) {
    let null: RefOr<Schema> = ObjectBuilder::new().schema_type(Type::Null).into();
    match property {
        RefOr::T(Schema::OneOf(one_of)) if one_of.items.contains(&null) => {}
        other => {
            let value = std::mem::replace(other, null.clone());
            *other = OneOfBuilder::new().item(value).item(null).into();
        }
    }
}

fn complete(path: &mut PathItem) {
    let PathItem { get, post, patch, put, delete, .. } = path;
    for operation in [&mut *get, &mut *post, &mut *patch, &mut *put, &mut *delete].into_iter().flatten() {
        operation.responses.responses.insert("default".to_owned(), RefOr::T(any_problem()));
    }
    if let Some(operation) = get {
        conditional(
            operation,
            "304",
            "The caller has this version.",
            "If-None-Match",
            "Answer only if the version is another.",
        );
    }
    for operation in [&mut *post, patch, put, delete].into_iter().flatten() {
        conditional(operation, "412", "The version is another.", "If-Match", "Change only this version: an ETag.");
    }
    if let Some(operation) = post {
        describe_creation(operation);
    }
}

/// What creates something, at once or, as `x-creates` says, in time, may be asked for again.
fn describe_creation(operation: &mut Operation) {
    let in_time = operation.extensions.as_mut().and_then(|extensions| extensions.remove("x-creates"));
    let at_once = operation.responses.responses.contains_key("201");
    if !at_once && in_time != Some(json!(true)) {
        return;
    }
    let about = "1 to 255 visible ASCII characters. Within 24 hours the same key and body give the same answer and no second effect.";
    header(operation, "Idempotency-Key", about);
    for status in ["200", "201", "202"] {
        answer_header(operation, status, "Location");
        answer_header(operation, status, "Idempotency-Replayed");
        if at_once {
            answer_header(operation, status, "ETag");
        }
    }
}

fn any_problem() -> Response {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    ResponseBuilder::new()
        .description("Why it could not be done.")
        .header("X-Request-Id", HeaderBuilder::new().build())
        .header("Retry-After", HeaderBuilder::new().build())
        .content("application/problem+json", content)
        .build()
}

/// Operations on one entity, which is what an `ETag` in the answer tells, take conditions.
fn conditional(operation: &mut Operation, status: &str, meaning: &str, name: &str, about: &str) {
    let versioned = operation.extensions.as_mut().and_then(|extensions| extensions.remove("x-versioned"));
    if versioned != Some(json!(true)) {
        return;
    }
    header(operation, name, about);
    answer_header(operation, "200", "ETag");
    let mut response = if status == "304" { Response::new(meaning) } else { any_problem() };
    meaning.clone_into(&mut response.description);
    operation.responses.responses.insert(status.to_owned(), RefOr::T(response));
}

fn header(operation: &mut Operation, name: &str, about: &str) {
    let text = ObjectBuilder::new().schema_type(Type::String);
    let parameter = ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Header)
        .description(Some(about))
        .schema(Some(text))
        .build();
    operation.parameters.get_or_insert_default().push(RefOr::T(parameter));
}

fn answer_header(operation: &mut Operation, status: &str, name: &str) {
    if let Some(RefOr::T(response)) = operation.responses.responses.get_mut(status) {
        response.headers.insert(name.to_owned(), RefOr::T(HeaderBuilder::new().build()));
    }
}
