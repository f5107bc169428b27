//! Request bodies: JSON of at most 1 MiB. The response lists all invalid fields.

use axum::extract::{FromRequest, Request};
use deserr::{Deserr, IntoValue, ValuePointerRef};
use headers::{ContentType, HeaderMapExt};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use lambda_http::http::header;
use serde::Serialize;
use serde_json::{Map, Value};

use super::ErrorCode;
use super::json;
use super::problem::both_valid;
use super::{App, Problem, Result};
use crate::table::{Fields, Record};
use crate::value::{InvalidValue, ValidationErrors, member};

/// The maximum size of a JSON body, in bytes.
const MAX_BYTES: usize = 1024 * 1024;

const JSON: &[&str] = &["application/json"];

/// A JSON body, parsed into a valid `T`.
#[derive(Clone, Debug)]
pub struct Body<T>(pub T);

impl<T: Deserr<ValidationErrors>> FromRequest<App> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &App) -> Result<Self> {
        parse(read_json(request, JSON).await?).map(Self)
    }
}

/// An optional JSON body: an absent or empty body counts as `{}`.
#[derive(Clone, Debug)]
pub struct OptionalBody<T>(pub T);

impl<T: Deserr<ValidationErrors>> FromRequest<App> for OptionalBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &App) -> Result<Self> {
        parse(read_optional_json(request).await?).map(Self)
    }
}

/// The fields of a new entity with a field that may need a default from the table.
#[derive(Clone, Debug)]
pub struct Draft(Value);

impl Deserr<ValidationErrors> for Draft {
    fn deserialize_from_value<V: IntoValue>(
        value: deserr::Value<V>,
        location: ValuePointerRef,
    ) -> std::result::Result<Self, ValidationErrors> {
        Value::deserialize_from_value(value, location).map(Self)
    }
}

impl Draft {
    /// Parses the fields; `default` is awaited if `member` is absent or `null`.
    pub async fn parse_with_default<T: Deserr<ValidationErrors>>(
        self,
        member: &str,
        default: impl Future<Output = Result<Value>>,
    ) -> Result<T> {
        let Self(mut document) = self;
        if let Value::Object(members) = &mut document
            && members.get(member).is_none_or(Value::is_null)
        {
            members.insert(member.to_owned(), default.await?);
        }
        parse(document)
    }
}

/// A JSON Merge Patch (RFC 7396).
#[derive(Clone, Debug)]
pub struct Patch(Map<String, Value>);

impl FromRequest<App> for Patch {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &App) -> Result<Self> {
        match read_json(request, &["application/merge-patch+json", "application/json"]).await? {
            Value::Object(members) => Ok(Self(members)),
            _ => Err(ValidationErrors::field("", InvalidValue::new("wrong_type", "must be an object")).into()),
        }
    }
}

impl Patch {
    /// The new value of a field, if the patch has one.
    pub fn member(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// The same patch, in which `null` for a field stands for its default, which is awaited only then.
    pub async fn with_default(&self, name: &str, default: impl Future<Output = Result<Value>>) -> Result<Self> {
        match self.member(name) {
            Some(Value::Null) => Ok(self.clone().with(name, default.await?)),
            _ => Ok(self.clone()),
        }
    }

    /// The same patch with another value for a field.
    #[must_use]
    pub fn with(mut self, name: &str, value: Value) -> Self {
        self.0.insert(name.to_owned(), value);
        self
    }

    /// The next version of an entity, with this patch applied to its fields.
    ///
    /// The current version if nothing changes.
    pub fn change<F: Fields>(&self, current: &Record<F>, app: &App) -> Result<Record<F>> {
        Ok(current.changed(self.apply(&current.fields)?, app.now()))
    }

    /// Applies this patch to `current`, and validates the result like a whole body.
    ///
    /// An unknown field is an error even if its value is `null`, because a misspelled name must not be
    /// ignored.
    pub fn apply<T: Deserr<ValidationErrors> + Serialize>(&self, current: &T) -> Result<T> {
        let mut document = serde_json::to_value(current).map_err(Problem::internal)?;
        let (known, unknown): (Map<_, _>, Map<_, _>) =
            self.0.clone().into_iter().partition(|(name, _)| document.get(name).is_some());
        let unknown = unknown.keys().map(|name| {
            ValidationErrors::field(member(name), InvalidValue::new("unknown_field", "is an unknown field"))
        });
        let known_only = unknown.reduce(ValidationErrors::and).map_or(Ok(()), Err);
        json_patch::merge(&mut document, &Value::Object(known));
        let ((), merged) = both_valid(known_only, deserr::deserialize(document))?;
        Ok(merged)
    }
}

/// Parses a JSON document, or returns all of its invalid fields.
pub fn parse<T: Deserr<ValidationErrors>>(document: Value) -> Result<T> {
    deserr::deserialize(document).map_err(|invalid: ValidationErrors| invalid.into())
}

/// Reads a JSON body of one of these media types.
pub(crate) async fn read_json(request: Request, media: &[&str]) -> Result<Value> {
    document(&read_bytes(request, media, MAX_BYTES).await?)
}

/// Reads a JSON body, where no body and an empty body count as `{}`.
///
/// API Gateway passes a request without a body with or without an empty text. Neither needs a
/// `Content-Type`.
async fn read_optional_json(request: Request) -> Result<Value> {
    let supported = check_media_type(&request, JSON);
    match read(request, MAX_BYTES).await {
        Ok(bytes) if bytes.is_empty() => Ok(Value::Object(Map::new())),
        bytes => supported.and(bytes).and_then(|bytes| document(&bytes)),
    }
}

fn document(bytes: &[u8]) -> Result<Value> {
    let detail = "The body is not JSON, or an object names a member twice.";
    json::parse(bytes).map_err(|_| Problem::new(ErrorCode::InvalidJson, detail))
}

/// Reads a body of one of these media types, of at most `max` bytes.
pub(crate) async fn read_bytes(request: Request, media: &[&str], max: usize) -> Result<Vec<u8>> {
    check_media_type(&request, media)?;
    read(request, max).await
}

/// The `charset` of a body's media type.
pub(crate) fn charset(request: &Request) -> Option<String> {
    let media = request.headers().typed_get::<ContentType>()?.to_string();
    media.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches('"').to_owned())
    })
}

fn check_media_type(request: &Request, supported: &[&str]) -> Result<()> {
    let mut encodings = request.headers().get_all(header::CONTENT_ENCODING).iter();
    if encodings.any(|encoding| !encoding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"identity")) {
        let detail = "The body must not be compressed: no Content-Encoding is supported.";
        return Err(Problem::new(ErrorCode::UnsupportedMediaType, detail));
    }
    let sent = request.headers().typed_get::<ContentType>().map(|media| media.to_string());
    let essence = sent.as_deref().and_then(|sent| sent.split(';').next()).map(str::trim);
    if essence.is_some_and(|sent| supported.iter().any(|media| media.eq_ignore_ascii_case(sent))) {
        return Ok(());
    }
    let detail = format!("The body's media type must be {}.", supported.join(" or "));
    Err(Problem::new(ErrorCode::UnsupportedMediaType, detail))
}

async fn read(request: Request, max: usize) -> Result<Vec<u8>> {
    match Limited::new(request.into_body(), max).collect().await {
        Ok(body) => Ok(body.to_bytes().into()),
        Err(error) if error.is::<LengthLimitError>() => {
            let detail = format!("The body must be at most {max} bytes long.");
            Err(Problem::new(ErrorCode::BodyTooLarge, detail))
        }
        Err(_) => Err(Problem::new(ErrorCode::UnreadableBody, "The body could not be read.")),
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body as RequestBody;
    use serde_json::json;

    use super::*;
    use crate::value::{Name, TimeZone};

    #[derive(Debug, Serialize, Deserr)]
    #[serde(rename_all = "camelCase")]
    #[deserr(error = ValidationErrors, rename_all = camelCase, deny_unknown_fields)]
    struct Shop {
        name: Name,
        #[deserr(default = TimeZone::UTC)]
        time_zone: TimeZone,
    }

    fn shop() -> Shop {
        parse(json!({ "name": "Bakery", "timeZone": "Europe/Paris" })).unwrap()
    }

    fn patched(patch: Value) -> Result<Value> {
        let Value::Object(members) = patch else { panic!("a patch is an object") };
        Patch(members).apply(&shop()).map(|shop| json!(shop))
    }

    async fn optional(media: Option<&str>, body: &'static str) -> Result<Value, &'static str> {
        let mut request = Request::new(RequestBody::from(body));
        if let Some(media) = media {
            request.headers_mut().insert("content-type", media.parse().unwrap());
        }
        read_optional_json(request).await.map_err(|problem| problem.code())
    }

    #[test]
    fn patch_changes_its_members_and_null_clears() {
        assert_eq!(
            patched(json!({ "name": "Corner Bakery", "timeZone": null })).unwrap(),
            json!({ "name": "Corner Bakery", "timeZone": "UTC" })
        );
        assert_eq!(patched(json!({})).unwrap(), json!(shop()));
    }

    #[test]
    fn patch_with_several_errors_names_all_of_them() {
        let problem = patched(json!({ "name": null, "curency": null, "timeZone": "Mars/Olympus" })).unwrap_err();
        let rendered = format!("{problem:?}");
        for pointer in ["\"/name\"", "\"/curency\"", "\"/timeZone\""] {
            assert!(rendered.contains(pointer), "{pointer} in {rendered}");
        }
    }

    #[tokio::test]
    async fn absent_and_empty_optional_bodies_are_an_empty_object() {
        assert_eq!(optional(None, "").await, Ok(json!({})));
        assert_eq!(optional(Some("application/json"), "").await, Ok(json!({})));
        assert_eq!(optional(Some("application/json"), "{}").await, Ok(json!({})));
        let mut absent = Request::new(RequestBody::empty());
        absent.headers_mut().clear();
        assert_eq!(read_optional_json(absent).await.unwrap(), json!({}));
    }

    #[tokio::test]
    async fn optional_body_that_is_present_is_a_json_body() {
        assert_eq!(optional(Some("application/json"), "null").await, Ok(Value::Null));
        assert_eq!(optional(Some("application/json"), "{").await, Err("invalid_json"));
        assert_eq!(optional(Some("text/plain"), "{}").await, Err("unsupported_media_type"));
        assert_eq!(optional(None, "{}").await, Err("unsupported_media_type"));
    }

    #[test]
    fn null_instead_of_an_object_is_invalid() {
        assert_eq!(parse::<Shop>(Value::Null).unwrap_err().code(), "invalid");
    }
}
