//! Telephone numbers.

mod plan;
mod spelling;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::value::{Country, InvalidValue, string_value};
use plan::Plan;
use spelling::{Spelling, Split};

/// A telephone number in E.164 format: `+`, country code, number.
///
/// The first number that a process parses takes about 40 ms longer, because it loads the numbering plans. Loading
/// them at startup would slow down the cold starts of all processes, even those that never parse a number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Phone(String);

/// The maximum length of a number, in characters.
const MAX: usize = 100;

impl Phone {
    /// Parses a number in international format, or as it is dialed in `country`.
    ///
    /// A number with `+`, `00` or the international prefix of the country is international. Any other number is
    /// national; only if it is no valid national number, it may begin with the calling code of the country.
    /// Text that is not certainly one number is rejected.
    pub fn in_country(text: &str, country: Option<Country>) -> Result<Self, InvalidValue> {
        check_length(text)?;
        let plan = country.and_then(|country| Plan::of_country(country.numbering_plan()));
        Self::read(text, plan.as_ref()).ok_or(if country.is_some() {
            InvalidValue::new(
                INVALID,
                "must be one telephone number of the client's country, or one with its country code, such as +14155552671",
            )
        } else {
            InvalidValue::new(
                INVALID,
                "must be one telephone number with its country code, such as +14155552671, unless the client's country is set",
            )
        })
    }

    fn read(text: &str, plan: Option<&Plan>) -> Option<Self> {
        let spelling = Spelling::read(text)?;
        // Two numbers in one text: after a slash, or if the second one begins with a prefix.
        let is_second = |second: &Spelling, first: &str| {
            let plan = plan.copied().or_else(|| Plan::of_number(first));
            dialed(second, plan.as_ref()).is_some()
        };
        let has_second = spelling.splits().any(|Split { first, second, is_strong }| {
            (is_strong || second.begins_with_zero())
                && dialed(&first, plan).is_some_and(|number| is_strong || is_second(&second, &number))
        });
        if has_second { None } else { dialed(&spelling, plan).map(Self) }
    }
}

/// The number in E.164 that is reached by dialing in the country of `plan`.
fn dialed(spelling: &Spelling, plan: Option<&Plan>) -> Option<String> {
    let digits = spelling.digits();
    if spelling.has_plus() {
        return plan::international(&digits, spelling.optional_zero());
    }
    let plan = plan?;
    // 00 is the international prefix that ITU-T recommends (E.164, 6.2). In countries with another prefix,
    // no number starts with 00.
    let prefixes = [digits.starts_with("00").then_some(2), plan.international_prefix(&digits)];
    prefixes
        .into_iter()
        .flatten()
        .find_map(|prefix| {
            let optional_zero = spelling.optional_zero().and_then(|at| at.checked_sub(prefix));
            plan::international(&digits[prefix..], optional_zero)
        })
        .or_else(|| plan.national(&digits))
        .or_else(|| {
            digits.starts_with(&plan.code()).then(|| plan::international(&digits, spelling.optional_zero())).flatten()
        })
}

const INVALID: &str = "invalid_phone";

/// Rejects long text before any other work.
fn check_length(text: &str) -> Result<(), InvalidValue> {
    if text.chars().take(MAX + 1).count() > MAX {
        return Err(InvalidValue::with("too_long", format!("must be at most {MAX} characters long")));
    }
    Ok(())
}

impl FromStr for Phone {
    type Err = InvalidValue;

    fn from_str(raw: &str) -> Result<Self, InvalidValue> {
        check_length(raw)?;
        Self::read(raw, None).ok_or(InvalidValue::new(
            INVALID,
            "must be one telephone number with its country code, such as +14155552671",
        ))
    }
}

impl fmt::Display for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

string_value!([] Phone, "Phone", |schema| schema
    .max_length(Some(MAX))
    .examples([serde_json::json!("+14155552671")]));

#[cfg(test)]
mod tests;
