use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Deal, DealStatus, PipelineId, StageId};
use crate::table::{Condition, Failure, Key, OnFailed, StoreError, Transaction, Update};
use crate::value::Currency;
use crate::web::{ErrorCode, Problem};
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::ser::SerializeMap;

/// The number of deals of a stage, and the total value of the open deals.
///
/// The transaction that changes a deal also changes the totals of its stages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StageTotals {
    /// The pipeline of the stage.
    pub pipeline_id: PipelineId,
    /// The number of deals of any status.
    pub n: u64,
    /// The number of stages in deletion that move their deals here.
    ///
    /// While it is not 0, this stage cannot be deleted.
    pub inbound: u64,
    /// The stage that the deals are moved to while this stage is in deletion.
    pub moves_to: Option<StageId>,
    /// The totals of the open deals by currency code.
    pub open: BTreeMap<String, CurrencyTotal>,
}

/// The number and the sum of amounts in one currency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CurrencyTotal {
    /// The number of amounts.
    pub n: i64,
    /// The sum in the smallest unit of the currency.
    pub minor: i128,
}

/// What a change of deals adds to the totals of a stage.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StageTotalsChange {
    /// Added to the number of deals.
    pub n: i64,
    /// Added to the number of stages that move their deals here.
    pub inbound: i64,
    /// Added to the totals of the open deals by currency code.
    pub open: BTreeMap<&'static str, CurrencyTotal>,
}

/// The divisor that splits a sum into its stored high and low parts.
///
/// Stored numbers are read as 64-bit integers, and the sum of 10,000 of the largest amounts does not fit one.
/// So a sum is stored as two numbers: one of 10^9 smallest units, one of single units. Each number changes
/// independently and may be negative.
const SPLIT: i128 = 1_000_000_000;

/// The prefixes of the attributes of a currency: `n_USD`, `high_USD`, `low_USD`.
const PARTS: [&str; 3] = ["n_", "high_", "low_"];

impl CurrencyTotal {
    fn parts(self) -> [i64; 3] {
        let part = |number: i128| i64::try_from(number).unwrap_or(i64::MAX);
        [self.n, part(self.minor / SPLIT), part(self.minor % SPLIT)]
    }

    fn add_part(&mut self, part: usize, number: i64) {
        match part {
            0 => self.n += number,
            1 => self.minor += i128::from(number) * SPLIT,
            _ => self.minor += i128::from(number),
        }
    }
}

impl StageTotalsChange {
    /// Counts a deal that is added (1) or removed (-1).
    pub fn count(&mut self, deal: &Deal, by: i64) {
        self.n += by;
        if deal.fields.status == DealStatus::Open {
            let currency: Currency = deal.fields.currency;
            let minor = deal.fields.value.and_then(|value| value.in_minor_units(currency)).unwrap_or_default();
            let total = self.open.entry(currency.code()).or_default();
            total.n += by;
            total.minor += i128::from(by) * minor;
        }
        self.open.retain(|_, total| *total != CurrencyTotal::default());
    }

    /// Whether this changes nothing.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// The attributes that are added to, with the numbers to add.
    pub(crate) fn additions(&self) -> Vec<(String, i64)> {
        let open = self.open.iter().flat_map(|(code, total)| {
            PARTS.iter().zip(total.parts()).map(move |(part, number)| (format!("{part}{code}"), number))
        });
        let counts = [("n", self.n), ("inbound", self.inbound)].map(|(name, number)| (name.to_owned(), number));
        counts.into_iter().chain(open).filter(|(_, number)| *number != 0).collect()
    }
}

/// Changes of stage totals by stage.
pub type StageTotalsChanges = BTreeMap<StageId, StageTotalsChange>;

/// No stage in deletion moves its deals to this stage.
fn has_no_inbound() -> Condition {
    Condition::Absent("inbound").or(Condition::equal("inbound", 0_u64))
}

/// `409 not_empty`: a stage in deletion moves its deals to this stage.
fn has_inbound_deals() -> Failure {
    let detail = "Deals of a stage that is being deleted are being moved here. Retry later.";
    Problem::new(ErrorCode::NotEmpty, detail).into()
}

impl StageTotals {
    /// Adds a change of the totals of a stage, which must exist.
    ///
    /// With `pipeline`, the stage must belong to that pipeline and must not be in deletion: deals are added to it.
    pub fn change(
        transaction: &mut Transaction,
        stage: &Key<Self>,
        change: &StageTotalsChange,
        pipeline: Option<PipelineId>,
        on_failed: Failure,
    ) -> Result<(), StoreError> {
        let condition = match pipeline {
            Some(pipeline) => Condition::equal("pipelineId", pipeline).and(Condition::Absent("movesTo")),
            None => Condition::Exists,
        };
        let additions = change.additions().into_iter();
        let update = additions.fold(Update::default(), |update, (name, number)| update.add(name, number));
        transaction.update(stage, update, condition, on_failed)
    }

    /// Marks a stage as being deleted: its deals are moved to the stage `to`.
    ///
    /// `409 not_empty` while deals of another stage are being moved to it.
    pub fn begin_deletion(transaction: &mut Transaction, stage: &Key<Self>, to: StageId) -> Result<(), StoreError> {
        let may_begin = Condition::Exists.and(Condition::Absent("movesTo")).and(has_no_inbound());
        let on_failed = OnFailed::decide(|existing: Option<Self>| {
            existing.filter(|existing| existing.inbound > 0).map_or(Failure::Conflict, |_| has_inbound_deals())
        });
        transaction.update(stage, Update::default().set("movesTo", to), may_begin, on_failed)
    }

    /// Adds that the totals of an empty stage are deleted.
    ///
    /// `409 not_empty` while the stage has deals, and while deals of another stage are being moved to it.
    pub fn delete_empty(transaction: &mut Transaction, stage: &Key<Self>) -> Result<(), StoreError> {
        let detail = "The stage still has deals. Delete them first, or name the stage to move them to with moveTo.";
        Self::delete(transaction, stage, 0, Problem::new(ErrorCode::NotEmpty, detail).into())
    }

    /// Adds the deletion of the totals of a stage, after its last deals were moved.
    ///
    /// `moved` is the number of deals that the same transaction moves: a conflict if the stage has another
    /// number of deals. `409 not_empty` while deals of another stage are being moved to it.
    pub fn delete_emptied(transaction: &mut Transaction, stage: &Key<Self>, moved: u64) -> Result<(), StoreError> {
        Self::delete(transaction, stage, moved, Failure::Conflict)
    }

    fn delete(
        transaction: &mut Transaction,
        stage: &Key<Self>,
        deals: u64,
        on_failed: Failure,
    ) -> Result<(), StoreError> {
        let condition = Condition::equal("n", deals).and(has_no_inbound());
        let on_failed = OnFailed::decide(move |existing: Option<Self>| match existing {
            None => Failure::Conflict,
            Some(existing) if existing.inbound > 0 => has_inbound_deals(),
            Some(_) => on_failed,
        });
        transaction.delete_if(stage, condition, on_failed)
    }

    /// The totals of a new stage.
    pub const fn new(pipeline_id: PipelineId) -> Self {
        Self { pipeline_id, n: 0, inbound: 0, moves_to: None, open: BTreeMap::new() }
    }
}

// Not derived: each number is an attribute of its own, so that a transaction can add to it.

impl Serialize for StageTotals {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("pipelineId", &self.pipeline_id)?;
        map.serialize_entry("n", &self.n)?;
        map.serialize_entry("inbound", &self.inbound)?;
        map.serialize_entry("movesTo", &self.moves_to)?;
        for (code, total) in &self.open {
            for (part, number) in PARTS.iter().zip(total.parts()) {
                map.serialize_entry(&format!("{part}{code}"), &number)?;
            }
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for StageTotals {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Attributes)
    }
}

struct Attributes;

impl<'de> Visitor<'de> for Attributes {
    type Value = StageTotals;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the totals of a stage")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<StageTotals, A::Error> {
        let (mut pipeline_id, mut n, mut open) = (None, 0, BTreeMap::<String, CurrencyTotal>::new());
        let (mut inbound, mut moves_to) = (0, None);
        while let Some(name) = map.next_key::<String>()? {
            let part = PARTS.iter().enumerate().find_map(|(part, prefix)| Some((part, name.strip_prefix(prefix)?)));
            match (name.as_str(), part) {
                ("pipelineId", _) => pipeline_id = Some(map.next_value()?),
                ("n", _) => n = map.next_value()?,
                ("inbound", _) => inbound = map.next_value()?,
                ("movesTo", _) => moves_to = map.next_value()?,
                (_, Some((part, code))) => open.entry(code.to_owned()).or_default().add_part(part, map.next_value()?),
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        open.retain(|_, total| *total != CurrencyTotal::default());
        let pipeline_id = pipeline_id.ok_or_else(|| serde::de::Error::missing_field("pipelineId"))?;
        Ok(StageTotals { pipeline_id, n, inbound, moves_to, open })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rust_decimal::Decimal;
    use serde_json::{Map, Value, json};

    use super::*;
    use crate::deals::DealFields;
    use crate::value::{Amount, Id, Name, Rank};

    /// The item of a stage, with additions as DynamoDB makes them.
    struct Item(Map<String, Value>);

    impl Item {
        fn new() -> Self {
            let item = serde_json::to_value(StageTotals::new(Id::from_uuid(uuid::Uuid::nil()))).unwrap();
            Self(item.as_object().unwrap().clone())
        }

        fn add(&mut self, change: &StageTotalsChange) {
            for (name, number) in change.additions() {
                let current = self.0.get(&name).and_then(Value::as_i64).unwrap_or_default();
                self.0.insert(name, json!(current + number));
            }
        }

        fn read(&self) -> StageTotals {
            serde_json::from_value(Value::Object(self.0.clone())).unwrap()
        }
    }

    fn deal(currency: &str, value: Decimal, status: DealStatus) -> Deal {
        let id = uuid::Uuid::nil();
        let fields = DealFields {
            title: "Engine".parse::<Name>().unwrap(),
            value: Some(Amount::new(value).unwrap()),
            currency: currency.parse().unwrap(),
            stage_id: Id::from_uuid(id),
            pipeline_id: Id::from_uuid(id),
            assigned_to_id: None,
            contact_id: None,
            status,
            lost_reason: None,
            expected_close_date: None,
        };
        let now = "2026-03-08T06:30:00Z".parse().unwrap();
        Deal::new(Id::from_uuid(id), Id::from_uuid(id), fields, Rank::between(None, None, 0).unwrap(), now)
    }

    fn change(before: Option<&Deal>, after: Option<&Deal>) -> StageTotalsChange {
        let mut change = StageTotalsChange::default();
        for (deal, by) in before.map(|deal| (deal, -1)).into_iter().chain(after.map(|deal| (deal, 1))) {
            change.count(deal, by);
        }
        change
    }

    fn any_deal() -> impl Strategy<Value = Deal> {
        let currency = prop::sample::select(vec![("JPY", 0), ("USD", 2), ("EUR", 2), ("KWD", 3)]);
        let status = prop::sample::select(vec![DealStatus::Open, DealStatus::Open, DealStatus::Won, DealStatus::Lost]);
        (currency, 0..=999_999_999_999_999_i64, status)
            .prop_map(|((code, scale), minor, status)| deal(code, Decimal::new(minor, scale), status))
    }

    #[test]
    fn sum_of_ten_thousand_largest_amounts_is_exact() {
        let mut item = Item::new();
        for (currency, largest) in [("JPY", 0), ("USD", 2), ("KWD", 3)] {
            let largest = deal(currency, Decimal::new(999_999_999_999_999, largest), DealStatus::Open);
            (0..10_000).for_each(|_| item.add(&change(None, Some(&largest))));
            assert_eq!(item.read().open[currency], CurrencyTotal { n: 10_000, minor: 9_999_999_999_999_990_000 });
        }
        assert_eq!(item.read().n, 30_000);
    }

    #[test]
    fn sum_of_decimal_fractions_is_exact() {
        let mut item = Item::new();
        for tenths in [1, 2] {
            item.add(&change(None, Some(&deal("USD", Decimal::new(tenths, 1), DealStatus::Open))));
        }
        assert_eq!(item.read().open["USD"], CurrencyTotal { n: 2, minor: 30 });
    }

    proptest! {
        #[test]
        fn totals_equal_the_sum_of_the_deals_after_any_changes(
            deals in prop::collection::vec((any_deal(), prop::option::of(prop::option::of(any_deal()))), 1..200),
        ) {
            let mut item = Item::new();
            let mut remaining = Vec::new();
            for (first, change_or_deletion) in deals {
                item.add(&change(None, Some(&first)));
                match change_or_deletion {
                    None => remaining.push(first),
                    Some(next) => {
                        item.add(&change(Some(&first), next.as_ref()));
                        remaining.extend(next);
                    }
                }
            }
            let mut open: BTreeMap<String, CurrencyTotal> = BTreeMap::new();
            for deal in remaining.iter().filter(|deal| deal.fields.status == DealStatus::Open) {
                let currency = deal.fields.currency;
                let value = deal.fields.value.unwrap().to_decimal() * Decimal::from(10_u32.pow(currency.decimals()));
                let total = open.entry(currency.code().to_owned()).or_default();
                total.n += 1;
                total.minor += i128::try_from(value).unwrap();
            }
            let totals = item.read();
            prop_assert_eq!(totals.n, remaining.len() as u64);
            prop_assert_eq!(totals.open, open);
        }
    }
}
