//! Contacts as a page of CSV.

use std::fmt::Display;

use csv::{Terminator, WriterBuilder};
use shared::entity::{ContactRecord, TagId};
use shared::value::Email;
use shared::{Problem, Result};

use super::cell::{guarded, joined};
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

/// The contacts below a header, so that each page is a file of its own; as it is one, pages may be put one after another. A tag
/// without a name is gone and left out.
pub(crate) fn write<'a>(
    contacts: impl Iterator<Item = &'a ContactRecord>,
    tag_name: impl Fn(TagId) -> Option<&'a str>,
) -> Result<String> {
    let mut csv = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(Vec::new());
    csv.write_record(COLUMNS.map(Column::name)).map_err(Problem::internal)?;
    for contact in contacts {
        let row = COLUMNS.map(|column| text(contact, column, &tag_name));
        csv.write_record(row.each_ref().map(|text| guarded(text).into_owned())).map_err(Problem::internal)?;
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
        Column::Email => shown(fields.email.as_ref().map(Email::as_str)),
        Column::Phone => shown(fields.phone.as_ref()),
        Column::Company => shown(fields.company.as_ref()),
        Column::JobTitle => shown(fields.job_title.as_ref()),
        Column::Source => shown(fields.source.as_ref()),
        Column::Tags => joined(fields.tag_ids.iter().filter_map(|tag| tag_name(*tag))),
        Column::CreatedAt => contact.meta.created_at.to_string(),
        Column::UpdatedAt => contact.meta.updated_at.to_string(),
        Column::Version => contact.meta.version.to_string(),
        Column::ClientId => contact.parent.client_id.to_string(),
    }
}

fn shown(value: Option<impl Display>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}
