//! Test function for the Runtime API: echoes the request or fails, by its path.

use std::convert::Infallible;
use std::time::Duration;

use lambda_http::{Body, Error, Request, RequestExt, Response, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    if std::env::var_os("BREAK_AT_START").is_some() {
        return Err("deliberate failure".into());
    }
    run(service_fn(answer)).await
}

async fn answer(request: Request) -> Result<Response<Body>, Infallible> {
    match request.raw_http_path() {
        "/exit" => std::process::exit(3),
        "/panic" => panic!("deliberate panic"),
        "/sleep" => tokio::time::sleep(Duration::from_mins(1)).await,
        _ => {}
    }
    let greeting = std::env::var("GREETING").unwrap_or_default();
    let process = std::process::id().to_string();
    let (head, body) = request.into_parts();
    let mut response = Response::new(body);
    response.headers_mut().extend(head.headers);
    for (name, value) in [("x-greeting", greeting), ("x-process", process)] {
        if let Ok(value) = value.parse() {
            response.headers_mut().insert(name, value);
        }
    }
    Ok(response)
}
