//! Whoever takes a letter to its recipient.

use crate::render::EmailMessage;
use crate::ses::Ses;
use crate::smtp::Smtp;

/// Sends letters.
pub(crate) trait Mailer {
    /// Hands a letter to whoever delivers it.
    fn send(&self, letter: &EmailMessage) -> impl Future<Output = Result<(), SendError>> + Send;
}

/// Why a letter was not sent. Each has a short reason for the log, which never repeats what a server said: that may hold the
/// address.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SendError {
    /// It is the address or the letter: it would be refused again.
    #[error("{0}")]
    Refused(String),
    /// It is the way there, or a setting that somebody can mend: it may go through another time.
    #[error("{0}")]
    Later(String),
}

/// The way that this deployment's mail takes.
pub(crate) enum Transport {
    Smtp(Smtp),
    Ses(Ses),
}

impl Mailer for Transport {
    async fn send(&self, letter: &EmailMessage) -> Result<(), SendError> {
        match self {
            Self::Smtp(smtp) => smtp.send(letter).await,
            Self::Ses(ses) => ses.send(letter).await,
        }
    }
}
