//! What becomes of a row: decided on what is there, without I/O.

use shared::contacts::PartialContact;
use shared::entity::{Contact, ContactRecord, ContactRow, ImportProgress, RowFault, TagId};
use shared::value::{FieldError, Instant, InvalidValue, ValidationErrors};

use super::window::{Found, origin};
use crate::sheet::{Cells, Row};
use crate::tags;

/// What becomes of a row.
pub(super) enum Planned {
    /// A new contact.
    Create(Box<ContactRow>),
    /// The next version of a contact.
    Update { read: Box<ContactRow>, next: Box<ContactRow> },
    /// Nothing: it says what is known.
    Skip,
    /// Nothing: it is at fault.
    Refuse(Vec<RowFault>),
}

/// Decides what becomes of a row; `make` makes a contact of its fields.
pub(super) fn plan(row: &Row, found: &Found, now: Instant, make: impl FnOnce(Contact) -> ContactRecord) -> Planned {
    let planned = match &row.cells {
        Err(faults) => return Planned::Refuse(faults.clone()),
        Ok(cells) => decide(cells, found, now, make),
    };
    planned.unwrap_or_else(|invalid| {
        let fault = |FieldError { pointer, code, detail }| {
            // A file has the tags by their names.
            let pointer = if pointer == "/tagIds" { "/tags".to_owned() } else { pointer };
            RowFault { line: row.line, pointer, code, detail: detail.into_owned() }
        };
        Planned::Refuse(invalid.into_fields().into_iter().map(fault).collect())
    })
}

fn decide(
    cells: &Cells,
    found: &Found,
    now: Instant,
    make: impl FnOnce(Contact) -> ContactRecord,
) -> Result<Planned, ValidationErrors> {
    let by_id = cells.id.and_then(|id| found.contacts.get(&id));
    // It may have another email since its index was read.
    let has = |email| move |row: &&ContactRow| row.contact.fields.has_email(email);
    let by_email = cells.email.as_ref().and_then(|email| {
        let id = found.emails.get(&email.folded())?;
        found.contacts.get(id).filter(has(email))
    });
    if let (Some(by_id), Some(by_email)) = (by_id, by_email)
        && by_id.contact.id != by_email.contact.id
    {
        return Err(ValidationErrors::field("/email", InvalidValue::new("taken", "belongs to another contact")));
    }
    let origin = origin(cells);
    let is_known = origin.as_ref().and_then(|origin| found.origins.get(origin)).is_some();
    match by_id.or(by_email) {
        Some(read) => {
            let fields = known(cells, found).merged_into(&read.contact.fields)?;
            if fields == read.contact.fields {
                return Ok(Planned::Skip);
            }
            let next = read.next(read.contact.changed(fields, now));
            Ok(Planned::Update { read: Box::new(read.clone()), next: Box::new(next) })
        }
        // Whatever became of the contact since is not to be undone.
        None if is_known => Ok(Planned::Skip),
        None => {
            let contact = make(known(cells, found).into_new()?);
            Ok(Planned::Create(Box::new(ContactRow::new(contact, origin))))
        }
    }
}

fn known(cells: &Cells, found: &Found) -> PartialContact {
    PartialContact {
        first_name: cells.first_name.clone(),
        last_name: cells.last_name.clone(),
        email: cells.email.clone(),
        phone: cells.phone.clone(),
        company: cells.company.clone(),
        job_title: cells.job_title.clone(),
        source: cells.source.clone(),
        tag_ids: cells.tags.iter().filter_map(|name| found.tags.get(&tags::lower(name)).copied()).collect(),
    }
}

impl Planned {
    /// How many parts of a transaction it takes at most: the contact, its names and its email before and after, the row that
    /// recognises it, and one for each tag that it gets. That each tag is there is required once for all rows.
    pub(super) fn parts(&self) -> usize {
        let tags = self.new_tags().count();
        match self {
            Self::Create(row) => 1 + 3 + usize::from(row.origin.is_some()) + tags,
            Self::Update { .. } => 1 + 3 + 3 + tags,
            Self::Skip | Self::Refuse(_) => 0,
        }
    }

    /// The versions of contacts that it goes from and to.
    pub(super) fn rows(&self) -> impl Iterator<Item = &ContactRow> {
        let rows = match self {
            Self::Create(row) => [Some(row), None],
            Self::Update { read, next } => [Some(read), Some(next)],
            Self::Skip | Self::Refuse(_) => [None, None],
        };
        rows.into_iter().flatten().map(|row| &**row)
    }

    /// The tags that the contact gets.
    pub(super) fn new_tags(&self) -> impl Iterator<Item = TagId> {
        let (had, has) = match self {
            Self::Create(row) => (None, Some(row)),
            Self::Update { read, next } => (Some(read), Some(next)),
            Self::Skip | Self::Refuse(_) => (None, None),
        };
        let had = had.map(|row| row.contact.fields.tag_ids.as_slice()).unwrap_or_default();
        let has = has.map(|row| row.contact.fields.tag_ids.as_slice()).unwrap_or_default();
        has.iter().filter(|tag| !had.contains(tag)).copied()
    }

    /// Counts it.
    pub(super) fn count(&self, progress: &mut ImportProgress) {
        match self {
            Self::Create(_) => progress.created += 1,
            Self::Update { .. } => progress.updated += 1,
            Self::Skip | Self::Refuse(_) => progress.skipped += 1,
        }
    }
}
