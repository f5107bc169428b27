//! The operator's check of all data, as the program that it is.

use std::process::{Command, Output};

use harness::world::{World, engine_endpoint, program};
use serde_json::json;

fn check(world: &World) -> Output {
    Command::new(program("check-data"))
        .env_clear()
        .envs([("TABLE_NAME", world.table()), ("AWS_ENDPOINT_URL_DYNAMODB", &engine_endpoint())])
        .envs([("AWS_REGION", "us-east-1"), ("AWS_ACCESS_KEY_ID", "local"), ("AWS_SECRET_ACCESS_KEY", "local")])
        .output()
        .expect("it runs")
}

#[tokio::test]
async fn the_check_fails_when_anything_differs_and_says_what() {
    let world = World::new().await;
    world.shop().await;
    let output = check(&world);
    assert!(output.status.success() && output.stdout.is_empty(), "{output:?}");

    let rows = world.rows().await;
    let tally = rows.iter().find(|row| row["pk"].as_str().is_some_and(|pk| pk.ends_with("#STAGE"))).expect("a tally");
    let mut wrong = tally.clone();
    wrong["n"] = json!(7);
    world.put_row(wrong).await;
    let output = check(&world);
    let told = String::from_utf8(output.stdout).expect("text");
    assert!(!output.status.success(), "{told}");
    assert_eq!(told.lines().count(), 1, "{told}");
    assert!(told.contains(tally["sk"].as_str().expect("a stage's id")), "{told}");
}
