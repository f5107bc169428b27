//! Runs an import in steps, each one transaction.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;

use crate::contacts::repository;
use crate::contacts::{
    ConflictPolicy, ContactId, ContactRecord, ContactRow, Import, ImportErrors, ImportId, ImportProgress, ImportStatus,
    RowError, TagId, TagName,
};
use crate::identity::ClientScope;
use crate::jobs::JobOutcome;
use crate::table::{MAX_PARTS, Record, Store, Transaction};
use crate::value::{Country, Email};
use crate::web::{App, Problem, Result};
use tokio::time::Instant;

use super::plan::{RowAction, plan};
use super::text;
use super::window::{Matches, Window, fingerprint, look_up};
use crate::contacts::limits::count_imported;
use crate::contacts::sheet::{FilePosition, Row, Sheet};
use crate::contacts::tags;

/// The context of the steps of an import.
pub struct ImportContext<'a> {
    /// The app.
    pub app: &'a App,
    /// The client.
    pub client: ClientScope,
    /// The file.
    pub sheet: &'a Sheet,
    /// The client's country, for national phone numbers.
    pub country: Option<Country>,
}

/// The rows of the first step: as many new contacts as fit into a transaction.
const INITIAL_ROWS: usize = 24;

/// The largest number of rows that a step looks up: one batch.
const MAX_ROWS: usize = 100;

/// The largest number of tags that a step creates.
///
/// Each is created in its own transaction. The first row of a step may have more.
const MAX_NEW_TAGS: usize = 20;

/// The number of errors after which only the first error of each row is stored.
///
/// One error for each of 20,000 rows still fits into a response (6 MB, a limit of Lambda).
const MAX_DETAILED_ERRORS: usize = 5000;

/// The parts of a step's transaction besides contacts.
///
/// These are the number of contacts, the import, and its errors.
const FIXED_PARTS: usize = 3;

/// Continues an import until the deadline, if it is not finished.
pub async fn resume(app: &App, client: ClientScope, id: ImportId, deadline: Instant) -> Result<JobOutcome> {
    let store = app.store_for_event();
    let (import_key, client_key) = (client.import(id), client.record());
    let (Some(import), client_record) = tokio::try_join!(store.get(&import_key), store.get(&client_key))? else {
        return Ok(JobOutcome::Done);
    };
    // The imports of a deleted client end.
    let Some(client_record) = client_record else { return end(&store, client, &import).await };
    if import.progress.status == ImportStatus::Done {
        return end(&store, client, &import).await;
    }
    let Some(file) = text::read(&store, client, &import).await? else { return abandon(app, client, id).await };
    let sheet = Sheet::reopen(file, import.format.clone());
    let context = ImportContext { app, client, sheet: &sheet, country: client_record.fields.country };
    let import = run(&context, || app.store_for_event(), id, deadline).await?;
    if import.progress.status == ImportStatus::Running {
        return Ok(JobOutcome::Continue);
    }
    end(&app.store_for_event(), client, &import).await
}

async fn end(store: &Store, client: ClientScope, import: &Import) -> Result<JobOutcome> {
    text::remove(store, client, import).await?;
    Ok(JobOutcome::Done)
}

/// Ends an import that cannot continue.
///
/// Reports an error at the first row that was not read.
pub async fn abandon(app: &App, client: ClientScope, id: ImportId) -> Result<JobOutcome> {
    let store = app.store_for_event();
    let key = client.import(id);
    if store.get(&client.record()).await?.is_none() {
        return match store.get(&key).await? {
            Some(import) => end(&store, client, &import).await,
            None => Ok(JobOutcome::Done),
        };
    }
    let decide = |import: &Option<Import>, transaction: &mut Transaction| -> Result<()> {
        let Some(import) = import.as_ref().filter(|import| import.progress.status == ImportStatus::Running) else {
            return Ok(());
        };
        let detail = "could not be imported, nor any row after it: import the file again from this line".to_owned();
        let error = RowError { line: import.line, pointer: String::new(), code: "given_up".into(), detail };
        let progress = ImportProgress { status: ImportStatus::Done, ..import.progress };
        let next = Import { progress, errors: import.errors + 1, version: import.version + 1, ..import.clone() };
        let errors = ImportErrors { errors: vec![error], ttl: import.ttl };
        transaction.overwrite(&client.import_errors_from(id, import.line), &errors)?;
        count_imported(transaction, client, 0, true)?;
        Ok(transaction.replace_or_retry(&key, &next, import.version)?)
    };
    store.retry_on_conflict(async || Ok(store.get(&key).await?), decide).await?;
    match store.get(&key).await? {
        Some(import) => end(&store, client, &import).await,
        None => Ok(JobOutcome::Done),
    }
}

/// Runs steps until the import is done, the deadline has passed, or a step fails.
///
/// Fails only if the first step does: a job that makes progress is not failing.
///
/// `store` is called for each step, so that each has its own deadline.
pub async fn run(
    context: &ImportContext<'_>,
    store: impl Fn() -> Store,
    id: ImportId,
    deadline: Instant,
) -> Result<Import> {
    let mut window_size = INITIAL_ROWS;
    let (mut progress, mut may_create_tags) = (None, true);
    loop {
        let outcome = step(context, &store(), id, window_size, may_create_tags).await;
        let StepOutcome { import, looked_up, written, tag_limit_reached } = match (outcome, progress) {
            (Err(problem), Some(import)) => {
                let cause = problem.cause().map(tracing::field::display);
                tracing::warn!(code = problem.code(), cause, "import step failed after progress");
                return Ok(import);
            }
            (outcome, _) => outcome?,
        };
        if import.progress.status == ImportStatus::Done || Instant::now() >= deadline {
            return Ok(import);
        }
        // Rows that were looked up and did not fit into the transaction are looked up again.
        window_size = if written == looked_up { (2 * window_size).min(MAX_ROWS) } else { written.max(1) };
        progress = Some(import);
        may_create_tags &= !tag_limit_reached;
    }
}

/// The result of a step.
///
/// `looked_up` and `written` are numbers of rows.
struct StepOutcome {
    import: Import,
    looked_up: usize,
    written: usize,
    /// Whether the client has too many tags for those that the rows need.
    tag_limit_reached: bool,
}

/// Looks up the next rows, and writes those that fit into a transaction.
///
/// The transaction includes the progress of the import.
async fn step(
    context: &ImportContext<'_>,
    store: &Store,
    id: ImportId,
    window_size: usize,
    may_create_tags: bool,
) -> Result<StepOutcome> {
    let read = || async {
        let import = store.find(&context.client.import(id)).await?;
        let mut window = read_window(context, store, &import, window_size).await?;
        create_missing_tags(context, store, &mut window, may_create_tags).await?;
        Ok((import, window))
    };
    let decide = |(import, window): &(Import, Window), transaction: &mut Transaction| -> Result<StepOutcome> {
        if import.progress.status == ImportStatus::Done {
            return Ok(StepOutcome { import: import.clone(), looked_up: 0, written: 0, tag_limit_reached: false });
        }
        let batch = write_rows(context, window, import.errors, transaction)?;
        let next = batch.advance(import, window);
        transaction.replace_or_retry(&context.client.import(id), &next, import.version)?;
        let is_done = next.progress.status == ImportStatus::Done;
        count_imported(transaction, context.client, batch.progress.created, is_done)?;
        batch.store_errors(context.client, import, transaction)?;
        let tag_limit_reached = !window.matches.refused_tags.is_empty();
        Ok(StepOutcome { import: next, looked_up: window.rows.len(), written: batch.rows, tag_limit_reached })
    };
    store.retry_on_conflict(read, decide).await
}

/// Creates the missing tags that the rows of a window need, as far as the client may have more.
async fn create_missing_tags(
    context: &ImportContext<'_>,
    store: &Store,
    window: &mut Window,
    may_create_tags: bool,
) -> Result<()> {
    let missing = window.assign_placeholder_tags(context.app.ids());
    let mut is_refused = !may_create_tags;
    if may_create_tags {
        for name in tags_to_create(context, window, &missing) {
            let Some(tag) = tags::create_missing(context.app, store, context.client, name).await? else {
                is_refused = true;
                break;
            };
            window.matches.tags.insert(tags::lower(name), tag);
        }
    }
    if is_refused {
        let tags = &window.matches.tags;
        let refused = missing.iter().filter(|(placeholder, name)| tags.get(&tags::lower(name)) == Some(placeholder));
        window.matches.refused_tags = refused.map(|(placeholder, _)| *placeholder).collect();
    }
    Ok(())
}

/// The missing tags that the rows of a window need.
///
/// If a row needs too many of them, the window is cut before it: the next step imports it.
fn tags_to_create<'a>(
    context: &ImportContext<'_>,
    window: &mut Window,
    missing: &'a HashMap<TagId, TagName>,
) -> Vec<&'a TagName> {
    let (app, client, now) = (context.app, context.client, context.app.now());
    let mut needed = HashSet::new();
    for index in 0..window.rows.len() {
        let new_record = |fields| Record::new(app.ids(), client, fields, now);
        let action = plan(&window.rows[index], &window.matches, now, new_record);
        let of_row: Vec<_> = action.new_tags().filter(|tag| missing.contains_key(tag)).collect();
        if index > 0 && needed.len() + of_row.len() > MAX_NEW_TAGS {
            window.rows.truncate(index);
            window.is_last = false;
            break;
        }
        needed.extend(of_row);
    }
    let mut needed: Vec<_> = missing.iter().filter(|(id, _)| needed.contains(*id)).collect();
    // Ids are in the order of the file.
    needed.sort_unstable_by_key(|(id, _)| **id);
    needed.into_iter().map(|(_, name)| name).collect()
}

async fn read_window(context: &ImportContext<'_>, store: &Store, import: &Import, size: usize) -> Result<Window> {
    let start = FilePosition { offset: import.offset, line: import.line };
    let mut rows: Vec<_> = context.sheet.rows(start, context.country).take(size + 1).collect();
    let is_last = rows.len() <= size;
    rows.truncate(size);
    look_up(context, store, rows, is_last).await
}

/// The rows of a window that a transaction writes.
#[derive(Default)]
struct RowBatch {
    rows: usize,
    /// The position of the row after them.
    next: Option<FilePosition>,
    progress: ImportProgress,
    errors: Vec<RowError>,
    /// The number of errors that are stored for earlier rows.
    stored_errors: usize,
}

/// Adds rows to a transaction.
///
/// Stops when the transaction is full, or at a row that depends on a write of an earlier row.
fn write_rows(
    context: &ImportContext<'_>,
    window: &Window,
    stored_errors: usize,
    transaction: &mut Transaction,
) -> Result<RowBatch> {
    let (app, client) = (context.app, context.client);
    let now = app.now();
    let mut batch = RowBatch { stored_errors, ..RowBatch::default() };
    let (mut written_keys, mut required_tags) = (HashSet::new(), HashSet::new());
    let mut parts = FIXED_PARTS;
    for row in &window.rows {
        let action = plan(row, &window.matches, now, |fields| Record::new(app.ids(), client, fields, now));
        parts += action.parts() + action.new_tags().filter(|tag| required_tags.insert(*tag)).count();
        let keys = dependencies(row, &action);
        if parts > MAX_PARTS || keys.iter().any(|key| written_keys.contains(key)) {
            break;
        }
        written_keys.extend(keys);
        match &action {
            RowAction::Create(row) => repository::create_uncounted(transaction, client, row, ConflictPolicy::RETRY)?,
            RowAction::Update { current, next } => {
                repository::replace(transaction, client, current, next, ConflictPolicy::RETRY)?;
            }
            RowAction::Skip | RowAction::Reject(_) => {}
        }
        batch.add(row, action);
    }
    Ok(batch)
}

/// Keys that the action of a row depends on or writes.
///
/// Only keys that another row may write too.
fn dependencies(row: &Row, action: &RowAction) -> Vec<String> {
    let id = |id| format!("id {id}");
    let email = |email: &Email| format!("email {}", email.folded());
    let mut keys = Vec::new();
    if let Ok(cells) = &row.cells {
        keys.extend(cells.id.map(id));
        keys.extend(cells.email.as_ref().map(email));
        keys.extend(fingerprint(cells).map(|fingerprint| format!("fingerprint {}", fingerprint.as_str())));
    }
    for version in action.versions() {
        keys.push(id(version.contact.id));
        keys.extend(version.contact.fields.email.as_ref().map(email));
    }
    keys
}

impl RowBatch {
    fn add(&mut self, row: &Row, action: RowAction) {
        action.count(&mut self.progress);
        self.rows += 1;
        self.next = Some(row.next);
        if let RowAction::Reject(errors) = action {
            let is_detailed = self.stored_errors + self.errors.len() < MAX_DETAILED_ERRORS;
            let limit = if is_detailed { errors.len() } else { 1 };
            self.errors.extend(errors.into_iter().take(limit));
        }
    }

    /// The import after these rows.
    fn advance(&self, import: &Import, window: &Window) -> Import {
        let is_done = window.is_last && self.rows == window.rows.len();
        let (before, batch) = (import.progress, self.progress);
        let progress = ImportProgress {
            status: if is_done { ImportStatus::Done } else { ImportStatus::Running },
            created: before.created + batch.created,
            updated: before.updated + batch.updated,
            skipped: before.skipped + batch.skipped,
        };
        let errors = import.errors + self.errors.len();
        let next = self.next.unwrap_or(FilePosition { offset: import.offset, line: import.line });
        Import { progress, errors, offset: next.offset, line: next.line, version: import.version + 1, ..import.clone() }
    }

    /// Adds the errors of these rows to the transaction.
    fn store_errors(&self, client: ClientScope, import: &Import, transaction: &mut Transaction) -> Result<()> {
        let Some(first) = self.errors.first() else { return Ok(()) };
        let key = client.import_errors_from(import.id, first.line);
        Ok(transaction.overwrite(&key, &ImportErrors { errors: self.errors.clone(), ttl: import.ttl })?)
    }
}

/// The result that an import would have.
///
/// Reads and decides like an import, but writes nothing. `new_tags` is the number of tags that the client may still
/// create.
///
/// # Errors
/// 503 `unavailable` if the deadline passes.
pub async fn dry_run(
    context: &ImportContext<'_>,
    store: impl Fn() -> Store,
    new_tags: u64,
    deadline: Instant,
) -> Result<(ImportProgress, Vec<RowError>)> {
    let now = context.app.now();
    let mut rows = context.sheet.rows(context.sheet.start(), context.country).peekable();
    let mut batch = RowBatch::default();
    let mut matches = Matches::default();
    let new_tags = usize::try_from(new_tags).unwrap_or(usize::MAX);
    let (mut missing_tags, mut created_tags) = (HashSet::new(), HashSet::new());
    while rows.peek().is_some() {
        if Instant::now() >= deadline {
            return Err(Problem::unavailable("a dry run took too long"));
        }
        let window_rows: Vec<_> = rows.by_ref().take(MAX_ROWS).collect();
        let mut window = look_up(context, &store(), window_rows, false).await?;
        missing_tags.extend(window.assign_placeholder_tags(context.app.ids()).into_keys());
        matches.extend_missing(window.matches);
        for row in &window.rows {
            let new_record = |fields| -> ContactRecord { Record::new(context.app.ids(), context.client, fields, now) };
            let mut action = plan(row, &matches, now, new_record);
            let to_create: HashSet<_> = action.new_tags().filter(|tag| missing_tags.contains(tag)).collect();
            if created_tags.union(&to_create).count() > new_tags {
                matches.refused_tags.extend(to_create.difference(&created_tags));
                action = plan(row, &matches, now, new_record);
            } else {
                created_tags.extend(to_create);
            }
            matches.apply(&action);
            batch.add(row, action);
        }
    }
    Ok((ImportProgress { status: ImportStatus::Done, ..batch.progress }, batch.errors))
}

impl Matches {
    /// Adds what was read from the table.
    ///
    /// Entries that an earlier row of the dry run has changed are kept.
    fn extend_missing(&mut self, read: Self) {
        let Self { contacts, emails, fingerprints, tags, refused_tags: _ } = read;
        extend_missing(&mut self.contacts, contacts);
        extend_missing(&mut self.emails, emails);
        extend_missing(&mut self.fingerprints, fingerprints);
        extend_missing(&mut self.tags, tags);
    }

    /// Applies the action of a row.
    fn apply(&mut self, action: &RowAction) {
        let (RowAction::Create(row) | RowAction::Update { next: row, .. }) = action else { return };
        let id: ContactId = row.contact.id;
        if let Some(email) = &row.contact.fields.email {
            self.emails.insert(email.folded(), id);
        }
        if let Some(fingerprint) = &row.fingerprint {
            self.fingerprints.insert(fingerprint.clone(), id);
        }
        self.contacts.insert(id, ContactRow::clone(row));
    }
}

/// Adds the entries of absent keys.
fn extend_missing<K: Eq + Hash, V>(map: &mut HashMap<K, V>, more: HashMap<K, V>) {
    for (key, value) in more {
        map.entry(key).or_insert(value);
    }
}
