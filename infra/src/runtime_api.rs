//! Lambda's Runtime API, for functions that run as processes of their own: exactly the program that is deployed.
//!
//! As on Lambda, a process has one invocation at a time, further processes start while all are busy, a process that is
//! done waits for the next invocation, and one that ends or takes too long is replaced.

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

use crate::function::{ANSWER_LIMIT, FunctionError, Invoke, deadline_ms, event_json, read_answer};
use crate::gateway::{ACCOUNT_ID, trace_id};

/// How long a process may take until it asks for its first invocation.
pub const INIT_LIMIT: Duration = Duration::from_secs(10);

const REGION: &str = "us-east-1";

const REQUEST_ID: HeaderName = HeaderName::from_static("lambda-runtime-aws-request-id");
const DEADLINE: HeaderName = HeaderName::from_static("lambda-runtime-deadline-ms");
const FUNCTION_ARN: HeaderName = HeaderName::from_static("lambda-runtime-invoked-function-arn");
const TRACE_ID: HeaderName = HeaderName::from_static("lambda-runtime-trace-id");

/// What a function's processes are started with.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The function's name.
    pub name: String,
    /// The program, called `bootstrap` when it is deployed.
    pub bootstrap: PathBuf,
    /// Memory in MiB, as the function is told. It is not enforced.
    pub memory_mb: u32,
    /// Environment variables beside those that Lambda sets. Nothing else is inherited.
    pub environment: BTreeMap<String, String>,
    /// How many invocations may be under way at once. Any more are throttled.
    pub concurrency: usize,
    /// What becomes of the processes' output.
    pub output: Output,
}

/// What becomes of a process's output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// It joins this process's own.
    Inherit,
    /// Nobody reads it.
    Discard,
    /// It is appended to this file.
    Append(PathBuf),
}

/// How a process started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ColdStart {
    /// The process's id.
    pub process_id: u32,
    /// From the start of the process until it asked for its first invocation.
    pub duration: Duration,
}

/// A function whose invocations run in processes of its program. Dropping it ends them.
pub struct LambdaFunction {
    settings: Settings,
    capacity: Arc<Semaphore>,
    idle: Mutex<Vec<Process>>,
    cold_starts: Mutex<Vec<ColdStart>>,
}

impl LambdaFunction {
    /// A function without any process yet: the first invocation starts one.
    pub fn new(settings: Settings) -> Self {
        Self {
            capacity: Arc::new(Semaphore::new(settings.concurrency)),
            settings,
            idle: Mutex::default(),
            cold_starts: Mutex::default(),
        }
    }

    /// Starts a process ahead of the invocation that will need it.
    pub async fn warm_up(&self) -> Result<ColdStart, FunctionError> {
        let _permit = self.permit()?;
        let (process, cold_start) = Process::start(&self.settings).await?;
        lock(&self.cold_starts).push(cold_start);
        lock(&self.idle).push(process);
        Ok(cold_start)
    }

    /// Every start of a process so far, in order.
    pub fn cold_starts(&self) -> Vec<ColdStart> {
        lock(&self.cold_starts).clone()
    }

    /// Ids of the processes that wait for an invocation.
    pub fn idle_process_ids(&self) -> Vec<u32> {
        lock(&self.idle).iter().map(|process| process.id).collect()
    }

    /// Ends the processes that wait for an invocation, and waits until they are gone.
    pub async fn shutdown(&self) {
        let idle = std::mem::take(&mut *lock(&self.idle));
        for process in idle {
            process.end().await;
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

    /// The one that was used last, as it is the likeliest to have everything at hand.
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

/// None of the locked sections can panic halfway through a change.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

// ── One process ─────────────────────────────────────────────────────────────────────────────────────────────────────

/// A process, and the Runtime API that it alone talks to. Dropping it ends both.
struct Process {
    id: u32,
    child: Child,
    invocations: mpsc::Sender<Invocation>,
    _api: JoinSet<()>,
}

/// One invocation on its way to a process.
struct Invocation {
    id: String,
    event: String,
    deadline_ms: u64,
    answer: oneshot::Sender<Outcome>,
}

/// How an invocation ended.
enum Outcome {
    /// The process answered, and waits for the next invocation.
    Answered(Result<Value, FunctionError>),
    /// The process is of no further use.
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
    /// Starts the program and waits until it asks for an invocation.
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
                return Err(starting.init_failure("it did not ask for an invocation in time".to_owned()));
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
            return Outcome::Broken(exit_error(&id, "the Runtime API ended"));
        }
        tokio::select! {
            // An answer counts even if the process ends right after it.
            biased;
            Ok(outcome) = answered => outcome,
            status = self.child.wait() => Outcome::Broken(exit_error(&id, &exit_message(status))),
            () = tokio::time::sleep(timeout) => Outcome::Broken(FunctionError::TimedOut { limit: timeout }),
        }
    }

    async fn end(mut self) {
        if let Err(error) = self.child.kill().await {
            tracing::warn!(process = self.id, %error, "cannot end a process");
        }
    }
}

/// A process that has not asked for an invocation yet.
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
        let (asked, ready) = oneshot::channel();
        let init_error = Arc::default();
        let api = RuntimeApi {
            function_arn: format!("arn:aws:lambda:{REGION}:{ACCOUNT_ID}:function:{}", settings.name),
            invocations: tokio::sync::Mutex::new(received),
            first_asked: Mutex::new(Some(asked)),
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

    /// What the process said of its failure, or else what was seen of it.
    fn init_failure(&self, seen: String) -> FunctionError {
        let said = lock(&self.init_error).take();
        said.unwrap_or_else(|| FunctionError::failed("Runtime.ExitError", seen))
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

/// From "Defined runtime environment variables" in the Lambda developer guide.
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
        // "exit status: 1", where Lambda says "exit status 1".
        Ok(status) => format!("Runtime exited with error: {}", status.to_string().replacen(": ", " ", 1)),
        Err(error) => format!("Runtime exited with error: {error}"),
    }
}

fn exit_error(request_id: &str, message: &str) -> FunctionError {
    FunctionError::failed("Runtime.ExitError", format!("RequestId: {request_id} Error: {message}"))
}

// ── The Runtime API of one process ──────────────────────────────────────────────────────────────────────────────────

struct RuntimeApi {
    function_arn: String,
    invocations: tokio::sync::Mutex<mpsc::Receiver<Invocation>>,
    first_asked: Mutex<Option<oneshot::Sender<()>>>,
    /// The invocation that the process is at work on.
    current: Mutex<Option<(String, oneshot::Sender<Outcome>)>>,
    init_error: Arc<Mutex<Option<FunctionError>>>,
}

/// What a runtime reports of a failure.
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
        tracing::error!(%error, "the Runtime API failed");
    }
}

async fn next(State(api): State<Arc<RuntimeApi>>) -> Response {
    if let Some(asked) = lock(&api.first_asked).take() {
        // Nobody listens any more once the start has taken too long.
        let _ = asked.send(());
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
    let answer = match to_bytes(request.into_body(), ANSWER_LIMIT + 1).await {
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
        let Some((_, waiting)) = current else {
            let error = json!({ "errorType": "InvalidRequestID", "errorMessage": "Invalid request ID" });
            return (StatusCode::BAD_REQUEST, Json(error)).into_response();
        };
        // Nobody waits any more for an answer that took too long.
        let _ = waiting.send(Outcome::Answered(answer));
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
