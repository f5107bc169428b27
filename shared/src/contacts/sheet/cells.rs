//! The cells of a row, parsed.

use std::collections::HashSet;
use std::str::FromStr;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64URL;
use csv::StringRecord;
use serde_json::json;

use super::cell::{split_names, unescape_formulas};
use super::header::{Column, Header};
use crate::contacts::{Contact, ContactId, TagName};
use crate::value::characters::is_blank;
use crate::value::{Country, Email, InvalidValue, Name, PersonName, Phone, ValidationErrors};

/// The valid cells of a row. Empty cells are `None`, or an empty name.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Cells {
    /// Id.
    pub id: Option<ContactId>,
    /// Given name.
    pub first_name: PersonName,
    /// Family name.
    pub last_name: PersonName,
    /// Email.
    pub email: Option<Email>,
    /// Phone number.
    pub phone: Option<Phone>,
    /// Employer.
    pub company: Option<Name>,
    /// Position at the employer.
    pub job_title: Option<Name>,
    /// How the client got the contact.
    pub source: Option<Name>,
    /// Tag names. Of names that differ only in case, the first.
    pub tags: Vec<TagName>,
}

impl Cells {
    /// Parses a row. Absent cells are empty.
    ///
    /// # Errors
    /// One error for each invalid cell.
    pub(super) fn read(
        header: &Header,
        row: &StringRecord,
        country: Option<Country>,
    ) -> Result<Self, ValidationErrors> {
        let mut cells = Self::default();
        let errors = header.cells(row).filter_map(|(column, cell)| {
            let set = cells.set(column, &unescape_formulas(cell), country);
            set.err().map(|invalid| ValidationErrors::field(format!("/{}", column.name()), invalid))
        });
        match errors.reduce(ValidationErrors::and) {
            Some(invalid) => Err(invalid),
            None => Ok(cells),
        }
    }

    fn set(&mut self, column: Column, text: &str, country: Option<Country>) -> Result<(), InvalidValue> {
        match column {
            Column::Id => self.id = parse_optional(text, str::parse)?,
            Column::FirstName => self.first_name = text.parse()?,
            Column::LastName => self.last_name = text.parse()?,
            Column::Name => {
                let name: PersonName = text.parse()?;
                if self.first_name.is_empty() && self.last_name.is_empty() {
                    self.first_name = name;
                }
            }
            Column::Email => self.email = parse_optional(text, str::parse)?,
            Column::Phone => self.phone = parse_optional(text, |text| Phone::in_country(text, country))?,
            Column::Company => self.company = parse_optional(text, str::parse)?,
            Column::JobTitle => self.job_title = parse_optional(text, str::parse)?,
            Column::Source => self.source = parse_optional(text, str::parse)?,
            Column::Tags => self.tags = tags(text)?,
            Column::CreatedAt | Column::UpdatedAt | Column::Version | Column::ClientId => {}
        }
        Ok(())
    }

    /// A hash of the parsed values: SHA-256 in base64url.
    ///
    /// Identifies the row when the file is imported again.
    /// Rows with equal values have equal hashes, even if the text differs. Rows with different ids have
    /// different hashes: they are different contacts, perhaps exported from another client.
    pub fn digest(&self) -> String {
        let Self { id, first_name, last_name, email, phone, company, job_title, source, tags } = self;
        let values = json!([id, first_name, last_name, email, phone, company, job_title, source, tags]);
        BASE64URL.encode(digest(&SHA256, values.to_string().as_bytes()))
    }
}

fn parse_optional<T>(
    text: &str,
    parse: impl FnOnce(&str) -> Result<T, InvalidValue>,
) -> Result<Option<T>, InvalidValue> {
    if is_blank(text) { Ok(None) } else { parse(text).map(Some) }
}

/// Parses tag names.
///
/// Of names that differ only in case, the first is kept. The first invalid name is the error of the cell.
fn tags(text: &str) -> Result<Vec<TagName>, InvalidValue> {
    let mut seen = HashSet::new();
    let mut tags = Vec::new();
    for name in split_names(text).filter(|name| !is_blank(name)) {
        let tag = TagName::from_str(&name)?;
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
    use crate::contacts::sheet::HeaderMap;

    const ALL: [&str; 9] = ["id", "firstName", "lastName", "email", "phone", "company", "jobTitle", "source", "tags"];

    fn read(row: [&str; 9]) -> Result<Cells, Vec<(String, String)>> {
        let header = Header::find(&ALL.join(","), &HeaderMap::default(), true).unwrap().header;
        Cells::read(&header, &StringRecord::from(row.to_vec()), "FR".parse().ok()).map_err(|invalid| {
            invalid.into_fields().into_iter().map(|error| (error.pointer, error.code.into_owned())).collect()
        })
    }

    fn ada() -> [&'static str; 9] {
        ["", " Ada ", "Lovelace", "Ada@Example.com", "'+1 415 555 2671", "Analytical", "", "fair", "vip; VIP ;;new"]
    }

    #[test]
    fn cells_are_parsed_and_blank_cells_are_none() {
        let cells = read(ada()).unwrap();
        assert_eq!(
            cells,
            Cells {
                id: None,
                first_name: "Ada".parse().unwrap(),
                last_name: "Lovelace".parse().unwrap(),
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
    fn full_name_is_read_if_the_row_has_no_other_name() {
        let header = Header::find("Name,First Name,Last Name,Email", &HeaderMap::default(), true).unwrap().header;
        for (row, first, last) in [
            (["Nora Quist", "", "", ""], "Nora Quist", ""),
            (["Nora Quist", "Nora", "Quist", ""], "Nora", "Quist"),
            (["Quist", "", "Quist", ""], "", "Quist"),
        ] {
            let cells = Cells::read(&header, &StringRecord::from(row.to_vec()), None).unwrap();
            assert_eq!((cells.first_name.as_str(), cells.last_name.as_str()), (first, last));
        }
    }

    #[test]
    fn national_number_is_read_as_one_of_the_country() {
        let mut row = ada();
        row[4] = "01 42 68 53 00";
        assert_eq!(read(row).unwrap().phone, "+33142685300".parse().ok());
    }

    #[test]
    fn every_invalid_cell_is_reported() {
        let long = "x".repeat(201);
        let errors = read(["7", &long, "\0", "no", "no", "ok", &long, "a\u{202e}b", &"y".repeat(101)]).unwrap_err();
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
        assert_eq!(errors, expected.map(|(pointer, code)| (pointer.to_owned(), code.to_owned())));
    }

    #[test]
    fn more_than_30_tags_are_rejected() {
        let names = |n: usize| (0..n).map(|n| n.to_string()).collect::<Vec<_>>().join(";");
        assert_eq!(tags(&names(30)).unwrap().len(), 30);
        assert_eq!(tags(&format!("{0};{0}", names(30))).unwrap().len(), 30);
        assert_eq!(tags(&names(31)).unwrap_err().code(), "too_many");
    }

    #[test]
    fn digest_depends_on_values_and_not_on_spelling() {
        let digest = |row| read(row).unwrap().digest();
        let (mut respelled, mut moved, mut with_id) = (ada(), ada(), ada());
        (respelled[1], respelled[8]) = ("Ada", "vip;new");
        (moved[5], moved[6]) = ("", "Analytical");
        with_id[0] = "019c0000-0000-7000-8000-000000000000";
        assert_eq!(digest(respelled), digest(ada()));
        assert_ne!(digest(with_id), digest(ada()));
        assert_ne!(digest(moved), digest(ada()));
        assert_eq!(digest(ada()).len(), 43);
    }
}
