//! Lists: pages of at most 100, continued by a cursor that is sealed and bound to the list it came from.

use std::borrow::Cow;
use std::fmt::Display;

use axum::RequestPartsExt;
use axum::extract::{FromRequestParts, MatchedPath, Query};
use deserr::Deserr;
use lambda_http::http::request::Parts;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::openapi::schema::{SchemaType, Type};
use utoipa::openapi::{ArrayBuilder, ObjectBuilder, Ref, RefOr, Schema};
use utoipa::{IntoParams, PartialSchema, ToSchema};

use crate::auth::Located;
use crate::keys::{Key, List};
use crate::store::{Item, Order, Position, Rows, Store};
use crate::value::{InvalidValue, ValidationErrors, member};
use crate::{App, Problem, Result};

const DEFAULT_LIMIT: u16 = 25;
const MAX_LIMIT: u16 = 100;

/// One page of a list.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Page<T> {
    /// The items, in the list's order.
    pub items: Vec<T>,
    /// What `?cursor=` takes to continue; `null` on the last page.
    pub next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// The same page of what is made of each item.
    pub fn map<U>(self, show: impl Fn(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(show).collect(), next_cursor: self.next_cursor }
    }
}

impl<T: ToSchema> PartialSchema for Page<T> {
    fn schema() -> RefOr<Schema> {
        let cursor = ObjectBuilder::new().schema_type(SchemaType::from_iter([Type::String, Type::Null]));
        ObjectBuilder::new()
            .property("items", ArrayBuilder::new().items(Ref::from_schema_name(T::name())))
            .property(
                "nextCursor",
                cursor.description(Some("What `?cursor=` takes to continue; `null` on the last page.")),
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

/// The query parameters of every list, for the OpenAPI document; [`Paging`] reads them.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PageParams {
    /// How many items at most.
    #[param(minimum = 1, maximum = 100, default = 25)]
    #[allow(dead_code, reason = "described, not read")]
    limit: Option<u16>,
    /// The `nextCursor` of the page before.
    #[allow(dead_code, reason = "described, not read")]
    cursor: Option<String>,
}

/// The query parameters of a list that has no others.
#[derive(Clone, Copy, Debug, Deserr)]
#[deserr(error = ValidationErrors, deny_unknown_fields)]
pub struct NoFilters {}

/// Which page of a list is asked for, and of what the list consists: at most `MOST` items, `USUAL` unless told.
pub struct Paging<F = NoFilters, const MOST: u16 = MAX_LIMIT, const USUAL: u16 = DEFAULT_LIMIT> {
    /// The list's own query parameters.
    pub filters: F,
    app: App,
    /// The route and the filters: a cursor is good for no others.
    list: String,
    limit: u16,
    cursor: Option<String>,
}

impl<F: Deserr<ValidationErrors>, const MOST: u16, const USUAL: u16> FromRequestParts<App> for Paging<F, MOST, USUAL> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        let route: MatchedPath = parts.extract().await.map_err(Problem::internal)?;
        let asked = Asked::read(query(parts).await?);
        let mut faults = asked.faults;
        let limit = asked.limit.map_or(Some(USUAL), |limit| limit.parse().ok());
        let limit = limit.filter(|limit| (1..=MOST).contains(limit));
        if limit.is_none() {
            let why = InvalidValue::with("out_of_range", format!("must be a number from 1 to {MOST}"));
            faults.push(ValidationErrors::field("/limit", why));
        }
        let list = format!("{}\n{}", route.as_str(), Value::Object(asked.filters.clone()));
        let filters = deserr::deserialize(Value::Object(asked.filters)).map_err(ValidationErrors::of_parameters);
        match (filters, faults.into_iter().reduce(ValidationErrors::and), limit) {
            (Ok(filters), None, Some(limit)) => {
                Ok(Self { filters, app: app.clone(), list, limit, cursor: asked.cursor })
            }
            (Err(invalid), None, _) => Err(invalid.into()),
            (Err(invalid), Some(faults), _) => Err(faults.and(invalid).into()),
            (_, faults, _) => Err(faults.map_or_else(|| Problem::internal("a limit without a fault"), Problem::from)),
        }
    }
}

async fn query(parts: &mut Parts) -> Result<Vec<(String, String)>> {
    let unreadable = |_| Problem::bad_request("invalid_query", "The query cannot be read.");
    let Query(query) = parts.extract().await.map_err(unreadable)?;
    Ok(query)
}

/// The query parameters of what is no list.
pub struct Parameters<F>(pub F);

impl<F: Deserr<ValidationErrors>> FromRequestParts<App> for Parameters<F> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self> {
        let mut faults = Vec::new();
        let mut asked = Map::new();
        for (name, value) in query(parts).await? {
            if asked.insert(name.clone(), Value::String(value)).is_some() {
                faults.push(repeated(&name));
            }
        }
        let read = deserr::deserialize(Value::Object(asked)).map_err(ValidationErrors::of_parameters);
        match (read, faults.into_iter().reduce(ValidationErrors::and)) {
            (Ok(read), None) => Ok(Self(read)),
            (Ok(_), Some(faults)) => Err(faults.into()),
            (Err(invalid), None) => Err(Problem::from(invalid)),
            (Err(invalid), Some(faults)) => Err(faults.and(invalid).into()),
        }
    }
}

fn invalid_cursor() -> Problem {
    Problem::bad_request(
        "invalid_cursor",
        "The cursor is not one that this list gave, or its place in the list is gone.",
    )
}

fn repeated(name: &str) -> ValidationErrors {
    ValidationErrors::field(member(name), InvalidValue::new("repeated", "must not be given twice"))
}

/// The query of a list, sorted out.
#[derive(Default)]
struct Asked {
    limit: Option<String>,
    cursor: Option<String>,
    filters: Map<String, Value>,
    faults: Vec<ValidationErrors>,
}

impl Asked {
    fn read(query: Vec<(String, String)>) -> Self {
        let mut asked = Self::default();
        for (name, value) in query {
            let earlier = match name.as_str() {
                "limit" => asked.limit.replace(value).is_some(),
                "cursor" => asked.cursor.replace(value).is_some(),
                _ => asked.filters.insert(name.clone(), Value::String(value)).is_some(),
            };
            if earlier {
                asked.faults.push(repeated(&name));
            }
        }
        asked
    }
}

/// Cuts what was found to a page; where that ends, if there is or may be more after it: at its last item if that is not the last one
/// that was found, else where the reading stopped.
pub fn end_of<T>(found: &mut Vec<(Position, T)>, limit: usize, stopped: Option<Position>) -> Option<Position> {
    if found.len() <= limit {
        return stopped;
    }
    found.truncate(limit);
    found.last().map(|(position, _)| position.clone())
}

impl<F, const MOST: u16, const USUAL: u16> Paging<F, MOST, USUAL> {
    /// How many items at most.
    pub fn limit(&self) -> usize {
        self.limit.into()
    }

    /// Where the page before ended; `None` on the first page. 400 if the cursor is not this list's.
    pub fn after<T>(&self, list: &List<T>) -> Result<Option<Position>> {
        let open = |cursor: &str| {
            let plain = self.app.cursors().open(&self.context(list), cursor)?;
            serde_json::from_slice(&plain).ok()
        };
        self.cursor.as_deref().map(|cursor| open(cursor).ok_or_else(invalid_cursor)).transpose()
    }

    /// A page that ends at `end`, if the list goes on after it.
    pub fn page<T, I>(&self, list: &List<T>, items: Vec<I>, end: Option<&Position>) -> Result<Page<I>> {
        let seal = |end| {
            let plain = serde_json::to_vec(end).map_err(Problem::internal)?;
            self.app.cursors().seal(&self.context(list), &plain).map_err(Problem::internal)
        };
        Ok(Page { items, next_cursor: end.map(seal).transpose()? })
    }

    /// Reads the page of a list in `scope`: one Query. An empty first page may mean that the scope is not there, which costs one
    /// read more to tell, and is a 404.
    pub async fn read<T: Item>(&self, store: &Store, scope: impl Located, list: impl Into<List<T>>) -> Result<Page<T>> {
        let list = list.into();
        let after = self.after(&list)?;
        let first = after.is_none();
        // One more than asked for tells whether there is a next page; so does a Query that stopped before the limit.
        let found = store.query(&list, after, Order::Asc, i32::from(self.limit) + 1).await?;
        if first && found.rows.is_empty() && !scope.exists(store).await? {
            return Err(Problem::not_found());
        }
        let more = found.rows.len() > self.limit() || found.stopped.is_some();
        let (ends, items): (Vec<_>, Vec<_>) = found.rows.into_iter().take(self.limit()).unzip();
        self.page(&list, items, ends.last().filter(|_| more))
    }

    /// Queries a list from where the page begins. An empty first page may mean that the scope is not there, which costs one read more
    /// to tell, and is a 404.
    pub async fn query<T: Item>(
        &self,
        store: &Store,
        scope: impl Located,
        list: &List<T>,
        order: Order,
        limit: usize,
    ) -> Result<Rows<T>> {
        let after = self.after(list)?;
        let first = after.is_none();
        let limit = i32::try_from(limit).map_err(Problem::internal)?;
        let rows = store.query(list, after, order, limit).await?;
        if first && rows.rows.is_empty() && !scope.exists(store).await? {
            return Err(Problem::not_found());
        }
        Ok(rows)
    }

    /// The page of a list whose items one row holds; `id` tells them apart. 400 after one that is no longer there: nothing tells what
    /// followed it.
    pub fn of_row<T, I, D: Display>(&self, list: &List<T>, items: Vec<I>, id: impl Fn(&I) -> D) -> Result<Page<I>> {
        let after = self.after(list)?;
        let rows = items.into_iter().map(|item| (Position::new(id(&item)), item));
        let mut rows: Vec<_> = rows.collect();
        if let Some(after) = after {
            let at = rows.iter().position(|(position, _)| *position == after).ok_or_else(invalid_cursor)?;
            rows.drain(..=at);
        }
        let end = end_of(&mut rows, self.limit(), None);
        self.page(list, rows.into_iter().map(|(_, item)| item).collect(), end.as_ref())
    }

    /// A cursor for another list of the same module: that of `route` with these `filters`.
    pub fn cursor_elsewhere<T>(
        &self,
        route: &str,
        filters: Map<String, Value>,
        list: &List<T>,
        end: &Position,
    ) -> Result<String> {
        let plain = serde_json::to_vec(end).map_err(Problem::internal)?;
        let context = format!("{}\n{route}\n{}", list.partition(), Value::Object(filters));
        self.app.cursors().seal(&context, &plain).map_err(Problem::internal)
    }

    /// Reads the page of what belongs to something, whose row `owner` is: one Query, and beside it one GetItem. 404 without the owner,
    /// of which a list may still know.
    pub async fn read_of<O: Item, T: Item>(
        &self,
        store: &Store,
        scope: impl Located,
        owner: &Key<O>,
        list: impl Into<List<T>>,
    ) -> Result<Page<T>> {
        // Both are always read to their end, so that it costs the same whichever is missing.
        let (owner, page) = tokio::join!(store.find(owner), self.read(store, scope, list));
        owner?;
        page
    }

    fn context<T>(&self, list: &List<T>) -> String {
        format!("{}\n{}", list.partition(), self.list)
    }
}
