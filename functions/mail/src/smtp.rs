//! Mail over SMTP.

use std::time::Duration;

use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message, MultiPart};
use lettre::transport::smtp::Error;
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};

use crate::mailer::{Mailer, SendError};
use crate::render::{AUTO_SUBMITTED, Letter};

/// How long the server may take for each of its answers.
const PATIENCE: Duration = Duration::from_secs(10);

/// An SMTP server, and the connections to it that are open.
pub(crate) struct Smtp {
    server: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl Smtp {
    /// The server that a URL names, see [`AsyncSmtpTransport::from_url`].
    pub(crate) fn new(url: &str, from: Mailbox) -> Result<Self, Error> {
        let server = AsyncSmtpTransport::<Tokio1Executor>::from_url(url)?.timeout(Some(PATIENCE)).build();
        Ok(Self { server, from })
    }

    fn message(&self, letter: &Letter) -> Result<Message, SendError> {
        let (name, value) = AUTO_SUBMITTED;
        Message::builder()
            .message_id(Some(format!("<{}@{}>", letter.id, self.from.email.domain())))
            .from(self.from.clone())
            .to(letter.to.clone().into())
            .subject(letter.subject)
            .raw_header(HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned()))
            .multipart(MultiPart::alternative_plain_html(letter.text.clone(), letter.html.clone()))
            .map_err(|_| SendError::Refused("message".to_owned()))
    }
}

impl Mailer for Smtp {
    async fn send(&self, letter: &Letter) -> Result<(), SendError> {
        let message = self.message(letter)?;
        self.server.send(message).await.map(|_| ()).map_err(|error| classify(&error))
    }
}

/// A permanent refusal is the letter's, unless it is ours to mend.
fn classify(error: &Error) -> SendError {
    let Some(code) = error.status().map(u16::from) else { return SendError::Later(kind(error).to_owned()) };
    let reason = format!("smtp {code}");
    if error.is_permanent() && !ours(code) { SendError::Refused(reason) } else { SendError::Later(reason) }
}

/// Codes about the server or our credentials, not about a mail (RFC 4954, 6; RFC 7504, 3).
fn ours(code: u16) -> bool {
    matches!(code, 521 | 530 | 534 | 535 | 538)
}

fn kind(error: &Error) -> &'static str {
    if error.is_timeout() {
        "timeout"
    } else if error.is_tls() {
        "tls"
    } else if error.is_response() {
        "unreadable answer"
    } else if error.is_client() {
        "the server lacks what is needed"
    } else {
        "no connection"
    }
}
