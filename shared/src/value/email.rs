use std::str::FromStr;

use email_address::{EmailAddress, Options};
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

use crate::value::characters::trim;
use crate::value::{Host, InvalidValue, NormalizedText, string_value};

/// An email address of at most 254 bytes (RFC 5321, 4.5.3.1.3).
///
/// The text keeps its case and is in Unicode normalization form C. Addresses that differ only in case are the
/// same address: compare [`folded`](Self::folded).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Email(String);

const MAX: usize = 254;

impl Email {
    /// The address as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form for comparison and uniqueness: lower case, with the domain in ASCII.
    ///
    /// All spellings of a mailbox have the same form, independent of case, of Unicode composition, and of the
    /// encoding (Unicode or ASCII) of an internationalized domain.
    pub fn folded(&self) -> String {
        let (local, domain) = self.0.rsplit_once('@').unwrap_or((&self.0, ""));
        let local = local.to_lowercase();
        let domain = idna::domain_to_ascii(domain).unwrap_or_else(|_| domain.to_lowercase());
        format!("{local}@{domain}")
    }

    /// The form for searches, with the domain in Unicode, as users type it.
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
        let text: String = trim(raw).nfc().collect();
        let has_rules = text.len() <= MAX && EmailAddress::parse_with_options(&text, rules).is_ok();
        if has_rules && text.rsplit_once('@').is_some_and(|(local, domain)| can_be_mailed(local, domain)) {
            return Ok(Self(text));
        }
        Err(InvalidValue::new("invalid_email", "must be an email address"))
    }
}

/// Whether mail servers accept the address: its domain is a host, and its local part is not quoted.
fn can_be_mailed(local: &str, domain: &str) -> bool {
    !local.starts_with('"') && !domain.starts_with(char::is_whitespace) && domain.parse::<Host>().is_ok()
}

string_value!([] Email, "Email", |schema| schema
    .format(Some(utoipa::openapi::SchemaFormat::KnownFormat(utoipa::openapi::KnownFormat::Email)))
    .max_length(Some(MAX)));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_spellings_of_a_mailbox_have_one_folded_form() {
        let folded = |text: &str| text.parse::<Email>().unwrap().folded();
        assert_eq!(folded("Ada@Example.COM"), "ada@example.com");
        assert_eq!(folded("ada@Bücher.example"), folded("ada@xn--bcher-kva.example"));
        assert_eq!(folded("zo\u{eb}@example.com"), folded("zoe\u{308}@example.com"));
    }

    #[test]
    fn search_form_has_the_domain_in_unicode() {
        for address in ["Ada@Bücher.example", "ada@xn--bcher-kva.example", "\u{e1}da@BU\u{308}CHER.example"] {
            let form = address.parse::<Email>().unwrap().search_form();
            assert_eq!(form.as_str(), "ada@bucher.example", "{address}");
            assert!(form.starts_with(&NormalizedText::of("ada@büch")), "{address}");
        }
    }

    #[test]
    fn only_addresses_with_a_domain_name_are_accepted() {
        for good in ["a@example.com", " Ada.Lovelace+x@mail.example.co.uk ", "用户@例子.广告"] {
            assert!(good.parse::<Email>().is_ok(), "{good}");
        }
        let long = format!("{}@example.com", "a".repeat(250));
        for bad in ["", "a", "a@b", "a b@example.com", "Ada <a@example.com>", "a@[127.0.0.1]", &long] {
            assert!(bad.parse::<Email>().is_err(), "{bad}");
        }
        for bad in [
            "nora@x.example%20",
            "nora@x.example?subject=hi",
            "nora@x.exam=ple",
            "nora@x_y.example",
            "nora@-x.example",
            "nora@127.0.0.1",
            "nora@x.127",
            "nora@x.example.",
            "nora@xn--a.example",
            "\"nora b\"@x.example",
            "\"nora\"@x.example",
        ] {
            assert!(bad.parse::<Email>().is_err(), "{bad}");
        }
    }
}
