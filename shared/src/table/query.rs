//! Lists of items: one Query each.

use std::fmt::Display;

use aws_sdk_dynamodb::types::{AttributeValue, ReturnConsumedCapacity};
use deserr::Deserr;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Store;
use super::entity::{Attributes, Entity, decode, text};
use super::error::StoreError;
use super::key::{Bounds, Key, List};
use crate::value::ValidationErrors;

/// The order of a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Deserr, ToSchema)]
#[serde(rename_all = "lowercase")]
#[deserr(error = ValidationErrors, rename_all = lowercase)]
pub enum Order {
    /// Ascending.
    #[default]
    Asc,
    /// Descending.
    Desc,
}

/// The position of an item in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// The sort key in the table.
    sk: String,
    /// The sort key in the index, if the list is in the order of an index.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    index: Option<String>,
}

/// The items that a Query of a list has returned.
pub struct QueryResult<T> {
    /// The items with their positions, in the order of the list.
    pub items: Vec<(Position, T)>,
    /// Where the Query stopped before the end of the list, at its limit or at 1 MB.
    pub stopped: Option<Position>,
}

impl Position {
    /// A position in a list that is stored in one item.
    pub fn new(key: impl Display) -> Self {
        Self { sk: key.to_string(), index: None }
    }

    /// The sort key by which the list is ordered.
    pub fn sort_key(&self) -> &str {
        self.index.as_ref().unwrap_or(&self.sk)
    }

    fn of<T>(item: &Attributes, list: &List<T>) -> Result<Self, StoreError> {
        let attribute =
            |name| text(item, name).map(str::to_owned).ok_or_else(|| StoreError::internal("an item without a key"));
        let index = list.index.as_ref().map(|(index, _)| attribute(index.sk)).transpose()?;
        Ok(Self { sk: attribute("sk")?, index })
    }

    /// The position as an `ExclusiveStartKey`.
    fn start_key<T>(self, list: &List<T>) -> Attributes {
        let mut key = vec![("pk", list.pk.clone()), ("sk", self.sk)];
        if let (Some((index, pk)), Some(sk)) = (&list.index, self.index) {
            key.extend([(index.pk, pk.clone()), (index.sk, sk)]);
        }
        key.into_iter().map(|(name, value)| (name.to_owned(), AttributeValue::S(value))).collect()
    }
}

/// The limit of each Query when all items are needed.
///
/// DynamoDB also stops at 1 MB.
const ALL_LIMIT: i32 = 1000;

impl Store {
    /// Reads all items of a short list.
    ///
    /// One Query for each thousand items or MB.
    pub async fn query_all<T: Entity>(&self, list: &List<T>) -> Result<Vec<(Position, T)>, StoreError> {
        let QueryResult { mut items, mut stopped } = self.query(list, None, Order::Asc, ALL_LIMIT).await?;
        while let Some(after) = stopped {
            let next = self.query(list, Some(after), Order::Asc, ALL_LIMIT).await?;
            items.extend(next.items);
            stopped = next.stopped;
        }
        Ok(items)
    }

    /// The keys of the first items of a list, at most `limit`: one Query.
    pub async fn keys<T: Entity>(&self, list: &List<T>, limit: i32) -> Result<Vec<Key<T>>, StoreError> {
        let found = self.query(list, None, Order::Asc, limit).await?;
        Ok(found.items.into_iter().map(|(position, _)| list.item(position.sk)).collect())
    }

    /// Reads at most `limit` items of a list after a position: one Query.
    ///
    /// DynamoDB also stops at 1 MB. The table is read strongly consistently, an index eventually
    /// consistently.
    pub async fn query<T: Entity>(
        &self,
        list: &List<T>,
        after: Option<Position>,
        order: Order,
        limit: i32,
    ) -> Result<QueryResult<T>, StoreError> {
        let (pk, sk) = list.index.as_ref().map_or(("pk", "sk"), |(index, _)| (index.pk, index.sk));
        let condition = match &list.bounds {
            Bounds::None => format!("{pk} = :pk"),
            Bounds::From(_) => format!("{pk} = :pk AND {sk} >= :from"),
            Bounds::Prefix(_) | Bounds::Between(_, _) => format!("{pk} = :pk AND {sk} BETWEEN :from AND :to"),
        };
        let (from, to) = match &list.bounds {
            Bounds::None => (None, None),
            Bounds::From(from) => (Some(from.clone()), None),
            Bounds::Between(from, to) => (Some(from.clone()), Some(to.clone())),
            // Equivalent to `begins_with`, for which DynamoDB Local looks at all items of the partition.
            Bounds::Prefix(prefix) => (Some(prefix.clone()), Some(format!("{prefix}{}", char::MAX))),
        };
        let partition = (":pk", Some(list.partition().to_owned()));
        let values = [partition, (":from", from), (":to", to)].into_iter();
        let values = values.filter_map(|(name, value)| Some((name.to_owned(), AttributeValue::S(value?))));
        let request = self
            .client
            .query()
            .table_name(&*self.table)
            .set_index_name(list.index.as_ref().map(|(index, _)| index.name.to_owned()))
            .key_condition_expression(condition)
            .set_expression_attribute_values(Some(values.collect()))
            .set_exclusive_start_key(after.map(|after| after.start_key(list)))
            .scan_index_forward(order == Order::Asc)
            .limit(limit)
            // DynamoDB has no consistent reads of global indexes.
            .consistent_read(list.index.is_none())
            .return_consumed_capacity(ReturnConsumedCapacity::Total);
        let response = self.call(request.send()).await?;
        self.budget.count_read(response.consumed_capacity());
        let stopped = response.last_evaluated_key.as_ref().map(|key| Position::of(key, list)).transpose()?;
        let items = response.items.unwrap_or_default().into_iter();
        let items = items.map(|item| Ok((Position::of(&item, list)?, decode(item, &list.pk)?)));
        Ok(QueryResult { items: items.collect::<Result<_, StoreError>>()?, stopped })
    }
}
