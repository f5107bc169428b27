//! The tour of the API, run against a local server.

use std::path::Path;
use std::process::Output;

use tokio::process::Command;

use super::local_server::{Server, data_folder};

/// Runs the tour in bash. It needs curl and jq.
async fn tour(server: &Server, settings: &[(&str, &str)]) -> Output {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../infra/tour.sh");
    let mut command = Command::new("bash");
    command.arg(script).env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("API", format!("http://localhost:{}", server.port)).envs(settings.iter().copied());
    command.output().await.expect("bash runs")
}

#[tokio::test]
async fn tour_completes_and_cleans_up() {
    let data = data_folder();
    let server = Server::start(data.path(), &[("SEED", "empty")]).await;
    for _ in 0..2 {
        let output = tour(&server, &[]).await;
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{}\n{text}", String::from_utf8_lossy(&output.stderr));
        assert!(text.ends_with("The tour is complete.\n"), "{text}");
        assert!(text.contains("BEGIN:VEVENT"), "{text}");
        let new_york_offsets = ["-05:00\"", "-04:00\""];
        assert!(new_york_offsets.iter().any(|offset| text.contains(offset)), "{text}");
    }
    server.stop().await;
}

#[tokio::test]
async fn tour_fails_at_the_first_unexpected_answer() {
    let data = data_folder();
    let server = Server::start(data.path(), &[("SEED", "empty")]).await;
    let output = tour(&server, &[("ADMIN_PASSWORD", "a wrong password")]).await;
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(errors.contains("FAILED: expected the status 200"), "{errors}");
    assert!(!String::from_utf8_lossy(&output.stdout).contains("Create a tenant"), "{output:?}");
    server.stop().await;
}
