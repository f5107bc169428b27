//! Contacts from a CSV file.
//!
//! A file is kept, in pieces, before its first row is read; from then on the import is a job. The call that brings the file works on
//! that job itself for as long as a caller waits, and what is left the jobs' function does. Each step is one transaction of rows and
//! of how far the import has come, so that every row counts once, whoever dies.

mod plan;
mod run;
mod text;
mod window;

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use deserr::Deserr;
use lambda_http::http::StatusCode;
use serde::Serialize;
use shared::auth::{Access, ClientId, ClientScope, UseCrm};
use shared::entity::{Client, Import, ImportId, ImportProgress, ImportStatus, Record, RowFault};
use shared::http::{Created, Creation, Parameters, PathId, Upload};
use shared::job::{Job, Work, taken};
use shared::keys::{Key, Scope};
use shared::store::{Order, Store};
use shared::value::{QueryBool, ValidationErrors};
use shared::{App, Problem, Result};
use tokio::time::Instant;
use utoipa::{IntoParams, ToSchema};

use crate::sheet::Sheet;

use run::Running;
pub(crate) use run::{give_up, go_on};

/// For how long a call imports by itself. A step takes up to 8 s more, and so does what comes after the last; the function's timeout is
/// 29 s.
const IN_CALL: Duration = Duration::from_secs(10);

/// For how long a dry run may take.
const DRY_RUN: Duration = Duration::from_secs(18);

/// For how long the job is the call's: longer than the function's timeout.
const LEASE: Duration = Duration::from_secs(45);

/// How long what an import did is kept, in days.
const KEPT_DAYS: u64 = 30;

/// What an import has done so far.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Import)]
pub(crate) struct Report {
    /// Its id.
    id: ImportId,
    /// How far it is.
    #[serde(flatten)]
    progress: ImportProgress,
    /// What was wrong with rows that were not imported, in the order of the file; from 5,000 faults on, only the first of
    /// each row.
    errors: Vec<RowFault>,
}

/// How a file is imported.
#[derive(Deserr, IntoParams)]
#[deserr(error = ValidationErrors, rename_all = camelCase, deny_unknown_fields)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
pub(crate) struct Options {
    /// Only say what an import would do: nothing is written, and the answer's id is nobody's.
    #[deserr(default)]
    #[param(inline, required = false, default = false)]
    dry_run: QueryBool,
}

/// Import contacts from a CSV file.
///
/// RFC 4180 in UTF-8, at most 5 MiB and 20,000 rows. The first line names the columns, in any order and spelling such as
/// `firstName`, `First Name` or `first_name`: `id`, `firstName`, `lastName`, `email`, `phone`, `company`, `jobTitle`, `source`,
/// `tags` (names with `;` between them; a tag that is not there is created), as the export has them. A row is a contact that is
/// there if its `id` is, else its `email`, else if the same row was imported before; it adds to that contact and blanks no field.
/// Else it is a new one. A row at fault is left out and reported.
#[utoipa::path(post, path = "/v1/clients/{clientId}/contacts/import", tag = "contacts", operation_id = "importContacts",
    params(("clientId" = ClientId, Path), Options),
    request_body(content = String, content_type = "text/csv",
        example = json!("firstName,lastName,email,tags\r\nAda,Lovelace,ada@example.com,newsletter;vip\r\n")),
    responses((status = 200, body = Report, description = "Done."),
        (status = 202, body = Report, description = "It goes on: `Location` says where to ask how far it is.")),
    extensions(("x-round-trips" = json!(16)), ("x-creates" = json!(true))))]
pub(crate) async fn import(
    client: Access<ClientScope, UseCrm>,
    State(app): State<App>,
    store: Store,
    Parameters(options): Parameters<Options>,
    Upload { bytes, request }: Upload,
) -> Result<Response> {
    let until = Instant::now() + IN_CALL;
    let client = *client;
    let (of_client, sheet) = (store.find(&client.row()).await?, Sheet::open(bytes)?);
    if options.dry_run.is_set() {
        return rehearse(&app, &store, client, &sheet, &of_client).await.map(|report| Json(report).into_response());
    }
    if let Some(earlier) = request.earlier(&store, client).await? {
        return Ok(earlier.into_response());
    }
    let text = text::write(&app, &store, client, &sheet).await?;
    let accepted = accept(&app, &store.renewed(), client, &request, &sheet, &text).await?;
    if accepted.created.is_replayed() {
        // The same request at the same time was first. What was kept for this one goes by its time to live.
        return Ok(accepted.created.into_response());
    }
    let running = Running { app: &app, client, sheet: &sheet, country: of_client.fields.country };
    // It was accepted, and goes on whatever happens here.
    let run = run::run(&running, || store.renewed(), accepted.import.id, until).await;
    let store = store.renewed();
    let answer = match run {
        Ok(import) if import.progress.status == ImportStatus::Done => {
            accepted.end(&store, client, &request, &import).await?
        }
        Ok(_) => accepted.hand_over(&app, &store, client, &request).await,
        Err(problem) => {
            let cause = problem.cause().map(tracing::field::display);
            tracing::warn!(code = problem.code(), cause, "an import is left to its job");
            accepted.hand_over(&app, &store, client, &request).await
        }
    };
    Ok(answer.into_response())
}

/// What an import has done so far.
#[utoipa::path(get, path = "/v1/clients/{clientId}/contacts/imports/{importId}", tag = "contacts", operation_id = "readImport",
    params(("clientId" = ClientId, Path), ("importId" = ImportId, Path)),
    responses((status = 200, body = Report, description = "What it has done.")),
    extensions(("x-round-trips" = json!(2))))]
pub(crate) async fn read(
    client: Access<ClientScope, UseCrm>,
    PathId(id): PathId<Import>,
    store: Store,
) -> Result<Json<Report>> {
    report(&store, *client, &store.find(&client.import(id)).await?).await.map(Json)
}

/// What an import has done: a Query for each megabyte of faults.
async fn report(store: &Store, client: ClientScope, import: &Import) -> Result<Report> {
    let list = client.import_faults(import.id).into();
    let mut errors = Vec::new();
    let mut after = None;
    loop {
        let page = store.query(&list, after, Order::Asc, i32::MAX).await?;
        errors.extend(page.rows.into_iter().flat_map(|(_, faults)| faults.faults));
        after = page.stopped;
        if after.is_none() {
            return Ok(Report { id: import.id, progress: import.progress, errors });
        }
    }
}

/// What an import would do.
async fn rehearse(
    app: &App,
    store: &Store,
    client: ClientScope,
    sheet: &Sheet,
    of_client: &Record<Client>,
) -> Result<Report> {
    let running = Running { app, client, sheet, country: of_client.fields.country };
    let until = Instant::now() + DRY_RUN;
    let (progress, errors) = run::rehearse(&running, || store.renewed(), until).await?;
    Ok(Report { id: app.ids().make(), progress, errors })
}

/// An import that is a job by now, which is this call's for a while.
struct Accepted {
    import: Import,
    key: Key<Job>,
    job: Job,
    created: Created,
}

/// Accepts an import, if this request did not come before.
async fn accept(
    app: &App,
    store: &Store,
    client: ClientScope,
    request: &Creation,
    sheet: &Sheet,
    text: &text::Kept,
) -> Result<Accepted> {
    let now = app.clock().now();
    let import = Import {
        id: text.import,
        progress: ImportProgress::default(),
        offset: sheet.start().offset,
        line: sheet.start().line,
        pieces: text.pieces,
        faults: 0,
        version: 1,
        created_at: now,
        ttl: text::ttl(now),
    };
    let key = client.job(app.ids().make());
    let job = Job::new(Work::Import { import: import.id }, now, now).begun(now, LEASE);
    let mut transaction = store.transaction();
    transaction.require(&client.holdings(), Problem::not_found())?;
    transaction.create(&client.import(import.id), &import)?;
    transaction.create(&key, &job)?;
    let report = Report { id: import.id, progress: import.progress, errors: Vec::new() };
    let created = Created::begun(StatusCode::ACCEPTED, &report, location(client, import.id))?;
    let created = request.conclude(transaction, client, created).await?;
    Ok(Accepted { import, key, job, created })
}

impl Accepted {
    /// The answer of an import that is done: the job goes, and whoever repeats the request gets the same.
    async fn end(self, store: &Store, client: ClientScope, request: &Creation, import: &Import) -> Result<Created> {
        let report = report(store, client, import).await?;
        let created = Created::begun(StatusCode::OK, &report, location(client, import.id))?;
        let ended = async {
            text::remove(store, client, import).await?;
            let mut transaction = store.transaction();
            transaction.end_job(&self.key, self.job.attempts, taken())?;
            request.record_again(&mut transaction, client, &created)?;
            transaction.commit().await
        };
        if let Err(problem) = ended.await {
            tracing::warn!(code = problem.code(), "a job finds its import done");
        }
        Ok(created)
    }

    /// The answer of an import that goes on: the job is to be taken up at once, and whoever repeats the request gets the same.
    async fn hand_over(self, app: &App, store: &Store, client: ClientScope, request: &Creation) -> Created {
        let handed_over = async {
            let import = store.find(&client.import(self.import.id)).await?;
            let report = report(store, client, &import).await?;
            let created = Created::begun(StatusCode::ACCEPTED, &report, location(client, import.id))?;
            let job = self.job.resting(self.job.work.clone(), app.clock().now());
            let mut transaction = store.transaction();
            transaction.put_job(&self.key, &job, job.attempts, taken())?;
            request.record_again(&mut transaction, client, &created)?;
            transaction.commit().await.map(|()| created)
        };
        handed_over.await.unwrap_or_else(|problem: Problem| {
            tracing::warn!(code = problem.code(), "a job is taken up when the call's lease is over");
            self.created
        })
    }
}

fn location(client: ClientScope, id: ImportId) -> String {
    format!("/v1/clients/{}/contacts/imports/{id}", client.id())
}
