//! Reads the mails that a world has sent.

use infra::smtp::Mail;

use crate::world::{World, outbox};

impl World {
    /// Runs the mail function, then returns all mails to this address, newest first.
    pub async fn delivered_mails(&self, email: &str) -> Vec<Mail> {
        self.deliver().await;
        outbox().mails_to(email)
    }

    /// The token in the newest mail to this address.
    pub async fn mailed_token(&self, email: &str) -> String {
        let mails = self.delivered_mails(email).await;
        token(mails.first().unwrap_or_else(|| panic!("no mail to {email}"))).to_owned()
    }
}

/// The token in the link of a mail.
pub fn token(mail: &Mail) -> &str {
    let text = mail.text.as_deref().expect("a mail has text");
    let (_, rest) = text.split_once("?token=").unwrap_or_else(|| panic!("no token in {text}"));
    rest.split_whitespace().next().expect("a token")
}
