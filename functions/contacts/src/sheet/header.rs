//! The header of a file: which column is which.

use csv::StringRecord;
use shared::value::{InvalidValue, ValidationErrors};

/// The columns of a file, as they stand in it.
#[derive(Debug)]
pub(super) struct Header(Vec<Column>);

/// A column that a file may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Column {
    Id,
    FirstName,
    LastName,
    Email,
    Phone,
    Company,
    JobTitle,
    Source,
    Tags,
    // What an export also shows, and the API; nobody sets them.
    CreatedAt,
    UpdatedAt,
    Version,
    ClientId,
}

/// No more faults than this are told apart; see [`ValidationErrors`].
const MAX_FAULTS: usize = 100;

impl Column {
    /// The columns that are read.
    const READ: [Self; 9] = [
        Self::Id,
        Self::FirstName,
        Self::LastName,
        Self::Email,
        Self::Phone,
        Self::Company,
        Self::JobTitle,
        Self::Source,
        Self::Tags,
    ];

    /// The columns that are passed over.
    const PASSED: [Self; 4] = [Self::CreatedAt, Self::UpdatedAt, Self::Version, Self::ClientId];

    /// Its name, the field's in the API.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::FirstName => "firstName",
            Self::LastName => "lastName",
            Self::Email => "email",
            Self::Phone => "phone",
            Self::Company => "company",
            Self::JobTitle => "jobTitle",
            Self::Source => "source",
            Self::Tags => "tags",
            Self::CreatedAt => "createdAt",
            Self::UpdatedAt => "updatedAt",
            Self::Version => "version",
            Self::ClientId => "clientId",
        }
    }

    /// The column that somebody calls so: `First Name`, `first_name` and `firstName` are the same.
    fn named(name: &str) -> Option<Self> {
        let letters = letters(name);
        let mut columns = Self::READ.into_iter().chain(Self::PASSED);
        columns.find(|column| column.name().eq_ignore_ascii_case(&letters))
    }
}

fn letters(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

impl Header {
    /// Understands the first record of a file.
    pub(super) fn read(names: &StringRecord) -> Result<Self, ValidationErrors> {
        let mut columns = Vec::new();
        let faults = names.iter().enumerate().filter_map(|(index, name)| {
            let read = column(name, &columns).map(|column| columns.push(column));
            read.err().map(|rejected| ValidationErrors::field(format!("/header/{index}"), rejected))
        });
        match faults.take(MAX_FAULTS).reduce(ValidationErrors::and) {
            Some(invalid) => Err(invalid),
            None => Self(columns).whole(),
        }
    }

    /// Refuses columns that name nobody.
    fn whole(self) -> Result<Self, ValidationErrors> {
        let has = |column| self.0.contains(&column);
        if has(Column::Id) || has(Column::Email) || (has(Column::FirstName) && has(Column::LastName)) {
            return Ok(self);
        }
        let detail = "must have the column email, or firstName and lastName, or id";
        Err(ValidationErrors::field("/header", InvalidValue::new("missing_column", detail)))
    }

    /// What a file without one gets.
    pub(super) fn missing() -> ValidationErrors {
        let detail = "is required: the first line must name the columns";
        ValidationErrors::field("/header", InvalidValue::new("required", detail))
    }

    /// Whether this record is the header again.
    pub(super) fn is(&self, record: &StringRecord) -> bool {
        record.len() == self.0.len()
            && record.iter().zip(&self.0).all(|(name, column)| Column::named(name) == Some(*column))
    }

    /// Refuses a row with another number of cells: nobody can tell which is which.
    pub(super) fn check(&self, row: &StringRecord) -> Result<(), ValidationErrors> {
        if row.len() == self.0.len() {
            return Ok(());
        }
        let detail = format!("must have {} cells, as the header has", self.0.len());
        Err(ValidationErrors::field("", InvalidValue::with("wrong_length", detail)))
    }

    /// The cells of a row with their columns.
    pub(super) fn cells<'a>(&self, row: &'a StringRecord) -> impl Iterator<Item = (Column, &'a str)> {
        self.0.iter().copied().zip(row)
    }
}

fn column(name: &str, before: &[Column]) -> Result<Column, InvalidValue> {
    match Column::named(name) {
        Some(column) if before.contains(&column) => {
            Err(InvalidValue::with("duplicate", format!("must be the only column {}", column.name())))
        }
        Some(column) => Ok(column),
        None if letters(name).is_empty() => Err(InvalidValue::new("empty", "must name a column")),
        None => {
            let known = Column::READ.map(Column::name).join(", ");
            Err(InvalidValue::with(
                "unknown_column",
                format!("is not a column here; these are, with commas between: {known}"),
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(names: &[&str]) -> Result<Header, ValidationErrors> {
        Header::read(&StringRecord::from(names.to_vec()))
    }

    fn faults(names: &[&str]) -> Vec<(String, String)> {
        let faults = read(names).unwrap_err().into_fields().into_iter();
        faults.map(|fault| (fault.pointer, fault.code.into_owned())).collect()
    }

    #[test]
    fn columns_are_known_however_they_are_spelt() {
        let header = read(&["ID", "First Name", "last_name", "E-mail", "JOB-TITLE", " Tags ", "created at"]).unwrap();
        assert_eq!(
            header.0,
            [
                Column::Id,
                Column::FirstName,
                Column::LastName,
                Column::Email,
                Column::JobTitle,
                Column::Tags,
                Column::CreatedAt
            ]
        );
        for column in Column::READ.into_iter().chain(Column::PASSED) {
            assert_eq!(Column::named(column.name()), Some(column));
        }
    }

    #[test]
    fn every_name_at_fault_is_named() {
        let named = |at: usize, code: &str| (format!("/header/{at}"), code.to_owned());
        assert_eq!(
            faults(&["email", "", "E-Mail", "shoe size", "version", "Version"]),
            [named(1, "empty"), named(2, "duplicate"), named(3, "unknown_column"), named(5, "duplicate")]
        );
        assert_eq!(faults(&["id;email;phone"]), [named(0, "unknown_column")]);
        assert_eq!(faults(&["x"; 1000]).len(), MAX_FAULTS);
    }

    #[test]
    fn a_row_must_be_somebody() {
        for enough in [&["email"][..], &["id"], &["lastName", "firstName"]] {
            assert!(read(enough).is_ok(), "{enough:?}");
        }
        for few in [&["phone"][..], &["firstName", "company"], &["lastName"]] {
            assert_eq!(faults(few), [("/header".to_owned(), "missing_column".to_owned())], "{few:?}");
        }
    }
}
