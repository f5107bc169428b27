//! The local server: the whole system on one machine, without an AWS account.
//!
//! It differs from a deployment in what stands around the functions (an emulated gateway, a local engine), never in the
//! functions: their routes, tables and names come from the template.

mod functions;
mod helpers;
mod schedules;
mod seed;
mod settings;

use std::fs;
use std::io::{self, Write};
use std::net::Ipv4Addr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use shared::App;
use shared::auth::Keys;
use shared::value::Clock;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;

use crate::engine::{self, DynamoDbLocal, Embedded};
use crate::gateway::Gateway;
use crate::modules::{self, LocalConfig};
use crate::smtp::Outbox;
use crate::stream::Streams;
use crate::table::create_table;
use crate::template::Template;
use functions::Running;
use schedules::Schedules;
pub use settings::{Engine, Mode, Seed, Settings};

/// The table's name on the local engine, so that other tools find it.
pub const TABLE: &str = "upzento";

/// What a start may fail with: it is told to a person, and ends the program.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// Runs until it is interrupted.
pub async fn run(settings: Settings) -> Result<(), Error> {
    let template = Template::load(&settings.template)?;
    fs::create_dir_all(&settings.data_dir)?;
    check_format(&settings.data_dir)?;
    let keys = keys(&settings.data_dir.join("keys.json"))?;
    let engine = RunningEngine::start(&settings).await?;
    let endpoint = engine.endpoint();
    create_table(&engine::client(&endpoint), TABLE, &template.tables["Table"]).await?;
    let client = shared::client(engine::config(&endpoint));
    let app = App::new(modules::config(TABLE, &keys), client, Clock::default())?;
    let outbox = Outbox::start()?;
    let surroundings = LocalConfig::new(settings.port, &outbox);
    let running = Running::start(&settings, &template, &app, &keys, &endpoint, &surroundings)?;
    let schedules = Schedules::new(&template, &running.functions, app.clock().clone())?;
    let api = Gateway::new(&template, "Api", running.functions.clone())?;
    let listener = listen(settings.port).await?;
    let streams = Streams::start(&template, &running.functions, &endpoint, &[("Table", TABLE)]).await?;
    let seeded = seed::seed(&settings, &app, &api).await?;
    banner(&settings, &endpoint, &seeded);
    let mut background = JoinSet::new();
    schedules.start(&mut background);
    let helpers = helpers::router(&settings, app.clock().clone(), outbox, schedules);
    api.with_local(helpers).serve(listener, interrupted()?).await?;
    background.shutdown().await;
    drop(streams);
    running.stop().await;
    engine.stop().await
}

async fn listen(port: u16) -> Result<TcpListener, Error> {
    let listening = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await;
    listening.map_err(|error| format!("cannot listen on port {port}: {error}. Choose another with PORT=…").into())
}

/// Resolves on Ctrl-C, or when the process is asked to end.
fn interrupted() -> io::Result<impl Future<Output = ()> + Send + 'static> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Counts the shapes in which local data was written. A deployment's data is migrated; that of a demo is made again.
const FORMAT: &str = "5";

/// Refuses data of an earlier shape; marks new data with the present one.
fn check_format(data_dir: &Path) -> Result<(), Error> {
    let mark = data_dir.join("format");
    let written = fs::read_to_string(&mark).ok();
    if written.as_deref() == Some(FORMAT) {
        return Ok(());
    }
    if data_dir.join("keys.json").exists() {
        let dir = data_dir.display();
        return Err(format!("the data in {dir} was written by another version. Delete {dir} to start afresh").into());
    }
    Ok(fs::write(mark, FORMAT)?)
}

/// This machine's keys, made on the first run. Only their owner can read them.
fn keys(path: &Path) -> Result<Keys, Error> {
    if let Ok(text) = fs::read_to_string(path) {
        return serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()).into());
    }
    let keys = Keys::generate()?;
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(serde_json::to_string_pretty(&keys)?.as_bytes())?;
    Ok(keys)
}

/// The engine, as long as the server needs it.
enum RunningEngine {
    Embedded(Embedded),
    DynamoDbLocal(DynamoDbLocal),
    Elsewhere(String),
}

impl RunningEngine {
    async fn start(settings: &Settings) -> Result<Self, Error> {
        Ok(match &settings.engine {
            Engine::Embedded { port } => Self::Embedded(Embedded::start(&settings.data_dir, *port)?),
            Engine::DynamoDbLocal { folder } => Self::DynamoDbLocal(DynamoDbLocal::start(folder).await?),
            Engine::Elsewhere { endpoint } => Self::Elsewhere(endpoint.clone()),
        })
    }

    fn endpoint(&self) -> String {
        match self {
            Self::Embedded(engine) => engine.endpoint(),
            Self::DynamoDbLocal(engine) => engine.endpoint(),
            Self::Elsewhere(endpoint) => endpoint.clone(),
        }
    }

    async fn stop(self) -> Result<(), Error> {
        if let Self::DynamoDbLocal(engine) = self {
            engine.stop().await?;
        }
        Ok(())
    }
}

fn banner(settings: &Settings, endpoint: &str, users: &[seed::SignIn]) {
    let port = settings.port;
    println!("\nUpzento CRM is running.\n");
    println!("  API        http://localhost:{port}");
    println!("  Reference  http://localhost:{port}/docs/");
    println!("  Outbox     http://localhost:{port}/_local/outbox");
    println!("  DynamoDB   {endpoint} (table {TABLE})");
    println!("  Data       {}\n", settings.data_dir.display());
    println!("Sign in with POST /v1/auth/login as:\n");
    if !users.iter().any(|user| user.role == "ADMIN") {
        println!("  ADMIN         {:<28} with the password that it was first given", settings.admin_email);
    }
    for user in users {
        println!("  {:<13} {:<28} {}", user.role, user.email, user.password);
    }
    println!("\nCtrl-C stops all of it.");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_of_another_version_is_refused_and_left_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        check_format(dir.path()).unwrap();
        keys(&dir.path().join("keys.json")).unwrap();
        check_format(dir.path()).unwrap();
        fs::write(dir.path().join("format"), "1").unwrap();
        let error = check_format(dir.path()).unwrap_err().to_string();
        assert!(error.contains("start afresh"), "{error}");
        fs::remove_file(dir.path().join("format")).unwrap();
        assert!(check_format(dir.path()).is_err());
        assert!(dir.path().join("keys.json").exists());
    }
}
