//! Requests in the OpenAPI document: headers, merge patches and bodies.

use std::collections::BTreeSet;

use serde_json::Value;
use utoipa::openapi::path::{Operation, ParameterBuilder, ParameterIn, Paths};
use utoipa::openapi::schema::{AdditionalProperties, SchemaType, Type};
use utoipa::openapi::{
    Components, Content, KnownFormat, Object, ObjectBuilder, OneOfBuilder, Ref, RefOr, Required, Schema, SchemaFormat,
};

use super::Described;

pub(super) const fn uuid_format() -> SchemaFormat {
    SchemaFormat::KnownFormat(KnownFormat::Uuid)
}

pub(super) const fn instant_format() -> SchemaFormat {
    SchemaFormat::KnownFormat(KnownFormat::DateTime)
}

/// Adds the headers that an operation takes.
pub(super) fn describe_parameters(described: &mut Described<'_>) {
    let text = || ObjectBuilder::new().schema_type(Type::String);
    let tags = || text().pattern(Some(r#"^\*$|^(W/)?"[^"]*"(\s*,\s*(W/)?"[^"]*")*$"#));
    if described.is_versioned && described.method == "get" {
        let about = "Returns `304` if the entity has one of these versions: entity tags, or `*`.";
        add_header(described.operation, "If-None-Match", about, tags().build());
    }
    if described.is_versioned && described.method != "get" {
        let about = "Changes the entity only if it has one of these versions: entity tags, or `*`.";
        add_header(described.operation, "If-Match", about, tags().build());
    }
    if described.creates {
        let about = "1 to 255 visible ASCII characters. A repeated request with the same key and body within 24 hours gets the \
                     recorded response and has no second effect.";
        let key = text().min_length(Some(1)).max_length(Some(255)).pattern(Some("^[!-~]+$"));
        add_header(described.operation, "Idempotency-Key", about, key.build());
    }
}

fn add_header(operation: &mut Operation, name: &str, about: &str, schema: Object) {
    let parameter = ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Header)
        .description(Some(about))
        .schema(Some(schema))
        .build();
    operation.parameters.get_or_insert_default().push(RefOr::T(parameter));
}

/// Describes an optional body: it may be absent, but not `null`.
pub(super) fn describe_optional_body(described: &mut Described<'_>) {
    let Some(RefOr::T(body)) = &mut described.operation.request_body else { return };
    for content in body.content.values_mut() {
        let RefOr::T(content) = content else { continue };
        let Some(RefOr::T(Schema::OneOf(one_of))) = &content.schema else { continue };
        let reference = one_of.items.iter().find(|item| matches!(item, RefOr::Ref(_))).cloned();
        if let Some(reference) = reference {
            content.schema = Some(reference);
            body.required = Some(Required::False);
        }
    }
}

/// Gives each merge patch its own schema.
///
/// No field is required, and optional fields accept `null`.
pub(super) fn describe_patches(paths: &mut Paths, components: &mut Components) {
    for operation in paths.paths.values_mut().filter_map(|item| item.patch.as_mut()) {
        let Some(RefOr::T(body)) = &mut operation.request_body else { continue };
        let Some(RefOr::T(content)) = body.content.get_mut("application/merge-patch+json") else { continue };
        if let Some((name, schema)) = patch(content, components) {
            content.schema = Some(RefOr::Ref(Ref::from_schema_name(&name)));
            components.schemas.insert(name, schema);
        }
        // `application/json` is accepted, too.
        let plain = content.clone();
        body.content.insert("application/json".to_owned(), RefOr::T(plain));
    }
}

fn patch(content: &Content, components: &Components) -> Option<(String, RefOr<Schema>)> {
    let fields = referred(content.schema.as_ref()?)?;
    let RefOr::T(Schema::Object(mut patch)) = components.schemas.get(fields)?.clone() else { return None };
    for (name, property) in &mut patch.properties {
        if !patch.required.contains(name) {
            allow_null(property);
        }
        remove_default(property);
    }
    patch.required.clear();
    Some((format!("{}Patch", fields.trim_end_matches("Fields")), RefOr::T(Schema::Object(patch))))
}

/// The schema name in a reference.
fn referred(schema: &RefOr<Schema>) -> Option<&str> {
    match schema {
        RefOr::Ref(Ref { ref_location, .. }) => ref_location.rsplit('/').next(),
        RefOr::T(_) => None,
    }
}

/// Removes the default: an absent member of a patch leaves the field unchanged.
fn remove_default(property: &mut RefOr<Schema>) {
    if let RefOr::T(Schema::Object(property)) = property {
        property.default = None;
    }
}

/// Allows `null`, which clears an optional field.
fn allow_null(property: &mut RefOr<Schema>) {
    let null: RefOr<Schema> = ObjectBuilder::new().schema_type(Type::Null).into();
    match property {
        RefOr::T(Schema::OneOf(one_of)) if one_of.items.contains(&null) => {}
        RefOr::T(Schema::Object(Object { schema_type: SchemaType::Array(types), .. }))
            if types.contains(&Type::Null) => {}
        other => {
            let value = std::mem::replace(other, null.clone());
            *other = OneOfBuilder::new().item(value).item(null).into();
        }
    }
}

/// Forbids members of request bodies that are not described.
pub(super) fn forbid_unknown_fields(paths: &Paths, components: &mut Components) {
    let mut open: Vec<String> = body_schemas(paths).filter_map(referred).map(str::to_owned).collect();
    let mut seen = BTreeSet::new();
    while let Some(name) = open.pop() {
        if !seen.insert(name.clone()) {
            continue;
        }
        let Some(schema) = components.schemas.get_mut(&name) else { continue };
        if let RefOr::T(Schema::Object(object)) = schema
            && object.additional_properties.is_none()
            && !object.properties.is_empty()
        {
            object.additional_properties = Some(Box::new(AdditionalProperties::FreeForm(false)));
        }
        open.extend(references(&serde_json::to_value(&*schema).unwrap_or_default()));
    }
}

/// The schemas of all request bodies.
fn body_schemas(paths: &Paths) -> impl Iterator<Item = &RefOr<Schema>> {
    let operations = paths.paths.values().flat_map(|item| [&item.post, &item.put, &item.patch]).flatten();
    let bodies = operations.filter_map(|operation| match &operation.request_body {
        Some(RefOr::T(body)) => Some(body),
        _ => None,
    });
    bodies.flat_map(|body| body.content.values()).filter_map(|content| match content {
        RefOr::T(content) => content.schema.as_ref(),
        RefOr::Ref(_) => None,
    })
}

/// The names of the schemas that a schema refers to.
fn references(schema: &Value) -> Vec<String> {
    match schema {
        Value::Object(members) => {
            let own = members.get("$ref").and_then(Value::as_str).and_then(|path| path.rsplit('/').next());
            own.map(str::to_owned).into_iter().chain(members.values().flat_map(references)).collect()
        }
        Value::Array(items) => items.iter().flat_map(references).collect(),
        _ => Vec::new(),
    }
}
