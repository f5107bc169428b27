//! `keys` prints new keys for a deployment as JSON, for the operator to store as the secret that the template reads.

use shared::auth::{KeyError, Keys};

fn main() -> Result<(), KeyError> {
    println!("{}", serde_json::to_string(&Keys::generate()?)?);
    Ok(())
}
