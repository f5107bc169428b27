//! The local server: the whole system on one machine, without an AWS account.
//!
//! The functions are the same as in a deployment, and their routes, tables and names come from the template.
//! Only the services around them are emulated.

mod demo;
mod endpoints;
pub mod modules;
mod outbox_page;
mod running;
mod schedules;
mod seed;
mod settings;
mod start_page;

use std::fs;
use std::io::{self, Write};
use std::net::Ipv4Addr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use shared::identity::Keys;
use shared::value::Clock;
use shared::web::App;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;

use crate::aws::engine::{self, DynamoDbLocal, Embedded};
use crate::aws::gateway::{Gateway, hosts};
use crate::aws::stream::Streams;
use crate::aws::table::create_table;
use crate::aws::template::Template;
use crate::smtp::Outbox;
use modules::LocalConfig;
use running::RunningFunctions;
use schedules::Schedules;
use seed::Account;
pub use settings::{Engine, Mode, Seed, Settings};

/// Name of the table on the local engine.
///
/// It is fixed, so that other tools can find the table.
pub const TABLE: &str = "upzento";

/// Error that prevents the local server from running.
///
/// It is printed and ends the program.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// Runs the local server until it is interrupted.
pub async fn run(settings: Settings) -> Result<(), Error> {
    let template = Template::load(&settings.template)?;
    create_data_dir(&settings.data_dir)?;
    check_format(&settings.data_dir)?;
    let keys = keys(&settings.data_dir.join("keys.json"))?;
    let engine = RunningEngine::start(&settings).await?;
    restrict_files(&settings.data_dir)?;
    let endpoint = engine.endpoint();
    create_table(&engine::client(&endpoint), TABLE, &template.tables["Table"]).await?;
    let client = shared::web::client(engine::config(&endpoint));
    let app = App::new(modules::config(TABLE, &keys), client, Clock::default())?;
    let outbox = Outbox::start()?;
    let config = LocalConfig { captcha: settings.captcha.clone(), ..LocalConfig::new(settings.port, &outbox) };
    let functions = RunningFunctions::start(&settings, &template, &app, &keys, &endpoint, &config)?;
    let schedules = Schedules::new(&template, &functions.functions, app.clock().clone())?;
    let api = Gateway::new(&template, "Api", functions.functions.clone())?;
    let widgets = Gateway::new(&template, "WidgetsApi", functions.functions.clone())?;
    let listener = listen(settings.port).await?;
    let widgets_listener = listen(settings.port + 1).await?;
    let demo_listener = listen(settings.port + 2).await?;
    let streams = Streams::start(&template, &functions.functions, &endpoint, &[("Table", TABLE)]).await?;
    let accounts = seed::seed(&settings, &app, &api).await?;
    print_banner(&settings, &endpoint, &accounts);
    let mut background = JoinSet::new();
    schedules.start(&mut background);
    let widgets = widgets.with_hosts(hosts(settings.port + 1, &settings.allowed_hosts));
    background.spawn(serve_until_stopped(widgets, widgets_listener));
    let demo = demo::router(settings.port, engine::client(&endpoint));
    background.spawn(async move { drop(axum::serve(demo_listener, demo).await) });
    let page = start_page::render(&settings, &accounts)?;
    let endpoints = endpoints::router(&settings, page, app.clock().clone(), outbox, schedules);
    let hosts = hosts(settings.port, &settings.allowed_hosts);
    api.with_local(endpoints).with_hosts(hosts).serve(listener, interrupted()?).await?;
    background.shutdown().await;
    drop(streams);
    functions.stop().await;
    engine.stop().await
}

/// Serves until the task is aborted.
async fn serve_until_stopped(gateway: Gateway, listener: TcpListener) {
    if let Err(error) = gateway.serve(listener, std::future::pending()).await {
        tracing::error!(%error, "the widget API stopped");
    }
}

async fn listen(port: u16) -> Result<TcpListener, Error> {
    let listening = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await;
    listening.map_err(|error| format!("cannot listen on port {port}: {error}. Set PORT to another port").into())
}

/// Resolves on SIGINT (Ctrl-C) or SIGTERM.
fn interrupted() -> io::Result<impl Future<Output = ()> + Send + 'static> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Creates the data directory, which only its owner can access.
fn create_data_dir(data_dir: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(data_dir)?;
    fs::set_permissions(data_dir, fs::Permissions::from_mode(0o700))
}

/// Makes the files of the data directory accessible to their owner only.
fn restrict_files(data_dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(data_dir)? {
        let entry = entry?;
        let mode = if entry.file_type()?.is_dir() { 0o700 } else { 0o600 };
        fs::set_permissions(entry.path(), fs::Permissions::from_mode(mode))?;
    }
    Ok(())
}

/// Version of the local data format.
///
/// Local data of another version is not migrated, it has to be deleted.
const FORMAT: &str = "9";

/// Rejects data of another format version, and marks new data with the current one.
fn check_format(data_dir: &Path) -> Result<(), Error> {
    let format_file = data_dir.join("format");
    if fs::read_to_string(&format_file).ok().as_deref() == Some(FORMAT) {
        return Ok(());
    }
    if data_dir.join("keys.json").exists() {
        let dir = data_dir.display();
        return Err(format!("the data in {dir} was written by another version. Delete {dir} and start again").into());
    }
    Ok(fs::write(format_file, FORMAT)?)
}

/// Loads the keys of this machine, or generates them on the first run.
///
/// The file is readable by its owner only.
fn keys(path: &Path) -> Result<Keys, Error> {
    if let Ok(text) = fs::read_to_string(path) {
        return serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()).into());
    }
    let keys = Keys::generate()?;
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(serde_json::to_string_pretty(&keys)?.as_bytes())?;
    Ok(keys)
}

/// The running engine of the local server.
enum RunningEngine {
    Embedded(Embedded),
    DynamoDbLocal(DynamoDbLocal),
    External(String),
}

impl RunningEngine {
    async fn start(settings: &Settings) -> Result<Self, Error> {
        Ok(match &settings.engine {
            Engine::Embedded { port } => Self::Embedded(Embedded::start(&settings.data_dir, *port)?),
            Engine::DynamoDbLocal { folder } => Self::DynamoDbLocal(DynamoDbLocal::start(folder).await?),
            Engine::External { endpoint } => Self::External(endpoint.clone()),
        })
    }

    fn endpoint(&self) -> String {
        match self {
            Self::Embedded(engine) => engine.endpoint(),
            Self::DynamoDbLocal(engine) => engine.endpoint(),
            Self::External(endpoint) => endpoint.clone(),
        }
    }

    async fn stop(self) -> Result<(), Error> {
        if let Self::DynamoDbLocal(engine) = self {
            engine.stop().await?;
        }
        Ok(())
    }
}

fn print_banner(settings: &Settings, endpoint: &str, accounts: &[Account]) {
    let port = settings.port;
    println!("\nUpzento CRM is running.\n");
    println!("  Start      http://localhost:{port}/");
    println!("  Reference  http://localhost:{port}/docs/");
    println!("  Outbox     http://localhost:{port}/_local/outbox");
    println!("  Demo site  http://localhost:{}/", port + 2);
    println!("  DynamoDB   {endpoint} (table {TABLE})");
    println!("  Data       {}\n", settings.data_dir.display());
    println!("Accounts for POST /v1/auth/login:\n");
    if !accounts.iter().any(|account| account.role == "ADMIN") {
        println!("  ADMIN         {:<28} (password was changed)", settings.admin_email);
    }
    for account in accounts {
        println!("  {:<13} {:<28} {}", account.role, account.email, account.password);
    }
    println!("\nPress Ctrl-C to stop.");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_is_accessible_to_its_owner_only() {
        let parent = tempfile::tempdir().unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let data_dir = parent.path().join("a/data");
        create_data_dir(&data_dir).unwrap();
        fs::set_permissions(&data_dir, fs::Permissions::from_mode(0o755)).unwrap();
        create_data_dir(&data_dir).unwrap();
        assert_eq!(mode(&data_dir), 0o700);
        let file = data_dir.join("data.db");
        fs::write(&file, "").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        restrict_files(&data_dir).unwrap();
        assert_eq!(mode(&file), 0o600);
    }

    #[test]
    fn data_of_another_version_is_rejected_and_kept() {
        let dir = tempfile::tempdir().unwrap();
        check_format(dir.path()).unwrap();
        keys(&dir.path().join("keys.json")).unwrap();
        check_format(dir.path()).unwrap();
        fs::write(dir.path().join("format"), "1").unwrap();
        let error = check_format(dir.path()).unwrap_err().to_string();
        assert!(error.contains("start again"), "{error}");
        fs::remove_file(dir.path().join("format")).unwrap();
        assert!(check_format(dir.path()).is_err());
        assert!(dir.path().join("keys.json").exists());
    }
}
