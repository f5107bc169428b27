//! National phone numbers in request bodies.
//!
//! These are interpreted as numbers of the client's country.

use crate::identity::ClientScope;
use crate::table::Store;
use crate::value::Phone;
use crate::web::{Patch, Result};
use serde_json::{Value, json};

/// Converts a national number in `phone` of a request body to E.164.
///
/// Any other value is kept, so that validation reports it together with all other errors.
pub async fn normalize_phone(store: &Store, client: ClientScope, mut body: Value) -> Result<Value> {
    if let Some(phone) = national_to_e164(store, client, body.get("phone")).await? {
        body["phone"] = phone;
    }
    Ok(body)
}

/// Converts a national number in `phone` of a merge patch to E.164.
pub async fn normalize_patch(store: &Store, client: ClientScope, patch: Patch) -> Result<Patch> {
    match national_to_e164(store, client, patch.member("phone")).await? {
        Some(phone) => Ok(patch.with("phone", phone)),
        None => Ok(patch),
    }
}

/// A national number in E.164. Costs one read if the value is not in E.164 already.
async fn national_to_e164(store: &Store, client: ClientScope, phone: Option<&Value>) -> Result<Option<Value>> {
    let Some(text) = phone.and_then(Value::as_str).filter(|text| text.parse::<Phone>().is_err()) else {
        return Ok(None);
    };
    let country = store.find(&client.record()).await?.fields.country;
    Ok(Phone::in_country(text, country).ok().map(|phone| json!(phone)))
}
