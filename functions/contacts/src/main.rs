//! The Lambda function.

use shared::value::Phone;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), shared::lambda::Error> {
    Phone::warm_up();
    shared::lambda::run(|app| Ok::<_, shared::lambda::Error>(contacts::router(app))).await
}
