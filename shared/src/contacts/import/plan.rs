//! The action that an import takes for a row, decided without I/O.

use crate::contacts::{Contact, ContactRecord, ContactRow, ImportProgress, PartialContact, RowError, TagId};
use crate::value::{FieldError, Instant, InvalidValue, ValidationErrors};

use super::window::{Matches, fingerprint};
use crate::contacts::sheet::{Cells, Row};
use crate::contacts::tags;

/// The action for a row.
pub(super) enum RowAction {
    /// Creates a contact.
    Create(Box<ContactRow>),
    /// Changes a contact.
    Update { current: Box<ContactRow>, next: Box<ContactRow> },
    /// Writes nothing: the row has no new values.
    Skip,
    /// Writes nothing: the row has errors.
    Reject(Vec<RowError>),
}

/// Decides the action for a row; `new_record` makes a contact of its fields.
pub(super) fn plan(
    row: &Row,
    matches: &Matches,
    now: Instant,
    new_record: impl FnOnce(Contact) -> ContactRecord,
) -> RowAction {
    let action = match &row.cells {
        Err(errors) => return RowAction::Reject(errors.clone()),
        Ok(cells) => decide(cells, matches, now, new_record),
    };
    let action = action.unwrap_or_else(|invalid| {
        let row_error = |FieldError { pointer, code, detail }| {
            // The file's column has tag names, not ids.
            let pointer = if pointer == "/tagIds" { "/tags".to_owned() } else { pointer };
            RowError { line: row.line, pointer, code, detail: detail.into_owned() }
        };
        RowAction::Reject(invalid.into_fields().into_iter().map(row_error).collect())
    });
    if action.new_tags().any(|tag| matches.refused_tags.contains(&tag)) {
        let (code, detail) = ("too_many_client_tags", "needs a new tag, but the client has 1,000 tags");
        let error = RowError { line: row.line, pointer: "/tags".into(), code: code.into(), detail: detail.into() };
        return RowAction::Reject(vec![error]);
    }
    action
}

fn decide(
    cells: &Cells,
    matches: &Matches,
    now: Instant,
    new_record: impl FnOnce(Contact) -> ContactRecord,
) -> Result<RowAction, ValidationErrors> {
    let by_id = cells.id.and_then(|id| matches.contacts.get(&id));
    let by_email = cells.email.as_ref().and_then(|email| {
        let id = matches.emails.get(&email.folded())?;
        // The email may have changed between the reads of its entry and of the contact.
        matches.contacts.get(id).filter(|row| row.contact.fields.has_email(email))
    });
    if let (Some(by_id), Some(by_email)) = (by_id, by_email)
        && by_id.contact.id != by_email.contact.id
    {
        return Err(ValidationErrors::field("/email", InvalidValue::new("taken", "belongs to another contact")));
    }
    let fingerprint = fingerprint(cells);
    let was_imported = fingerprint.as_ref().is_some_and(|fingerprint| matches.fingerprints.contains_key(fingerprint));
    match by_id.or(by_email) {
        Some(current) => {
            let fields = partial_contact(cells, matches).merged_into(&current.contact.fields)?;
            if fields == current.contact.fields {
                return Ok(RowAction::Skip);
            }
            let next = current.next(current.contact.changed(fields, now));
            Ok(RowAction::Update { current: Box::new(current.clone()), next: Box::new(next) })
        }
        // The contact may have been changed since then: an import does not revert such a change.
        None if was_imported => Ok(RowAction::Skip),
        None => {
            let contact = new_record(partial_contact(cells, matches).into_new()?);
            Ok(RowAction::Create(Box::new(ContactRow::new(contact, fingerprint))))
        }
    }
}

fn partial_contact(cells: &Cells, matches: &Matches) -> PartialContact {
    PartialContact {
        first_name: cells.first_name.clone(),
        last_name: cells.last_name.clone(),
        email: cells.email.clone(),
        phone: cells.phone.clone(),
        company: cells.company.clone(),
        job_title: cells.job_title.clone(),
        source: cells.source.clone(),
        time_zone: None,
        language: None,
        tag_ids: cells.tags.iter().filter_map(|name| matches.tags.get(&tags::lower(name)).copied()).collect(),
    }
}

impl RowAction {
    /// The largest number of parts that the action takes in a transaction.
    ///
    /// These are the contact, its search entries before and after, its fingerprint, and one for each new tag: at most
    /// 65. The check that a tag exists is not included: it is one part for all rows.
    pub(super) fn parts(&self) -> usize {
        let entries = self.versions().map(|row| row.contact.fields.search_entry_count()).sum::<usize>();
        let fingerprint = match self {
            Self::Create(row) => usize::from(row.fingerprint.is_some()),
            Self::Update { .. } => 0,
            Self::Skip | Self::Reject(_) => return 0,
        };
        1 + entries + fingerprint + self.new_tags().count()
    }

    /// The versions of the contact before and after the action.
    pub(super) fn versions(&self) -> impl Iterator<Item = &ContactRow> {
        let versions = match self {
            Self::Create(row) => [Some(row), None],
            Self::Update { current, next } => [Some(current), Some(next)],
            Self::Skip | Self::Reject(_) => [None, None],
        };
        versions.into_iter().flatten().map(|row| &**row)
    }

    /// The tags that the action adds to the contact.
    pub(super) fn new_tags(&self) -> impl Iterator<Item = TagId> {
        let (current, next) = match self {
            Self::Create(row) => (None, Some(row)),
            Self::Update { current, next } => (Some(current), Some(next)),
            Self::Skip | Self::Reject(_) => (None, None),
        };
        let current = current.map(|row| row.contact.fields.tag_ids.as_slice()).unwrap_or_default();
        let next = next.map(|row| row.contact.fields.tag_ids.as_slice()).unwrap_or_default();
        next.iter().filter(|tag| !current.contains(tag)).copied()
    }

    /// Counts the action.
    pub(super) fn count(&self, progress: &mut ImportProgress) {
        match self {
            Self::Create(_) => progress.created += 1,
            Self::Update { .. } => progress.updated += 1,
            Self::Skip | Self::Reject(_) => progress.skipped += 1,
        }
    }
}
