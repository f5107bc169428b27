//! The operator's data check, run as the compiled program.

use std::process::{Command, Output};

use harness::world::{World, engine_endpoint, program};
use serde_json::json;

fn run_check_data(world: &World) -> Output {
    Command::new(program("check-data"))
        .env_clear()
        .envs([("TABLE_NAME", world.table()), ("AWS_ENDPOINT_URL_DYNAMODB", &engine_endpoint())])
        .envs([("AWS_REGION", "us-east-1"), ("AWS_ACCESS_KEY_ID", "local"), ("AWS_SECRET_ACCESS_KEY", "local")])
        .output()
        .expect("check-data starts")
}

#[tokio::test]
async fn check_data_fails_and_names_each_difference() {
    let world = World::new().await;
    world.shop().await;
    let output = run_check_data(&world);
    assert!(output.status.success() && output.stdout.is_empty(), "{output:?}");

    let rows = world.rows().await;
    let totals = rows
        .iter()
        .find(|row| row["pk"].as_str().is_some_and(|pk| pk.ends_with("#STAGE")))
        .expect("the totals of a stage");
    let mut changed = totals.clone();
    changed["n"] = json!(7);
    world.put_row(changed).await;
    let output = run_check_data(&world);
    let report = String::from_utf8(output.stdout).expect("text");
    assert!(!output.status.success(), "{report}");
    assert_eq!(report.lines().count(), 1, "{report}");
    assert!(report.contains(totals["sk"].as_str().expect("a stage id")), "{report}");
}
