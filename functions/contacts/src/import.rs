//! Import of contacts from a CSV file, and its report.
//!
//! The request stores the file, creates the job and runs it for some seconds; the jobs function does the rest. See
//! [`shared::contacts::import`].

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use deserr::Deserr;
use lambda_http::http::StatusCode;
use serde::Serialize;
use shared::contacts::import::{self, ImportContext, text};
use shared::contacts::jobs::ImportContacts;
use shared::contacts::sheet::{HeaderMap, Sheet, SheetColumn, SheetFormat, SheetOptions};
use shared::contacts::{Import, ImportId, ImportProgress, ImportStatus, RowError, limits};
use shared::identity::{ClientId, ClientScope, UseCrm};
use shared::jobs::{JobItem, Payload, commit_leased};
use shared::table::{ChildCount, Key, Order, Record, Store, child_count};
use shared::tenants::Client;
use shared::value::{QueryBool, ValidationErrors};
use shared::web::{
    Access, App, Created, CsvUpload, IdempotentRequest, Located, PathId, Problem, RepeatableParameters, Result,
};
use tokio::time::Instant;
use utoipa::{IntoParams, ToSchema};

/// How long a request runs its import.
///
/// One step and the end of the request take up to 8 s each after it; the function's timeout is 29 s.
const INLINE_TIME: Duration = Duration::from_secs(10);

/// The time limit of a dry run.
const DRY_RUN_TIME: Duration = Duration::from_secs(18);

/// The duration of a request's lease: longer than the function's timeout.
const LEASE: Duration = Duration::from_secs(45);

/// The result of an import so far.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ContactImport)]
pub(crate) struct Report {
    /// Id.
    id: ImportId,
    /// `RUNNING` until all rows are read, then `DONE`.
    status: ImportStatus,
    /// Number of rows that created a contact.
    created: u64,
    /// Number of rows that changed a contact.
    updated: u64,
    /// Number of rows that changed nothing: they have no new values, or errors.
    skipped: u64,
    /// Errors of the rows that were not imported, in the order of the file.
    ///
    /// After 5,000 errors, only the first error of each row.
    errors: Vec<RowError>,
    /// Encoding of the file, by its declaration or its content.
    #[schema(example = "UTF-8")]
    encoding: String,
    /// Delimiter of the file: a comma, a semicolon or a tab.
    #[schema(example = ",")]
    delimiter: &'static str,
    /// Columns that are imported, in their order.
    mapping: Vec<MappedColumn>,
    /// Columns with unknown names, which are not imported.
    #[schema(example = json!(["Shoe size"]))]
    ignored_columns: Vec<String>,
}

/// A column of the file and its field.
#[derive(Serialize, ToSchema)]
#[schema(as = ContactImportColumn)]
pub(crate) struct MappedColumn {
    /// Name of the column, cut to 60 characters.
    #[schema(example = "E-mail")]
    header: String,
    /// Field of the contact, or `name` for full names.
    #[schema(example = "email")]
    field: &'static str,
}

impl Report {
    fn new(id: ImportId, progress: ImportProgress, errors: Vec<RowError>, format: SheetFormat) -> Self {
        let ImportProgress { status, created, updated, skipped } = progress;
        let SheetFormat { encoding, delimiter, columns } = format;
        let mapped =
            |column: &SheetColumn| Some(MappedColumn { header: column.name.clone(), field: column.field_name()? });
        let mapping = columns.iter().filter_map(mapped).collect();
        let ignored_columns = columns.into_iter().filter(SheetColumn::is_unknown).map(|column| column.name).collect();
        let delimiter = delimiter.as_str();
        Self { id, status, created, updated, skipped, errors, encoding, delimiter, mapping, ignored_columns }
    }
}

/// Query parameters of an import.
#[derive(Deserr, IntoParams)]
#[deserr(error = ValidationErrors, rename_all = camelCase, deny_unknown_fields)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
pub(crate) struct Options {
    /// Return the report of the import without importing anything.
    ///
    /// The report is not stored: `GET …/imports/{importId}` does not find it.
    #[deserr(default)]
    #[param(value_type = bool, required = false, default = false)]
    dry_run: QueryBool,
    /// Reject a file with unknown columns (`422`) instead of ignoring them.
    #[deserr(default)]
    #[param(value_type = bool, required = false, default = false)]
    strict: QueryBool,
    /// Field of a column, as `Header:field`. May be repeated.
    ///
    /// The fields are `id`, `firstName`, `lastName`, `name` (full name), `email`, `phone`, `company`, `jobTitle`,
    /// `source` and `tags`. A column without a field, as in `Header:`, is ignored.
    #[deserr(default)]
    #[param(value_type = Option<Vec<String>>, style = Form, explode, example = json!(["Private Mail:email"]))]
    map: HeaderMap,
}

/// Import contacts from a CSV file.
///
/// At most 5 MiB and 20,000 rows, separated by `,`, `;` or tab. The encoding is that of a byte order mark or of
/// the media type's `charset`; without both, UTF-8, UTF-16 or Windows-1252 is detected.
///
/// One of the first 21 lines names the columns, in any order and in spellings such as `firstName`, `First Name` or
/// `first_name`: `id`, `firstName`, `lastName`, `name` (full name), `email`, `phone`, `company`, `jobTitle`,
/// `source`, `tags`. The column names of Google, HubSpot, Outlook, Salesforce, Mailchimp and Pipedrive are known, in
/// English and German; `map` adds more. If several columns have the same field, a row has the value of the first
/// one that is not empty. Unknown columns are ignored and listed in the report, unless `strict` is set. Lines before
/// the header are skipped. `tags` has tag names separated by `;` or `,`; missing tags are created. An exported file
/// can be imported unchanged.
///
/// A row updates the contact with the `id` of the row, otherwise the contact with its `email`. An update sets
/// the fields of cells that are not empty, adds the tags, and never clears a field. Any other row creates a contact,
/// unless it has no `email` and the same row was imported before. A row with errors is skipped and reported, such as one
/// with content beyond the named columns or with text after a closing quote.
///
/// A client has at most 1,000 tags: a row that needs a tag beyond is skipped with the error `too_many_client_tags`. At
/// most 4 imports are in progress at a time: `429 too_many_imports`, with `Retry-After`.
#[utoipa::path(
    post, path = "/v1/clients/{clientId}/contacts/import", tag = "contacts", operation_id = "importContacts",
    params(("clientId" = ClientId, Path, description = "The client's id."), Options),
    request_body(
        content = String, content_type = "text/csv",
        example = json!("firstName,lastName,email,tags\r\nAda,Lovelace,ada@example.com,newsletter;vip\r\n")
    ),
    responses(
        (status = 200, body = Report, description = "The report of the finished import."),
        (
            status = 202, body = Report,
            description = "The report so far. The import continues; poll the URL in `Location`."
        )
    ),
    extensions(("x-errors" = json!(["invalid_csv", "too_many_imports", "too_many_rows", "unclosed_quote"])), ("x-creates" = json!(true)))
)]
pub(crate) async fn import(
    client: Access<ClientScope, UseCrm>,
    State(app): State<App>,
    store: Store,
    RepeatableParameters(options): RepeatableParameters<Options>,
    CsvUpload { bytes, charset, request }: CsvUpload,
) -> Result<Response> {
    let deadline = Instant::now() + INLINE_TIME;
    let client = *client;
    let Options { dry_run: is_dry_run, strict, map } = options;
    let options = SheetOptions { charset, map, is_strict: strict.is_set() };
    let (client_record, count) = store.find_both(&client.record(), &child_count(client)).await?;
    let sheet = Sheet::open(&bytes, &options)?;
    drop(bytes);
    if is_dry_run.is_set() {
        let report = dry_run(&app, &store, client, &sheet, &client_record, &count).await;
        return report.map(|report| Json(report).into_response());
    }
    if let Some(earlier) = request.recorded_response(&store, client).await? {
        return Ok(earlier.into_response());
    }
    // Before the file is stored. The transaction that creates the import counts it.
    if count.imports >= limits::MAX_IMPORTS {
        return Err(limits::too_many_imports());
    }
    let text = text::write(&app, &store, client, &sheet).await?;
    let accepted = AcceptedImport::create(&app, &store.renewed(), client, &request, &sheet, &text).await?;
    if accepted.created.is_replayed() {
        // A concurrent request with the same key was first. The text of this one expires by its time to live.
        return Ok(accepted.created.into_response());
    }
    let context = ImportContext { app: &app, client, sheet: &sheet, country: client_record.fields.country };
    // The job exists: the import continues even if this request fails from here on.
    let run = import::run(&context, || store.renewed(), accepted.import.id, deadline).await;
    let store = store.renewed();
    let answer = match run {
        Ok(import) if import.progress.status == ImportStatus::Done => {
            accepted.complete(&store, client, &request, &import).await?
        }
        Ok(_) => accepted.hand_over(&app, &store, client, &request).await,
        Err(problem) => {
            let cause = problem.cause().map(tracing::field::display);
            tracing::warn!(code = problem.code(), cause, "import step failed; the job continues the import");
            accepted.hand_over(&app, &store, client, &request).await
        }
    };
    Ok(answer.into_response())
}

/// Get the report of an import.
///
/// Poll until `status` is `DONE`. The report is kept for 30 days.
#[utoipa::path(
    get, path = "/v1/clients/{clientId}/contacts/imports/{importId}", tag = "contacts", operation_id = "getImport",
    params(
        ("clientId" = ClientId, Path, description = "The client's id."),
        ("importId" = ImportId, Path, description = "The import's id.")
    ),
    responses((status = 200, body = Report, description = "The report so far."))
)]
pub(crate) async fn read(
    client: Access<ClientScope, UseCrm>,
    PathId(id): PathId<Import>,
    store: Store,
) -> Result<Json<Report>> {
    // The import outlives a deleted client for some time.
    let key = client.import(id);
    let (import, exists) = tokio::join!(store.find(&key), client.exists(&store));
    let (import, true) = (import?, exists?) else { return Err(Problem::not_found()) };
    read_report(&store, *client, &import).await.map(Json)
}

/// Reads the report of an import: one Query for each megabyte of errors.
async fn read_report(store: &Store, client: ClientScope, import: &Import) -> Result<Report> {
    let list = client.import_errors(import.id).into();
    let mut errors = Vec::new();
    let mut after = None;
    loop {
        let page = store.query(&list, after, Order::Asc, i32::MAX).await?;
        errors.extend(page.items.into_iter().flat_map(|(_, item)| item.errors));
        after = page.stopped;
        if after.is_none() {
            return Ok(Report::new(import.id, import.progress, errors, import.format.clone()));
        }
    }
}

/// The report of a dry run.
async fn dry_run(
    app: &App,
    store: &Store,
    client: ClientScope,
    sheet: &Sheet,
    client_record: &Record<Client>,
    count: &ChildCount,
) -> Result<Report> {
    let context = ImportContext { app, client, sheet, country: client_record.fields.country };
    let deadline = Instant::now() + DRY_RUN_TIME;
    let new_tags = limits::MAX_TAGS.saturating_sub(count.tags);
    let (progress, errors) = import::dry_run(&context, || store.renewed(), new_tags, deadline).await?;
    Ok(Report::new(app.ids().make(), progress, errors, sheet.format()))
}

/// An import with its job, which is leased to this request.
struct AcceptedImport {
    import: Import,
    key: Key<JobItem>,
    job: JobItem,
    created: Created,
}

impl AcceptedImport {
    /// Creates the import and its job, unless the request was answered before.
    async fn create(
        app: &App,
        store: &Store,
        client: ClientScope,
        request: &IdempotentRequest,
        sheet: &Sheet,
        text: &text::StoredText,
    ) -> Result<Self> {
        let now = app.now();
        let import = Import {
            id: text.import,
            progress: ImportProgress::default(),
            offset: sheet.start().offset,
            line: sheet.start().line,
            format: sheet.format(),
            pieces: text.pieces,
            errors: 0,
            version: 1,
            created_at: now,
            ttl: text::ttl(now),
        };
        let key = JobItem::key(client, app.ids().make());
        let job = JobItem::new(Payload::new(&ImportContacts { import: import.id })?, now, now).leased(now, LEASE);
        let mut transaction = store.transaction();
        limits::begin_import(&mut transaction, client)?;
        transaction.create(&client.import(import.id), &import)?;
        transaction.create(&key, &job)?;
        let report = Report::new(import.id, import.progress, Vec::new(), import.format.clone());
        let created = Created::unversioned(StatusCode::ACCEPTED, &report, location(client, import.id))?;
        let created = request.commit_with(transaction, client, created).await?;
        Ok(Self { import, key, job, created })
    }

    /// Answers a finished import.
    ///
    /// Deletes the job, and records the response for a repeated request.
    async fn complete(
        self,
        store: &Store,
        client: ClientScope,
        request: &IdempotentRequest,
        import: &Import,
    ) -> Result<Created> {
        let report = read_report(store, client, import).await?;
        let created = Created::unversioned(StatusCode::OK, &report, location(client, import.id))?;
        let completed = async {
            text::remove(store, client, import).await?;
            let mut transaction = store.transaction();
            self.job.complete(&mut transaction, &self.key)?;
            request.replace_recorded_response(&mut transaction, client, &created)?;
            if !commit_leased(transaction).await? {
                tracing::info!("another worker completes the import");
            }
            Ok::<_, Problem>(())
        };
        if let Err(problem) = completed.await {
            tracing::warn!(code = problem.code(), "could not delete the job of a finished import");
        }
        Ok(created)
    }

    /// Answers an unfinished import.
    ///
    /// Makes the job due immediately, and records the response for a repeated request.
    async fn hand_over(self, app: &App, store: &Store, client: ClientScope, request: &IdempotentRequest) -> Created {
        let handed_over = async {
            let import = store.find(&client.import(self.import.id)).await?;
            let report = read_report(store, client, &import).await?;
            let created = Created::unversioned(StatusCode::ACCEPTED, &report, location(client, import.id))?;
            let job = self.job.continued(self.job.payload.clone(), app.now());
            let mut transaction = store.transaction();
            job.save(&mut transaction, &self.key, job.attempts)?;
            request.replace_recorded_response(&mut transaction, client, &created)?;
            if !commit_leased(transaction).await? {
                tracing::info!("another worker continues the import");
            }
            Ok(created)
        };
        handed_over.await.unwrap_or_else(|problem: Problem| {
            tracing::warn!(
                code = problem.code(),
                "could not hand over an import; its job is due when the lease expires"
            );
            self.created
        })
    }
}

/// The path of an import.
fn location(client: ClientScope, id: ImportId) -> String {
    format!("/v1/clients/{}/contacts/imports/{id}", client.id())
}
