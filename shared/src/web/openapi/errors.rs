//! Errors in the OpenAPI document: the statuses and codes of each operation.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use serde_json::{Value, json};
use utoipa::openapi::path::{Operation, ParameterIn};
use utoipa::openapi::schema::Type;
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{
    AllOfBuilder, ArrayBuilder, Components, Content, ContentBuilder, ObjectBuilder, Ref, RefOr, Response,
    ResponseBuilder, Schema,
};

use super::{Described, header};
use crate::web::ErrorCode;

const MEDIA_TYPE: &str = "application/problem+json";

/// Completes the schema of a problem, and adds the schema of gateway errors.
///
/// The members of single codes are not in the type.
pub(super) fn describe_problem(components: &mut Components) {
    if let Some(RefOr::T(Schema::Object(problem))) = components.schemas.get_mut("Problem") {
        let uuid = || ObjectBuilder::new().schema_type(Type::String).format(Some(super::requests::uuid_format()));
        let existing = uuid().description(Some("With `email_taken`: the contact that has the email."));
        let instant = || ObjectBuilder::new().schema_type(Type::String).format(Some(super::requests::instant_format()));
        let appointment = ObjectBuilder::new()
            .property("id", uuid())
            .property("startTime", instant())
            .property("endTime", instant())
            .required("id")
            .required("startTime")
            .required("endTime");
        let appointments = ArrayBuilder::new().items(appointment.build());
        let appointments = appointments.description(Some("With `time_booked`: the appointments, up to a hundred."));
        let total = ObjectBuilder::new().schema_type(Type::Integer);
        let total = total.description(Some("With `time_booked`: the number of appointments."));
        problem.properties.insert("existingId".to_owned(), existing.build().into());
        problem.properties.insert("appointments".to_owned(), appointments.build().into());
        problem.properties.insert("total".to_owned(), total.build().into());
    }
    let message = ObjectBuilder::new().schema_type(Type::String).description(Some("A short description of the error."));
    let gateway = ObjectBuilder::new()
        .description(Some("An error of API Gateway: the request did not reach a function."))
        .property("message", message)
        .required("message");
    components.schemas.insert("GatewayError".to_owned(), gateway.build().into());
}

/// Adds a response for each error status of an operation.
pub(super) fn describe_errors(described: &mut Described<'_>, components: &mut Components) {
    let mut by_status: BTreeMap<u16, BTreeSet<ErrorCode>> = BTreeMap::new();
    for code in common_codes(described).into_iter().chain(own_codes(described)) {
        by_status.entry(code.status().as_u16()).or_default().insert(code);
    }
    let responses = &mut described.operation.responses.responses;
    for (status, codes) in by_status {
        // Operations with the same set of codes refer to one component.
        let name: Vec<_> = codes.iter().map(|code| format!("{code:?}")).collect();
        let name = name.join("Or");
        components.responses.entry(name.clone()).or_insert_with(|| RefOr::T(problem(status, &codes)));
        responses.insert(status.to_string(), RefOr::Ref(Ref::new(format!("#/components/responses/{name}"))));
    }
    components.responses.entry("Gateway".to_owned()).or_insert_with(|| RefOr::T(gateway_error()));
    responses.insert("default".to_owned(), RefOr::Ref(Ref::new("#/components/responses/Gateway")));
}

/// The codes that an operation names in `x-errors`.
///
/// Unknown names stay in the document, where a test finds them.
fn own_codes(described: &mut Described<'_>) -> Vec<ErrorCode> {
    let Some(extensions) = described.operation.extensions.as_mut() else { return Vec::new() };
    let names = extensions.remove("x-errors").unwrap_or_default();
    let parsed = names.as_array().into_iter().flatten().filter_map(Value::as_str).map(ErrorCode::from_str);
    parsed.collect::<Result<_, _>>().unwrap_or_else(|_| {
        extensions.insert("x-errors".to_owned(), names);
        Vec::new()
    })
}

/// The codes that follow from the form of an operation.
fn common_codes(described: &Described<'_>) -> BTreeSet<ErrorCode> {
    let Described { path, method, operation, is_versioned, creates } = described;
    let mut codes = BTreeSet::new();
    if !path.starts_with("/.well-known") {
        codes.extend([ErrorCode::Internal, ErrorCode::Unavailable]);
    }
    if operation.security.as_ref().is_none_or(|security| security != &[SecurityRequirement::default()]) {
        codes.insert(ErrorCode::Unauthenticated);
    }
    if path.contains('{') {
        codes.insert(ErrorCode::NotFound);
    }
    if path.contains("{widgetKey}") {
        codes.insert(ErrorCode::DomainNotAuthorized);
    }
    if operation.request_body.is_some() {
        codes.extend([
            ErrorCode::InvalidJson,
            ErrorCode::UnreadableBody,
            ErrorCode::UnsupportedMediaType,
            ErrorCode::BodyTooLarge,
            ErrorCode::Invalid,
        ]);
    }
    // Unknown query parameters are rejected.
    codes.extend([ErrorCode::InvalidQuery, ErrorCode::Invalid]);
    let query: Vec<_> = query_parameters(operation).collect();
    if query.contains(&"cursor") {
        codes.insert(ErrorCode::InvalidCursor);
    }
    if *creates {
        codes.extend([ErrorCode::InvalidIdempotencyKey, ErrorCode::IdempotencyKeyReused]);
    }
    if *is_versioned && *method != "get" {
        codes.extend([ErrorCode::InvalidIfMatch, ErrorCode::PreconditionFailed]);
    }
    if *method != "get" {
        codes.insert(ErrorCode::ConcurrentChange);
    }
    codes
}

/// The names of the query parameters of an operation.
pub(in crate::web) fn query_parameters(operation: &Operation) -> impl Iterator<Item = &str> {
    operation.parameters.iter().flatten().filter_map(|parameter| match parameter {
        RefOr::T(parameter) if parameter.parameter_in == ParameterIn::Query => Some(parameter.name.as_str()),
        _ => None,
    })
}

/// The response with a status, for a set of codes.
fn problem(status: u16, codes: &BTreeSet<ErrorCode>) -> Response {
    let lines: Vec<_> = codes.iter().map(|code| format!("`{}`: {}", code.as_str(), code.sentence())).collect();
    let mut response = ResponseBuilder::new()
        .description(lines.join("\n\n"))
        .header("X-Request-Id", header("The id of the request, also in the log."))
        .content(MEDIA_TYPE, content(status, codes));
    if status == 401 {
        response = response.header("WWW-Authenticate", header("`Bearer` (RFC 6750)."));
    }
    if status == 429 || status == 503 {
        response = response.header("Retry-After", header("The number of seconds to wait before a retry."));
    }
    response.build()
}

fn content(status: u16, codes: &BTreeSet<ErrorCode>) -> Content {
    let names: Vec<_> = codes.iter().map(|code| code.as_str()).collect();
    let code = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(names));
    let with_code = ObjectBuilder::new().schema_type(Type::Object).property("code", code);
    let schema = AllOfBuilder::new().item(Ref::from_schema_name("Problem")).item(with_code.build());
    let example = codes.first().map(|code| {
        json!({
            "type": format!("urn:upzento:problem:{}", code.as_str()),
            "title": code.status().canonical_reason(),
            "status": status,
            "detail": code.sentence(),
            "code": code.as_str(),
            "requestId": "JKJaXmPLvHcESHA=",
        })
    });
    ContentBuilder::new().schema(Some(Schema::AllOf(schema.build()))).example(example).build()
}

fn gateway_error() -> Response {
    let content = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name("GatewayError")))
        .example(Some(json!({ "message": "Too Many Requests" })));
    ResponseBuilder::new()
        .description("An error of API Gateway, such as too many requests for the whole API.")
        .content("application/json", content.build())
        .build()
}
