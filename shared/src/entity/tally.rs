use std::collections::BTreeMap;
use std::fmt;

use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Deal, DealStatus, PipelineId, StageId};
use crate::value::Currency;

/// What a stage holds: how many deals, and how many open ones of what value in each currency. Each change of a deal adds to it in
/// its own transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StageTotals {
    /// The stage's pipeline.
    pub pipeline_id: PipelineId,
    /// How many deals, whatever their status.
    pub n: u64,
    /// How many stages are being deleted whose deals come here; as long as there is one, this stage stays.
    pub inbound: u64,
    /// The stage to which its deals are being moved, while it is deleted.
    pub moves_to: Option<StageId>,
    /// Of the open deals, by the currency's code.
    pub open: BTreeMap<String, CurrencyTotal>,
}

/// So many amounts of money in one currency, and what they make.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CurrencyTotal {
    /// How many.
    pub n: i64,
    /// What they make in the currency's smallest unit.
    pub minor: i128,
}

/// What a change of deals adds to a stage's tally.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StageTotalsChange {
    /// To the number of deals.
    pub n: i64,
    /// To the number of stages whose deals come here.
    pub inbound: i64,
    /// To what is open.
    pub open: BTreeMap<&'static str, CurrencyTotal>,
}

/// A sum is kept in two numbers, of 10^9 smallest units and of single ones, because a row's numbers are read as at most 64 bits wide,
/// which 10,000 of the largest amounts exceed. Each is counted on its own, and may be negative.
const SPLIT: i128 = 1_000_000_000;

/// The attributes of a currency's sum: `n_USD`, `high_USD`, `low_USD`.
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
    /// Of a deal that comes (1) or goes (-1).
    pub fn count(&mut self, deal: &Deal, by: i64) {
        self.n += by;
        if deal.fields.status == DealStatus::Open {
            let currency: Currency = deal.fields.currency;
            let minor = deal.fields.value.and_then(|value| value.in_minor_units(currency)).unwrap_or_default();
            let sum = self.open.entry(currency.code()).or_default();
            sum.n += by;
            sum.minor += i128::from(by) * minor;
        }
        self.open.retain(|_, sum| *sum != CurrencyTotal::default());
    }

    /// Whether it adds nothing.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// The attributes to which it adds, and what.
    pub(crate) fn additions(&self) -> Vec<(String, i64)> {
        let open = self.open.iter().flat_map(|(code, sum)| {
            PARTS.iter().zip(sum.parts()).map(move |(part, number)| (format!("{part}{code}"), number))
        });
        let counts = [("n", self.n), ("inbound", self.inbound)].map(|(name, number)| (name.to_owned(), number));
        counts.into_iter().chain(open).filter(|(_, number)| *number != 0).collect()
    }
}

impl StageTotals {
    /// Of a new stage.
    pub const fn new(pipeline_id: PipelineId) -> Self {
        Self { pipeline_id, n: 0, inbound: 0, moves_to: None, open: BTreeMap::new() }
    }
}

// By hand, because the sums are attributes of their own, to which a transaction can add.

impl Serialize for StageTotals {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("pipelineId", &self.pipeline_id)?;
        map.serialize_entry("n", &self.n)?;
        map.serialize_entry("inbound", &self.inbound)?;
        map.serialize_entry("movesTo", &self.moves_to)?;
        for (code, sum) in &self.open {
            for (part, number) in PARTS.iter().zip(sum.parts()) {
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
        f.write_str("a stage's tally")
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
        open.retain(|_, sum| *sum != CurrencyTotal::default());
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
    use crate::entity::DealFields;
    use crate::value::Id;
    use crate::value::{Amount, Name, Rank};

    /// A stage's row, to which transactions add as DynamoDB does.
    struct Row(Map<String, Value>);

    impl Row {
        fn new() -> Self {
            let row = serde_json::to_value(StageTotals::new(Id::from_uuid(uuid::Uuid::nil()))).unwrap();
            Self(row.as_object().unwrap().clone())
        }

        fn add(&mut self, change: &StageTotalsChange) {
            for (name, number) in change.additions() {
                let was = self.0.get(&name).and_then(Value::as_i64).unwrap_or_default();
                self.0.insert(name, json!(was + number));
            }
        }

        fn read(&self) -> StageTotals {
            serde_json::from_value(Value::Object(self.0.clone())).unwrap()
        }
    }

    fn deal(currency: &str, value: Decimal, status: DealStatus) -> Deal {
        let nobody = uuid::Uuid::nil();
        let fields = DealFields {
            title: "Engine".parse::<Name>().unwrap(),
            value: Some(Amount::new(value).unwrap()),
            currency: currency.parse().unwrap(),
            stage_id: Id::from_uuid(nobody),
            pipeline_id: Id::from_uuid(nobody),
            assigned_to_id: None,
            contact_id: None,
            status,
            lost_reason: None,
            expected_close_date: None,
        };
        let now = "2026-03-08T06:30:00Z".parse().unwrap();
        Deal::new(Id::from_uuid(nobody), Id::from_uuid(nobody), fields, Rank::between(None, None, 0).unwrap(), now)
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
    fn the_sum_of_ten_thousand_of_the_largest_amounts_is_exact() {
        let mut row = Row::new();
        for (currency, largest) in [("JPY", 0), ("USD", 2), ("KWD", 3)] {
            let largest = deal(currency, Decimal::new(999_999_999_999_999, largest), DealStatus::Open);
            (0..10_000).for_each(|_| row.add(&change(None, Some(&largest))));
            assert_eq!(row.read().open[currency], CurrencyTotal { n: 10_000, minor: 9_999_999_999_999_990_000 });
        }
        assert_eq!(row.read().n, 30_000);
    }

    #[test]
    fn a_tenth_and_two_tenths_are_three_tenths() {
        let mut row = Row::new();
        for tenths in [1, 2] {
            row.add(&change(None, Some(&deal("USD", Decimal::new(tenths, 1), DealStatus::Open))));
        }
        assert_eq!(row.read().open["USD"], CurrencyTotal { n: 2, minor: 30 });
    }

    proptest! {
        #[test]
        fn a_tally_is_what_its_deals_make_however_they_came_changed_and_went(
            deals in prop::collection::vec((any_deal(), prop::option::of(prop::option::of(any_deal()))), 1..200),
        ) {
            let mut row = Row::new();
            let mut left = Vec::new();
            for (first, later) in deals {
                row.add(&change(None, Some(&first)));
                match later {
                    None => left.push(first),
                    Some(next) => {
                        row.add(&change(Some(&first), next.as_ref()));
                        left.extend(next);
                    }
                }
            }
            let mut open: BTreeMap<String, CurrencyTotal> = BTreeMap::new();
            for deal in left.iter().filter(|deal| deal.fields.status == DealStatus::Open) {
                let currency = deal.fields.currency;
                let value = deal.fields.value.unwrap().to_decimal() * Decimal::from(10_u32.pow(currency.decimals()));
                let sum = open.entry(currency.code().to_owned()).or_default();
                sum.n += 1;
                sum.minor += i128::try_from(value).unwrap();
            }
            let tally = row.read();
            prop_assert_eq!(tally.n, left.len() as u64);
            prop_assert_eq!(tally.open, open);
        }
    }
}
