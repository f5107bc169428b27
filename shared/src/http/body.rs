//! Request bodies: JSON, at most 1 MiB, every fault named at once.

use axum::body::HttpBody;
use axum::extract::{FromRequest, Request};
use deserr::{Deserr, IntoValue, ValuePointerRef};
use headers::{ContentType, HeaderMapExt};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use lambda_http::http::StatusCode;
use serde::Serialize;
use serde_json::{Map, Value};

use super::json::Document;
use crate::entity::{Fields, Record};
use crate::value::{InvalidValue, ValidationErrors, member};
use crate::{App, Problem, Result};

/// The most that a JSON body may have, in bytes.
pub const MAX_BYTES: usize = 1024 * 1024;

/// A JSON body that was parsed into a valid `T`.
#[derive(Clone, Debug)]
pub struct Body<T>(pub T);

impl<T: Deserr<ValidationErrors>> FromRequest<App> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &App) -> Result<Self> {
        parse(read_json(request, &["application/json"]).await?).map(Self)
    }
}

/// The same where there is nothing that must be said: without a body it is as if `{}` had been sent.
#[derive(Clone, Debug)]
pub struct OptionalBody<T>(pub T);

impl<T: Deserr<ValidationErrors>> FromRequest<App> for OptionalBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &App) -> Result<Self> {
        let document = if request.body().is_end_stream() {
            Value::Object(Map::new())
        } else {
            read_json(request, &["application/json"]).await?
        };
        parse(document).map(Self)
    }
}

/// The fields of something new, of which one may be left to be filled in.
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
    /// The whole, where a member that is not given, or `null`, is what `otherwise` finds.
    pub async fn complete<T: Deserr<ValidationErrors>>(
        self,
        member: &str,
        otherwise: impl Future<Output = Result<Value>>,
    ) -> Result<T> {
        let Self(mut document) = self;
        if let Value::Object(members) = &mut document
            && members.get(member).is_none_or(Value::is_null)
        {
            members.insert(member.to_owned(), otherwise.await?);
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
    /// What it says of a field, if anything.
    pub fn member(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// The same patch that says this of a field.
    #[must_use]
    pub fn with(mut self, name: &str, value: Value) -> Self {
        self.0.insert(name.to_owned(), value);
        self
    }

    /// The next version of an entity: its fields with this patch merged in, changed now.
    pub fn change<F: Fields>(&self, current: &Record<F>, app: &App) -> Result<Record<F>> {
        Ok(current.changed(self.apply(&current.fields)?, app.clock().now()))
    }

    /// `current` with this patch merged in, as valid as if it had been sent whole. A member that is no field is refused
    /// even when it is `null`: a typo must not be lost in silence.
    pub fn apply<T: Deserr<ValidationErrors> + Serialize>(&self, current: &T) -> Result<T> {
        let mut document = serde_json::to_value(current).map_err(Problem::internal)?;
        let unknown = self.0.keys().filter(|key| document.get(key).is_none()).map(|key| {
            let why = InvalidValue::new("unknown_field", "is not a field here");
            ValidationErrors::field(member(key), why)
        });
        let unknown = unknown.reduce(ValidationErrors::and);
        let known = self.0.iter().filter(|(key, _)| document.get(key).is_some());
        let known: Map<String, Value> = known.map(|(key, value)| (key.clone(), value.clone())).collect();
        json_patch::merge(&mut document, &Value::Object(known));
        match (deserr::deserialize::<T, _, ValidationErrors>(document), unknown) {
            (Ok(merged), None) => Ok(merged),
            (Ok(_), Some(unknown)) => Err(unknown.into()),
            (Err(invalid), None) => Err(Problem::from(invalid)),
            (Err(invalid), Some(unknown)) => Err(unknown.and(invalid).into()),
        }
    }
}

/// A value of a JSON document, or every reason why it is none.
pub fn parse<T: Deserr<ValidationErrors>>(document: Value) -> Result<T> {
    deserr::deserialize(document).map_err(|invalid: ValidationErrors| invalid.into())
}

/// The JSON document in a body of one of these media types.
pub(crate) async fn read_json(request: Request, media: &[&str]) -> Result<Value> {
    let bytes = read_bytes(request, media, MAX_BYTES).await?;
    let document: Document = serde_json::from_slice(&bytes)
        .map_err(|_| Problem::bad_request("invalid_json", "The body is not JSON, or it names a member twice."))?;
    Ok(document.0)
}

/// A body of one of these media types, of at most so many bytes.
pub(crate) async fn read_bytes(request: Request, media: &[&str], max: usize) -> Result<Vec<u8>> {
    check_media(&request, media)?;
    read(request, max).await
}

fn check_media(request: &Request, media: &[&str]) -> Result<()> {
    let sent = request.headers().typed_get::<ContentType>().map(|media| media.to_string());
    let essence = sent.as_deref().and_then(|sent| sent.split(';').next()).map(str::trim);
    if essence.is_some_and(|sent| media.iter().any(|media| media.eq_ignore_ascii_case(sent))) {
        return Ok(());
    }
    let detail = format!("The body must be {}.", media.join(" or "));
    Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail))
}

async fn read(request: Request, max: usize) -> Result<Vec<u8>> {
    match Limited::new(request.into_body(), max).collect().await {
        Ok(body) => Ok(body.to_bytes().into()),
        Err(error) if error.is::<LengthLimitError>() => {
            let detail = format!("The body must be at most {max} bytes long.");
            Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail))
        }
        Err(_) => Err(Problem::bad_request("unreadable_body", "The body could not be read.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entity::Client;
    use serde_json::json;

    fn client() -> Client {
        parse(json!({ "name": "Bakery", "timeZone": "Europe/Paris" })).unwrap()
    }

    fn patched(patch: Value) -> Result<Value> {
        let Value::Object(members) = patch else { panic!("a patch is an object") };
        Patch(members).apply(&client()).map(|client| json!(client))
    }

    #[test]
    fn a_patch_changes_what_it_names_and_null_clears() {
        assert_eq!(
            patched(json!({ "name": "Corner Bakery", "timeZone": null })).unwrap(),
            json!({ "name": "Corner Bakery", "timeZone": "UTC", "currency": "USD", "country": null })
        );
        assert_eq!(patched(json!({})).unwrap(), json!(client()));
    }

    #[test]
    fn a_patch_names_every_fault_at_once() {
        let problem = patched(json!({ "name": null, "curency": null, "timeZone": "Mars/Olympus" })).unwrap_err();
        let rendered = format!("{problem:?}");
        for pointer in ["\"/name\"", "\"/curency\"", "\"/timeZone\""] {
            assert!(rendered.contains(pointer), "{pointer} in {rendered}");
        }
    }
}
