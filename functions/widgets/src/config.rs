//! What a widget needs to start.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use shared::table::Store;
use shared::value::{Color, HttpsUrl, Instant, Language, TimeZone};
use shared::web::{App, Result};
use shared::widgets::{SessionToken, WidgetAccess};
use utoipa::ToSchema;

use crate::captcha::{Captcha, CaptchaChallenge};
use crate::services::{PublicService, bookable_services};

/// The languages of the widget's texts.
pub(crate) const LANGUAGES: [&str; 2] = ["en", "de"];

/// The client as a widget shows it, its services, and a session token.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WidgetConfig {
    /// How the client presents itself.
    brand: PublicBrand,
    /// The client's time zone.
    time_zone: TimeZone,
    /// The client's language.
    language: Language,
    /// The languages of the widget's texts.
    #[schema(value_type = Vec<String>, example = json!(LANGUAGES))]
    languages: [&'static str; 2],
    /// The services that visitors can book.
    services: Vec<PublicService>,
    /// The challenge of the forms; `null` if none is required.
    #[schema(required)]
    captcha: Option<CaptchaChallenge>,
    /// The token for writes, as `Authorization: Bearer`. It is bound to the widget key and to the origin of the page.
    session_token: String,
    /// When the token expires.
    session_expires_at: Instant,
}

/// How a client presents itself to visitors.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PublicBrand {
    /// The name: that of the brand, or else that of the client.
    #[schema(example = "Salon Ada")]
    display_name: String,
    /// The main color.
    #[schema(required)]
    color: Option<Color>,
    /// The logo.
    #[schema(required)]
    logo_url: Option<HttpsUrl>,
}

/// Get the configuration of a widget.
///
/// Starts a session of two hours. A request without an origin counts as one of the hosted page.
#[utoipa::path(
    get, path = "/widgets/{widgetKey}/config", tag = "widget", operation_id = "getWidgetConfig", security(()),
    params(("widgetKey" = String, Path, description = "The widget key.")),
    responses((status = 200, body = WidgetConfig, description = "The configuration."))
)]
pub(crate) async fn get(
    widget: WidgetAccess,
    captcha: Captcha,
    State(app): State<App>,
    store: Store,
) -> Result<Json<WidgetConfig>> {
    let client = widget.client();
    let record = async { Ok(store.find(&client.record()).await?) };
    let (record, services) = tokio::try_join!(record, bookable_services(&store, client))?;
    let SessionToken { token, expires_at } = SessionToken::issue(&app, &widget)?;
    let client = record.fields;
    let display_name = client.display_name();
    let (color, logo_url) = client.brand.map(|brand| (brand.color, brand.logo_url)).unwrap_or_default();
    Ok(Json(WidgetConfig {
        brand: PublicBrand { display_name, color, logo_url },
        time_zone: client.time_zone,
        language: client.language,
        languages: LANGUAGES,
        services,
        captcha: captcha.challenge(),
        session_token: token,
        session_expires_at: expires_at,
    }))
}
