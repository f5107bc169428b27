//! Reader for the SAM template `template.yaml`.
//!
//! The local server and the tests take functions, routes, tables and policies from the template, so that they
//! run what is deployed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use serde_norway::value::TaggedValue;

/// Path of the default route, which matches if no other route of the API does.
pub const DEFAULT_ROUTE: &str = "$default";

/// Lambda's defaults for a function.
const DEFAULT_MEMORY_MB: u32 = 128;
const DEFAULT_TIMEOUT_SECONDS: u64 = 3;

/// Lambda's default for a stream.
const DEFAULT_BATCH_SIZE: usize = 100;

/// The resources of the SAM template, by logical id.
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    /// Lambda functions.
    pub functions: BTreeMap<String, Function>,
    /// HTTP APIs.
    pub apis: BTreeMap<String, Api>,
    /// Raw properties of the `DynamoDB` tables.
    pub tables: BTreeMap<String, Value>,
}

/// A Lambda function.
#[derive(Debug, Clone, PartialEq)]
pub struct Function {
    /// The last folder of `CodeUri`, which is also the name of the program.
    pub name: String,
    /// Memory in MiB.
    pub memory_mb: u32,
    /// Maximum duration of an invocation.
    pub timeout: Duration,
    /// Names of the environment variables.
    pub environment: BTreeSet<String>,
    /// HTTP routes that invoke the function.
    pub routes: Vec<Route>,
    /// IAM policy documents of `Policies`, with intrinsic functions in long form.
    pub policies: Vec<Value>,
    /// Schedules that invoke the function.
    pub schedules: Vec<Schedule>,
    /// Table streams that invoke the function.
    pub streams: Vec<Stream>,
}

/// A route of an HTTP API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Logical id of the API.
    pub api: String,
    /// The method in uppercase, or `ANY`.
    pub method: String,
    /// The path with its `{parameters}`, or [`DEFAULT_ROUTE`].
    pub path: String,
}

impl Route {
    /// Whether this is the default route.
    pub fn is_default(&self) -> bool {
        self.path == DEFAULT_ROUTE
    }

    /// The route key as in events: `GET /contacts/{id}` or `$default`.
    pub fn key(&self) -> String {
        if self.is_default() { DEFAULT_ROUTE.to_owned() } else { format!("{} {}", self.method, self.path) }
    }
}

/// A schedule that invokes a function.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    /// Logical id of the event in its function.
    pub name: String,
    /// The service behind the schedule, which determines the event.
    pub kind: ScheduleKind,
    /// The schedule expression, such as `rate(1 minute)`.
    pub expression: String,
    /// Custom event that replaces the service's default event.
    pub input: Option<Value>,
    /// Whether the schedule is enabled.
    pub enabled: bool,
}

/// The service behind a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScheduleKind {
    /// An `EventBridge` rule (`Type: Schedule`).
    Rule,
    /// `EventBridge` Scheduler (`Type: ScheduleV2`).
    Scheduler,
}

/// A table stream that invokes a function.
#[derive(Debug, Clone, PartialEq)]
pub struct Stream {
    /// Logical id of the event in its function.
    pub name: String,
    /// Logical id of the table.
    pub table: String,
    /// Maximum number of records per event.
    pub batch_size: usize,
    /// Filter patterns. If there are any, a record must match one of them.
    pub filters: Vec<Value>,
    /// Whether the stream is enabled.
    pub enabled: bool,
}

/// An HTTP API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Api {
    /// CORS configuration. Without it, CORS headers of the functions pass through.
    pub cors: Option<Cors>,
    /// The keys of the routes with their own throttle, such as `ANY /v1/auth/login`. The emulation does not throttle.
    pub throttled_routes: BTreeSet<String>,
}

/// The `CorsConfiguration` of an HTTP API.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cors {
    /// Origins, `*`, or patterns such as `https://*`.
    pub allow_origins: Vec<String>,
    /// Methods, or `*`.
    pub allow_methods: Vec<String>,
    /// Request headers, or `*`.
    pub allow_headers: Vec<String>,
    /// Response headers that a page may read, or `*`.
    pub expose_headers: Vec<String>,
    /// How long a browser may cache a preflight, in seconds.
    pub max_age: Option<u32>,
    /// Whether a page may send credentials.
    pub allow_credentials: bool,
}

/// Error when reading a template.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// The file could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// Path of the file.
        path: PathBuf,
        /// The underlying error.
        source: std::io::Error,
    },
    /// The file is not YAML.
    #[error("not YAML: {0}")]
    Syntax(#[from] serde_norway::Error),
    /// A resource does not have the expected structure.
    #[error("{at}: {problem}")]
    Shape {
        /// Logical id of the resource, and of the event if the error is in one.
        at: String,
        /// Description of the error.
        problem: String,
    },
}

impl Template {
    /// Loads the template at `path`.
    pub fn load(path: &Path) -> Result<Self, TemplateError> {
        let text =
            std::fs::read_to_string(path).map_err(|source| TemplateError::Read { path: path.to_owned(), source })?;
        Self::parse(&text)
    }

    /// Parses the text of a template.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let document = long_form(serde_norway::from_str(text)?);
        let document: Document = read("template", document)?;
        let mut template = Self { functions: BTreeMap::new(), apis: BTreeMap::new(), tables: BTreeMap::new() };
        for (id, resource) in document.resources {
            template.add(id, resource, &document.globals.function, &document.parameters)?;
        }
        template.check_references()?;
        Ok(template)
    }

    fn add(
        &mut self,
        id: String,
        resource: Resource,
        globals: &GlobalFunction,
        parameters: &BTreeMap<String, Parameter>,
    ) -> Result<(), TemplateError> {
        match resource.kind.as_str() {
            "AWS::Serverless::Function" => {
                let function = function(&id, resource.properties, globals)?;
                self.functions.insert(id, function);
            }
            "AWS::Serverless::HttpApi" => {
                let api = api(&id, resource.properties, parameters)?;
                self.apis.insert(id, api);
            }
            "AWS::DynamoDB::Table" => {
                self.tables.insert(id, resource.properties);
            }
            _ => {}
        }
        Ok(())
    }

    /// Checks that the API of each route and the table of each stream exist.
    fn check_references(&self) -> Result<(), TemplateError> {
        for (id, function) in &self.functions {
            if let Some(route) = function.routes.iter().find(|route| !self.apis.contains_key(&route.api)) {
                return Err(shape(id, format!("no HttpApi is called {}", route.api)));
            }
            if let Some(stream) = function.streams.iter().find(|stream| !self.tables.contains_key(&stream.table)) {
                return Err(shape(id, format!("no table is called {}", stream.table)));
            }
        }
        Ok(())
    }
}

// ── Structure of the file ───────────────────────────────────────────────────────────────────────────────────────────

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Document {
    #[serde(default)]
    parameters: BTreeMap<String, Parameter>,
    #[serde(default)]
    globals: Globals,
    resources: BTreeMap<String, Resource>,
}

#[derive(Deserialize)]
struct Parameter {
    #[serde(rename = "Type")]
    kind: String,
    #[serde(rename = "Default", default)]
    default: Value,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Globals {
    #[serde(default)]
    function: GlobalFunction,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GlobalFunction {
    memory_size: Option<u32>,
    timeout: Option<u64>,
    #[serde(default)]
    environment: Environment,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Environment {
    #[serde(default)]
    variables: BTreeMap<String, Value>,
}

#[derive(Deserialize)]
struct Resource {
    #[serde(rename = "Type")]
    kind: String,
    #[serde(rename = "Properties", default)]
    properties: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct FunctionProperties {
    code_uri: String,
    memory_size: Option<u32>,
    timeout: Option<u64>,
    #[serde(default)]
    environment: Environment,
    #[serde(default)]
    events: BTreeMap<String, Resource>,
    #[serde(default)]
    policies: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct HttpApiEvent {
    api_id: Reference,
    method: Option<String>,
    path: Option<String>,
}

#[derive(Deserialize)]
struct Reference {
    #[serde(rename = "Ref")]
    id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ScheduleEvent {
    #[serde(alias = "Schedule")]
    schedule_expression: String,
    /// JSON in a string.
    input: Option<String>,
    enabled: Option<bool>,
    state: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct StreamEvent {
    stream: StreamArn,
    batch_size: Option<usize>,
    #[serde(default)]
    filter_criteria: FilterCriteria,
    enabled: Option<bool>,
}

/// The value of `!GetAtt Table.StreamArn`.
#[derive(Deserialize)]
struct StreamArn {
    #[serde(rename = "Fn::GetAtt")]
    attribute: (String, String),
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct FilterCriteria {
    #[serde(default)]
    filters: Vec<Filter>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Filter {
    /// JSON in a string.
    pattern: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ApiProperties {
    cors_configuration: Option<CorsConfiguration>,
    #[serde(default)]
    route_settings: BTreeMap<String, Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CorsConfiguration {
    #[serde(default)]
    allow_origins: Value,
    #[serde(default)]
    allow_methods: Value,
    #[serde(default)]
    allow_headers: Value,
    #[serde(default)]
    expose_headers: Value,
    max_age: Option<u32>,
    #[serde(default)]
    allow_credentials: bool,
}

impl Environment {
    fn names(&self) -> impl Iterator<Item = String> {
        self.variables.keys().cloned()
    }
}

// ── Conversion ──────────────────────────────────────────────────────────────────────────────────────────────────────

fn function(id: &str, properties: Value, globals: &GlobalFunction) -> Result<Function, TemplateError> {
    let properties: FunctionProperties = read(id, properties)?;
    let timeout = properties.timeout.or(globals.timeout);
    let mut function = Function {
        name: last_folder(id, &properties.code_uri)?,
        memory_mb: properties.memory_size.or(globals.memory_size).unwrap_or(DEFAULT_MEMORY_MB),
        timeout: Duration::from_secs(timeout.unwrap_or(DEFAULT_TIMEOUT_SECONDS)),
        environment: globals.environment.names().chain(properties.environment.names()).collect(),
        routes: Vec::new(),
        policies: properties.policies,
        schedules: Vec::new(),
        streams: Vec::new(),
    };
    for (name, event) in properties.events {
        add_event(&mut function, &format!("{id}.{name}"), name, event)?;
    }
    Ok(function)
}

fn add_event(function: &mut Function, at: &str, name: String, event: Resource) -> Result<(), TemplateError> {
    match event.kind.as_str() {
        "HttpApi" => function.routes.push(route(at, event.properties)?),
        "Schedule" => {
            let schedule = schedule(at, name, ScheduleKind::Rule, event.properties)?;
            function.schedules.push(schedule);
        }
        "ScheduleV2" => {
            let schedule = schedule(at, name, ScheduleKind::Scheduler, event.properties)?;
            function.schedules.push(schedule);
        }
        "DynamoDB" => function.streams.push(stream(at, name, event.properties)?),
        _ => {}
    }
    Ok(())
}

fn last_folder(id: &str, code_uri: &str) -> Result<String, TemplateError> {
    Path::new(code_uri)
        .file_name()
        .and_then(|name| name.to_str())
        .map(str::to_owned)
        .ok_or_else(|| shape(id, format!("CodeUri has no folder name: {code_uri}")))
}

fn route(at: &str, properties: Value) -> Result<Route, TemplateError> {
    let event: HttpApiEvent = read(at, properties)?;
    let (method, path) = match (event.method, event.path) {
        (Some(method), Some(path)) => (method.to_ascii_uppercase(), path),
        (None, None) => ("ANY".to_owned(), DEFAULT_ROUTE.to_owned()),
        _ => return Err(shape(at, "set both Method and Path, or neither")),
    };
    Ok(Route { api: event.api_id.id, method, path })
}

fn schedule(at: &str, name: String, kind: ScheduleKind, properties: Value) -> Result<Schedule, TemplateError> {
    let event: ScheduleEvent = read(at, properties)?;
    let input = event
        .input
        .map(|input| serde_json::from_str(&input))
        .transpose()
        .map_err(|error| shape(at, format!("Input is not JSON: {error}")))?;
    Ok(Schedule {
        name,
        kind,
        expression: event.schedule_expression,
        input,
        enabled: event.enabled.unwrap_or(true) && event.state.as_deref() != Some("DISABLED"),
    })
}

fn stream(at: &str, name: String, properties: Value) -> Result<Stream, TemplateError> {
    let event: StreamEvent = read(at, properties)?;
    let (table, attribute) = event.stream.attribute;
    if attribute != "StreamArn" {
        return Err(shape(at, format!("Stream must be a table's StreamArn, not its {attribute}")));
    }
    let filters = event.filter_criteria.filters.iter().map(|filter| serde_json::from_str(&filter.pattern));
    let filters = filters.collect::<Result<_, _>>();
    Ok(Stream {
        name,
        table,
        batch_size: event.batch_size.unwrap_or(DEFAULT_BATCH_SIZE),
        filters: filters.map_err(|error| shape(at, format!("Pattern is not JSON: {error}")))?,
        enabled: event.enabled.unwrap_or(true),
    })
}

fn api(id: &str, properties: Value, parameters: &BTreeMap<String, Parameter>) -> Result<Api, TemplateError> {
    if properties.is_null() {
        return Ok(Api { cors: None, throttled_routes: BTreeSet::new() });
    }
    let properties: ApiProperties = read(id, properties)?;
    let cors = properties.cors_configuration.map(|cors| cors_rules(id, cors, parameters)).transpose()?;
    Ok(Api { cors, throttled_routes: properties.route_settings.into_keys().collect() })
}

fn cors_rules(
    id: &str,
    cors: CorsConfiguration,
    parameters: &BTreeMap<String, Parameter>,
) -> Result<Cors, TemplateError> {
    Ok(Cors {
        allow_origins: strings(id, cors.allow_origins, parameters)?,
        allow_methods: strings(id, cors.allow_methods, parameters)?,
        allow_headers: strings(id, cors.allow_headers, parameters)?,
        expose_headers: strings(id, cors.expose_headers, parameters)?,
        max_age: cors.max_age,
        allow_credentials: cors.allow_credentials,
    })
}

/// Reads a list of strings.
///
/// A reference to a `CommaDelimitedList` parameter is replaced by the default of the parameter.
fn strings(id: &str, value: Value, parameters: &BTreeMap<String, Parameter>) -> Result<Vec<String>, TemplateError> {
    if value.is_null() {
        return Ok(Vec::new());
    }
    let Some(name) = value.get("Ref").and_then(Value::as_str) else {
        return read(id, value);
    };
    let parameter = parameters
        .get(name)
        .filter(|parameter| parameter.kind == "CommaDelimitedList")
        .ok_or_else(|| shape(id, format!("no list parameter is called {name}")))?;
    let list = parameter.default.as_str().unwrap_or_default();
    Ok(list.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect())
}

fn read<T: DeserializeOwned>(at: &str, value: Value) -> Result<T, TemplateError> {
    serde_json::from_value(value).map_err(|error| shape(at, error.to_string()))
}

fn shape(at: &str, problem: impl Into<String>) -> TemplateError {
    TemplateError::Shape { at: at.to_owned(), problem: problem.into() }
}

// ── Intrinsic functions ─────────────────────────────────────────────────────────────────────────────────────────────

/// Converts YAML to JSON, with intrinsic functions in long form.
///
/// For example, `!Ref x` becomes `{"Ref": "x"}`.
fn long_form(value: serde_norway::Value) -> Value {
    use serde_norway::Value as Yaml;
    match value {
        Yaml::Null => Value::Null,
        Yaml::Bool(flag) => Value::Bool(flag),
        Yaml::Number(number) => json!(number),
        Yaml::String(text) => Value::String(text),
        Yaml::Sequence(items) => items.into_iter().map(long_form).collect(),
        Yaml::Mapping(entries) => entries.into_iter().map(|(key, value)| (key_text(key), long_form(value))).collect(),
        Yaml::Tagged(tagged) => intrinsic(*tagged),
    }
}

/// Converts a mapping key to a string.
///
/// YAML parses unquoted keys such as `8080` and `true` as numbers and booleans.
fn key_text(key: serde_norway::Value) -> String {
    match long_form(key) {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

fn intrinsic(tagged: TaggedValue) -> Value {
    let tag = tagged.tag.to_string();
    let name = tag.trim_start_matches('!');
    let argument = long_form(tagged.value);
    match (name, argument) {
        ("Ref" | "Condition", argument) => json!({ name: argument }),
        // The short form separates resource and attribute by the first dot; the long form is a list.
        ("GetAtt", Value::String(path)) => {
            let parts: Vec<&str> = path.splitn(2, '.').collect();
            json!({ "Fn::GetAtt": parts })
        }
        (_, argument) => json!({ format!("Fn::{name}"): argument }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = r#"
Parameters:
  Origins: { Type: CommaDelimitedList, Default: "https://a.example, https://b.example" }
Globals:
  Function: { MemorySize: 512, Timeout: 15 }
Resources:
  Open: { Type: AWS::Serverless::HttpApi }
  Api:
    Type: AWS::Serverless::HttpApi
    Properties:
      CorsConfiguration: { AllowOrigins: !Ref Origins, AllowMethods: [GET], MaxAge: 60 }
  Table:
    Type: AWS::DynamoDB::Table
    Properties: { SSESpecification: { KMSMasterKeyId: !GetAtt Key.Arn } }
  Work:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: .build/jobs/
      Timeout: 60
      Events:
        Item: { Type: HttpApi, Properties: { ApiId: !Ref Api, Method: get, Path: "/items/{id}" } }
        Rest: { Type: HttpApi, Properties: { ApiId: !Ref Open } }
        Tick: { Type: ScheduleV2, Properties: { ScheduleExpression: rate(1 minute), Input: '{"a":1}' } }
        Slow: { Type: Schedule, Properties: { Schedule: rate(1 day), Enabled: false } }
        Rows:
          Type: DynamoDB
          Properties:
            Stream: !GetAtt Table.StreamArn
            StartingPosition: LATEST
            BatchSize: 10
            FilterCriteria:
              Filters:
                - Pattern: '{"eventName":["INSERT"],"dynamodb":{"Keys":{"pk":{"S":[{"suffix":"MAIL"}]}}}}'
        AllRows: { Type: DynamoDB, Properties: { Stream: !GetAtt Table.StreamArn, Enabled: false } }
      Environment:
        Variables:
          PLAIN: text
          CHOSEN: !If [IsLive, !Ref Address, !Ref AWS::NoValue]
          SPELT_OUT: { Fn::If: [IsLive, { Ref: Address }, ""] }
      Policies:
        - Statement:
            - Resource: [!GetAtt Table.Arn, !Sub "${Table.Arn}/index/GSI1"]
        - Statement:
            - Action: ses:SendEmail
              Resource: !Sub "arn:${AWS::Partition}:ses:${AWS::Region}:${AWS::AccountId}:identity/example.com"
"#;

    fn small() -> Template {
        Template::parse(SMALL).unwrap()
    }

    fn project() -> Template {
        Template::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../template.yaml")).unwrap()
    }

    #[test]
    fn function_properties_override_the_globals() {
        let work = &small().functions["Work"];
        assert_eq!(work.name, "jobs");
        assert_eq!(work.memory_mb, 512);
        assert_eq!(work.timeout, Duration::from_mins(1));
    }

    #[test]
    fn route_keys_have_an_uppercase_method_except_the_default() {
        let keys: Vec<_> =
            small().functions["Work"].routes.iter().map(|route| (route.api.clone(), route.key())).collect();
        let expected = [("Api", "GET /items/{id}"), ("Open", "$default")];
        assert_eq!(keys, expected.map(|(api, key)| (api.to_owned(), key.to_owned())));
    }

    #[test]
    fn both_kinds_of_schedule_are_parsed() {
        let schedules = small().functions["Work"].schedules.clone();
        let [slow, tick] = schedules.as_slice() else {
            panic!("two schedules expected: {schedules:?}");
        };
        assert_eq!(slow.kind, ScheduleKind::Rule);
        assert!(!slow.enabled);
        assert_eq!(tick.kind, ScheduleKind::Scheduler);
        assert_eq!(tick.expression, "rate(1 minute)");
        assert_eq!(tick.input, Some(json!({ "a": 1 })));
        assert!(tick.enabled);
    }

    #[test]
    fn streams_are_parsed_with_their_patterns() {
        let streams = small().functions["Work"].streams.clone();
        let [all, rows] = streams.as_slice() else {
            panic!("two streams expected: {streams:?}");
        };
        assert_eq!((all.batch_size, all.enabled, all.filters.len()), (DEFAULT_BATCH_SIZE, false, 0));
        let pattern =
            json!({ "eventName": ["INSERT"], "dynamodb": { "Keys": { "pk": { "S": [{ "suffix": "MAIL" }] } } } });
        let expected = Stream {
            name: "Rows".to_owned(),
            table: "Table".to_owned(),
            batch_size: 10,
            filters: vec![pattern],
            enabled: true,
        };
        assert_eq!(*rows, expected);
    }

    #[test]
    fn invalid_stream_is_rejected() {
        let cases = [
            (
                "Stream: !GetAtt Table.StreamArn, Enabled",
                "Stream: !GetAtt Rows.StreamArn, Enabled",
                "Work: no table is",
            ),
            ("Table.StreamArn, Enabled", "Table.Arn, Enabled", "Work.AllRows: Stream must be"),
            (r#"[{"suffix":"#, "[{suffix:", "Work.Rows: Pattern is not JSON"),
        ];
        for (valid, invalid, expected) in cases {
            let error = Template::parse(&SMALL.replace(valid, invalid)).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        }
    }

    #[test]
    fn names_of_all_environment_variables_are_parsed() {
        let names: Vec<_> = small().functions["Work"].environment.iter().cloned().collect();
        assert_eq!(names, ["CHOSEN", "PLAIN", "SPELT_OUT"]);
    }

    #[test]
    fn policies_for_other_services_are_kept() {
        let statement = &small().functions["Work"].policies[1]["Statement"][0];
        assert_eq!(statement["Action"], "ses:SendEmail");
        let arn = "arn:${AWS::Partition}:ses:${AWS::Region}:${AWS::AccountId}:identity/example.com";
        assert_eq!(statement["Resource"], json!({ "Fn::Sub": arn }));
    }

    #[test]
    fn list_parameter_is_replaced_by_its_default() {
        let apis = small().apis;
        let cors = apis["Api"].cors.clone().unwrap();
        assert_eq!(cors.allow_origins, ["https://a.example", "https://b.example"]);
        assert_eq!(cors.allow_methods, ["GET"]);
        assert_eq!(cors.max_age, Some(60));
        assert_eq!(apis["Open"].cors, None);
    }

    #[test]
    fn short_intrinsics_are_converted_to_the_long_form() {
        let template = small();
        let resources = json!([
            { "Fn::GetAtt": ["Table", "Arn"] },
            { "Fn::Sub": "${Table.Arn}/index/GSI1" },
        ]);
        assert_eq!(template.functions["Work"].policies[0]["Statement"][0]["Resource"], resources);
        let key = &template.tables["Table"]["SSESpecification"]["KMSMasterKeyId"];
        assert_eq!(*key, json!({ "Fn::GetAtt": ["Key", "Arn"] }));
    }

    #[test]
    fn route_of_an_unknown_api_is_rejected() {
        let text = SMALL.replace("ApiId: !Ref Open", "ApiId: !Ref Elsewhere");
        let error = Template::parse(&text).unwrap_err();
        assert_eq!(error.to_string(), "Work: no HttpApi is called Elsewhere");
    }

    #[test]
    fn path_without_method_is_rejected() {
        let text = SMALL.replace("Method: get, ", "");
        let error = Template::parse(&text).unwrap_err();
        assert_eq!(error.to_string(), "Work.Item: set both Method and Path, or neither");
    }

    #[test]
    fn project_template_is_parsed() {
        let template = project();
        let auth = &template.functions["AuthFunction"];
        assert_eq!(auth.name, "auth");
        assert_eq!(auth.memory_mb, 1024);
        assert!(!auth.policies.is_empty());
        assert!(auth.routes.iter().any(|route| route.key() == "ANY /v1/auth/login"));
        assert!(template.functions["DocsFunction"].routes.iter().any(Route::is_default));
        assert_eq!(template.apis["Api"].cors.clone().unwrap().allow_origins, ["*"]);
        assert_eq!(template.tables["Table"]["TimeToLiveSpecification"]["AttributeName"], "ttl");
    }
}
