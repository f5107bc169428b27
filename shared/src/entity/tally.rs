use std::collections::BTreeMap;
use std::fmt;

use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Deal, DealStatus, PipelineId};
use crate::value::Currency;

/// What a stage holds: how many deals, and how many open ones of what value in each currency. Each change of a deal adds to it in
/// its own transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    /// The stage's pipeline.
    pub pipeline_id: PipelineId,
    /// How many deals, whatever their status.
    pub n: u64,
    /// Of the open deals, by the currency's code.
    pub open: BTreeMap<String, Sum>,
}

/// So many amounts of money in one currency, and what they make.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    /// How many.
    pub n: i64,
    /// What they make in the currency's smallest unit.
    pub minor: i128,
}

/// What a change of deals adds to a stage's tally.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TallyChange {
    /// To the number of deals.
    pub n: i64,
    /// To what is open.
    pub open: BTreeMap<&'static str, Sum>,
}

/// A sum is kept in two numbers, of 10^9 smallest units and of single ones, because a row's numbers are read as at most 64 bits wide,
/// which 10,000 of the largest amounts exceed. Each is counted on its own, and may be negative.
const SPLIT: i128 = 1_000_000_000;

/// The attributes of a currency's sum: `n_USD`, `high_USD`, `low_USD`.
const PARTS: [&str; 3] = ["n_", "high_", "low_"];

impl Sum {
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

impl TallyChange {
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
        self.open.retain(|_, sum| *sum != Sum::default());
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
        [("n".to_owned(), self.n)].into_iter().chain(open).filter(|(_, number)| *number != 0).collect()
    }
}

impl Tally {
    /// Of a new stage.
    pub const fn new(pipeline_id: PipelineId) -> Self {
        Self { pipeline_id, n: 0, open: BTreeMap::new() }
    }
}

// By hand, because the sums are attributes of their own, to which a transaction can add.

impl Serialize for Tally {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("pipelineId", &self.pipeline_id)?;
        map.serialize_entry("n", &self.n)?;
        for (code, sum) in &self.open {
            for (part, number) in PARTS.iter().zip(sum.parts()) {
                map.serialize_entry(&format!("{part}{code}"), &number)?;
            }
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Tally {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Attributes)
    }
}

struct Attributes;

impl<'de> Visitor<'de> for Attributes {
    type Value = Tally;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a stage's tally")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tally, A::Error> {
        let (mut pipeline_id, mut n, mut open) = (None, 0, BTreeMap::<String, Sum>::new());
        while let Some(name) = map.next_key::<String>()? {
            let part = PARTS.iter().enumerate().find_map(|(part, prefix)| Some((part, name.strip_prefix(prefix)?)));
            match (name.as_str(), part) {
                ("pipelineId", _) => pipeline_id = Some(map.next_value()?),
                ("n", _) => n = map.next_value()?,
                (_, Some((part, code))) => open.entry(code.to_owned()).or_default().add_part(part, map.next_value()?),
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        open.retain(|_, sum| *sum != Sum::default());
        let pipeline_id = pipeline_id.ok_or_else(|| serde::de::Error::missing_field("pipelineId"))?;
        Ok(Tally { pipeline_id, n, open })
    }
}
