//! Prints new keys for a deployment as JSON.
//!
//! The operator stores them as the secret that the template reads.

use shared::identity::{KeyError, Keys};

fn main() -> Result<(), KeyError> {
    println!("{}", serde_json::to_string(&Keys::generate()?)?);
    Ok(())
}
