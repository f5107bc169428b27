//! Route selection of an HTTP API.
//!
//! The order of precedence is a full match of route and method, then a match with a greedy path variable,
//! then `$default`. Source: "Routing API requests" in the API Gateway developer guide.

use std::collections::BTreeMap;

use crate::aws::template::{Route, Template};

/// A matched route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Match {
    /// Logical id of the function behind the route.
    pub function: String,
    /// The route key, such as `ANY /contacts/{id}` or `$default`.
    pub key: String,
    /// Values of the path variables.
    pub path_parameters: BTreeMap<String, String>,
}

/// The routes of one API.
#[derive(Debug, Clone)]
pub(super) struct RouteTable {
    /// Most specific first.
    entries: Vec<Entry>,
    default: Option<Match>,
}

#[derive(Debug, Clone)]
struct Entry {
    segments: Vec<Segment>,
    method: AllowedMethod,
    key: String,
    function: String,
}

/// Ordered from the most to the least specific.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Segment {
    Literal(String),
    Variable(String),
    Greedy(String),
}

/// Ordered from the most to the least specific.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum AllowedMethod {
    Only(String),
    Any,
}

impl RouteTable {
    /// Collects the routes of all functions in the API with this logical id.
    pub(super) fn new(template: &Template, api: &str) -> Self {
        let mut table = Self { entries: Vec::new(), default: None };
        for (function, properties) in &template.functions {
            for route in properties.routes.iter().filter(|route| route.api == api) {
                table.add(function, route);
            }
        }
        table.entries.sort_by(|left, right| left.specificity().cmp(&right.specificity()));
        table
    }

    fn add(&mut self, function: &str, route: &Route) {
        if route.is_default() {
            self.default =
                Some(Match { function: function.to_owned(), key: route.key(), path_parameters: BTreeMap::new() });
            return;
        }
        self.entries.push(Entry {
            segments: route.path.split('/').skip(1).map(Segment::parse).collect(),
            method: AllowedMethod::parse(&route.method),
            key: route.key(),
            function: function.to_owned(),
        });
    }

    /// Finds the most specific route for a method and a decoded path.
    pub(super) fn find(&self, method: &str, path: &str) -> Option<Match> {
        self.entries.iter().find_map(|entry| entry.matches(method, path)).or_else(|| self.default.clone())
    }
}

impl Entry {
    fn specificity(&self) -> (bool, Vec<u8>, &AllowedMethod) {
        let kinds = self.segments.iter().map(Segment::rank).collect();
        (self.is_greedy(), kinds, &self.method)
    }

    fn is_greedy(&self) -> bool {
        matches!(self.segments.last(), Some(Segment::Greedy(_)))
    }

    fn matches(&self, method: &str, path: &str) -> Option<Match> {
        if !self.method.allows(method) {
            return None;
        }
        Some(Match {
            function: self.function.clone(),
            key: self.key.clone(),
            path_parameters: self.path_parameters(path)?,
        })
    }

    /// Returns the values of the path variables if the path matches.
    ///
    /// A variable matches no empty segment.
    fn path_parameters(&self, path: &str) -> Option<BTreeMap<String, String>> {
        let mut parameters = BTreeMap::new();
        let mut rest = Some(path.strip_prefix('/')?);
        for segment in &self.segments {
            let (head, tail) = split_first(rest?);
            match segment {
                Segment::Literal(text) if text == head => {}
                Segment::Variable(name) if !head.is_empty() => {
                    parameters.insert(name.clone(), head.to_owned());
                }
                Segment::Greedy(name) if rest != Some("") => {
                    parameters.insert(name.clone(), rest?.to_owned());
                    return Some(parameters);
                }
                _ => return None,
            }
            rest = tail;
        }
        rest.is_none().then_some(parameters)
    }
}

/// Splits a path after its first segment.
///
/// The second part is `None` if no slash follows.
fn split_first(path: &str) -> (&str, Option<&str>) {
    match path.split_once('/') {
        Some((head, tail)) => (head, Some(tail)),
        None => (path, None),
    }
}

impl Segment {
    fn parse(text: &str) -> Self {
        let Some(name) = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) else {
            return Self::Literal(text.to_owned());
        };
        match name.strip_suffix('+') {
            Some(name) => Self::Greedy(name.to_owned()),
            None => Self::Variable(name.to_owned()),
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Literal(_) => 0,
            Self::Variable(_) => 1,
            Self::Greedy(_) => 2,
        }
    }
}

impl AllowedMethod {
    fn parse(text: &str) -> Self {
        if text == "ANY" { Self::Any } else { Self::Only(text.to_owned()) }
    }

    fn allows(&self, method: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Only(only) => only == method,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = r"
Resources:
  Api: { Type: AWS::Serverless::HttpApi }
  Other: { Type: AWS::Serverless::HttpApi }
  F:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: f/
      Events:
        Default: { Type: HttpApi, Properties: { ApiId: !Ref Api } }
";

    /// The routes of the developer guide's example, and more.
    const ROUTES: [&str; 6] = [
        "Method: ANY, Path: '/{proxy+}'",
        "Method: GET, Path: '/pets/{proxy+}'",
        "Method: GET, Path: '/pets/dog/{id}'",
        "Method: GET, Path: '/pets/dog/1'",
        "Method: ANY, Path: '/both/{id}'",
        "Method: GET, Path: '/both/{id}'",
    ];

    fn table() -> RouteTable {
        let events = ROUTES.iter().enumerate().map(|(index, route)| {
            format!("        R{index}: {{ Type: HttpApi, Properties: {{ ApiId: !Ref Api, {route} }} }}\n")
        });
        let text = HEADER.to_owned() + &events.collect::<String>();
        RouteTable::new(&Template::parse(&text).unwrap(), "Api")
    }

    fn key(method: &str, path: &str) -> String {
        table().find(method, path).unwrap().key
    }

    #[test]
    fn developer_guide_example_is_matched() {
        assert_eq!(key("GET", "/pets/dog/1"), "GET /pets/dog/1");
        assert_eq!(key("GET", "/pets/dog/2"), "GET /pets/dog/{id}");
        assert_eq!(key("GET", "/pets/cat/1"), "GET /pets/{proxy+}");
        assert_eq!(key("POST", "/test/5"), "ANY /{proxy+}");
    }

    #[test]
    fn exact_method_takes_precedence_over_any() {
        assert_eq!(key("GET", "/both/1"), "GET /both/{id}");
        assert_eq!(key("PUT", "/both/1"), "ANY /both/{id}");
    }

    #[test]
    fn variable_matches_one_non_empty_segment() {
        let found = table().find("PUT", "/both/a b").unwrap();
        assert_eq!(found.path_parameters["id"], "a b");
        assert_eq!(key("PUT", "/both/"), "ANY /{proxy+}");
        assert_eq!(key("PUT", "/both/1/2"), "ANY /{proxy+}");
    }

    #[test]
    fn greedy_variable_matches_the_rest_of_the_path() {
        let found = table().find("GET", "/pets/cat/1").unwrap();
        assert_eq!(found.path_parameters["proxy"], "cat/1");
    }

    #[test]
    fn root_path_matches_the_default_route() {
        let found = table().find("GET", "/").unwrap();
        assert_eq!(found.key, "$default");
        assert!(found.path_parameters.is_empty());
    }

    #[test]
    fn unknown_path_without_default_route_has_no_match() {
        let mut table = table();
        table.default = None;
        assert_eq!(table.find("GET", "/"), None);
    }

    #[test]
    fn routes_of_another_api_are_ignored() {
        let template = Template::parse(HEADER).unwrap();
        assert!(RouteTable::new(&template, "Api").find("GET", "/a").is_some());
        assert_eq!(RouteTable::new(&template, "Other").find("GET", "/a"), None);
    }
}
