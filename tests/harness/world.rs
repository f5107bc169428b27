//! The isolated environment of one test.
//!
//! Each world has a new table and every module behind the template's routes; the recorder is between the
//! modules and the engine.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, OnceLock};
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use infra::aws::engine::Embedded;
use infra::aws::function::Functions;
use infra::aws::gateway::Gateway;
use infra::aws::template::Template;
use infra::aws::{engine, table};
use infra::check;
use infra::local::modules;
use infra::local::modules::LocalConfig;
use infra::smtp::Outbox;
use lambda_http::RequestExt;
use lambda_http::request::RequestContext;
use serde_json::{Map, Value, json};
use shared::identity::{HomeScope, Keys, Role};
use shared::jobs::JobRunner;
use shared::table::Store;
use shared::users::operator::Operator;
use shared::value::Clock;
use shared::web::App;
use tempfile::TempDir;
use uuid::Uuid;

use crate::call::Call;
use crate::compiled;
use crate::faults::Faults;
use crate::policy::{Policies, PolicyTable};
use crate::recorder::Recorder;
use crate::schema::TableSchema;
use crate::tag::{TagCalls, tagged};
use crate::users::TestUser;

/// The password of every test user.
pub const PASSWORD: &str = "seven small boats sail slowly";

/// The number of job runs after which [`World::run_jobs`] gives up.
const MAX_JOB_RUNS: usize = 10_000;

/// The deployment template.
pub static TEMPLATE: LazyLock<Template> = LazyLock::new(|| {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../template.yaml");
    Template::load(&path).expect("the template can be read")
});

/// The OpenAPI document as JSON.
pub static OPENAPI: LazyLock<Value> = LazyLock::new(|| serde_json::to_value(docs::openapi()).expect("it is JSON"));

/// The OpenAPI document of the widget API as JSON.
pub static WIDGETS_OPENAPI: LazyLock<Value> =
    LazyLock::new(|| serde_json::to_value(widgets::openapi()).expect("it is JSON"));

/// The beginning of all paths of the widget API.
pub const WIDGETS_PATH: &str = "/widgets/";

/// The path of a program of the workspace, built next to the test binary.
pub fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test has a path");
    let folder = test.parent().and_then(Path::parent).expect("tests are built in a folder next to the programs");
    let program = folder.join(name);
    assert!(program.exists(), "{} is not built: run the tests with `make test`", program.display());
    program
}

/// The endpoint of the engine: `DYNAMODB_ENDPOINT`, or an embedded engine.
pub fn engine_endpoint() -> String {
    static EMBEDDED: LazyLock<Embedded> = LazyLock::new(|| Embedded::in_memory().expect("the embedded engine starts"));
    std::env::var("DYNAMODB_ENDPOINT").unwrap_or_else(|_| EMBEDDED.endpoint())
}

/// The outbox of all worlds. Each test uses its own addresses.
pub fn outbox() -> &'static Outbox {
    static OUTBOX: LazyLock<Outbox> = LazyLock::new(|| Outbox::start().expect("the outbox starts"));
    &OUTBOX
}

/// The local configuration of every world, with the API on port 3000.
pub fn local_config() -> LocalConfig {
    LocalConfig::new(3000, outbox())
}

fn recorder() -> &'static Recorder {
    static RECORDER: OnceLock<Recorder> = OnceLock::new();
    RECORDER.get_or_init(|| {
        let schema = TableSchema::from_definition(&TEMPLATE.tables["Table"]);
        Recorder::start(&engine_endpoint(), schema)
    })
}

/// The two HTTP APIs of the template.
pub struct Gateways {
    api: Gateway,
    widgets: Gateway,
}

impl Gateways {
    /// The APIs with these functions, by logical id.
    ///
    /// # Panics
    /// If a function with routes is missing.
    pub fn new(functions: Functions) -> Self {
        let api = Gateway::new(&TEMPLATE, "Api", functions.clone()).expect("every function is there");
        let widgets = Gateway::new(&TEMPLATE, "WidgetsApi", functions).expect("every function is there");
        Self { api, widgets }
    }

    /// The gateway of a path: that of the widget API, or else that of the API.
    pub fn of(&self, path: &str) -> &Gateway {
        if path.starts_with(WIDGETS_PATH) { &self.widgets } else { &self.api }
    }
}

/// The environment of one test.
pub struct World {
    gateways: Gateways,
    pub(crate) policies: BTreeMap<String, Policies>,
    handled: HandledRequests,
    faults: Option<Faults>,
    logs: Option<TempDir>,
    app: App,
    keys: Keys,
    table: String,
    mail: mail::Service,
    jobs: JobRunner,
    reminders: reminders::Service,
    /// The functions as processes, by logical id; empty if they run in this process.
    compiled: Functions,
}

/// The template's table without its stream.
///
/// No world reads the stream, and the more records all streams hold, the longer `DynamoDB` Local takes for
/// each write, until requests time out.
fn table_without_stream() -> Value {
    let mut properties = TEMPLATE.tables["Table"].clone();
    if let Some(properties) = properties.as_object_mut() {
        properties.remove("StreamSpecification");
    }
    properties
}

/// The module that handled each request, by request id.
type HandledRequests = Arc<Mutex<HashMap<String, &'static str>>>;

impl World {
    /// Creates an empty platform.
    pub async fn new() -> Self {
        Self::on(&recorder().endpoint(), None, &local_config()).await
    }

    /// Creates an empty platform with this configuration.
    pub async fn with_config(local: &LocalConfig) -> Self {
        Self::on(&recorder().endpoint(), None, local).await
    }

    /// Creates an empty platform with [`Faults`] in front of its table.
    ///
    /// Round-trip budgets are not checked.
    pub async fn with_faults() -> Self {
        let faults = Faults::start(&recorder().endpoint()).await;
        let endpoint = faults.endpoint();
        Self::on(&endpoint, Some(faults), &local_config()).await
    }

    /// Creates an empty platform on the compiled functions, as separate processes.
    ///
    /// Their calls are not recorded, but their logs are, and their table has [`Faults`] in front of it.
    pub async fn compiled() -> Self {
        let faults = Faults::start(&engine_endpoint()).await;
        let logs = tempfile::tempdir().expect("a folder for the logs");
        let (app, keys, table) = Self::create_app(&engine_endpoint()).await;
        let functions = compiled::functions(&compiled::Environment {
            table: &table,
            keys: &keys,
            endpoint: &faults.endpoint(),
            local_config: &local_config(),
            logs: logs.path(),
        });
        let compiled = functions.clone();
        let world = Self::with(functions, HandledRequests::default(), app, keys, table);
        Self { faults: Some(faults), logs: Some(logs), compiled, ..world }
    }

    /// Creates an empty platform with a custom router for one module.
    ///
    /// `module` builds the router from a recorded client and the table name.
    pub async fn with_module(name: &'static str, module: impl FnOnce(Client, String) -> Router) -> Self {
        let (app, keys, table) = Self::create_app(&recorder().endpoint()).await;
        let client = Client::from_conf(engine::config(&recorder().endpoint()).interceptor(TagCalls).build());
        let mut routers = modules::routers(&app, &TEMPLATE, &keys, &local_config()).expect("the keys are valid");
        routers.insert(name, shared::web::problems(module(client, table.clone())));
        Self::of(routers, app, keys, table)
    }

    async fn on(endpoint: &str, faults: Option<Faults>, local: &LocalConfig) -> Self {
        let (app, keys, table) = Self::create_app(endpoint).await;
        let routers = modules::routers(&app, &TEMPLATE, &keys, local).expect("the keys are valid");
        Self { faults, ..Self::of(routers, app, keys, table) }
    }

    fn of(routers: BTreeMap<&'static str, Router>, app: App, keys: Keys, table: String) -> Self {
        let handled = HandledRequests::default();
        let routers = routers.into_iter().map(|(name, router)| (name, observed(name, router, &handled))).collect();
        let functions = modules::in_process(&TEMPLATE, &routers, &modules::Listeners::new());
        Self::with(functions, handled, app, keys, table)
    }

    /// Creates a table and keys, and an app that uses them.
    async fn create_app(endpoint: &str) -> (App, Keys, String) {
        let table = format!("upzento-{}", Uuid::new_v4());
        let raw = engine::client(&engine_endpoint());
        table::create_table(&raw, &table, &table_without_stream()).await.expect("the table is created");
        let client = shared::web::client(engine::config(endpoint).interceptor(TagCalls));
        let keys = Keys::generate().expect("keys are generated");
        let app = App::new(modules::config(&table, &keys), client, Clock::default()).expect("it starts");
        (app, keys, table)
    }

    fn with(functions: Functions, handled: HandledRequests, app: App, keys: Keys, table: String) -> Self {
        let gateways = Gateways::new(functions);
        let policy_table = PolicyTable { logical_id: "Table", name: &table };
        let policies = TEMPLATE.functions.values().map(|function| {
            let policies = Policies::parse(&function.policies, policy_table).expect("the policies can be parsed");
            (function.name.clone(), policies)
        });
        let mail = modules::mail(&app, &TEMPLATE, &local_config()).expect("the mail function starts");
        let jobs = jobs::runner(modules::app_of(&app, &TEMPLATE, "jobs"));
        let reminders = modules::reminders(&app, &TEMPLATE, &local_config()).expect("the reminders function starts");
        let (policies, compiled) = (policies.collect(), Functions::new());
        Self {
            gateways,
            policies,
            handled,
            faults: None,
            logs: None,
            app,
            keys,
            table,
            mail,
            jobs,
            reminders,
            compiled,
        }
    }

    /// The gateway of a path.
    pub(crate) fn gateway_of(&self, path: &str) -> &Gateway {
        self.gateways.of(path)
    }

    /// The fault injection between the functions and the table.
    pub fn faults(&self) -> &Faults {
        self.faults.as_ref().expect("a world `with_faults`")
    }

    /// The output of the compiled functions so far.
    pub fn function_logs(&self) -> String {
        let folder = self.logs.as_ref().expect("a world of `compiled` functions").path();
        let files = std::fs::read_dir(folder).expect("the logs' folder").map(|file| file.expect("a file").path());
        files.map(|file| std::fs::read_to_string(file).expect("text")).collect()
    }

    /// Whether the round-trip budget of each request is checked.
    pub(crate) fn counts_round_trips(&self) -> bool {
        self.faults.is_none()
    }

    /// The clock of this world.
    pub fn clock(&self) -> &Clock {
        self.app.clock()
    }

    /// The keys of this world's deployment.
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// The table's name.
    pub fn table(&self) -> &str {
        &self.table
    }

    /// An unrecorded client of the engine, to read or write rows directly.
    pub fn engine(&self) -> Client {
        engine::client(&engine_endpoint())
    }

    /// The store as the functions use it, for operations without a route.
    pub fn store(&self) -> Store {
        self.app.store_for_event()
    }

    /// Reads every row of the table as JSON, bypassing the API.
    pub async fn rows(&self) -> Vec<Value> {
        check::rows(&self.engine(), &self.table).await.expect("the table can be read")
    }

    /// Fails the test unless every reference resolves and every count is correct.
    pub async fn assert_consistent(&self) {
        assert_eq!(check::violations(&self.rows().await), Vec::<String>::new());
    }

    /// Puts a row into the table, bypassing the API.
    pub async fn put_row(&self, row: Value) {
        let row = serde_dynamo::to_item(check::stored(&row)).expect("a row");
        self.engine().put_item().table_name(&self.table).set_item(Some(row)).send().await.expect("the row is put");
    }

    /// Sets the status of a user, such as `DISABLED`, bypassing the API.
    pub async fn set_status(&self, user: &TestUser<'_>, status: &str) {
        for mut row in self.user_rows(user).await {
            row["status"] = status.into();
            self.put_row(row).await;
        }
    }

    /// Deletes a user's rows, bypassing the API.
    pub async fn remove_user(&self, user: &TestUser<'_>) {
        for row in self.user_rows(user).await {
            self.remove_row(&row).await;
        }
    }

    /// Deletes a row, bypassing the API.
    pub async fn remove_row(&self, row: &Value) {
        let row = check::stored(row);
        let [pk, sk] = ["pk", "sk"].map(|name| AttributeValue::S(row[name].as_str().expect("a key").to_owned()));
        let request = self.engine().delete_item().table_name(&self.table).key("pk", pk).key("sk", sk);
        request.send().await.expect("the row is deleted");
    }

    /// The row of a user, and the row with what other modules may check.
    async fn user_rows(&self, user: &TestUser<'_>) -> [Value; 2] {
        let rows = self.rows().await;
        let pointer = format!("GLOBAL#USER#{}", user.id());
        let is_account = |row: &&Value| row["sk"] == user.id() && row.get("passwordHash").is_some();
        let account = rows.iter().find(is_account).expect("the user's row");
        let pointer = rows.iter().find(|row| row["pk"] == pointer).expect("the user's pointer");
        [account.clone(), pointer.clone()]
    }

    /// Runs the mail function once, as its schedule does, and returns its report.
    pub async fn deliver(&self) -> Value {
        self.fire_schedule("mail", self.mail.handle(scheduled_event())).await
    }

    /// Runs the reminders function once, as its schedule does, and returns its report.
    pub async fn remind(&self) -> Value {
        self.fire_schedule("reminders", self.reminders.handle(scheduled_event())).await
    }

    /// Runs the reminders function once in this process; returns its report and its calls.
    pub async fn remind_recorded(&self) -> (Value, Vec<Call>) {
        let tag = format!("reminders-{}", Uuid::new_v4());
        let report = tagged(tag.clone(), self.reminders.handle(scheduled_event())).await.expect("a report");
        (report, recorder().take(&tag))
    }

    /// The app of a function, with the data keys that the template gives to it. Its calls are not recorded.
    pub fn app_of(&self, function: &str) -> App {
        let client = shared::web::client(engine::config(&engine_endpoint()));
        let config = modules::config(&self.table, &self.keys);
        let app = App::new(config, client, self.clock().clone()).expect("it starts");
        modules::app_of(&app, &TEMPLATE, function)
    }

    /// Runs the jobs function, as its schedule does, until no job is due.
    pub async fn run_jobs(&self) {
        for _ in 0..MAX_JOB_RUNS {
            if self.run_jobs_once().await == 0 {
                return;
            }
        }
        panic!("jobs are still due after {MAX_JOB_RUNS} runs");
    }

    /// Runs the jobs function once, as its schedule does.
    ///
    /// Returns the number of jobs that were advanced.
    pub async fn run_jobs_once(&self) -> u64 {
        let report = self.fire_schedule("jobs", self.jobs.handle(scheduled_event())).await;
        report["advanced"].as_u64().expect("the number of advanced jobs")
    }

    /// Runs the jobs function once, with turns of one step each.
    ///
    /// Triggered by the stream's events of these rows, or by the schedule if there are none.
    ///
    /// Returns the number of jobs that were advanced.
    pub async fn run_single_steps(&self, rows: &[Value]) -> u64 {
        let records = rows.iter().map(|row| {
            let stored = check::stored(row);
            let keys = json!({ "pk": { "S": stored["pk"] }, "sk": { "S": stored["sk"] } });
            json!({ "eventName": "MODIFY", "dynamodb": { "Keys": keys } })
        });
        let event = json!({ "Records": records.collect::<Vec<_>>() });
        let jobs = jobs::runner(modules::app_of(&self.app, &TEMPLATE, "jobs")).with_slice(Duration::ZERO);
        let report = self.handle_checked("jobs", jobs.handle(event)).await;
        report["advanced"].as_u64().expect("the number of advanced jobs")
    }

    /// Fires the schedule of a function and returns its report.
    ///
    /// A compiled function runs in its process, otherwise `handler` runs.
    async fn fire_schedule(
        &self,
        name: &str,
        handler: impl Future<Output = Result<Value, shared::lambda::Error>>,
    ) -> Value {
        let (id, function) =
            TEMPLATE.functions.iter().find(|(_, function)| function.name == name).expect("a function of the template");
        if let Some(process) = self.compiled.get(id) {
            return process.invoke(scheduled_event(), function.timeout).await.expect("a report");
        }
        self.handle_checked(name, handler).await
    }

    /// Runs a handler in this process, and checks its calls against the policies of its function.
    async fn handle_checked(
        &self,
        name: &str,
        handler: impl Future<Output = Result<Value, shared::lambda::Error>>,
    ) -> Value {
        let tag = format!("{name}-{}", Uuid::new_v4());
        let report = tagged(tag.clone(), handler).await.expect("a report");
        let violations = self.policies[name].violations(&recorder().take(&tag));
        assert!(violations.is_empty(), "{violations:?}");
        report
    }

    /// The operator interface.
    pub fn operator(&self) -> Operator {
        Operator::new(self.app.clone())
    }

    /// An anonymous user.
    pub fn anonymous(&self) -> TestUser<'_> {
        TestUser::anonymous(self)
    }

    /// An anonymous user with a secret in the URL that grants access to `home`.
    ///
    /// The isolation rules apply as if the user had signed in there.
    pub fn subscriber(&self, home: impl Into<HomeScope>) -> TestUser<'_> {
        TestUser::with_secret_for(self, home.into())
    }

    /// Creates an `ADMIN` and signs in.
    pub async fn admin(&self) -> TestUser<'_> {
        self.user(self.operator().platform(), Role::Admin).await
    }

    /// Creates a user of a home and signs in.
    pub async fn user(&self, home: impl Into<HomeScope>, role: Role) -> TestUser<'_> {
        let home = home.into();
        let email = format!("{}@example.com", Uuid::new_v4());
        self.operator()
            .create_user(
                home,
                role,
                email.parse().expect("an email"),
                shared::users::Profile { first_name: "Ada".parse().unwrap(), last_name: "Lovelace".parse().unwrap() },
                PASSWORD.parse().expect("a password"),
            )
            .await
            .expect("the user is created");
        TestUser::sign_in(self, &email, home).await
    }

    /// Removes and returns the module that handled a request.
    pub(crate) fn module_of(&self, request_id: &str) -> Option<&'static str> {
        self.handled.lock().expect("the lock is not poisoned").remove(request_id)
    }

    pub(crate) fn calls(request_id: &str) -> Vec<crate::call::Call> {
        recorder().take(request_id)
    }
}

/// A schedule event with the fields that a function reads: none.
fn scheduled_event() -> Value {
    Value::Object(Map::new())
}

/// Tags the calls of each request with its id, and records its module.
fn observed(name: &'static str, router: Router, handled: &HandledRequests) -> Router {
    let handled = Arc::clone(handled);
    router.layer(from_fn(move |request: Request, next: Next| {
        let handled = Arc::clone(&handled);
        async move {
            let id = request_id(&request);
            handled.lock().expect("the lock is not poisoned").insert(id.clone(), name);
            tagged(id, next.run(request)).await
        }
    }))
}

fn request_id(request: &Request) -> String {
    match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV2(context)) => context.request_id.clone().expect("the gateway sets an id"),
        other => panic!("not an API Gateway event: {other:?}"),
    }
}
