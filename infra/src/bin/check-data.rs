//! Checks the consistency of the table in `TABLE_NAME`.
//!
//! Prints one line per violation and fails if there is any. Uses the operator's AWS credentials and reads the
//! whole table into memory.

use std::process::ExitCode;

use aws_config::BehaviorVersion;
use aws_sdk_dynamodb::Client;
use infra::check;

type Error = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode, Error> {
    let table = shared::web::variable("TABLE_NAME")?;
    let client = Client::new(&aws_config::load_defaults(BehaviorVersion::latest()).await);
    let rows = check::rows(&client, &table).await?;
    let violations = check::violations(&rows);
    for violation in &violations {
        println!("{violation}");
    }
    eprintln!("{} rows checked, {} violations", rows.len(), violations.len());
    Ok(if violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
