//! Versions as entity tags: `ETag`, `If-Match`, `If-None-Match` (RFC 9110, 13.1).
//!
//! The `headers` crate has types for these headers, but they do not validate the list: a malformed `If-Match`
//! would be a precondition that fails (412) instead of a 400.

use std::convert::Infallible;
use std::fmt::Display;

use axum::extract::FromRequestParts;
use lambda_http::http::HeaderMap;
use lambda_http::http::request::Parts;

use super::ErrorCode;
use super::{App, Problem, Result};

/// The `ETag` of a version or of a digest.
pub(super) fn etag(opaque: impl Display) -> String {
    format!("\"{opaque}\"")
}

/// The list of entity tags in a conditional header.
#[derive(Clone, Debug, PartialEq, Eq)]
enum TagList {
    /// `*`: any tag.
    Any,
    Tags(Vec<Tag>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Tag {
    is_weak: bool,
    /// Without its quotes.
    opaque: String,
}

/// The two ways to compare entity tags (RFC 9110, 8.8.3.2).
#[derive(Clone, Copy, Debug)]
enum Comparison {
    /// Weak tags never match.
    Strong,
    /// Weak tags match, too.
    Weak,
}

/// The header is not a list of entity tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Malformed;

impl TagList {
    /// Parses a header, which may have several lines; `None` if it is absent.
    fn of(headers: &HeaderMap, name: &str) -> Result<Option<Self>, Malformed> {
        if !headers.contains_key(name) {
            return Ok(None);
        }
        let mut tags = Vec::new();
        for line in headers.get_all(name) {
            let line = line.to_str().map_err(|_| Malformed)?;
            if line.trim() == "*" {
                return Ok(Some(Self::Any));
            }
            tags.extend(Tag::parse_all(line)?);
        }
        if tags.is_empty() { Err(Malformed) } else { Ok(Some(Self::Tags(tags))) }
    }

    /// Whether the list has this tag, given without its quotes.
    fn names(&self, opaque: &str, comparison: Comparison) -> bool {
        match self {
            Self::Any => true,
            Self::Tags(tags) => tags.iter().any(|tag| tag.opaque == opaque && tag.takes_part(comparison)),
        }
    }
}

impl Tag {
    /// Parses a comma-separated list. Empty elements are skipped (RFC 9110, 5.6.1.2).
    fn parse_all(mut list: &str) -> Result<Vec<Self>, Malformed> {
        let mut tags = Vec::new();
        loop {
            list = list.trim_start_matches([' ', '\t', ',']);
            if list.is_empty() {
                return Ok(tags);
            }
            let (is_weak, quoted) = list.strip_prefix("W/").map_or((false, list), |quoted| (true, quoted));
            let (opaque, rest) = quoted.strip_prefix('"').and_then(|opaque| opaque.split_once('"')).ok_or(Malformed)?;
            list = rest.trim_start();
            if !list.is_empty() && !list.starts_with(',') {
                return Err(Malformed);
            }
            tags.push(Self { is_weak, opaque: opaque.to_owned() });
        }
    }

    const fn takes_part(&self, comparison: Comparison) -> bool {
        match comparison {
            Comparison::Strong => !self.is_weak,
            Comparison::Weak => true,
        }
    }
}

/// `If-Match`: change the resource only if it has one of these versions.
///
/// Also `If-None-Match`, which for a change means: only if it has none of these versions.
#[derive(Clone, Debug)]
pub struct IfMatch {
    required: Option<TagList>,
    excluded: Option<TagList>,
}

impl<S: Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        let detail = "If-Match and If-None-Match must be a list of entity tags or *.";
        let list = |name| {
            TagList::of(&parts.headers, name).map_err(|Malformed| Problem::new(ErrorCode::InvalidIfMatch, detail))
        };
        Ok(Self { required: list("if-match")?, excluded: list("if-none-match")? })
    }
}

impl IfMatch {
    /// Checks the resource's version: 412 if `If-Match` does not list it, or `If-None-Match` lists it.
    pub fn check(&self, version: u64) -> Result<()> {
        let version = version.to_string();
        let is_required = self.required.as_ref().is_none_or(|tags| tags.names(&version, Comparison::Strong));
        let is_excluded = self.excluded.as_ref().is_some_and(|tags| tags.names(&version, Comparison::Weak));
        if is_required && !is_excluded { Ok(()) } else { Err(Problem::precondition_failed()) }
    }
}

/// `If-None-Match`: return the resource only if it has none of these versions.
#[derive(Clone, Debug)]
pub struct IfNoneMatch(Option<TagList>);

impl FromRequestParts<App> for IfNoneMatch {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Infallible> {
        // A malformed header is ignored: the response without a condition is correct, only larger.
        Ok(Self(TagList::of(&parts.headers, "if-none-match").unwrap_or_default()))
    }
}

impl IfNoneMatch {
    /// Whether the header lists this tag, given without its quotes.
    pub fn names(&self, opaque: &str) -> bool {
        self.0.as_ref().is_some_and(|tags| tags.names(opaque, Comparison::Weak))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(lines: &[&str]) -> Result<Option<TagList>, Malformed> {
        let lines = lines.iter().map(|line| ("if-match".parse().unwrap(), line.parse().unwrap()));
        TagList::of(&lines.collect(), "if-match")
    }

    fn names(line: &str, version: u64, comparison: Comparison) -> bool {
        parse(&[line]).unwrap().unwrap().names(&version.to_string(), comparison)
    }

    #[test]
    fn version_in_the_list_matches() {
        for line in ["\"3\"", "*", "\"1\", \"3\"", "W/\"1\" ,\"3\",", "\"a,b\",\"3\""] {
            assert!(names(line, 3, Comparison::Strong), "{line}");
        }
        for line in ["\"30\"", "\"a,3\"", "\"\""] {
            assert!(!names(line, 3, Comparison::Strong), "{line}");
        }
    }

    #[test]
    fn tags_of_several_lines_are_one_list() {
        let tags = parse(&["\"1\"", "\"3\""]).unwrap().unwrap();
        assert!(tags.names("1", Comparison::Strong) && tags.names("3", Comparison::Strong));
    }

    #[test]
    fn weak_tag_matches_only_by_weak_comparison() {
        assert!(names("W/\"3\"", 3, Comparison::Weak));
        assert!(!names("W/\"3\"", 3, Comparison::Strong));
    }

    #[test]
    fn malformed_list_is_rejected() {
        for line in ["3", "\"3", "garbage,", "\"1\" \"2\"", "", ",", "w/\"3\"", "\"1\", *"] {
            assert_eq!(parse(&[line]), Err(Malformed), "{line}");
        }
    }

    #[test]
    fn absent_header_is_no_condition() {
        assert_eq!(parse(&[]), Ok(None));
    }
}
