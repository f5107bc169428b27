//! The header of a file: the columns by position.

use crate::value::{InvalidValue, ValidationErrors};
use csv::StringRecord;

/// The columns of a file, in their order.
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
    // Exported or returned by the API, but not imported.
    CreatedAt,
    UpdatedAt,
    Version,
    ClientId,
}

/// The largest number of errors; see [`ValidationErrors`].
const MAX_ERRORS: usize = 100;

impl Column {
    /// The columns that are imported.
    const IMPORTED: [Self; 9] = [
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

    /// The columns that are ignored.
    const IGNORED: [Self; 4] = [Self::CreatedAt, Self::UpdatedAt, Self::Version, Self::ClientId];

    /// The name of the column and of the API's field.
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

    /// The column with a name in any spelling.
    ///
    /// `First Name`, `first_name` and `firstName` are equal.
    fn from_name(name: &str) -> Option<Self> {
        let letters = letters(name);
        let mut columns = Self::IMPORTED.into_iter().chain(Self::IGNORED);
        columns.find(|column| column.name().eq_ignore_ascii_case(&letters))
    }
}

fn letters(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

impl Header {
    /// Parses the first record of a file.
    pub(super) fn read(names: &StringRecord) -> Result<Self, ValidationErrors> {
        let mut columns = Vec::new();
        let errors = names.iter().enumerate().filter_map(|(index, name)| {
            let parsed = column(name, &columns).map(|column| columns.push(column));
            parsed.err().map(|invalid| ValidationErrors::field(format!("/header/{index}"), invalid))
        });
        match errors.take(MAX_ERRORS).reduce(ValidationErrors::and) {
            Some(invalid) => Err(invalid),
            None => Self(columns).require_identity(),
        }
    }

    /// Rejects columns that can neither identify nor create a contact.
    fn require_identity(self) -> Result<Self, ValidationErrors> {
        let identifies = [Column::Id, Column::FirstName, Column::LastName, Column::Email, Column::Phone];
        if self.0.iter().any(|column| identifies.contains(column)) {
            return Ok(self);
        }
        let detail = "must have at least one of the columns firstName, lastName, email, phone and id";
        Err(ValidationErrors::field("/header", InvalidValue::new("missing_column", detail)))
    }

    /// The error of a file without a header.
    pub(super) fn missing() -> ValidationErrors {
        let detail = "is required: the first line must name the columns";
        ValidationErrors::field("/header", InvalidValue::new("required", detail))
    }

    /// Whether a record is a repeated header.
    pub(super) fn matches(&self, record: &StringRecord) -> bool {
        record.len() == self.0.len()
            && record.iter().zip(&self.0).all(|(name, column)| Column::from_name(name) == Some(*column))
    }

    /// Rejects a row with another number of cells, which cannot be assigned to columns.
    pub(super) fn check_length(&self, row: &StringRecord) -> Result<(), ValidationErrors> {
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

fn column(name: &str, earlier: &[Column]) -> Result<Column, InvalidValue> {
    match Column::from_name(name) {
        Some(column) if earlier.contains(&column) => {
            Err(InvalidValue::with("duplicate", format!("must be the only column {}", column.name())))
        }
        Some(column) => Ok(column),
        None if letters(name).is_empty() => Err(InvalidValue::new("empty", "must name a column")),
        None => {
            let columns = Column::IMPORTED.map(Column::name).join(", ");
            Err(InvalidValue::with(
                "unknown_column",
                format!("is not a known column; the columns, separated by commas, are: {columns}"),
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

    fn errors(names: &[&str]) -> Vec<(String, String)> {
        let errors = read(names).unwrap_err().into_fields().into_iter();
        errors.map(|error| (error.pointer, error.code.into_owned())).collect()
    }

    #[test]
    fn columns_are_recognized_in_any_spelling() {
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
        for column in Column::IMPORTED.into_iter().chain(Column::IGNORED) {
            assert_eq!(Column::from_name(column.name()), Some(column));
        }
    }

    #[test]
    fn every_invalid_name_is_reported() {
        let error = |at: usize, code: &str| (format!("/header/{at}"), code.to_owned());
        assert_eq!(
            errors(&["email", "", "E-Mail", "shoe size", "version", "Version"]),
            [error(1, "empty"), error(2, "duplicate"), error(3, "unknown_column"), error(5, "duplicate")]
        );
        assert_eq!(errors(&["id;email;phone"]), [error(0, "unknown_column")]);
        assert_eq!(errors(&["x"; 1000]).len(), MAX_ERRORS);
    }

    #[test]
    fn columns_that_cannot_identify_a_contact_are_rejected() {
        for enough in [&["email"][..], &["id"], &["phone"], &["lastName"], &["firstName"]] {
            assert!(read(enough).is_ok(), "{enough:?}");
        }
        for few in [&["company"][..], &["tags", "jobTitle"]] {
            assert_eq!(errors(few), [("/header".to_owned(), "missing_column".to_owned())], "{few:?}");
        }
    }
}
