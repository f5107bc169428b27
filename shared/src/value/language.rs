use std::str::FromStr;

use icu_locale_core::LanguageIdentifier;
use serde::{Deserialize, Serialize};

use crate::value::characters::trim;
use crate::value::{InvalidValue, string_value};

/// A language tag (BCP 47), such as `de` or `pt-BR`.
///
/// Well-formed and in canonical case (RFC 5646, 2.1.1), without extensions. The subtags are not looked up in the
/// registry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Language(String);

impl Language {
    /// The language subtag, such as `pt` of `pt-BR`.
    pub fn primary(&self) -> &str {
        self.0.split('-').next().unwrap_or_default()
    }

    /// English, the default language of a client.
    pub fn english() -> Self {
        Self("en".to_owned())
    }
}

impl FromStr for Language {
    type Err = InvalidValue;

    fn from_str(tag: &str) -> Result<Self, InvalidValue> {
        let tag = trim(tag);
        // The parser also accepts `_`, which BCP 47 does not.
        let identifier = Some(tag).filter(|tag| !tag.contains('_')).and_then(|tag| tag.parse().ok());
        identifier
            .filter(|identifier: &LanguageIdentifier| !identifier.language.is_unknown())
            .map(|identifier| Self(identifier.to_string()))
            .ok_or(InvalidValue::new("invalid_language", "must be a language tag (BCP 47), such as en or pt-BR"))
    }
}

string_value!([] Language, "Language", |schema| schema
    .description(Some("Language tag (BCP 47)."))
    .min_length(Some(2))
    .examples([serde_json::json!("pt-BR")]));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn language_tag_is_kept_in_canonical_case() {
        for (raw, canonical) in [
            ("en", "en"),
            (" DE ", "de"),
            ("PT-br", "pt-BR"),
            ("zh-hant-tw", "zh-Hant-TW"),
            ("es-419", "es-419"),
            ("de-CH-1996", "de-CH-1996"),
        ] {
            assert_eq!(raw.parse::<Language>().unwrap(), Language(canonical.to_owned()), "{raw}");
        }
    }

    #[test]
    fn anything_else_than_a_language_tag_is_rejected() {
        for bad in ["", "e", "en_US", "en-", "en-U", "und", "und-US", "419", "en-u-ca-buddhist", "de DE", "日本"] {
            assert_eq!(bad.parse::<Language>().unwrap_err().code(), "invalid_language", "{bad}");
        }
    }
}
