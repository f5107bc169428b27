//! The OpenAPI document: merges the modules and adds the common parts.

pub(super) mod errors;
mod requests;

use serde_json::json;
use utoipa::OpenApi as _;
use utoipa::openapi::path::{Operation, PathItem, Paths};
use utoipa::openapi::schema::{SchemaType, Type};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::server::Server;
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{Components, Header, HeaderBuilder, InfoBuilder, ObjectBuilder, OpenApi, RefOr, Response};

use super::problem::ProblemDetails;
use crate::value::FieldError;

#[derive(utoipa::OpenApi)]
#[openapi(components(schemas(ProblemDetails, FieldError)))]
struct Common;

/// An operation of the document, with its path and its method.
struct Described<'a> {
    path: &'a str,
    method: &'static str,
    operation: &'a mut Operation,
    /// Whether the operation acts on one entity with an `ETag`.
    is_versioned: bool,
    /// Whether the operation creates an entity or a job.
    ///
    /// Such an operation accepts an `Idempotency-Key`.
    creates: bool,
}

/// Merges the documents of the modules into one.
///
/// `tags` are the modules' tags with their descriptions.
pub fn describe(modules: impl IntoIterator<Item = OpenApi>, tags: &[(&str, &str)]) -> OpenApi {
    let mut document = modules.into_iter().fold(Common::openapi(), OpenApi::merge_from);
    document.info =
        InfoBuilder::new().title("Upzento CRM").version("1").description(Some(include_str!("description.md"))).build();
    document.servers = Some(vec![Server::new("/")]);
    let tag =
        |(name, description): &(&str, &str)| TagBuilder::new().name(*name).description(Some(*description)).build();
    document.tags = Some(tags.iter().map(tag).collect());
    document.security = Some(vec![SecurityRequirement::new("bearer", Vec::<String>::new())]);
    let components = document.components.get_or_insert_with(Components::default);
    add_security_schemes(components);
    errors::describe_problem(components);
    for (path, item) in &mut document.paths.paths {
        for mut described in operations(path, item) {
            describe_use(&mut described);
            describe_success(&mut described);
            requests::describe_parameters(&mut described);
            requests::describe_optional_body(&mut described);
            errors::describe_errors(&mut described, components);
        }
    }
    remove_unused_security_schemes(&document.paths, components);
    requests::describe_patches(&mut document.paths, components);
    requests::forbid_unknown_fields(&document.paths, components);
    document
}

fn add_security_schemes(components: &mut Components) {
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .description(Some("The access token of `POST /v1/auth/login`, valid for 15 minutes."));
    components.add_security_scheme("bearer", SecurityScheme::Http(bearer.build()));
    let calendar = ApiKeyValue::with_description("token", "The secret in the URL of a calendar feed.");
    components.add_security_scheme("calendar", SecurityScheme::ApiKey(ApiKey::Query(calendar)));
    let session = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("The session token of `GET /widgets/{widgetKey}/config`, valid for two hours."));
    components.add_security_scheme("session", SecurityScheme::Http(session.build()));
    let manage = ApiKeyValue::with_description("token", "The manage token of the appointment.");
    components.add_security_scheme("manage", SecurityScheme::ApiKey(ApiKey::Query(manage)));
    let opt_out = ApiKeyValue::with_description("token", "The token of the link in a reminder that stops reminders.");
    components.add_security_scheme("optOut", SecurityScheme::ApiKey(ApiKey::Query(opt_out)));
}

/// Removes the schemes that no operation names; `bearer` is the default of all operations.
fn remove_unused_security_schemes(paths: &Paths, components: &mut Components) {
    let described = serde_json::to_string(paths).unwrap_or_default();
    let is_used = |name: &str| name == "bearer" || described.contains(&format!("{{\"{name}\":[]}}"));
    components.security_schemes.retain(|name, _| is_used(name));
}

/// The operations of a path.
///
/// Removes the markers `x-versioned` and `x-creates`, which only this module uses.
fn operations<'a>(path: &'a str, item: &'a mut PathItem) -> impl Iterator<Item = Described<'a>> {
    let PathItem { get, post, put, patch, delete, .. } = item;
    let methods = [("get", get), ("post", post), ("put", put), ("patch", patch), ("delete", delete)];
    methods.into_iter().filter_map(move |(method, operation)| {
        let operation = operation.as_mut()?;
        let mut marker = |name: &str| {
            let marker = operation.extensions.as_mut().and_then(|extensions| extensions.remove(name));
            marker == Some(json!(true))
        };
        let (is_versioned, begins) = (marker("x-versioned"), marker("x-creates"));
        let creates = begins || (method == "post" && operation.responses.responses.contains_key("201"));
        Some(Described { path, method, operation, is_versioned, creates })
    })
}

/// Adds a standard description to an operation that has only a summary.
fn describe_use(described: &mut Described<'_>) {
    let Described { method, operation, is_versioned, .. } = described;
    let is_list = errors::query_parameters(operation).any(|name| name == "cursor");
    let description = match *method {
        "get" if is_list => "Returns one page. Send `nextCursor` as `cursor` to get the next page.",
        "get" if *is_versioned => "Returns `304` without a body if `If-None-Match` names the current version.",
        "patch" => "A JSON Merge Patch: `null` clears a field, an absent field keeps its value.",
        "delete" if *is_versioned => "With `If-Match`, the entity is deleted only if it has that version.",
        _ => return,
    };
    operation.description.get_or_insert_with(|| description.to_owned());
}

/// Adds the headers of successful responses.
fn describe_success(described: &mut Described<'_>) {
    let responses = &mut described.operation.responses.responses;
    let is_created = responses.contains_key("201");
    for (status, response) in responses.iter_mut().filter(|(status, _)| status.starts_with('2')) {
        let RefOr::T(response) = response else { continue };
        add_header(response, "X-Request-Id", "The id of the request, also in the log.");
        if described.creates {
            add_header(response, "Location", "The path of what was created; absent if nothing was.");
            let replayed = "`true` if this is the recorded response to an earlier request with the same key.";
            add_header(response, "Idempotency-Replayed", replayed);
        }
        if (described.creates && is_created) || (described.is_versioned && status == "200") {
            add_header(response, "ETag", "The version of the entity, in quotes.");
        }
    }
    if described.is_versioned && described.method == "get" {
        let mut response = Response::new("Not modified.");
        add_header(&mut response, "ETag", "The version of the entity, in quotes.");
        responses.insert("304".to_owned(), RefOr::T(response));
    }
}

fn add_header(response: &mut Response, name: &str, description: &str) {
    response.headers.entry(name.to_owned()).or_insert_with(|| RefOr::T(header(description)));
}

fn header(description: &str) -> Header {
    let text = ObjectBuilder::new().schema_type(SchemaType::Type(Type::String));
    HeaderBuilder::new().description(Some(description)).schema(Some(text)).build()
}
