//! `check-data` computes anew whatever the table in `TABLE_NAME` counts or keeps twice, and prints each difference, by key. It fails
//! if there is any.
//!
//! It runs with the operator's own AWS credentials, and reads the whole table into memory.

use std::process::ExitCode;

use aws_config::BehaviorVersion;
use aws_sdk_dynamodb::Client;
use infra::integrity;

type Error = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode, Error> {
    let table = shared::variable("TABLE_NAME")?;
    let client = Client::new(&aws_config::load_defaults(BehaviorVersion::latest()).await);
    let rows = integrity::rows(&client, &table).await?;
    let damages = integrity::damages(&rows);
    for damage in &damages {
        println!("{damage}");
    }
    eprintln!("{} rows, {} differences", rows.len(), damages.len());
    Ok(if damages.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
