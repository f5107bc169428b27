//! What a row says.

use std::collections::HashSet;
use std::str::FromStr;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64URL;
use csv::StringRecord;
use serde_json::json;
use shared::entity::{Contact, ContactId};
use shared::value::{Country, Email, InvalidValue, Name, Phone, Text, ValidationErrors};

use super::cell::{split, unguarded};
use super::header::{Column, Header};

/// A row whose cells are all valid; an empty one says nothing.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Cells {
    pub(crate) id: Option<ContactId>,
    pub(crate) first_name: Option<Name>,
    pub(crate) last_name: Option<Name>,
    pub(crate) email: Option<Email>,
    pub(crate) phone: Option<Phone>,
    pub(crate) company: Option<Name>,
    pub(crate) job_title: Option<Name>,
    pub(crate) source: Option<Name>,
    pub(crate) tags: Vec<Text<100>>,
}

impl Cells {
    /// Reads a row that has as many cells as the header, or says what is wrong with each.
    pub(super) fn read(
        header: &Header,
        row: &StringRecord,
        country: Option<Country>,
    ) -> Result<Self, ValidationErrors> {
        let mut cells = Self::default();
        let faults = header.cells(row).filter_map(|(column, cell)| {
            let set = cells.set(column, unguarded(cell), country);
            set.err().map(|rejected| ValidationErrors::field(format!("/{}", column.name()), rejected))
        });
        match faults.reduce(ValidationErrors::and) {
            Some(invalid) => Err(invalid),
            None => Ok(cells),
        }
    }

    fn set(&mut self, column: Column, text: &str, country: Option<Country>) -> Result<(), InvalidValue> {
        match column {
            Column::Id => self.id = said(text, str::parse)?,
            Column::FirstName => self.first_name = said(text, str::parse)?,
            Column::LastName => self.last_name = said(text, str::parse)?,
            Column::Email => self.email = said(text, str::parse)?,
            Column::Phone => self.phone = said(text, |text| Phone::in_country(text, country))?,
            Column::Company => self.company = said(text, str::parse)?,
            Column::JobTitle => self.job_title = said(text, str::parse)?,
            Column::Source => self.source = said(text, str::parse)?,
            Column::Tags => self.tags = tags(text)?,
            Column::CreatedAt | Column::UpdatedAt | Column::Version | Column::ClientId => {}
        }
        Ok(())
    }

    /// The same for every row that says the same of a contact, however it is written, and for no other: a file that is imported
    /// twice is known by it. Two ids are two contacts, wherever they were exported. SHA-256, base64url.
    pub(crate) fn digest(&self) -> String {
        let Self { id, first_name, last_name, email, phone, company, job_title, source, tags } = self;
        let said = json!([id, first_name, last_name, email, phone, company, job_title, source, tags]);
        BASE64URL.encode(digest(&SHA256, said.to_string().as_bytes()))
    }
}

fn said<T>(text: &str, parse: impl FnOnce(&str) -> Result<T, InvalidValue>) -> Result<Option<T>, InvalidValue> {
    if text.trim().is_empty() { Ok(None) } else { parse(text).map(Some) }
}

/// Each tag once, whatever its case; the first that is none speaks for the cell.
fn tags(text: &str) -> Result<Vec<Text<100>>, InvalidValue> {
    let mut seen = HashSet::new();
    let mut tags = Vec::new();
    for name in split(text).filter(|name| !name.trim().is_empty()) {
        let tag = Text::from_str(&name)?;
        if seen.insert(tag.to_string().to_lowercase()) {
            tags.push(tag);
        }
        if tags.len() > Contact::MAX_TAGS {
            return Err(Contact::too_many_tags());
        }
    }
    Ok(tags)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [&str; 9] = ["id", "firstName", "lastName", "email", "phone", "company", "jobTitle", "source", "tags"];

    fn read(row: [&str; 9]) -> Result<Cells, Vec<(String, String)>> {
        let header = Header::read(&StringRecord::from(ALL.to_vec())).unwrap();
        Cells::read(&header, &StringRecord::from(row.to_vec()), "FR".parse().ok()).map_err(|invalid| {
            invalid.into_fields().into_iter().map(|fault| (fault.pointer, fault.code.into_owned())).collect()
        })
    }

    fn ada() -> [&'static str; 9] {
        ["", " Ada ", "Lovelace", "Ada@Example.com", "'+1 415 555 2671", "Analytical", "", "fair", "vip; VIP ;;new"]
    }

    #[test]
    fn a_row_says_what_its_cells_say() {
        let cells = read(ada()).unwrap();
        assert_eq!(
            cells,
            Cells {
                id: None,
                first_name: "Ada".parse().ok(),
                last_name: "Lovelace".parse().ok(),
                email: "Ada@Example.com".parse().ok(),
                phone: "+14155552671".parse().ok(),
                company: "Analytical".parse().ok(),
                job_title: None,
                source: "fair".parse().ok(),
                tags: vec!["vip".parse().unwrap(), "new".parse().unwrap()],
            }
        );
        assert_eq!(read([" "; 9]).unwrap(), Cells::default());
    }

    #[test]
    fn a_national_number_is_the_clients_countrys() {
        let mut row = ada();
        row[4] = "01 42 68 53 00";
        assert_eq!(read(row).unwrap().phone, "+33142685300".parse().ok());
    }

    #[test]
    fn every_fault_of_a_row_is_told() {
        let long = "x".repeat(201);
        let faults = read(["7", &long, "\0", "no", "no", "ok", &long, "\u{202e}a", &"y".repeat(101)]).unwrap_err();
        let expected = [
            ("/id", "invalid_id"),
            ("/firstName", "too_long"),
            ("/lastName", "control_character"),
            ("/email", "invalid_email"),
            ("/phone", "invalid_phone"),
            ("/jobTitle", "too_long"),
            ("/source", "control_character"),
            ("/tags", "too_long"),
        ];
        assert_eq!(faults, expected.map(|(pointer, code)| (pointer.to_owned(), code.to_owned())));
    }

    #[test]
    fn a_contact_has_30_tags_at_most() {
        let names = |n: usize| (0..n).map(|n| n.to_string()).collect::<Vec<_>>().join(";");
        assert_eq!(tags(&names(30)).unwrap().len(), 30);
        assert_eq!(tags(&format!("{0};{0}", names(30))).unwrap().len(), 30);
        assert_eq!(tags(&names(31)).unwrap_err().code(), "too_many");
    }

    #[test]
    fn a_digest_is_of_what_is_said() {
        let digest = |row| read(row).unwrap().digest();
        let (mut spelt, mut moved, mut known) = (ada(), ada(), ada());
        (spelt[1], spelt[8]) = ("Ada", "vip;new");
        (moved[5], moved[6]) = ("", "Analytical");
        known[0] = "019c0000-0000-7000-8000-000000000000";
        assert_eq!(digest(spelt), digest(ada()));
        assert_ne!(digest(known), digest(ada()));
        assert_ne!(digest(moved), digest(ada()));
        assert_eq!(digest(ada()).len(), 43);
    }
}
