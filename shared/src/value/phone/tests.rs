use phonenumber::metadata::{DATABASE, Metadata};
use phonenumber::{Mode, Type};
use proptest::prelude::*;

use super::*;

#[test]
fn number_is_kept_in_e164() {
    let phone: Phone = "+1 (415) 555-2671".parse().unwrap();
    assert_eq!(phone, Phone("+14155552671".to_owned()));
}

#[test]
fn number_without_country_code_is_rejected() {
    for bad in ["", "415 555 2671", "+1", "+999 1234 5678", "phone", "+1 415 555 2671 ext. 5"] {
        assert!(bad.parse::<Phone>().is_err(), "{bad}");
    }
}

fn parse(country: &str, text: &str) -> Option<String> {
    Phone::in_country(text, country.parse().ok()).map(|phone| phone.to_string()).ok()
}

#[test]
fn national_number_is_parsed_by_the_rules_of_its_country() {
    for (country, text, e164) in [
        ("FR", "01 42 68 53 00", "+33142685300"),
        ("FR", "00 33 1 42 68 53 00", "+33142685300"),
        ("FR", " +1 415 555 2671", "+14155552671"),
        ("US", "(415) 555-2671", "+14155552671"),
        ("US", "1-415-555-2671", "+14155552671"),
        ("US", "011 44 20 7946 0958", "+442079460958"),
        ("US", "(00) 44 (0)20 7946 0958", "+442079460958"),
        ("GB", "020 7946 0958", "+442079460958"),
        ("IT", "02 1234 5678", "+390212345678"),
        ("RU", "8 (495) 123-45-67", "+74951234567"),
        ("IN", "098765 43210", "+919876543210"),
        ("AG", "464 1234", "+12684641234"),
        ("AR", "011 15-2345-6789", "+5491123456789"),
        ("IT", "390 123 4567", "+393901234567"),
        ("IT", "39 390 123 4567", "+393901234567"),
        ("IT", "+39 (0)6 1234 5678", "+390612345678"),
        ("PL", "48 641 14 60", "+48486411460"),
        ("PL", "48 48 641 14 60", "+48486411460"),
        ("DK", "45 32 12 34", "+4545321234"),
        ("RU", "7 495 123-45-67", "+74951234567"),
        ("DE", "030/901820", "+4930901820"),
        ("DE", "+49 30/901820", "+4930901820"),
        ("DE", "+49 (0) 30 901820", "+4930901820"),
        ("DE", "(+49) 30 901820", "+4930901820"),
        ("DE", "tel:+49-30-901820", "+4930901820"),
        ("DE", "\u{202a}+49 30 901820\u{202c}", "+4930901820"),
        ("DE", "+49\u{202f}30\u{2009}901820\n", "+4930901820"),
        ("DE", "\u{3164}tel:+49 30\u{ad}901820\u{2800}", "+4930901820"),
        ("DE", "＋４９ ３０ ９０１８２０", "+4930901820"),
        ("DE", "+٤٩ ٣٠ ٩٠١٨٢٠", "+4930901820"),
        ("IN", "०९८७६५ ४३२१०", "+919876543210"),
        ("DE", "1.701.234.567", "+491701234567"),
    ] {
        assert_eq!(parse(country, text).as_deref(), Some(e164), "{text} in {country}");
    }
}

#[test]
fn ambiguous_number_is_rejected() {
    for (country, text) in [
        ("", "01 42 68 53 00"),
        ("", "0033 1 42 68 53 00"),
        ("FR", "01 42 68 53"),
        ("FR", "01 42 68 53 00 / 06 12 34 56 78"),
        ("DE", "030 901820 mob"),
        ("DE", "030 901820 #12"),
        ("DE", "+030 901820"),
        ("DE", "+49 30 901820 mob"),
        ("DE", "+49 30 901820 ext. 5"),
        ("DE", "+49 30 901820;ext=5"),
        ("DE", "+49 30 901820²"),
        ("DE", "+1-800-FLOWERS"),
        ("DE", "1701234567.0"),
        ("DE", "170123456.0"),
        ("DE", "1701234567.5"),
        ("DE", "4.91701234567E+12"),
        ("DE", "1,701,234,567"),
        ("DE", "+49 30 901820 / 901821"),
        ("DE", "030 901820/21"),
        ("DE", "030 901820 0171 1234567"),
        ("DE", "030 901820\n0171 1234567"),
        ("DE", "030 901820; 0171 1234567"),
        ("DE", "030 901820 or 030 901821"),
        ("DE", "+49 30 901820 +49 30 901821"),
        ("DE", "+49 30 12345 030 12346"),
        ("DE", "-030 901820"),
        ("DE", "030 901820/"),
        ("US", "011 44 1632 960001"),
        ("ID", "0062 1 234"),
    ] {
        assert_eq!(parse(country, text), None, "{text} in {country}");
    }
}

#[test]
fn long_text_is_rejected_before_it_is_read() {
    let spaced = |length: usize| format!("+14155552671{}", " ".repeat(length - 12));
    assert!(spaced(MAX).parse::<Phone>().is_ok());
    for text in [spaced(MAX + 1), "9".repeat(1_000_000)] {
        assert_eq!(text.parse::<Phone>().unwrap_err().code(), "too_long");
        assert_eq!(Phone::in_country(&text, "FR".parse().ok()).unwrap_err().code(), "too_long");
    }
}

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

/// The plans of all countries with an example number of each type.
fn examples() -> impl Iterator<Item = (&'static Metadata, &'static str)> {
    let number = |plan: &'static Metadata, kind| plan.descriptors().get(kind)?.example();
    DATABASE.iter().flat_map(move |plan| TYPES.into_iter().filter_map(move |kind| Some((plan, number(plan, kind)?))))
}

/// The spellings in which a number is dialed: national, international, and with the international prefix.
fn dialed_forms(plan: &Metadata, number: &str) -> Vec<String> {
    let code = plan.country_code();
    let mut forms = vec![format!("+{code}{number}"), format!("+{code} {number}")];
    if plan.id() == "001" {
        return forms;
    }
    forms.extend([format!("00{code}{number}"), number.to_owned()]);
    forms.extend(plan.national_prefix().map(|prefix| format!("{prefix}{number}")));
    // The formatter of the crate loses digits of some numbers.
    if let Some(parsed) = phonenumber::parse(None, format!("+{code}{number}"))
        .ok()
        .filter(|parsed| parsed.format().mode(Mode::E164).to_string() == format!("+{code}{number}"))
    {
        forms.extend([Mode::National, Mode::International].map(|mode| parsed.format().mode(mode).to_string()));
    }
    let prefix = plan.preferred_international_prefix().or_else(|| Some(plan.international_prefix()?.as_str()));
    forms.extend(prefix.filter(|prefix| prefix.parse::<u64>().is_ok()).map(|prefix| format!("{prefix}{code}{number}")));
    forms
}

/// Common spellings of a number.
fn spellings(number: &str) -> Vec<String> {
    let grouped = |size: usize, separator: &str| {
        let digits: Vec<_> = number.chars().collect();
        let (first, rest) = digits.split_at(size.min(digits.len()));
        let groups = std::iter::once(first).chain(rest.chunks(size));
        groups.map(String::from_iter).collect::<Vec<_>>().join(separator)
    };
    let in_script = |zero: u32| {
        let digit = |c: char| c.to_digit(10).and_then(|digit| char::from_u32(zero + digit)).unwrap_or(c);
        number.chars().map(digit).collect::<String>()
    };
    let plain = !number.contains(|c: char| !c.is_ascii_digit() && c != '+');
    let mut spellings = vec![number.to_owned(), format!(" {number}\u{a0}"), in_script(0xff10), in_script(0x660)];
    if plain {
        spellings.extend(
            [(" ", 2), (" ", 3), ("-", 3), ("-", 4), (".", 2), (".", 3), ("\u{202f}", 2), (" - ", 4)]
                .map(|(separator, size)| grouped(size, separator)),
        );
        spellings.push(format!("({}) {}", &number[..3.min(number.len())], &number[3.min(number.len())..]));
    }
    spellings
}

#[test]
fn every_example_number_is_read_in_every_spelling() {
    let (mut read, mut failures) = (0, Vec::new());
    for (plan, number) in examples() {
        let expected = format!("+{}{number}", plan.country_code());
        for text in dialed_forms(plan, number).iter().flat_map(|form| spellings(form)) {
            read += 1;
            let result = parse(plan.id(), &text);
            if result.as_ref() != Some(&expected) {
                failures.push(format!("{} {text}: {result:?}, not {expected}", plan.id()));
            }
        }
    }
    assert!(read > 50_000, "{read}");
    assert!(failures.is_empty(), "{} of {read}:\n{}", failures.len(), failures.join("\n"));
}

proptest! {
    #[test]
    fn parsed_number_is_valid_e164(text in "([-+0-9 ()/#;.]|\\PC|tel:){0,24}", first in "[A-Z]", second in "[A-Z]") {
        if let Some(phone) = parse(&format!("{first}{second}"), &text) {
            prop_assert_eq!(phone.parse::<Phone>().unwrap().to_string(), phone);
        }
    }

    #[test]
    fn international_number_is_the_same_in_every_country(first in "[A-Z]", second in "[A-Z]") {
        let code = format!("{first}{second}");
        prop_assert_eq!(parse(&code, "+44 20 7946 0958"), Some("+442079460958".to_owned()));
        prop_assert!(code.parse::<Country>().is_err() || parse(&code, "0044 20 7946 0958").is_some());
    }
}
