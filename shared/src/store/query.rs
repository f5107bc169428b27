//! Lists: one Query each.

use std::collections::HashMap;
use std::fmt::Display;

use aws_sdk_dynamodb::types::{AttributeValue, ReturnConsumedCapacity};
use deserr::Deserr;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Store;
use super::failure::in_time;
use super::item::{Item, decode, text};
use crate::keys::{Bounds, Key, List};
use crate::value::ValidationErrors;
use crate::{Problem, Result};

type Attributes = HashMap<String, AttributeValue>;

/// Which way a list is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Deserr, ToSchema)]
#[serde(rename_all = "lowercase")]
#[deserr(error = ValidationErrors, rename_all = lowercase)]
pub enum Order {
    /// From the least on.
    #[default]
    Asc,
    /// From the greatest on.
    Desc,
}

/// Where a row stands in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    sk: String,
    /// The sort key in the index, if the list is one's.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    through: Option<String>,
}

/// Rows of a list, with where they stand in it.
pub struct Rows<T> {
    /// The rows.
    pub rows: Vec<(Position, T)>,
    /// Where the reading stopped, at its limit or at DynamoDB's of 1 MB, if that was before the end.
    pub stopped: Option<Position>,
}

impl Position {
    /// In a list that is no table's.
    pub fn new(key: impl Display) -> Self {
        Self { sk: key.to_string(), through: None }
    }

    /// The sort key by which the list is in order.
    pub fn sort_key(&self) -> &str {
        self.through.as_ref().unwrap_or(&self.sk)
    }

    fn of<T>(row: &Attributes, list: &List<T>) -> Result<Self> {
        let named = |name| text(row, name).map(str::to_owned).ok_or_else(|| Problem::internal("a row without a key"));
        let through = list.through.as_ref().map(|(index, _)| named(index.sk)).transpose()?;
        Ok(Self { sk: named("sk")?, through })
    }

    fn start_key<T>(self, list: &List<T>) -> Attributes {
        let mut key = vec![("pk", list.pk.clone()), ("sk", self.sk)];
        if let (Some((index, pk)), Some(sk)) = (&list.through, self.through) {
            key.extend([(index.pk, pk.clone()), (index.sk, sk)]);
        }
        key.into_iter().map(|(name, value)| (name.to_owned(), AttributeValue::S(value))).collect()
    }
}

/// How many rows are asked for at a time where all are wanted. DynamoDB stops at 1 MB in any case.
const AT_ONCE: i32 = 1000;

impl Store {
    /// Reads all rows of a list that is known to be short: one Query, and one more for each further thousand of them or MB.
    pub async fn query_all<T: Item>(&self, list: &List<T>) -> Result<Vec<(Position, T)>> {
        let Rows { mut rows, mut stopped } = self.query(list, None, Order::Asc, AT_ONCE).await?;
        while let Some(after) = stopped {
            let more = self.query(list, Some(after), Order::Asc, AT_ONCE).await?;
            rows.extend(more.rows);
            stopped = more.stopped;
        }
        Ok(rows)
    }

    /// The keys of at most `limit` rows at the beginning of a list: one Query.
    pub async fn keys<T: Item>(&self, list: &List<T>, limit: i32) -> Result<Vec<Key<T>>> {
        let found = self.query(list, None, Order::Asc, limit).await?;
        Ok(found.rows.into_iter().map(|(position, _)| list.row(position.sk)).collect())
    }

    /// Reads at most `limit` rows of a list from after a position on: one Query. DynamoDB also stops at 1 MB.
    pub async fn query<T: Item>(
        &self,
        list: &List<T>,
        after: Option<Position>,
        order: Order,
        limit: i32,
    ) -> Result<Rows<T>> {
        let mut request = self
            .client
            .query()
            .table_name(&*self.table)
            .set_index_name(list.through.as_ref().map(|(index, _)| index.name.to_owned()))
            .expression_attribute_values(":pk", AttributeValue::S(list.partition().to_owned()))
            .set_exclusive_start_key(after.map(|after| after.start_key(list)))
            .scan_index_forward(order == Order::Asc)
            .limit(limit)
            // An index cannot be read so.
            .consistent_read(list.through.is_none())
            .return_consumed_capacity(ReturnConsumedCapacity::Total);
        let (pk, sk) = list.through.as_ref().map_or(("pk", "sk"), |(index, _)| (index.pk, index.sk));
        let (condition, bound) = match &list.bounds {
            Bounds::None => (format!("{pk} = :pk"), None),
            Bounds::Prefix(prefix) => {
                // `begins_with` says the same, but for it DynamoDB Local looks at every row of the partition.
                let end = AttributeValue::S(format!("{prefix}{}", char::MAX));
                request = request.expression_attribute_values(":end", end);
                (format!("{pk} = :pk AND {sk} BETWEEN :sk AND :end"), Some(prefix))
            }
            Bounds::From(from) => (format!("{pk} = :pk AND {sk} >= :sk"), Some(from)),
            Bounds::Between(from, to) => {
                request = request.expression_attribute_values(":end", AttributeValue::S(to.clone()));
                (format!("{pk} = :pk AND {sk} BETWEEN :sk AND :end"), Some(from))
            }
        };
        request = request.key_condition_expression(condition);
        if let Some(bound) = bound {
            request = request.expression_attribute_values(":sk", AttributeValue::S(bound.clone()));
        }
        self.trace.cost().round_trip();
        let answer = in_time(self.trace.deadline(), Box::pin(request.send())).await?;
        self.trace.cost().read(answer.consumed_capacity());
        let stopped = answer.last_evaluated_key.as_ref().map(|key| Position::of(key, list)).transpose()?;
        let rows = answer.items.unwrap_or_default().into_iter();
        let rows: Result<_> = rows.map(|row| Ok((Position::of(&row, list)?, decode(row, &list.pk)?))).collect();
        Ok(Rows { rows: rows?, stopped })
    }
}
