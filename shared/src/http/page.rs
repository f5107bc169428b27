//! Lists: pages of at most 100, continued by a cursor that is sealed and bound to the list it came from.

use std::borrow::Cow;
use std::collections::HashSet;

use axum::RequestPartsExt;
use axum::extract::{FromRequestParts, MatchedPath, Query};
use lambda_http::http::request::Parts;
use serde::Serialize;
use utoipa::openapi::schema::{SchemaType, Type};
use utoipa::openapi::{ArrayBuilder, ObjectBuilder, Ref, RefOr, Schema};
use utoipa::{IntoParams, PartialSchema, ToSchema};

use crate::auth::Located;
use crate::keys::Partition;
use crate::store::{Item, Store};
use crate::value::{Invalid, Rejected, member};
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

/// Which page of a list is asked for.
pub struct Paging {
    app: App,
    route: String,
    limit: u16,
    cursor: Option<String>,
}

impl FromRequestParts<App> for Paging {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        let route: MatchedPath = parts.extract().await.map_err(Problem::internal)?;
        let Query(query): Query<Vec<(String, String)>> =
            parts.extract().await.map_err(|_| Problem::bad_request("invalid_query", "The query cannot be read."))?;
        let mut paging =
            Self { app: app.clone(), route: route.as_str().to_owned(), limit: DEFAULT_LIMIT, cursor: None };
        let mut seen = HashSet::new();
        let faults = query.into_iter().filter_map(|(name, value)| {
            let fault = |code, detail| Invalid::field(member(&name), Rejected::new(code, detail));
            if !seen.insert(name.clone()) {
                return Some(fault("repeated", "must not be given twice"));
            }
            paging.take(&name, value).err().map(|(code, detail)| fault(code, detail))
        });
        match faults.reduce(Invalid::and) {
            Some(invalid) => Err(invalid.into()),
            None => Ok(paging),
        }
    }
}

impl Paging {
    /// Takes one parameter, or says by code and detail what is wrong with it.
    fn take(&mut self, name: &str, value: String) -> std::result::Result<(), (&'static str, &'static str)> {
        match name {
            "limit" => {
                let limit = value.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit));
                self.limit = limit.ok_or(("out_of_range", "must be a number from 1 to 100"))?;
            }
            "cursor" => self.cursor = Some(value),
            _ => return Err(("unknown_parameter", "is not a parameter here")),
        }
        Ok(())
    }

    /// Reads the page of a partition in `scope`: one Query. An empty first page may mean that the scope is not there, which
    /// costs one read more to tell, and is a 404.
    pub async fn read<T: Item>(self, store: &Store, scope: impl Located, partition: Partition<T>) -> Result<Page<T>> {
        let context = format!("{}\n{}", partition.pk, self.route);
        let after = self.cursor.as_deref().map(|cursor| self.open(&context, cursor)).transpose()?;
        let first = after.is_none();
        // One more than asked for tells whether there is a next page; so does a Query that stopped before the limit.
        let (mut found, stopped) = store.query(&partition, after, i32::from(self.limit) + 1).await?;
        if first && found.is_empty() && !scope.exists(store).await? {
            return Err(Problem::not_found());
        }
        let limit = usize::from(self.limit);
        let more = found.len() > limit || stopped;
        found.truncate(limit);
        let last = found.last().filter(|_| more);
        let next_cursor = last.map(|(sk, _)| self.app.cursors().seal(&context, sk.as_bytes())).transpose();
        Ok(Page {
            next_cursor: next_cursor.map_err(Problem::internal)?,
            items: found.into_iter().map(|(_, item)| item).collect(),
        })
    }

    fn open(&self, context: &str, cursor: &str) -> Result<String> {
        self.app
            .cursors()
            .open(context, cursor)
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .ok_or_else(|| Problem::bad_request("invalid_cursor", "The cursor is not one that this list gave."))
    }
}
