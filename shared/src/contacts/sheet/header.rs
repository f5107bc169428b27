//! The header of a file: its place, the delimiter, and the fields of the columns.

use std::cmp::Reverse;

use csv::StringRecord;
use deserr::{Deserr, IntoValue, Value, ValuePointerRef};
use serde::{Deserialize, Serialize};

use super::FilePosition;
use super::aliases::{self, Rank, WEAK, letters};
use super::records::{Delimiter, Record, Records};
use crate::value::{InvalidValue, ValidationErrors};

/// The columns of a file, in their order.
#[derive(Clone, Debug)]
pub(super) struct Header {
    columns: Vec<SheetColumn>,
    /// The columns of each field by index, the best first.
    sources: Vec<(Column, Vec<usize>)>,
}

/// A column of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SheetColumn {
    /// The name in the header, cut to 60 characters.
    pub name: String,
    /// The field of the contact; `None` if the column is not imported.
    pub(super) field: Option<Column>,
    #[serde(skip_serializing_if = "is_zero", default)]
    rank: Rank,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature is that of serde")]
const fn is_zero(rank: &Rank) -> bool {
    *rank == 0
}

/// A field that a column may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Column {
    Id,
    FirstName,
    LastName,
    /// The full name, for rows without a first and a last name.
    Name,
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

/// The largest number of columns. The widest files of common products have about 300.
const MAX_COLUMNS: usize = 500;

/// The maximum length of a stored column name, in characters: each step of an import stores the names.
const MAX_NAME: usize = 60;

/// The largest number of records before the header.
const MAX_PREAMBLE: usize = 20;

impl Column {
    /// The columns that are imported.
    pub(super) const IMPORTED: [Self; 10] = [
        Self::Id,
        Self::FirstName,
        Self::LastName,
        Self::Name,
        Self::Email,
        Self::Phone,
        Self::Company,
        Self::JobTitle,
        Self::Source,
        Self::Tags,
    ];

    /// All columns.
    pub(super) const ALL: [Self; 14] = [
        Self::Id,
        Self::FirstName,
        Self::LastName,
        Self::Name,
        Self::Email,
        Self::Phone,
        Self::Company,
        Self::JobTitle,
        Self::Source,
        Self::Tags,
        Self::CreatedAt,
        Self::UpdatedAt,
        Self::Version,
        Self::ClientId,
    ];

    /// The name of the column and of the API's field.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::FirstName => "firstName",
            Self::LastName => "lastName",
            Self::Name => "name",
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

    const fn is_imported(self) -> bool {
        !matches!(self, Self::CreatedAt | Self::UpdatedAt | Self::Version | Self::ClientId)
    }

    /// Whether a contact can be created or found by the column alone.
    const fn identifies(self) -> bool {
        matches!(self, Self::Id | Self::FirstName | Self::LastName | Self::Name | Self::Email | Self::Phone)
    }
}

/// The fields of columns by their names, as the caller gives them.
#[derive(Clone, Debug, Default)]
pub struct HeaderMap(Vec<(String, Option<Column>)>);

impl Deserr<ValidationErrors> for HeaderMap {
    fn deserialize_from_value<V: IntoValue>(
        value: Value<V>,
        location: ValuePointerRef,
    ) -> Result<Self, ValidationErrors> {
        let entries = match value {
            Value::Sequence(_) => Vec::<String>::deserialize_from_value(value, location)?,
            _ => vec![String::deserialize_from_value(value, location)?],
        };
        let parsed = entries.iter().map(|entry| Self::entry(entry)).collect::<Result<_, _>>();
        parsed.map(Self).map_err(|error| ValidationErrors::field("/map", error))
    }
}

impl HeaderMap {
    /// Parses `Header:field`. Without a field, the column is ignored.
    fn entry(text: &str) -> Result<(String, Option<Column>), InvalidValue> {
        let (header, field) = text.rsplit_once(':').unwrap_or((text, "?"));
        let field = match field.trim() {
            "" => None,
            name => Some(Column::IMPORTED.into_iter().find(|column| column.name() == name).ok_or_else(|| {
                let fields = Column::IMPORTED.map(Column::name).join(", ");
                InvalidValue::with("invalid_mapping", format!("must be Header:field; the fields are {fields}"))
            })?),
        };
        Ok((header.trim().to_owned(), field))
    }

    /// The entry of a column, if the caller gives it.
    fn find(&self, name: &str) -> Option<&(String, Option<Column>)> {
        self.0.iter().find(|(header, _)| is_same(header, name))
    }

    fn check_all_found(&self, names: &StringRecord) -> Result<(), ValidationErrors> {
        if self.0.iter().all(|(header, _)| names.iter().any(|name| is_same(header, name))) {
            return Ok(());
        }
        let detail = "must name columns of the file";
        Err(ValidationErrors::field("/map", InvalidValue::new("unknown_column", detail)))
    }
}

/// Whether two names of columns are equal in any spelling.
fn is_same(a: &str, b: &str) -> bool {
    let key = |name: &str| Some(letters(name)).filter(|letters| !letters.is_empty());
    match (key(a), key(b)) {
        (Some(a), Some(b)) => a == b,
        (None, None) => a.trim() == b.trim(),
        _ => false,
    }
}

/// Where a file has its header.
pub(super) struct FoundHeader {
    pub(super) header: Header,
    pub(super) delimiter: Delimiter,
    pub(super) start: FilePosition,
    /// The position after the header.
    pub(super) next: FilePosition,
}

impl Header {
    /// Finds the header: the record with the most fields among the first ones, for any delimiter.
    ///
    /// Of records with equally many fields, the first one.
    pub(super) fn find(file: &str, map: &HeaderMap, is_strict: bool) -> Result<FoundHeader, ValidationErrors> {
        let mut best: Option<((usize, Reverse<usize>), Delimiter, Record)> = None;
        let mut is_empty = true;
        for delimiter in Delimiter::ALL {
            let records = Records::from(file.as_bytes(), FilePosition::START, delimiter);
            for (index, record) in records.take(MAX_PREAMBLE + 1).enumerate() {
                is_empty = false;
                let score = (score(&record.cells, map), Reverse(index));
                if score.0 > 0 && best.as_ref().is_none_or(|(best, ..)| score > *best) {
                    best = Some((score, delimiter, record));
                }
            }
        }
        let Some((_, delimiter, record)) = best else {
            return Err(if is_empty { Self::missing() } else { Self::missing_column() });
        };
        map.check_all_found(&record.cells)?;
        let header = Self::read(&record.cells, map, is_strict)?;
        Ok(FoundHeader { header, delimiter, start: record.start, next: record.next })
    }

    /// Parses the names of columns.
    fn read(names: &StringRecord, map: &HeaderMap, is_strict: bool) -> Result<Self, ValidationErrors> {
        let columns = columns(names, map);
        let errors = columns.iter().enumerate().filter_map(|(index, column)| {
            let invalid = check_column(column, &columns[..index], map, is_strict).err()?;
            Some(ValidationErrors::field(format!("/header/{index}"), invalid))
        });
        match errors.take(MAX_ERRORS).reduce(ValidationErrors::and) {
            Some(invalid) => Err(invalid),
            None => Ok(Self::new(columns)),
        }
    }

    /// The header of a file with these columns.
    pub(super) fn new(columns: Vec<SheetColumn>) -> Self {
        let indexes = |field| {
            let mut indexes: Vec<_> = (0..columns.len()).filter(|at| columns[*at].field == Some(field)).collect();
            indexes.sort_by_key(|at| columns[*at].rank);
            indexes
        };
        let sources = Column::IMPORTED.map(|field| (field, indexes(field)));
        let sources = sources.into_iter().filter(|(_, indexes)| !indexes.is_empty()).collect();
        Self { columns, sources }
    }

    /// The columns, in their order.
    pub(super) fn columns(&self) -> &[SheetColumn] {
        &self.columns
    }

    /// The error of a file without a header.
    fn missing() -> ValidationErrors {
        let detail = "is required: a line must name the columns";
        ValidationErrors::field("/header", InvalidValue::new("required", detail))
    }

    /// The error of a file without a column that identifies a contact.
    fn missing_column() -> ValidationErrors {
        let detail = format!(
            "must have at least one of the columns firstName, lastName, name, email, phone and id, and at most \
             {MAX_COLUMNS} columns"
        );
        ValidationErrors::field("/header", InvalidValue::with("missing_column", detail))
    }

    /// Whether a record is a repeated header.
    pub(super) fn matches(&self, record: &StringRecord) -> bool {
        record.len() == self.columns.len()
            && record.iter().zip(&self.columns).all(|(name, column)| is_same(&cut(name), &column.name))
    }

    /// Rejects a row with content in a cell without a named column.
    pub(super) fn check_surplus(&self, row: &StringRecord) -> Result<(), ValidationErrors> {
        let is_named = |index: usize| self.columns.get(index).is_some_and(|column| !column.name.is_empty());
        if row.iter().enumerate().all(|(index, cell)| is_named(index) || cell.trim().is_empty()) {
            return Ok(());
        }
        let named = self.columns.iter().filter(|column| !column.name.is_empty()).count();
        let detail = format!("must have no content besides the {named} columns that the header names");
        Err(ValidationErrors::field("", InvalidValue::with("wrong_length", detail)))
    }

    /// The cells of a row with their fields. Absent cells are empty.
    pub(super) fn cells<'a>(&self, row: &'a StringRecord) -> impl Iterator<Item = (Column, &'a str)> {
        self.sources.iter().map(|(field, indexes)| {
            let mut cells = indexes.iter().filter_map(|index| row.get(*index));
            (*field, cells.find(|cell| !cell.trim().is_empty()).unwrap_or_default())
        })
    }
}

/// The number of fields of a record as a header; 0 if it is none.
fn score(names: &StringRecord, map: &HeaderMap) -> usize {
    if names.len() > MAX_COLUMNS {
        return 0;
    }
    let columns = columns(names, map);
    let has = |field: &Column| columns.iter().any(|column| column.field == Some(*field));
    if Column::ALL.iter().any(|field| field.identifies() && has(field)) {
        Column::ALL.iter().filter(|field| has(field)).count()
    } else {
        0
    }
}

fn columns(names: &StringRecord, map: &HeaderMap) -> Vec<SheetColumn> {
    let column = |name: &str| {
        let (field, rank) = match map.find(name) {
            Some((_, field)) => (*field, 0),
            None => aliases::column(name).map_or((None, 0), |(field, rank)| (Some(field), rank)),
        };
        SheetColumn { name: cut(name), field, rank }
    };
    let mut columns: Vec<_> = names.iter().map(column).collect();
    for index in 0..columns.len() {
        let is_better = |other: &SheetColumn| other.field == columns[index].field && other.rank < WEAK;
        if columns[index].rank >= WEAK && columns.iter().any(is_better) {
            columns[index].field = None;
        }
    }
    columns
}

fn cut(name: &str) -> String {
    name.trim().chars().take(MAX_NAME).collect()
}

fn check_column(
    column: &SheetColumn,
    earlier: &[SheetColumn],
    map: &HeaderMap,
    is_strict: bool,
) -> Result<(), InvalidValue> {
    let Some(field) = column.field else {
        // An empty column has no name; the cells of a row are checked later.
        if !is_strict || column.name.is_empty() || map.find(&column.name).is_some() {
            return Ok(());
        }
        let columns = Column::IMPORTED.map(Column::name).join(", ");
        let detail = format!("is not a known column; the columns, separated by commas, are: {columns}");
        return Err(InvalidValue::with("unknown_column", detail));
    };
    let is_mapped = |column: &SheetColumn| map.find(&column.name).is_some();
    let is_equal = |other: &SheetColumn| other.field == Some(field) && other.rank == column.rank && !is_mapped(other);
    if field.is_imported() && !is_mapped(column) && earlier.iter().any(is_equal) {
        return Err(InvalidValue::with("duplicate", format!("must be the only column {}", field.name())));
    }
    Ok(())
}

impl SheetColumn {
    /// The name of the field that the column is imported into.
    pub fn field_name(&self) -> Option<&'static str> {
        self.field.filter(|field| field.is_imported()).map(Column::name)
    }

    /// Whether the column has a name that is not known.
    pub const fn is_unknown(&self) -> bool {
        self.field.is_none() && !self.name.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_with(names: &[&str], map: &[&str], is_strict: bool) -> Result<Header, ValidationErrors> {
        let map = HeaderMap(map.iter().map(|entry| HeaderMap::entry(entry).unwrap()).collect());
        let file = format!("{}\n", names.join(","));
        Header::find(&file, &map, is_strict).map(|found| found.header)
    }

    fn fields(header: &Header) -> Vec<Option<Column>> {
        header.columns.iter().map(|column| column.field).collect()
    }

    fn errors(names: &[&str], is_strict: bool) -> Vec<(String, String)> {
        let errors = read_with(names, &[], is_strict).unwrap_err().into_fields().into_iter();
        errors.map(|error| (error.pointer, error.code.into_owned())).collect()
    }

    #[test]
    fn columns_are_recognized_in_any_spelling() {
        let names = ["ID", "First Name", "last_name", "E-mail", "JOB-TITLE", " Tags ", "created at"];
        let expected = [
            Column::Id,
            Column::FirstName,
            Column::LastName,
            Column::Email,
            Column::JobTitle,
            Column::Tags,
            Column::CreatedAt,
        ];
        assert_eq!(fields(&read_with(&names, &[], true).unwrap()), expected.map(Some));
    }

    #[test]
    fn unknown_columns_are_ignored_unless_strict() {
        let header = read_with(&["email", "", "shoe size", "version"], &[], false).unwrap();
        assert_eq!(fields(&header), [Some(Column::Email), None, None, Some(Column::Version)]);
        assert_eq!(header.columns.iter().map(SheetColumn::is_unknown).collect::<Vec<_>>(), [false, false, true, false]);
        let error = |at: usize, code: &str| (format!("/header/{at}"), code.to_owned());
        assert_eq!(
            errors(&["email", "", "E-Mail", "shoe size", "version"], true),
            [error(2, "duplicate"), error(3, "unknown_column")]
        );
        assert_eq!(errors(&["email", "e-mail"], false), [error(1, "duplicate")]);
        assert_eq!(errors(&[&["email"][..], &["x"; 499]].concat(), true).len(), MAX_ERRORS);
    }

    #[test]
    fn columns_that_cannot_identify_a_contact_are_rejected() {
        for enough in ["email", "id", "phone", "lastName", "firstName", "name"] {
            assert!(read_with(&[enough], &[], false).is_ok(), "{enough:?}");
        }
        for few in [&["company"][..], &["tags", "jobTitle"], &["x"], &["email"; 501]] {
            assert_eq!(errors(few, false), [("/header".to_owned(), "missing_column".to_owned())], "{few:?}");
        }
    }

    #[test]
    fn map_names_the_fields_of_columns() {
        let names = ["Email", "Best: number", "Title", "ID", "Fax"];
        let map = ["best: number:phone", "ID:", "Fax:phone"];
        let header = read_with(&names, &map, true).unwrap();
        let expected = [Some(Column::Email), Some(Column::Phone), Some(Column::JobTitle), None, Some(Column::Phone)];
        assert_eq!(fields(&header), expected);
        let row = StringRecord::from(vec!["a@example.com", " ", "Chef", "7", "+1"]);
        assert_eq!(header.cells(&row).find(|(field, _)| *field == Column::Phone), Some((Column::Phone, "+1")));
        assert!(read_with(&names, &["x:phone"], false).is_err());
        for bad in ["Fax", "Fax:fax", "Fax:version", "phone"] {
            assert_eq!(HeaderMap::entry(bad).unwrap_err().code(), "invalid_mapping", "{bad}");
        }
    }

    #[test]
    fn first_filled_column_of_a_field_is_read() {
        let header = read_with(&["Home Phone", "Title", "Mobile Phone", "Email", "Job Title"], &[], false).unwrap();
        let cells = |row: [&'static str; 5]| {
            let row = StringRecord::from(row.to_vec());
            header.cells(&row).map(|(field, cell)| (field, cell.to_owned())).collect::<Vec<_>>()
        };
        let expected = |phone: &str, title: &str| {
            [(Column::Email, "e"), (Column::Phone, phone), (Column::JobTitle, title)]
                .map(|(field, cell)| (field, cell.to_owned()))
        };
        assert_eq!(cells(["home", "Ms", "mobile", "e", "Chef"]), expected("mobile", "Chef"));
        assert_eq!(cells(["home", "Ms", " ", "e", ""]), expected("home", ""));
    }
}
