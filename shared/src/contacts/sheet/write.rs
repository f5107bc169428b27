//! Contacts as CSV.

use std::fmt::Display;

use crate::contacts::{ContactRecord, TagId};
use crate::value::Email;
use crate::web::{Problem, Result};
use csv::{Terminator, WriterBuilder};

use super::cell::{escape_formulas, join_names};
use super::header::Column;

const COLUMNS: [Column; 11] = [
    Column::Id,
    Column::FirstName,
    Column::LastName,
    Column::Email,
    Column::Phone,
    Column::Company,
    Column::JobTitle,
    Column::Source,
    Column::Tags,
    Column::CreatedAt,
    Column::UpdatedAt,
];

/// Writes contacts with a header.
///
/// Each page of an export is a complete file. Files can be concatenated: the import skips repeated headers.
/// Tags without a name were deleted and are left out.
pub fn write<'a>(
    contacts: impl Iterator<Item = &'a ContactRecord>,
    tag_name: impl Fn(TagId) -> Option<&'a str>,
) -> Result<String> {
    let mut csv = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(Vec::new());
    csv.write_record(COLUMNS.map(Column::name)).map_err(Problem::internal)?;
    for contact in contacts {
        let row = COLUMNS.map(|column| text(contact, column, &tag_name));
        csv.write_record(row.each_ref().map(|text| escape_formulas(text).into_owned())).map_err(Problem::internal)?;
    }
    let written = csv.into_inner().map_err(|error| Problem::internal(error.into_error()))?;
    String::from_utf8(written).map_err(Problem::internal)
}

fn text<'a>(contact: &ContactRecord, column: Column, tag_name: impl Fn(TagId) -> Option<&'a str>) -> String {
    let fields = &contact.fields;
    match column {
        Column::Id => contact.id.to_string(),
        Column::FirstName => fields.first_name.to_string(),
        Column::LastName => fields.last_name.to_string(),
        // Only in files of other products.
        Column::Name => String::new(),
        Column::Email => optional(fields.email.as_ref().map(Email::as_str)),
        Column::Phone => optional(fields.phone.as_ref()),
        Column::Company => optional(fields.company.as_ref()),
        Column::JobTitle => optional(fields.job_title.as_ref()),
        Column::Source => optional(fields.source.as_ref()),
        Column::Tags => join_names(fields.tag_ids.iter().filter_map(|tag| tag_name(*tag))),
        Column::CreatedAt => contact.meta.created_at.to_string(),
        Column::UpdatedAt => contact.meta.updated_at.to_string(),
        Column::Version => contact.meta.version.to_string(),
        Column::ClientId => contact.parent.client_id.to_string(),
    }
}

fn optional(value: Option<impl Display>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}
