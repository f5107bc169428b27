//! Emulation of the Lambda Runtime API for functions in separate processes.
//!
//! The processes run the same program that is deployed. As on Lambda, a process handles one invocation at a
//! time, another process starts while all are busy, an idle process is reused, and a process that exits or
//! times out is replaced.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Path as PathParameter, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, Request, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use chrono::Utc;
use lambda_http::BoxFuture;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::aws::function::{FunctionError, Invoke, RESPONSE_LIMIT, deadline_ms, event_json, read_answer};
use crate::aws::gateway::{ACCOUNT_ID, trace_id};

/// How long a process may take until it requests its first invocation.
///
/// Source: the limit of the Init phase in the Lambda developer guide, "Lambda execution environment lifecycle".
pub const INIT_LIMIT: Duration = Duration::from_secs(10);

const REGION: &str = "us-east-1";

const REQUEST_ID: HeaderName = HeaderName::from_static("lambda-runtime-aws-request-id");
const DEADLINE: HeaderName = HeaderName::from_static("lambda-runtime-deadline-ms");
const FUNCTION_ARN: HeaderName = HeaderName::from_static("lambda-runtime-invoked-function-arn");
const TRACE_ID: HeaderName = HeaderName::from_static("lambda-runtime-trace-id");

/// Configuration of a function's processes.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Name of the function.
    pub name: String,
    /// Path of the program, which is called `bootstrap` when deployed.
    pub bootstrap: PathBuf,
    /// Memory in MiB. Passed to the function, but not enforced.
    pub memory_mb: u32,
    /// Environment variables in addition to those set by Lambda.
    ///
    /// Nothing else is inherited.
    pub environment: BTreeMap<String, String>,
    /// Maximum number of concurrent invocations. Further ones are throttled.
    pub concurrency: usize,
    /// Destination of the processes' output.
    pub output: Output,
}

/// Destination of a process's output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// The output of this process.
    Inherit,
    /// Discard the output.
    Discard,
    /// Append the output to a file.
    Append(PathBuf),
}

/// Measurement of a cold start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ColdStart {
    /// Id of the process.
    pub process_id: u32,
    /// Time from the start of the process to its request for the first invocation.
    pub duration: Duration,
}

/// A function that runs as processes of its compiled program.
///
/// Dropping it kills the processes.
pub struct LambdaFunction {
    settings: Settings,
    capacity: Arc<Semaphore>,
    idle: Mutex<Vec<Process>>,
    cold_starts: Mutex<Vec<ColdStart>>,
}

impl LambdaFunction {
    /// Creates a function without processes. The first invocation starts one.
    pub fn new(settings: Settings) -> Self {
        Self {
            capacity: Arc::new(Semaphore::new(settings.concurrency)),
            settings,
            idle: Mutex::default(),
            cold_starts: Mutex::default(),
        }
    }

    /// Starts a process in advance of an invocation.
    pub async fn warm_up(&self) -> Result<ColdStart, FunctionError> {
        let _permit = self.permit()?;
        let (process, cold_start) = Process::start(&self.settings).await?;
        lock(&self.cold_starts).push(cold_start);
        lock(&self.idle).push(process);
        Ok(cold_start)
    }

    /// All cold starts so far, oldest first.
    pub fn cold_starts(&self) -> Vec<ColdStart> {
        lock(&self.cold_starts).clone()
    }

    /// Ids of the idle processes.
    pub fn idle_process_ids(&self) -> Vec<u32> {
        lock(&self.idle).iter().map(|process| process.id).collect()
    }

    /// Kills the idle processes and waits for their exit.
    pub async fn shutdown(&self) {
        let idle = std::mem::take(&mut *lock(&self.idle));
        for process in idle {
            process.kill().await;
        }
    }

    fn permit(&self) -> Result<OwnedSemaphorePermit, FunctionError> {
        let permit = Arc::clone(&self.capacity).try_acquire_owned();
        permit.map_err(|_| FunctionError::Throttled)
    }

    async fn process(&self) -> Result<Process, FunctionError> {
        while let Some(mut process) = self.take_idle() {
            if process.is_alive() {
                return Ok(process);
            }
        }
        let (process, cold_start) = Process::start(&self.settings).await?;
        lock(&self.cold_starts).push(cold_start);
        Ok(process)
    }

    /// Takes the most recently used idle process.
    ///
    /// Its caches are the most likely to be warm.
    fn take_idle(&self) -> Option<Process> {
        lock(&self.idle).pop()
    }
}

impl Invoke for LambdaFunction {
    fn invoke(&self, event: Value, timeout: Duration) -> BoxFuture<'_, Result<Value, FunctionError>> {
        Box::pin(async move {
            let event = event_json(&event)?;
            let _permit = self.permit()?;
            let mut process = self.process().await?;
            let outcome = process.invoke(event, timeout).await;
            if outcome.is_reusable() {
                lock(&self.idle).push(process);
            }
            outcome.into_answer()
        })
    }
}

/// Locks a mutex.
///
/// Poisoning is ignored: no critical section can panic in the middle of a change.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

// ── One process ─────────────────────────────────────────────────────────────────────────────────────────────────────

/// A process and its own Runtime API server. Dropping it stops both.
struct Process {
    id: u32,
    child: Child,
    invocations: mpsc::Sender<Invocation>,
    _api: JoinSet<()>,
}

/// An invocation queued for a process.
struct Invocation {
    id: String,
    event: String,
    deadline_ms: u64,
    answer: oneshot::Sender<Outcome>,
}

/// Outcome of an invocation.
enum Outcome {
    /// The process responded and can be reused.
    Answered(Result<Value, FunctionError>),
    /// The process cannot be reused.
    Broken(FunctionError),
}

impl Outcome {
    fn is_reusable(&self) -> bool {
        matches!(self, Self::Answered(_))
    }

    fn into_answer(self) -> Result<Value, FunctionError> {
        match self {
            Self::Answered(answer) => answer,
            Self::Broken(error) => Err(error),
        }
    }
}

impl Process {
    /// Starts the program and waits until it requests an invocation.
    async fn start(settings: &Settings) -> Result<(Self, ColdStart), FunctionError> {
        let mut starting = Starting::new(settings).await.map_err(|error| {
            let program = settings.bootstrap.display();
            FunctionError::failed("Runtime.InvalidEntrypoint", format!("cannot start {program}: {error}"))
        })?;
        let started = Instant::now();
        tokio::select! {
            _ = &mut starting.ready => {}
            status = starting.process.child.wait() => return Err(starting.init_failure(exit_message(status))),
            () = tokio::time::sleep(INIT_LIMIT) => {
                return Err(starting.init_failure("the function did not request an invocation in time".to_owned()));
            }
        }
        let cold_start = ColdStart { process_id: starting.process.id, duration: started.elapsed() };
        Ok((starting.process, cold_start))
    }

    fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    async fn invoke(&mut self, event: String, timeout: Duration) -> Outcome {
        let id = Uuid::new_v4().to_string();
        let (answer, answered) = oneshot::channel();
        let invocation = Invocation { id: id.clone(), event, deadline_ms: deadline_ms(timeout), answer };
        if self.invocations.send(invocation).await.is_err() {
            return Outcome::Broken(exit_error(&id, "the Runtime API server stopped"));
        }
        tokio::select! {
            // A response is accepted even if the process exits right after it.
            biased;
            Ok(outcome) = answered => outcome,
            status = self.child.wait() => Outcome::Broken(exit_error(&id, &exit_message(status))),
            () = tokio::time::sleep(timeout) => Outcome::Broken(FunctionError::TimedOut { limit: timeout }),
        }
    }

    async fn kill(mut self) {
        if let Err(error) = self.child.kill().await {
            tracing::warn!(process = self.id, %error, "cannot kill a process");
        }
    }
}

/// A process that has not requested an invocation yet.
struct Starting {
    process: Process,
    ready: oneshot::Receiver<()>,
    init_error: Arc<Mutex<Option<FunctionError>>>,
}

impl Starting {
    async fn new(settings: &Settings) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?.to_string();
        let (invocations, received) = mpsc::channel(1);
        let (ready_sender, ready) = oneshot::channel();
        let init_error = Arc::default();
        let api = RuntimeApi {
            function_arn: format!("arn:aws:lambda:{REGION}:{ACCOUNT_ID}:function:{}", settings.name),
            invocations: tokio::sync::Mutex::new(received),
            ready: Mutex::new(Some(ready_sender)),
            current: Mutex::new(None),
            init_error: Arc::clone(&init_error),
        };
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(listener, api));
        let child = command(settings, &address)?.spawn()?;
        let id = child.id().unwrap_or_default();
        let process = Process { id, child, invocations, _api: tasks };
        Ok(Self { process, ready, init_error })
    }

    /// Returns the error reported by the process, or one with the fallback message.
    fn init_failure(&self, fallback: String) -> FunctionError {
        let reported = lock(&self.init_error).take();
        reported.unwrap_or_else(|| FunctionError::failed("Runtime.ExitError", fallback))
    }
}

fn command(settings: &Settings, api: &str) -> io::Result<Command> {
    let mut command = Command::new(&settings.bootstrap);
    command
        .env_clear()
        .envs(lambda_environment(settings, api))
        .envs(&settings.environment)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    match &settings.output {
        Output::Inherit => {}
        Output::Discard => {
            command.stdout(Stdio::null()).stderr(Stdio::null());
        }
        Output::Append(path) => {
            let file = File::options().create(true).append(true).open(path)?;
            command.stdout(file.try_clone()?).stderr(file);
        }
    }
    Ok(command)
}

/// Environment variables set by Lambda.
///
/// Source: "Defined runtime environment variables" in the Lambda developer guide.
fn lambda_environment(settings: &Settings, api: &str) -> [(&'static str, String); 14] {
    let task_root = settings.bootstrap.parent().unwrap_or(Path::new("/"));
    [
        ("_HANDLER", "bootstrap".to_owned()),
        ("AWS_DEFAULT_REGION", REGION.to_owned()),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", settings.memory_mb.to_string()),
        ("AWS_LAMBDA_FUNCTION_NAME", settings.name.clone()),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".to_owned()),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".to_owned()),
        ("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/{}", settings.name)),
        ("AWS_LAMBDA_LOG_STREAM_NAME", "local".to_owned()),
        ("AWS_LAMBDA_RUNTIME_API", api.to_owned()),
        ("AWS_REGION", REGION.to_owned()),
        ("LAMBDA_TASK_ROOT", task_root.display().to_string()),
        ("LANG", "en_US.UTF-8".to_owned()),
        ("PATH", "/usr/local/bin:/usr/bin:/bin".to_owned()),
        ("TZ", ":UTC".to_owned()),
    ]
}

fn exit_message(status: io::Result<ExitStatus>) -> String {
    match status {
        Ok(status) if status.success() => "Runtime exited without providing a reason".to_owned(),
        // Rust prints "exit status: 1", Lambda "exit status 1".
        Ok(status) => format!("Runtime exited with error: {}", status.to_string().replacen(": ", " ", 1)),
        Err(error) => format!("Runtime exited with error: {error}"),
    }
}

fn exit_error(request_id: &str, message: &str) -> FunctionError {
    FunctionError::failed("Runtime.ExitError", format!("RequestId: {request_id} Error: {message}"))
}

// ── Runtime API server of one process ───────────────────────────────────────────────────────────────────────────────

struct RuntimeApi {
    function_arn: String,
    invocations: tokio::sync::Mutex<mpsc::Receiver<Invocation>>,
    /// Notified when the process requests its first invocation.
    ready: Mutex<Option<oneshot::Sender<()>>>,
    /// The invocation that the process is handling.
    current: Mutex<Option<(String, oneshot::Sender<Outcome>)>>,
    init_error: Arc<Mutex<Option<FunctionError>>>,
}

/// Error report of a runtime.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ErrorReport {
    #[serde(default)]
    error_type: String,
    #[serde(default)]
    error_message: String,
}

async fn serve(listener: TcpListener, api: RuntimeApi) {
    let routes = Router::new()
        .route("/runtime/invocation/next", get(next))
        .route("/runtime/invocation/{id}/response", post(respond))
        .route("/runtime/invocation/{id}/error", post(fail))
        .route("/runtime/init/error", post(fail_init))
        .with_state(Arc::new(api));
    let routes = Router::new().nest("/2018-06-01", routes);
    if let Err(error) = axum::serve(listener, routes).await {
        tracing::error!(%error, "the Runtime API server failed");
    }
}

async fn next(State(api): State<Arc<RuntimeApi>>) -> Response {
    if let Some(ready) = lock(&api.ready).take() {
        // The receiver no longer exists if the start has timed out.
        let _ = ready.send(());
    }
    let Some(invocation) = api.invocations.lock().await.recv().await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let headers = [
        (REQUEST_ID, invocation.id.clone()),
        (DEADLINE, invocation.deadline_ms.to_string()),
        (FUNCTION_ARN, api.function_arn.clone()),
        (TRACE_ID, trace_id(Utc::now())),
    ];
    *lock(&api.current) = Some((invocation.id, invocation.answer));
    let json = [(CONTENT_TYPE, "application/json")];
    (headers, json, invocation.event).into_response()
}

async fn respond(
    State(api): State<Arc<RuntimeApi>>,
    PathParameter(id): PathParameter<String>,
    request: Request<Body>,
) -> Response {
    let answer = match to_bytes(request.into_body(), RESPONSE_LIMIT + 1).await {
        Ok(body) => read_answer(&body),
        Err(error) => Err(FunctionError::failed("Runtime.InvalidResponse", error.to_string())),
    };
    api.finish(&id, answer)
}

async fn fail(State(api): State<Arc<RuntimeApi>>, PathParameter(id): PathParameter<String>, body: Bytes) -> Response {
    api.finish(&id, Err(read_report(&body)))
}

async fn fail_init(State(api): State<Arc<RuntimeApi>>, body: Bytes) -> Response {
    *lock(&api.init_error) = Some(read_report(&body));
    accepted()
}

impl RuntimeApi {
    fn finish(&self, id: &str, answer: Result<Value, FunctionError>) -> Response {
        let current = lock(&self.current).take_if(|(current, _)| current == id);
        let Some((_, sender)) = current else {
            let error = json!({ "errorType": "InvalidRequestID", "errorMessage": "Invalid request ID" });
            return (StatusCode::BAD_REQUEST, Json(error)).into_response();
        };
        // The receiver no longer exists if the invocation has timed out.
        let _ = sender.send(Outcome::Answered(answer));
        accepted()
    }
}

fn accepted() -> Response {
    (StatusCode::ACCEPTED, Json(json!({ "status": "OK" }))).into_response()
}

fn read_report(body: &[u8]) -> FunctionError {
    match serde_json::from_slice::<ErrorReport>(body) {
        Ok(report) => FunctionError::failed(&report.error_type, report.error_message),
        Err(_) => FunctionError::failed("Runtime.Unknown", String::from_utf8_lossy(body)),
    }
}
