//! The mails of a world, as whoever gets them reads them.

use infra::smtp::Mail;

use crate::world::{World, outbox};

impl World {
    /// Lets the mail function do what is due, and gives the mails that this address has got by then, newest first.
    pub async fn letters(&self, email: &str) -> Vec<Mail> {
        self.deliver().await;
        outbox().mails_to(email)
    }

    /// The token in the newest mail to this address.
    pub async fn mailed_token(&self, email: &str) -> String {
        let letters = self.letters(email).await;
        token(letters.first().unwrap_or_else(|| panic!("no mail to {email}"))).to_owned()
    }
}

/// The token in the link of a mail.
pub fn token(mail: &Mail) -> &str {
    let text = mail.text.as_deref().expect("a mail has text");
    let (_, rest) = text.split_once("?token=").unwrap_or_else(|| panic!("no token in {text}"));
    rest.split_whitespace().next().expect("a token")
}
