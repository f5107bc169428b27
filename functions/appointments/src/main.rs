//! The Lambda function.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), shared::lambda::Error> {
    shared::lambda::run(|app| Ok::<_, shared::lambda::Error>(appointments::router(app))).await
}
