//! An import on its way: step by step, each one transaction.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;

use shared::auth::ClientScope;
use shared::contacts::{self, ConflictPolicy};
use shared::entity::{
    ContactId, ContactRecord, ContactRow, Import, ImportFaults, ImportId, ImportProgress, ImportStatus, Record,
    RowFault, TagName,
};
use shared::job::JobOutcome;
use shared::keys::Scope;
use shared::store::{MAX_PARTS, Store, Transaction};
use shared::value::{Country, Email};
use shared::{App, Problem, Result};
use tokio::time::Instant;

use super::plan::{Planned, plan};
use super::text;
use super::window::{Found, Window, look_up, origin};
use crate::sheet::{Mark, Row, Sheet};
use crate::tags;

/// What an import needs all the time.
pub(crate) struct Running<'a> {
    pub(crate) app: &'a App,
    pub(crate) client: ClientScope,
    pub(crate) sheet: &'a Sheet,
    pub(crate) country: Option<Country>,
}

/// How many rows a step begins with: as many new contacts as fit into a transaction.
const FIRST: usize = 24;

/// How many rows a step looks up at most: a batch.
const MOST: usize = 100;

/// How many tags a step makes at most, each in a transaction of its own, unless one row has more.
const NEW_TAGS: usize = 20;

/// From how many faults on an import keeps only the first of each row: with one for each of 20,000 rows they still fit into an answer
/// (6 MB, a limit of Lambda).
const MANY_FAULTS: usize = 5000;

/// What a step's transaction has beside the contacts: their count, how far the import has come, and what was wrong.
const BESIDE: usize = 3;

/// Goes on with an import, if it is still to be gone on with.
pub(crate) async fn go_on(app: &App, client: ClientScope, id: ImportId, until: Instant) -> Result<JobOutcome> {
    let store = app.store_for_event();
    let (key, of_client) = (client.import(id), client.row());
    let (Some(import), of_client) = tokio::try_join!(store.get(&key), store.get(&of_client))? else {
        return Ok(JobOutcome::Done);
    };
    // A client that is gone takes what it sent with it.
    let Some(of_client) = of_client else { return end(&store, client, &import).await };
    if import.progress.status == ImportStatus::Done {
        return end(&store, client, &import).await;
    }
    let Some(file) = text::read(&store, client, &import).await? else { return give_up(app, client, id).await };
    let sheet = Sheet::open(file)?;
    let running = Running { app, client, sheet: &sheet, country: of_client.fields.country };
    let import = run(&running, || app.store_for_event(), id, until).await?;
    if import.progress.status == ImportStatus::Running {
        return Ok(JobOutcome::Continue);
    }
    end(&app.store_for_event(), client, &import).await
}

async fn end(store: &Store, client: ClientScope, import: &Import) -> Result<JobOutcome> {
    text::remove(store, client, import).await?;
    Ok(JobOutcome::Done)
}

/// Ends an import that cannot be gone on with, and says so in its report.
pub(crate) async fn give_up(app: &App, client: ClientScope, id: ImportId) -> Result<JobOutcome> {
    let store = app.store_for_event();
    let key = client.import(id);
    let decide = |import: &Option<Import>, transaction: &mut Transaction| {
        let Some(import) = import.as_ref().filter(|import| import.progress.status == ImportStatus::Running) else {
            return Ok(());
        };
        let detail = "could not be read, nor any row after it: import the file again from here".to_owned();
        let fault = RowFault { line: import.line, pointer: String::new(), code: "given_up".into(), detail };
        let progress = ImportProgress { status: ImportStatus::Done, ..import.progress };
        let next = Import { progress, faults: import.faults + 1, version: import.version + 1, ..import.clone() };
        let faults = ImportFaults { faults: vec![fault], ttl: import.ttl };
        transaction.write(&client.import_fault(id, import.line), &faults)?;
        transaction.replace_anew(&key, &next, import.version)
    };
    store.decide(|| store.get(&key), decide).await?;
    match store.get(&key).await? {
        Some(import) => end(&store, client, &import).await,
        None => Ok(JobOutcome::Done),
    }
}

/// Makes steps until the import is done, or there is no more time. `store` gives each step a deadline of its own.
pub(super) async fn run(
    running: &Running<'_>,
    store: impl Fn() -> Store,
    id: ImportId,
    until: Instant,
) -> Result<Import> {
    let mut width = FIRST;
    loop {
        let Stepped { import, looked_up, done } = step(running, &store(), id, width).await?;
        if import.progress.status == ImportStatus::Done || Instant::now() >= until {
            return Ok(import);
        }
        // Rows that are looked up and do not fit into the transaction are looked up again.
        width = if done == looked_up { (2 * width).min(MOST) } else { done.max(1) };
    }
}

/// How a step ended.
struct Stepped {
    import: Import,
    looked_up: usize,
    done: usize,
}

/// Reads how far the import has come and what is known of the next rows, and writes as many of them as a transaction holds.
async fn step(running: &Running<'_>, store: &Store, id: ImportId, width: usize) -> Result<Stepped> {
    let read = || async {
        let import = store.find(&running.client.import(id)).await?;
        let mut window = look_at(running, store, &import, width).await?;
        for name in needed_tags(running, &mut window) {
            let made = tags::make(running.app, store, running.client, &name).await?;
            window.found.tags.insert(tags::lower(&name), made);
        }
        Ok((import, window))
    };
    let decide = |(import, window): &(Import, Window), transaction: &mut Transaction| {
        if import.progress.status == ImportStatus::Done {
            return Ok(Stepped { import: import.clone(), looked_up: 0, done: 0 });
        }
        let filled = fill(running, window, import.faults, transaction)?;
        let next = filled.advance(import, window);
        transaction.replace_anew(&running.client.import(id), &next, import.version)?;
        filled.keep_faults(running.client, import, transaction)?;
        Ok(Stepped { import: next, looked_up: window.rows.len(), done: filled.rows })
    };
    store.decide(read, decide).await
}

/// The tags that are not there and that contacts are to have which are written. A row that needs too many of them is left for the next
/// step, with those after it.
fn needed_tags(running: &Running<'_>, window: &mut Window) -> Vec<TagName> {
    let (app, client, now) = (running.app, running.client, running.app.clock().now());
    let mut missing = window.stand_in(app.ids());
    let mut needed = HashSet::new();
    for at in 0..window.rows.len() {
        let planned = plan(&window.rows[at], &window.found, now, |fields| Record::new(app, client, fields));
        let more: Vec<_> = planned.new_tags().filter(|tag| missing.contains_key(tag)).collect();
        if at > 0 && needed.len() + more.len() > NEW_TAGS {
            window.rows.truncate(at);
            window.is_last = false;
            break;
        }
        needed.extend(more);
    }
    missing.retain(|id, _| needed.contains(id));
    missing.into_values().collect()
}

async fn look_at(running: &Running<'_>, store: &Store, import: &Import, width: usize) -> Result<Window> {
    let from = Mark { offset: import.offset, line: import.line };
    let mut rows: Vec<_> = running.sheet.rows(from, running.country).take(width + 1).collect();
    let is_last = rows.len() <= width;
    rows.truncate(width);
    look_up(running, store, rows, is_last).await
}

/// The rows of a window that a transaction holds.
#[derive(Default)]
struct Filled {
    rows: usize,
    /// Where the next one starts.
    next: Option<Mark>,
    progress: ImportProgress,
    faults: Vec<RowFault>,
    /// How many faults of the rows before them are kept.
    told: usize,
}

/// Fills a transaction with rows, until it is full or a row is about a contact that it is about already.
fn fill(running: &Running<'_>, window: &Window, told: usize, transaction: &mut Transaction) -> Result<Filled> {
    let (app, client) = (running.app, running.client);
    let now = app.clock().now();
    let mut filled = Filled { told, ..Filled::default() };
    let (mut touched, mut required) = (HashSet::new(), HashSet::new());
    let mut parts = BESIDE;
    for row in &window.rows {
        let planned = plan(row, &window.found, now, |fields| Record::new(app, client, fields));
        parts += planned.parts() + planned.new_tags().filter(|tag| required.insert(*tag)).count();
        let about = about(row, &planned);
        if parts > MAX_PARTS || about.iter().any(|key| touched.contains(key)) {
            break;
        }
        touched.extend(about);
        match &planned {
            Planned::Create(row) => contacts::create_uncounted(transaction, client, row, ConflictPolicy::RETRY)?,
            Planned::Update { read, next } => {
                contacts::replace(transaction, client, read, next, ConflictPolicy::RETRY)?
            }
            Planned::Skip | Planned::Refuse(_) => {}
        }
        filled.add(row, planned);
    }
    if filled.progress.created > 0 {
        transaction.hold_many(&client.holdings(), filled.progress.created)?;
    }
    Ok(filled)
}

/// What a row is decided on and what it writes, as far as another one may write it too.
fn about(row: &Row, planned: &Planned) -> Vec<String> {
    let id = |id| format!("id {id}");
    let email = |email: &Email| format!("email {}", email.folded());
    let mut keys = Vec::new();
    if let Ok(cells) = &row.cells {
        keys.extend(cells.id.map(id));
        keys.extend(cells.email.as_ref().map(email));
        keys.extend(origin(cells).map(|origin| format!("origin {origin}")));
    }
    for written in planned.rows() {
        keys.push(id(written.contact.id));
        keys.extend(written.contact.fields.email.as_ref().map(email));
    }
    keys
}

impl Filled {
    fn add(&mut self, row: &Row, planned: Planned) {
        planned.count(&mut self.progress);
        self.rows += 1;
        self.next = Some(row.next);
        if let Planned::Refuse(faults) = planned {
            let most = if self.told + self.faults.len() < MANY_FAULTS { faults.len() } else { 1 };
            self.faults.extend(faults.into_iter().take(most));
        }
    }

    /// How far the import has come with them.
    fn advance(&self, import: &Import, window: &Window) -> Import {
        let is_done = window.is_last && self.rows == window.rows.len();
        let (before, now) = (import.progress, self.progress);
        let progress = ImportProgress {
            status: if is_done { ImportStatus::Done } else { ImportStatus::Running },
            created: before.created + now.created,
            updated: before.updated + now.updated,
            skipped: before.skipped + now.skipped,
        };
        let faults = import.faults + self.faults.len();
        let next = self.next.unwrap_or(Mark { offset: import.offset, line: import.line });
        Import { progress, faults, offset: next.offset, line: next.line, version: import.version + 1, ..import.clone() }
    }

    /// Keeps what was wrong with them.
    fn keep_faults(&self, client: ClientScope, import: &Import, transaction: &mut Transaction) -> Result<()> {
        let Some(first) = self.faults.first() else { return Ok(()) };
        let key = client.import_fault(import.id, first.line);
        transaction.write(&key, &ImportFaults { faults: self.faults.clone(), ttl: import.ttl })
    }
}

/// What an import would do: the same rows and decisions, and nothing written.
pub(super) async fn rehearse(
    running: &Running<'_>,
    store: impl Fn() -> Store,
    until: Instant,
) -> Result<(ImportProgress, Vec<RowFault>)> {
    let now = running.app.clock().now();
    let mut rows = running.sheet.rows(running.sheet.start(), running.country).peekable();
    let mut filled = Filled::default();
    let mut so_far = Found::default();
    while rows.peek().is_some() {
        if Instant::now() >= until {
            return Err(Problem::unavailable("a dry run took too long"));
        }
        let some: Vec<_> = rows.by_ref().take(MOST).collect();
        let mut window = look_up(running, &store(), some, false).await?;
        window.stand_in(running.app.ids());
        so_far.learn(window.found);
        for row in &window.rows {
            let make = |fields| -> ContactRecord { Record::new(running.app, running.client, fields) };
            let planned = plan(row, &so_far, now, make);
            so_far.note(&planned);
            filled.add(row, planned);
        }
    }
    Ok((ImportProgress { status: ImportStatus::Done, ..filled.progress }, filled.faults))
}

impl Found {
    /// Takes up what is in the table, unless an earlier row has changed it.
    fn learn(&mut self, found: Self) {
        let Self { contacts, emails, origins, tags } = found;
        add(&mut self.contacts, contacts);
        add(&mut self.emails, emails);
        add(&mut self.origins, origins);
        add(&mut self.tags, tags);
    }

    /// Takes up what a row would change.
    fn note(&mut self, planned: &Planned) {
        let (Planned::Create(row) | Planned::Update { next: row, .. }) = planned else { return };
        let id: ContactId = row.contact.id;
        if let Some(email) = &row.contact.fields.email {
            self.emails.insert(email.folded(), id);
        }
        if let Some(origin) = &row.origin {
            self.origins.insert(origin.clone(), id);
        }
        self.contacts.insert(id, ContactRow::clone(row));
    }
}

/// Adds what is not there yet.
fn add<K: Eq + Hash, V>(to: &mut HashMap<K, V>, more: HashMap<K, V>) {
    for (key, value) in more {
        to.entry(key).or_insert(value);
    }
}
