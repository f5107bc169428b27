//! National numbering plans.

use std::collections::{BTreeSet, HashMap};
use std::sync::{LazyLock, RwLock};

use phonenumber::metadata::{DATABASE, Descriptor, Metadata};
use phonenumber::{Type, country};
use regex_lite::Regex;

/// The numbering plan of a country.
#[derive(Clone, Copy)]
pub(super) struct Plan(&'static Metadata);

/// The kinds of numbers that a plan describes.
const TYPES: [Type; 10] = [
    Type::FixedLine,
    Type::Mobile,
    Type::TollFree,
    Type::PremiumRate,
    Type::SharedCost,
    Type::Voip,
    Type::PersonalNumber,
    Type::Pager,
    Type::Uan,
    Type::Voicemail,
];

/// The largest number of digits of a calling code.
const MAX_CODE_DIGITS: usize = 3;

/// Compiled patterns of numbering plans, by the address of their source and by the part that they match.
static PATTERNS: LazyLock<RwLock<Patterns>> = LazyLock::new(RwLock::default);

type Patterns = HashMap<(usize, Part), Option<Regex>>;

/// The part of the digits that a pattern matches.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Part {
    Start,
    Whole,
}

/// The number in E.164 of digits that begin with a calling code.
///
/// The digits may contain a national prefix, such as the zero in `+49 (0)30`: it is removed if the number is not
/// valid with it.
pub(super) fn international(digits: &str, optional_zero: Option<usize>) -> Option<String> {
    let code = (1..=MAX_CODE_DIGITS.min(digits.len())).map(|len| &digits[..len]).find(|code| is_code(code))?;
    let number = &digits[code.len()..];
    if is_valid(code, number) {
        return Some(format!("+{code}{number}"));
    }
    let without_zero = (optional_zero == Some(code.len())).then(|| number[1..].to_owned());
    let without_prefix = plans(code).map(|plan| plan.strip_national_prefix(number));
    let valid: BTreeSet<_> =
        without_zero.into_iter().chain(without_prefix).filter(|number| is_valid(code, number)).collect();
    match valid.len() {
        1 => valid.first().map(|number| format!("+{code}{number}")),
        _ => None,
    }
}

/// The plans of all countries with a calling code.
fn plans(code: &str) -> impl Iterator<Item = Plan> {
    // A calling code does not begin with zero.
    let code = code.parse::<u16>().ok().filter(|_| !code.starts_with('0'));
    code.and_then(|code| DATABASE.by_code(&code)).into_iter().flatten().map(Plan)
}

fn is_code(code: &str) -> bool {
    plans(code).next().is_some()
}

/// Whether a number is valid in a country with this calling code.
fn is_valid(code: &str, number: &str) -> bool {
    plans(code).any(|plan| plan.is_valid(number))
}

impl Plan {
    /// The plan of a country.
    pub(super) fn of_country(id: country::Id) -> Option<Self> {
        DATABASE.by_id(id.as_ref()).map(Self)
    }

    /// The plan of the country that a number in E.164 belongs to.
    pub(super) fn of_number(number: &str) -> Option<Self> {
        let digits = number.trim_start_matches('+');
        (1..=MAX_CODE_DIGITS.min(digits.len())).find_map(|len| {
            let (code, number) = digits.split_at(len);
            plans(code).find(|plan| plan.is_valid(number))
        })
    }

    /// The country's calling code.
    pub(super) fn code(self) -> String {
        self.0.country_code().to_string()
    }

    /// The length of the country's international prefix at the start of digits.
    pub(super) fn international_prefix(self, digits: &str) -> Option<usize> {
        let pattern = compiled(self.0.international_prefix()?.as_str(), Part::Start)?;
        pattern.find(digits).map(|prefix| prefix.end())
    }

    /// The number in E.164 of digits in national format, with or without the national prefix.
    pub(super) fn national(self, digits: &str) -> Option<String> {
        let code = self.code();
        // A plan may take the first digits of a number after the prefix for a carrier code.
        let without_carrier = self.0.national_prefix().and_then(|prefix| digits.strip_prefix(prefix));
        [Some(&*self.strip_national_prefix(digits)), Some(digits), without_carrier]
            .into_iter()
            .flatten()
            .find(|number| is_valid(&code, number))
            .map(|number| format!("+{code}{number}"))
    }

    /// Removes the national prefix and a carrier code, or what the plan replaces them with.
    ///
    /// The digits stay unchanged if they begin with the prefix and are already a number of the country.
    fn strip_national_prefix(self, digits: &str) -> String {
        let stripped = match self.0.national_prefix_for_parsing() {
            Some(prefix) => self.replace_prefix(prefix.as_str(), digits),
            None => self.0.national_prefix().and_then(|prefix| digits.strip_prefix(prefix)).map(str::to_owned),
        };
        let general = self.0.descriptors().general();
        stripped.filter(|stripped| matches(general, stripped) || !matches(general, digits)).unwrap_or(digits.to_owned())
    }

    fn replace_prefix(self, pattern: &'static str, digits: &str) -> Option<String> {
        let captures = compiled(pattern, Part::Start)?.captures(digits)?;
        let (prefix, last) = (captures.get(0)?, captures.get(captures.len() - 1));
        let rest = &digits[prefix.end()..];
        let Some(rule) = self.0.national_prefix_transform_rule().filter(|_| captures.len() == 1 || last.is_some())
        else {
            return Some(rest.to_owned());
        };
        let mut number = String::new();
        let mut rule = rule.chars();
        while let Some(c) = rule.next() {
            match c {
                '$' => {
                    let group = rule.next()?.to_digit(10)?;
                    number.push_str(captures.get(usize::try_from(group).ok()?).map_or("", |group| group.as_str()));
                }
                c => number.push(c),
            }
        }
        Some(number + rest)
    }

    fn is_valid(self, number: &str) -> bool {
        let descriptors = self.0.descriptors();
        matches(descriptors.general(), number)
            && TYPES.iter().filter_map(|kind| descriptors.get(*kind)).any(|descriptor| matches(descriptor, number))
    }
}

/// Whether the whole number matches.
fn matches(descriptor: &'static Descriptor, number: &str) -> bool {
    let lengths = descriptor.possible_length();
    let has_length = lengths.is_empty() || lengths.iter().any(|length| usize::from(*length) == number.len());
    let pattern = || compiled(descriptor.national_number().as_str(), Part::Whole);
    has_length && pattern().is_some_and(|pattern| pattern.is_match(number))
}

/// A compiled pattern; `None` if it is not valid.
fn compiled(source: &'static str, part: Part) -> Option<Regex> {
    let key = (source.as_ptr().addr(), part);
    if let Some(pattern) = PATTERNS.read().ok()?.get(&key) {
        return pattern.clone();
    }
    let pattern = match part {
        Part::Start => Regex::new(&format!("^(?x:{source})")),
        Part::Whole => Regex::new(&format!("^(?x:{source})$")),
    };
    let pattern = pattern.ok();
    PATTERNS.write().ok()?.insert(key, pattern.clone());
    pattern
}
