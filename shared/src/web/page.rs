//! Lists in pages of at most 100 items.
//!
//! A cursor continues a list. It is sealed, and valid only for the same list with the same filters.

use std::borrow::Cow;

use axum::RequestPartsExt;
use axum::extract::{FromRequestParts, MatchedPath, Query};
use deserr::Deserr;
use lambda_http::http::request::Parts;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::{IntoParams, PartialSchema, ToSchema};

use super::ErrorCode;
use super::problem::both_valid;
use super::{App, Located, Problem, Result};
use crate::identity::DataKey;
use crate::table::{Entity, Key, List, Order, Position, QueryResult, Store};
use crate::value::{Id, InvalidValue, ValidationErrors, member};
use utoipa::openapi::schema::{SchemaType, Type};
use utoipa::openapi::{ArrayBuilder, ObjectBuilder, Ref, RefOr, Schema};

/// The purpose of the key that seals cursors.
const CURSOR: &str = "cursor";

const DEFAULT_LIMIT: u16 = 25;
const MAX_LIMIT: u16 = 100;

/// One page of a list.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Page<T> {
    /// The items, in the list's order.
    pub items: Vec<T>,
    /// The `cursor` parameter of the next page; `null` on the last page.
    pub next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// The same page with each item converted.
    pub fn map<U>(self, convert: impl Fn(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(convert).collect(), next_cursor: self.next_cursor }
    }
}

impl<T: ToSchema> PartialSchema for Page<T> {
    fn schema() -> RefOr<Schema> {
        let cursor = ObjectBuilder::new().schema_type(SchemaType::from_iter([Type::String, Type::Null]));
        ObjectBuilder::new()
            .property("items", ArrayBuilder::new().items(Ref::from_schema_name(T::name())))
            .property(
                "nextCursor",
                cursor.description(Some("The `cursor` parameter of the next page; `null` on the last page.")),
            )
            .required("items")
            .required("nextCursor")
            .into()
    }
}

impl<T: ToSchema> ToSchema for Page<T> {
    fn name() -> Cow<'static, str> {
        format!("{}Page", T::name()).into()
    }

    fn schemas(referred: &mut Vec<(String, RefOr<Schema>)>) {
        referred.push((T::name().into_owned(), T::schema()));
        T::schemas(referred);
    }
}

/// The query parameters of every list, for the OpenAPI document.
///
/// [`Paging`] parses them.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PageParams {
    /// The maximum number of items.
    #[param(minimum = 1, maximum = 100, default = 25)]
    #[allow(dead_code, reason = "only its description is used")]
    limit: Option<u16>,
    /// The `nextCursor` of the previous page.
    #[allow(dead_code, reason = "only its description is used")]
    cursor: Option<String>,
}

/// The filters of a list without filters.
#[derive(Clone, Copy, Debug, Deserr)]
#[deserr(error = ValidationErrors, deny_unknown_fields)]
pub struct NoFilters {}

/// The requested page of a list: at most `MAX` items, `DEFAULT` without `limit`.
pub struct Paging<F = NoFilters, const MAX: u16 = MAX_LIMIT, const DEFAULT: u16 = DEFAULT_LIMIT> {
    /// The list's own query parameters.
    pub filters: F,
    app: App,
    /// The route and the filters, to which the cursors are bound.
    list: String,
    limit: u16,
    cursor: Option<String>,
}

impl<F: Deserr<ValidationErrors>, const MAX: u16, const DEFAULT: u16> FromRequestParts<App>
    for Paging<F, MAX, DEFAULT>
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        let route: MatchedPath = parts.extract().await.map_err(Problem::internal)?;
        let (query, distinct) = ListQuery::parse(query(parts).await?);
        let list = list_name(route.as_str(), &query.filters);
        let filters = deserr::deserialize(Value::Object(query.filters)).map_err(ValidationErrors::of_parameters);
        let limit = both_valid(distinct, parse_limit(query.limit.as_deref(), MAX, DEFAULT));
        let (((), limit), filters) = both_valid(limit, filters)?;
        Ok(Self { filters, app: app.clone(), list, limit, cursor: query.cursor })
    }
}

async fn query(parts: &mut Parts) -> Result<Vec<(String, String)>> {
    let unreadable = |_| Problem::new(ErrorCode::InvalidQuery, "The query string could not be read.");
    let Query(query) = parts.extract().await.map_err(unreadable)?;
    Ok(query)
}

/// The query parameters of an operation other than a list.
pub struct Parameters<F>(pub F);

impl<F: Deserr<ValidationErrors>> FromRequestParts<App> for Parameters<F> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self> {
        let (parameters, distinct) = collect_parameters(query(parts).await?);
        let parameters = deserr::deserialize(Value::Object(parameters)).map_err(ValidationErrors::of_parameters);
        let ((), parameters) = both_valid(distinct, parameters)?;
        Ok(Self(parameters))
    }
}

/// The query parameters of an operation with a parameter that may be repeated.
///
/// The values of a repeated parameter are an array, which only the type of such a parameter accepts.
pub struct RepeatableParameters<F>(pub F);

impl<F: Deserr<ValidationErrors>> FromRequestParts<App> for RepeatableParameters<F> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self> {
        let mut parameters = Map::new();
        for (name, value) in query(parts).await? {
            match parameters.get_mut(&name) {
                None => _ = parameters.insert(name, Value::String(value)),
                Some(Value::Array(values)) => values.push(Value::String(value)),
                Some(first) => *first = Value::Array(vec![first.take(), Value::String(value)]),
            }
        }
        let parameters = deserr::deserialize(Value::Object(parameters));
        Ok(Self(parameters.map_err(ValidationErrors::of_parameters)?))
    }
}

/// The parameters by name, and an error for each duplicate name.
fn collect_parameters(query: Vec<(String, String)>) -> (Map<String, Value>, Result<(), ValidationErrors>) {
    let mut parameters = Map::new();
    let mut errors = Vec::new();
    for (name, value) in query {
        let pointer = member(&name);
        if parameters.insert(name, Value::String(value)).is_some() {
            errors.push(ValidationErrors::field(pointer, InvalidValue::new("repeated", "must not be given twice")));
        }
    }
    (parameters, errors.into_iter().reduce(ValidationErrors::and).map_or(Ok(()), Err))
}

/// The query parameters of a list.
struct ListQuery {
    limit: Option<String>,
    /// `None` on the first page. An empty cursor counts as absent.
    cursor: Option<String>,
    filters: Map<String, Value>,
}

impl ListQuery {
    /// The parameters, and an error for each duplicate name.
    fn parse(query: Vec<(String, String)>) -> (Self, Result<(), ValidationErrors>) {
        let (mut filters, distinct) = collect_parameters(query);
        let mut take = |name| match filters.remove(name) {
            Some(Value::String(text)) => Some(text),
            _ => None,
        };
        let limit = take("limit");
        let cursor = take("cursor").filter(|cursor| !cursor.is_empty());
        (Self { limit, cursor, filters }, distinct)
    }
}

fn parse_limit(limit: Option<&str>, max: u16, default: u16) -> Result<u16, ValidationErrors> {
    let limit = limit.map_or(Some(default), |limit| limit.parse().ok());
    limit.filter(|limit| (1..=max).contains(limit)).ok_or_else(|| {
        let error = InvalidValue::with("out_of_range", format!("must be an integer from 1 to {max}"));
        ValidationErrors::field("/limit", error)
    })
}

/// The route and the filters of a list: its cursors are valid only with these.
fn list_name(route: &str, filters: &Map<String, Value>) -> String {
    format!("{route}\n{}", Value::Object(filters.clone()))
}

fn invalid_cursor() -> Problem {
    let detail = "The cursor is not one of this list with these filters.";
    Problem::new(ErrorCode::InvalidCursor, detail)
}

/// Truncates `items` to a page of `limit`, and returns where the next page begins.
///
/// This is the position of the last item of the page if there are more items, otherwise the position where the
/// Query stopped, if it did.
pub fn truncate_page<T>(items: &mut Vec<(Position, T)>, limit: usize, stopped: Option<Position>) -> Option<Position> {
    if items.len() <= limit {
        return stopped;
    }
    items.truncate(limit);
    items.last().map(|(position, _)| position.clone())
}

impl<F, const MAX: u16, const DEFAULT: u16> Paging<F, MAX, DEFAULT> {
    /// The maximum number of items of the page.
    pub fn limit(&self) -> usize {
        self.limit.into()
    }

    /// The end of the previous page; `None` on the first page.
    ///
    /// 400 if the cursor belongs to another list.
    pub fn after<T>(&self, list: &List<T>) -> Result<Option<Position>> {
        let sealer = self.app.sealer(DataKey::Cursors, CURSOR)?;
        let open = |cursor: &str| {
            let plain = sealer.open(&cursor_context(list, &self.list), cursor)?;
            serde_json::from_slice(&plain).ok()
        };
        self.cursor.as_deref().map(|cursor| open(cursor).ok_or_else(invalid_cursor)).transpose()
    }

    /// The page with these items; `end` is its end if the list continues.
    pub fn page<T, I>(&self, list: &List<T>, items: Vec<I>, end: Option<&Position>) -> Result<Page<I>> {
        let next_cursor = end.map(|end| self.seal(&cursor_context(list, &self.list), end)).transpose()?;
        Ok(Page { items, next_cursor })
    }

    /// A cursor of the list of another route of the module, with these filters.
    pub fn cursor_of_route<T>(
        &self,
        route: &str,
        filters: &Map<String, Value>,
        list: &List<T>,
        end: &Position,
    ) -> Result<String> {
        self.seal(&cursor_context(list, &list_name(route, filters)), end)
    }

    fn seal(&self, context: &str, end: &Position) -> Result<String> {
        let plain = serde_json::to_vec(end).map_err(Problem::internal)?;
        Ok(self.app.sealer(DataKey::Cursors, CURSOR)?.seal(context, &plain)?)
    }

    /// Reads the page of a list in `scope`: one Query.
    ///
    /// See [`query`](Self::query) about an empty first page.
    pub async fn read<T: Entity>(
        &self,
        store: &Store,
        scope: impl Located,
        list: impl Into<List<T>>,
    ) -> Result<Page<T>> {
        let list = list.into();
        // One more item shows whether there is a next page.
        let QueryResult { mut items, stopped } = self.query(store, scope, &list, Order::Asc, self.limit() + 1).await?;
        let end = truncate_page(&mut items, self.limit(), stopped);
        self.page(&list, items.into_iter().map(|(_, item)| item).collect(), end.as_ref())
    }

    /// Queries at most `limit` items of a list from the beginning of the page.
    ///
    /// If the first page is empty, one more read checks that the scope exists: 404 if it does not.
    pub async fn query<T: Entity>(
        &self,
        store: &Store,
        scope: impl Located,
        list: &List<T>,
        order: Order,
        limit: usize,
    ) -> Result<QueryResult<T>> {
        let after = self.after(list)?;
        let is_first = after.is_none();
        let limit = i32::try_from(limit).map_err(Problem::internal)?;
        let found = store.query(list, after, order, limit).await?;
        if is_first && found.items.is_empty() && !scope.exists(store).await? {
            return Err(Problem::not_found());
        }
        Ok(found)
    }

    /// The page of a list that is stored in one item; `id` identifies its elements.
    ///
    /// The cursor contains the ids of all elements of earlier pages. So the next page neither repeats nor omits an
    /// element, even if others were deleted or moved since. Only for lists of up to 50 elements.
    pub fn page_of_elements<T, I, U>(
        &self,
        list: &List<T>,
        mut elements: Vec<I>,
        id: impl Fn(&I) -> Id<U>,
    ) -> Result<Page<I>> {
        let mut shown = self.after(list)?.map(|after| after.sort_key().to_owned()).unwrap_or_default();
        elements.retain(|element| !shown.contains(&id(element).to_key()));
        let continues = elements.len() > self.limit();
        elements.truncate(self.limit());
        for element in &elements {
            shown.push_str(&id(element).to_key());
            shown.push(' ');
        }
        let end = continues.then(|| Position::new(shown));
        self.page(list, elements, end.as_ref())
    }

    /// Reads the page of the children of an entity.
    ///
    /// One Query and, concurrently, one GetItem of the parent.
    /// 404 if the parent does not exist, even if the list still has items.
    pub async fn read_children<P: Entity, T: Entity>(
        &self,
        store: &Store,
        scope: impl Located,
        parent: &Key<P>,
        list: impl Into<List<T>>,
    ) -> Result<Page<T>> {
        // Both reads always complete, so that the cost does not depend on which of them fails.
        let (parent, page) = tokio::join!(store.find(parent), self.read(store, scope, list));
        parent?;
        page
    }
}

/// The list to which a cursor is bound: its partition, its route and its filters.
fn cursor_context<T>(list: &List<T>, name: &str) -> String {
    format!("{}\n{name}", list.partition())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(query: &[(&str, &str)]) -> (ListQuery, Result<(), ValidationErrors>) {
        ListQuery::parse(query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn empty_cursor_is_the_first_page() {
        assert_eq!(parse(&[("cursor", "")]).0.cursor, None);
        assert_eq!(parse(&[]).0.cursor, None);
        assert_eq!(parse(&[("cursor", "x")]).0.cursor.as_deref(), Some("x"));
    }

    #[test]
    fn other_parameters_are_filters() {
        let (query, distinct) = parse(&[("limit", "5"), ("q", "a"), ("cursor", "x")]);
        assert!(distinct.is_ok());
        assert_eq!(query.limit.as_deref(), Some("5"));
        assert_eq!(Value::Object(query.filters), serde_json::json!({ "q": "a" }));
    }

    #[test]
    fn repeated_parameter_is_rejected() {
        let (_, distinct) = parse(&[("q", "a"), ("q", "b"), ("limit", "1"), ("limit", "1"), ("sort", "name")]);
        let pointers: Vec<_> = distinct.unwrap_err().into_fields().into_iter().map(|error| error.pointer).collect();
        assert_eq!(pointers, ["/q", "/limit"]);
    }

    #[test]
    fn limit_is_an_integer_from_one_to_the_maximum() {
        let parse = |limit| {
            let parsed = parse_limit(limit, 100, 25);
            parsed.map_err(|errors| errors.into_fields().into_iter().map(|error| error.detail).collect::<String>())
        };
        assert_eq!([None, Some("1"), Some("100")].map(parse), [Ok(25), Ok(1), Ok(100)]);
        for limit in ["", "0", "101", "-1", "1.5", "ten", "99999999999"] {
            assert_eq!(parse(Some(limit)), Err("must be an integer from 1 to 100".to_owned()), "{limit}");
        }
    }

    #[test]
    fn page_ends_at_its_last_item_or_where_the_query_stopped() {
        let items = |n: u32| (1..=n).map(|n| (Position::new(n), n)).collect::<Vec<_>>();
        let mut more = items(3);
        assert_eq!(truncate_page(&mut more, 2, None), Some(Position::new(2)));
        assert_eq!(more.len(), 2);
        assert_eq!(truncate_page(&mut items(2), 2, None), None);
        assert_eq!(truncate_page(&mut items(1), 2, Some(Position::new(9))), Some(Position::new(9)));
    }
}
