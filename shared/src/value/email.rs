use std::str::FromStr;

use email_address::{EmailAddress, Options};
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

use super::{InvalidValue, NormalizedText, string_value};

/// An email address as its owner writes it, in Unicode normalisation form C, at most 254 bytes (RFC 5321, 4.5.3.1.3). Two that
/// differ only in case are the same: compare [`folded`](Self::folded).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Email(String);

const MAX: usize = 254;

impl Email {
    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form under which addresses are compared and are unique: one for all spellings of a mailbox, whatever the case, the
    /// composition of letters, or whether an international domain is written in letters or in ASCII.
    pub fn folded(&self) -> String {
        let (local, domain) = self.0.rsplit_once('@').unwrap_or((&self.0, ""));
        let local = local.to_lowercase();
        let domain = idna::domain_to_ascii(domain).unwrap_or_else(|_| domain.to_lowercase());
        format!("{local}@{domain}")
    }

    /// The form under which an address is searched: its domain in letters, also where it is written in ASCII, because a searcher
    /// types letters.
    pub fn search_form(&self) -> NormalizedText {
        let (local, domain) = self.0.rsplit_once('@').unwrap_or((&self.0, ""));
        match idna::domain_to_unicode(domain) {
            (letters, Ok(())) => NormalizedText::of(&format!("{local}@{letters}")),
            _ => NormalizedText::of(&self.0),
        }
    }
}

impl FromStr for Email {
    type Err = InvalidValue;

    fn from_str(raw: &str) -> Result<Self, InvalidValue> {
        let rules = Options::default().with_required_tld().without_display_text().without_domain_literal();
        let text: String = raw.trim().nfc().collect();
        if text.len() > MAX || EmailAddress::parse_with_options(&text, rules).is_err() {
            return Err(InvalidValue::new("invalid_email", "must be an email address"));
        }
        Ok(Self(text))
    }
}

string_value!([] Email, "Email", |schema| schema
    .format(Some(utoipa::openapi::SchemaFormat::KnownFormat(utoipa::openapi::KnownFormat::Email)))
    .max_length(Some(MAX)));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_spellings_of_a_mailbox_fold_to_one() {
        let folded = |text: &str| text.parse::<Email>().unwrap().folded();
        assert_eq!(folded("Ada@Example.COM"), "ada@example.com");
        assert_eq!(folded("ada@Bücher.example"), folded("ada@xn--bcher-kva.example"));
        assert_eq!(folded("zo\u{eb}@example.com"), folded("zoe\u{308}@example.com"));
    }

    #[test]
    fn a_prefix_finds_an_address_however_its_domain_is_written() {
        for address in ["Ada@Bücher.example", "ada@xn--bcher-kva.example", "\u{e1}da@BU\u{308}CHER.example"] {
            let form = address.parse::<Email>().unwrap().search_form();
            assert_eq!(form.as_str(), "ada@bucher.example", "{address}");
            assert!(form.starts_with(&NormalizedText::of("ada@büch")), "{address}");
        }
        let form = "ada@xn--a.example".parse::<Email>().unwrap().search_form();
        assert_eq!(form.as_str(), "ada@xn--a.example", "not an international name after all");
    }

    #[test]
    fn addresses_and_what_is_none() {
        for good in ["a@example.com", " Ada.Lovelace+x@mail.example.co.uk ", "用户@例子.广告"] {
            assert!(good.parse::<Email>().is_ok(), "{good}");
        }
        let long = format!("{}@example.com", "a".repeat(250));
        for bad in ["", "a", "a@b", "a b@example.com", "Ada <a@example.com>", "a@[127.0.0.1]", &long] {
            assert!(bad.parse::<Email>().is_err(), "{bad}");
        }
    }
}
