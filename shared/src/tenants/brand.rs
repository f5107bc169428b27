use deserr::Deserr;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::value::{Color, Email, HttpsUrl, Text, ValidationErrors};

/// How a client presents itself to the people it serves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Deserr, ToSchema)]
#[serde(rename_all = "camelCase")]
#[deserr(error = ValidationErrors, rename_all = camelCase, deny_unknown_fields)]
pub struct Brand {
    /// The name shown instead of the client's name.
    #[serde(default)]
    #[deserr(default)]
    #[schema(example = "The Corner Bakery")]
    pub display_name: Option<Text<100>>,
    /// The main color.
    #[serde(default)]
    #[deserr(default)]
    #[schema(example = "#2f855a")]
    pub color: Option<Color>,
    /// The logo.
    #[serde(default)]
    #[deserr(default)]
    #[schema(example = "https://www.example.com/logo.svg")]
    pub logo_url: Option<HttpsUrl>,
    /// The address for replies to mails.
    #[serde(default)]
    #[deserr(default)]
    #[schema(example = "hello@bakery.example")]
    pub reply_to: Option<Email>,
}
