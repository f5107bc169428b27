//! The interface of mail transports.

use crate::render::EmailMessage;
use crate::ses::Ses;
use crate::smtp::Smtp;

/// Sends messages.
pub(crate) trait Mailer {
    /// Hands a message over for delivery.
    fn send(&self, message: &EmailMessage) -> impl Future<Output = Result<(), SendError>> + Send;
}

/// Why a message was not sent, with a short reason for the log.
///
/// The reason never repeats the text of a server's response, which may contain the address.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SendError {
    /// The address or the message was rejected. A retry would be rejected too.
    #[error("{0}")]
    Rejected(String),
    /// The connection or the configuration failed. A retry may succeed.
    #[error("{0}")]
    Retryable(String),
}

/// The transport of this deployment.
pub(crate) enum Transport {
    Smtp(Smtp),
    Ses(Ses),
}

impl Mailer for Transport {
    async fn send(&self, message: &EmailMessage) -> Result<(), SendError> {
        match self {
            Self::Smtp(smtp) => smtp.send(message).await,
            Self::Ses(ses) => ses.send(message).await,
        }
    }
}
