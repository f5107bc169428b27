//! Telephone numbers as people write them: national ones are read as those of the client's country.

use serde_json::{Value, json};
use shared::Result;
use shared::auth::ClientScope;
use shared::http::Patch;
use shared::store::Store;
use shared::value::Phone;

/// The body of a request with its `phone` in E.164, if it is a national number. What is no number stays, to be refused together with
/// all else that is wrong.
pub(crate) async fn international(store: &Store, client: ClientScope, mut body: Value) -> Result<Value> {
    if let Some(phone) = of_country(store, client, body.get("phone")).await? {
        body["phone"] = phone;
    }
    Ok(body)
}

/// The same for a patch.
pub(crate) async fn international_patch(store: &Store, client: ClientScope, patch: Patch) -> Result<Patch> {
    match of_country(store, client, patch.member("phone")).await? {
        Some(phone) => Ok(patch.with("phone", phone)),
        None => Ok(patch),
    }
}

/// A national number in E.164. Costs a read if there is one.
async fn of_country(store: &Store, client: ClientScope, phone: Option<&Value>) -> Result<Option<Value>> {
    let Some(text) = phone.and_then(Value::as_str).filter(|text| text.parse::<Phone>().is_err()) else {
        return Ok(None);
    };
    let country = store.find(&client.row()).await?.fields.country;
    Ok(Phone::in_country(text, country).ok().map(|phone| json!(phone)))
}
