//! Versions as `ETag`s (RFC 9110, 13.1).

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use lambda_http::http::HeaderMap;
use lambda_http::http::request::Parts;

use crate::{App, Problem, Result};

/// The `ETag` of a version.
pub fn etag(version: u64) -> String {
    format!("\"{version}\"")
}

/// The list of entity tags in a conditional header.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Tags {
    /// `*`
    Any,
    Listed(Vec<Tag>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Tag {
    weak: bool,
    /// With its quotes.
    opaque: String,
}

impl Tags {
    /// The tags of a header that may come in several lines; `Ok(None)` without it, `Err` if it is no list of tags.
    fn of(headers: &HeaderMap, name: &str) -> std::result::Result<Option<Self>, ()> {
        let mut listed = Vec::new();
        for line in headers.get_all(name) {
            let line = line.to_str().map_err(|_| ())?;
            if line.trim() == "*" {
                return Ok(Some(Self::Any));
            }
            for tag in line.split(',').map(str::trim).filter(|tag| !tag.is_empty()) {
                listed.push(Tag::parse(tag).ok_or(())?);
            }
        }
        match (headers.contains_key(name), listed.is_empty()) {
            (false, _) => Ok(None),
            (true, false) => Ok(Some(Self::Listed(listed))),
            (true, true) => Err(()),
        }
    }

    /// Whether a version is among them. A weak tag names what a version looks like, not the version itself.
    fn name(&self, version: u64, weak_counts: bool) -> bool {
        match self {
            Self::Any => true,
            Self::Listed(tags) => tags.iter().any(|tag| tag.opaque == etag(version) && (weak_counts || !tag.weak)),
        }
    }
}

impl Tag {
    fn parse(text: &str) -> Option<Self> {
        let (weak, opaque) = text.strip_prefix("W/").map_or((false, text), |opaque| (true, opaque));
        let inside = opaque.strip_prefix('"')?.strip_suffix('"')?;
        (!inside.contains('"')).then(|| Self { weak, opaque: opaque.to_owned() })
    }
}

/// `If-Match`: change only the version that the caller has seen.
#[derive(Clone, Debug)]
pub struct IfMatch(Option<Tags>);

impl<S: Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        let malformed = |()| Problem::bad_request("invalid_if_match", "If-Match must be a list of entity tags or *.");
        Tags::of(&parts.headers, "if-match").map(Self).map_err(malformed)
    }
}

impl IfMatch {
    /// 412 unless `version` is the one to change, or any is.
    pub fn check(&self, version: u64) -> Result<()> {
        let passes = self.0.as_ref().is_none_or(|tags| tags.name(version, false));
        if passes { Ok(()) } else { Err(Problem::precondition_failed()) }
    }
}

/// `If-None-Match`: answer only if the caller has not this version yet.
#[derive(Clone, Debug)]
pub struct IfNoneMatch(Option<Tags>);

impl FromRequestParts<App> for IfNoneMatch {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> std::result::Result<Self, Infallible> {
        // A malformed one is no reason to withhold the answer.
        Ok(Self(Tags::of(&parts.headers, "if-none-match").unwrap_or_default()))
    }
}

impl IfNoneMatch {
    /// Whether the caller has this version already.
    pub fn has(&self, version: u64) -> bool {
        self.0.as_ref().is_some_and(|tags| tags.name(version, true))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(line: &str) -> std::result::Result<Option<Tags>, ()> {
        Tags::of(&[("if-match".parse().unwrap(), line.parse().unwrap())].into_iter().collect(), "if-match")
    }

    #[test]
    fn a_version_is_found_in_a_list_and_under_a_star() {
        for line in ["\"3\"", "*", "\"1\", \"3\"", "W/\"1\" ,\"3\","] {
            assert!(tags(line).unwrap().unwrap().name(3, false), "{line}");
        }
        assert!(!tags("\"30\"").unwrap().unwrap().name(3, false));
    }

    #[test]
    fn a_weak_tag_counts_only_where_looks_are_enough() {
        let weak = tags("W/\"3\"").unwrap().unwrap();
        assert!(weak.name(3, true) && !weak.name(3, false));
    }

    #[test]
    fn what_is_no_list_of_tags_is_refused() {
        for line in ["3", "\"3", "garbage,", "\"1\" \"2\"", "", "w/\"3\""] {
            assert_eq!(tags(line), Err(()), "{line}");
        }
        assert_eq!(Tags::of(&HeaderMap::new(), "if-match"), Ok(None));
        assert!(tags("\"a b\"").is_ok());
    }
}
