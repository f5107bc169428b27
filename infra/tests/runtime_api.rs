//! The Runtime API with a compiled function.

#![expect(clippy::unwrap_used, reason = "a test may fail by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{Request, Response, StatusCode};
use infra::aws::function::{FunctionError, Functions, Invoke};
use infra::aws::gateway::Gateway;
use infra::aws::runtime_api::{LambdaFunction, Output, Settings};
use infra::aws::template::Template;
use serde_json::{Value, json};

const TIMEOUT: Duration = Duration::from_secs(5);

const TEMPLATE: &str = "
Resources:
  Api: { Type: AWS::Serverless::HttpApi }
  EchoFunction:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: echo/
      Events:
        Default: { Type: HttpApi, Properties: { ApiId: !Ref Api } }
";

/// Cargo builds the examples with the tests, except when it builds only this test.
fn echo() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let echo = test.parent().unwrap().with_file_name("examples").join("echo");
    assert!(echo.is_file(), "run `cargo build -p infra --example echo` first");
    echo
}

fn settings() -> Settings {
    Settings {
        name: "echo".to_owned(),
        bootstrap: echo(),
        memory_mb: 128,
        environment: BTreeMap::from([("GREETING".to_owned(), "hello".to_owned())]),
        concurrency: 2,
        output: Output::Discard,
    }
}

fn event(path: &str) -> Value {
    json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "",
        "headers": { "host": "localhost" },
        "requestContext": {
            "http": { "method": "POST", "path": path },
            "stage": "$default",
            "timeEpoch": 0,
        },
        "body": "text",
        "isBase64Encoded": false,
    })
}

async fn invoke(function: &LambdaFunction, path: &str) -> Result<Value, FunctionError> {
    function.invoke(event(path), TIMEOUT).await
}

fn process_of(answer: &Value) -> String {
    answer["headers"]["x-process"].as_str().unwrap().to_owned()
}

fn is_running(process_id: u32) -> bool {
    // The state `Z` is a zombie: the process has exited, but its parent has not waited for it.
    let status = std::fs::read_to_string(format!("/proc/{process_id}/stat"));
    status.is_ok_and(|status| !status.contains(") Z "))
}

async fn wait_for_exit(process_id: u32) {
    for _ in 0..100 {
        if !is_running(process_id) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("process {process_id} is still running");
}

fn failure(error: FunctionError) -> (String, String) {
    match error {
        FunctionError::Failed { error_type, message } => (error_type, message),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn process_answers_with_the_given_environment() {
    let function = LambdaFunction::new(settings());
    let answer = invoke(&function, "/").await.unwrap();
    assert_eq!(answer["statusCode"], 200);
    assert_eq!(answer["body"], "text");
    assert_eq!(answer["headers"]["x-greeting"], "hello");
}

#[tokio::test]
async fn process_output_is_appended_to_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("output");
    std::fs::write(&output, "before\n").unwrap();
    let function = LambdaFunction::new(Settings { output: Output::Append(output.clone()), ..settings() });
    invoke(&function, "/panic").await.unwrap_err();
    let printed = std::fs::read_to_string(output).unwrap();
    assert!(printed.starts_with("before\n") && printed.contains("deliberate panic"), "{printed}");
}

#[tokio::test]
async fn warm_process_is_reused() {
    let function = LambdaFunction::new(settings());
    let first = invoke(&function, "/").await.unwrap();
    let second = invoke(&function, "/").await.unwrap();
    assert_eq!(process_of(&first), process_of(&second));
    let [cold_start] = function.cold_starts()[..] else {
        panic!("one cold start expected");
    };
    assert_eq!(cold_start.process_id.to_string(), process_of(&first));
    assert!(cold_start.duration > Duration::ZERO);
}

#[tokio::test]
async fn concurrent_invocations_have_separate_processes() {
    let function = LambdaFunction::new(settings());
    let (left, right) = tokio::join!(invoke(&function, "/"), invoke(&function, "/"));
    let processes = BTreeSet::from([process_of(&left.unwrap()), process_of(&right.unwrap())]);
    assert_eq!(processes.len(), 2);
}

#[tokio::test]
async fn invocation_above_the_limit_is_throttled() {
    let function = LambdaFunction::new(settings());
    let (_, _, third) = tokio::join!(invoke(&function, "/"), invoke(&function, "/"), invoke(&function, "/"));
    assert_eq!(third, Err(FunctionError::Throttled));
}

#[tokio::test]
async fn exited_process_is_reported_and_replaced() {
    let function = LambdaFunction::new(settings());
    let (error_type, message) = failure(invoke(&function, "/exit").await.unwrap_err());
    assert_eq!(error_type, "Runtime.ExitError");
    assert!(message.ends_with("Error: Runtime exited with error: exit status 3"), "{message}");
    assert!(invoke(&function, "/").await.is_ok());
}

#[tokio::test]
async fn timed_out_process_is_killed_and_replaced() {
    let function = LambdaFunction::new(settings());
    let warm = function.warm_up().await.unwrap();
    let limit = Duration::from_millis(300);
    let error = function.invoke(event("/sleep"), limit).await.unwrap_err();
    assert_eq!(error, FunctionError::TimedOut { limit });
    assert_eq!(error.to_string(), "Task timed out after 0.30 seconds");
    wait_for_exit(warm.process_id).await;
    assert!(invoke(&function, "/").await.is_ok());
}

#[tokio::test]
async fn panic_is_an_error_of_the_invocation_only() {
    let function = LambdaFunction::new(settings());
    let before = invoke(&function, "/").await.unwrap();
    let (_, message) = failure(invoke(&function, "/panic").await.unwrap_err());
    assert!(message.contains("deliberate panic"), "{message}");
    let after = invoke(&function, "/").await.unwrap();
    assert_eq!(process_of(&before), process_of(&after));
}

#[tokio::test]
async fn killed_idle_process_is_replaced() {
    let function = LambdaFunction::new(settings());
    let warm = function.warm_up().await.unwrap();
    let id = rustix::process::Pid::from_raw(i32::try_from(warm.process_id).unwrap()).unwrap();
    rustix::process::kill_process(id, rustix::process::Signal::KILL).unwrap();
    wait_for_exit(warm.process_id).await;
    assert!(invoke(&function, "/").await.is_ok());
}

#[tokio::test]
async fn start_failure_is_reported() {
    let mut broken = settings();
    broken.environment.insert("BREAK_AT_START".to_owned(), "1".to_owned());
    let (error_type, _) = failure(invoke(&LambdaFunction::new(broken), "/").await.unwrap_err());
    assert_eq!(error_type, "Runtime.ExitError");

    let mut missing = settings();
    missing.bootstrap = PathBuf::from("/nonexistent/bootstrap");
    let (error_type, _) = failure(invoke(&LambdaFunction::new(missing), "/").await.unwrap_err());
    assert_eq!(error_type, "Runtime.InvalidEntrypoint");
}

#[tokio::test]
async fn dropping_the_function_kills_its_processes() {
    let function = LambdaFunction::new(settings());
    let dropped = function.warm_up().await.unwrap();
    drop(function);
    wait_for_exit(dropped.process_id).await;

    let function = LambdaFunction::new(settings());
    let stopped = function.warm_up().await.unwrap();
    assert_eq!(function.idle_process_ids(), [stopped.process_id]);
    function.shutdown().await;
    assert!(!is_running(stopped.process_id));
}

#[tokio::test]
async fn gateway_and_process_pass_bytes_unchanged() {
    let template = Template::parse(TEMPLATE).unwrap();
    let function = LambdaFunction::new(settings());
    let functions: Functions = BTreeMap::from([("EchoFunction".to_owned(), Arc::new(function) as _)]);
    let gateway = Gateway::new(&template, "Api", functions).unwrap();
    let sent: Vec<u8> = (0..=255).collect();
    let request = Request::post("/any/path")
        .header("host", "localhost")
        .header("content-type", "application/octet-stream")
        .body(Bytes::from(sent.clone()))
        .unwrap();
    let response: Response<Bytes> = gateway.handle(request, IpAddr::from([127, 0, 0, 1])).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.body().as_ref(), sent);
}
