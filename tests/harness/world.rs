//! A world of its own for each test: a fresh table, every module behind the template's routes, and the recorder between
//! them and the engine.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, OnceLock};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use infra::function::Functions;
use infra::gateway::Gateway;
use infra::modules::LocalConfig;
use infra::smtp::Outbox;
use infra::template::Template;
use infra::{engine, integrity, modules, table};
use lambda_http::RequestExt;
use lambda_http::request::RequestContext;
use serde_json::{Map, Value};
use shared::App;
use shared::auth::operator::Operator;
use shared::auth::{HomeScope, Keys, Role};
use shared::store::Store;
use shared::value::Clock;
use tempfile::TempDir;
use uuid::Uuid;

use crate::compiled;
use crate::faults::Faults;
use crate::policy::{Policies, PolicyTable};
use crate::recorder::Recorder;
use crate::schema::TableSchema;
use crate::tag::{TagCalls, tagged};
use crate::who::Who;

/// The password of every user of every world.
pub const PASSWORD: &str = "correct horse battery staple";

/// How often the jobs are let go on before they are held to come to no end.
const MOST_RUNS: usize = 10_000;

/// The deployment, as its template describes it.
pub static TEMPLATE: LazyLock<Template> = LazyLock::new(|| {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../template.yaml");
    Template::load(&path).expect("the template can be read")
});

/// The OpenAPI document as JSON.
pub static OPENAPI: LazyLock<Value> = LazyLock::new(|| serde_json::to_value(docs::openapi()).expect("it is JSON"));

/// A program of the workspace, built beside the test that asks for it.
pub fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test has a path");
    let folder = test.parent().and_then(Path::parent).expect("tests are built in a folder beside the programs");
    let program = folder.join(name);
    assert!(program.exists(), "{} is not built: run the tests with `make test`", program.display());
    program
}

/// The engine that `make test` started.
pub fn engine_endpoint() -> String {
    std::env::var("DYNAMODB_ENDPOINT").expect("DYNAMODB_ENDPOINT is not set: run the tests with `make test`")
}

/// Where the mails of all worlds go. Each test looks for those to its own addresses.
pub fn outbox() -> &'static Outbox {
    static OUTBOX: LazyLock<Outbox> = LazyLock::new(|| Outbox::start().expect("the outbox starts"));
    &OUTBOX
}

/// What stands around the functions of every world, as if their API were on port 3000.
pub fn surroundings() -> LocalConfig {
    LocalConfig::new(3000, outbox())
}

fn recorder() -> &'static Recorder {
    static RECORDER: OnceLock<Recorder> = OnceLock::new();
    RECORDER.get_or_init(|| {
        let schema = TableSchema::from_definition(&TEMPLATE.tables["Table"]);
        Recorder::start(&engine_endpoint(), schema)
    })
}

/// All that one test acts on.
pub struct World {
    pub(crate) gateway: Gateway,
    pub(crate) policies: BTreeMap<String, Policies>,
    served: Served,
    faults: Option<Faults>,
    logs: Option<TempDir>,
    app: App,
    keys: Keys,
    table: String,
    mail: mail::Service,
    jobs: jobs::Service,
    /// The functions as processes, by logical id; none when they run in this process.
    compiled: Functions,
}

/// The template's table without its stream, which no world reads: `DynamoDB` Local takes the longer for each write the more
/// records all streams hold, until requests run out of time.
fn unstreamed() -> Value {
    let mut properties = TEMPLATE.tables["Table"].clone();
    if let Some(properties) = properties.as_object_mut() {
        properties.remove("StreamSpecification");
    }
    properties
}

/// Which module answered a request, by request id.
type Served = Arc<Mutex<HashMap<String, &'static str>>>;

impl World {
    /// An empty platform.
    pub async fn new() -> Self {
        Self::on(&recorder().endpoint(), None).await
    }

    /// An empty platform whose table can be given [`Faults`]. Nobody counts its round trips.
    pub async fn with_faults() -> Self {
        let faults = Faults::start(&recorder().endpoint()).await;
        let endpoint = faults.endpoint();
        Self::on(&endpoint, Some(faults)).await
    }

    /// An empty platform on the compiled functions, each in processes of its own. Nobody sees their calls, but their logs,
    /// and their table can be given [`Faults`].
    pub async fn compiled() -> Self {
        let faults = Faults::start(&engine_endpoint()).await;
        let logs = tempfile::tempdir().expect("a folder for the logs");
        let (app, keys, table) = Self::table_for(&engine_endpoint()).await;
        let functions = compiled::functions(&compiled::Environment {
            table: &table,
            keys: &keys,
            endpoint: &faults.endpoint(),
            surroundings: &surroundings(),
            logs: logs.path(),
        });
        let compiled = functions.clone();
        let world = Self::with(functions, Served::default(), app, keys, table);
        Self { faults: Some(faults), logs: Some(logs), compiled, ..world }
    }

    /// An empty platform with another router in the place of a module's, made of a client that is watched and the table.
    pub async fn with_module(name: &'static str, module: impl FnOnce(Client, String) -> Router) -> Self {
        let (app, keys, table) = Self::table_for(&recorder().endpoint()).await;
        let client = Client::from_conf(engine::config(&recorder().endpoint()).interceptor(TagCalls).build());
        let mut routers = modules::routers(&app, &keys, &surroundings()).expect("the keys are good");
        routers.insert(name, shared::http::problems(module(client, table.clone())));
        Self::of(routers, app, keys, table)
    }

    async fn on(endpoint: &str, faults: Option<Faults>) -> Self {
        let (app, keys, table) = Self::table_for(endpoint).await;
        let routers = modules::routers(&app, &keys, &surroundings()).expect("the keys are good");
        Self { faults, ..Self::of(routers, app, keys, table) }
    }

    fn of(routers: BTreeMap<&'static str, Router>, app: App, keys: Keys, table: String) -> Self {
        let served = Served::default();
        let routers = routers.into_iter().map(|(name, router)| (name, observed(name, router, &served))).collect();
        let functions = modules::in_process(&TEMPLATE, &routers, &modules::Listeners::new());
        Self::with(functions, served, app, keys, table)
    }

    /// A new table, new keys, and the app that reaches the one with the other.
    async fn table_for(endpoint: &str) -> (App, Keys, String) {
        let table = format!("upzento-{}", Uuid::new_v4());
        let raw = engine::client(&engine_endpoint());
        table::create_table(&raw, &table, &unstreamed()).await.expect("the table is created");
        let client = shared::client(engine::config(endpoint).interceptor(TagCalls));
        let keys = Keys::generate().expect("keys are generated");
        let app = App::new(modules::config(&table, &keys), client, Clock::default()).expect("it starts");
        (app, keys, table)
    }

    fn with(functions: Functions, served: Served, app: App, keys: Keys, table: String) -> Self {
        let gateway = Gateway::new(&TEMPLATE, "Api", functions).expect("every function has a router");
        let named = PolicyTable { logical_id: "Table", name: &table };
        let policies = TEMPLATE.functions.values().map(|function| {
            (function.name.clone(), Policies::parse(&function.policies, named).expect("its policies can be read"))
        });
        let mail = modules::mail(&app, &surroundings()).expect("the mail function starts");
        let jobs = jobs::Service::new(app.clone());
        let (policies, compiled) = (policies.collect(), Functions::new());
        Self { gateway, policies, served, faults: None, logs: None, app, keys, table, mail, jobs, compiled }
    }

    /// What goes wrong between the functions and the table.
    pub fn faults(&self) -> &Faults {
        self.faults.as_ref().expect("a world `with_faults`")
    }

    /// What the compiled functions have printed so far.
    pub fn printed(&self) -> String {
        let folder = self.logs.as_ref().expect("a world of `compiled` functions").path();
        let files = std::fs::read_dir(folder).expect("the logs' folder").map(|file| file.expect("a file").path());
        files.map(|file| std::fs::read_to_string(file).expect("text")).collect()
    }

    /// Whether each request must keep to its budget of round trips.
    pub(crate) fn counts_round_trips(&self) -> bool {
        self.faults.is_none()
    }

    /// Time in this world.
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

    /// A client of the engine that nobody watches: to look at rows, or to put one there.
    pub fn engine(&self) -> Client {
        engine::client(&engine_endpoint())
    }

    /// The table as the functions use it, for what has no route.
    pub fn store(&self) -> Store {
        self.app.store_for_event()
    }

    /// Every row of the table, as JSON, for a look behind the API.
    pub async fn rows(&self) -> Vec<Value> {
        integrity::rows(&self.engine(), &self.table).await.expect("the table can be read")
    }

    /// Fails the test unless every row has what it stands on, and every count is right.
    pub async fn assert_whole(&self) {
        assert_eq!(integrity::damages(&self.rows().await), Vec::<String>::new());
    }

    /// Puts a row into the table, behind the API's back.
    pub async fn put_row(&self, row: Value) {
        let row = serde_dynamo::to_item(row).expect("a row");
        self.engine().put_item().table_name(&self.table).set_item(Some(row)).send().await.expect("the row is put");
    }

    /// Makes a user be in another state, such as `DISABLED`, behind the API's back.
    pub async fn set_status(&self, user: &Who<'_>, status: &str) {
        let rows = self.rows().await;
        let row = rows.iter().find(|row| row["sk"] == user.id() && row.get("passwordHash").is_some());
        let mut row = row.expect("the user's row").clone();
        row["status"] = status.into();
        self.put_row(row).await;
    }

    /// Takes a user's row away, behind the API's back.
    pub async fn remove_user(&self, user: &Who<'_>) {
        let rows = self.rows().await;
        let row = rows.iter().find(|row| row["sk"] == user.id() && row.get("passwordHash").is_some());
        let row = row.expect("the user's row");
        let key = ["pk", "sk"].map(|name| AttributeValue::S(row[name].as_str().expect("a key").to_owned()));
        let [pk, sk] = key;
        let request = self.engine().delete_item().table_name(&self.table).key("pk", pk).key("sk", sk);
        request.send().await.expect("the row is deleted");
    }

    /// Lets the mail function do what is due, as the clock would, and gives its report.
    pub async fn deliver(&self) -> Value {
        self.tick("mail", self.mail.handle(scheduled())).await
    }

    /// Lets the jobs go on, as the clock would, until nothing of them is left to be done now.
    pub async fn work(&self) {
        for _ in 0..MOST_RUNS {
            if self.work_once().await == 0 {
                return;
            }
        }
        panic!("the jobs come to no end");
    }

    /// Lets the jobs go on once, as one tick of the clock would, and gives how many were taken up.
    pub async fn work_once(&self) -> u64 {
        let report = self.tick("jobs", self.jobs.handle(scheduled())).await;
        report["advanced"].as_u64().expect("how many jobs went on")
    }

    /// Fires the schedule of a function that answers no request: `handling`, or its process where there is one.
    async fn tick(&self, name: &str, handling: impl Future<Output = Result<Value, shared::lambda::Error>>) -> Value {
        let (id, function) =
            TEMPLATE.functions.iter().find(|(_, function)| function.name == name).expect("it is there");
        if let Some(process) = self.compiled.get(id) {
            return process.invoke(scheduled(), function.timeout).await.expect("a report");
        }
        let tag = format!("{name}-{}", Uuid::new_v4());
        let report = tagged(tag.clone(), handling).await.expect("a report");
        let violations = self.policies[name].violations(&recorder().take(&tag));
        assert!(violations.is_empty(), "{violations:?}");
        report
    }

    /// What an operator may do.
    pub fn operator(&self) -> Operator {
        Operator::new(self.app.clone())
    }

    /// Somebody who has not signed in.
    pub fn anyone(&self) -> Who<'_> {
        Who::anyone(self)
    }

    /// Somebody who has not signed in and asks with a secret in the address, which is good in one home: they are held to it as if they
    /// had signed in there.
    pub fn subscriber(&self, home: impl Into<HomeScope>) -> Who<'_> {
        Who::with_secret_of(self, home.into())
    }

    /// A new `ADMIN`, signed in.
    pub async fn admin(&self) -> Who<'_> {
        self.user(self.operator().platform(), Role::Admin).await
    }

    /// A new user of a home, signed in.
    pub async fn user(&self, home: impl Into<HomeScope>, role: Role) -> Who<'_> {
        let home = home.into();
        let email = format!("{}@example.com", Uuid::new_v4());
        self.operator()
            .create_user(
                home,
                role,
                email.parse().expect("an email"),
                shared::entity::Profile { first_name: "Ada".parse().unwrap(), last_name: "Lovelace".parse().unwrap() },
                PASSWORD.parse().expect("a password"),
            )
            .await
            .expect("the user is created");
        Who::sign_in(self, &email, home).await
    }

    /// The module that answered the request with this id.
    pub(crate) fn served(&self, request_id: &str) -> Option<&'static str> {
        self.served.lock().expect("nobody panics here").remove(request_id)
    }

    pub(crate) fn calls(request_id: &str) -> Vec<crate::call::Call> {
        recorder().take(request_id)
    }
}

/// As much of a schedule's event as a function looks at.
fn scheduled() -> Value {
    Value::Object(Map::new())
}

/// Tags what a request does with its id, and notes who answered it.
fn observed(name: &'static str, router: Router, served: &Served) -> Router {
    let served = Arc::clone(served);
    router.layer(from_fn(move |request: Request, next: Next| {
        let served = Arc::clone(&served);
        async move {
            let id = request_id(&request);
            served.lock().expect("nobody panics here").insert(id.clone(), name);
            tagged(id, next.run(request)).await
        }
    }))
}

fn request_id(request: &Request) -> String {
    match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV2(context)) => context.request_id.clone().expect("the gateway gives an id"),
        other => panic!("not an event of the gateway: {other:?}"),
    }
}
