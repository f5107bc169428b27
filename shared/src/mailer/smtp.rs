//! The SMTP transport.

use std::time::Duration;

use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Attachment, Mailbox, Message, MultiPart};
use lettre::transport::smtp::Error;
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};

use super::{EmailMessage, Mailer, SendError};

/// The timeout for each response of the server.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// An SMTP server with a pool of connections.
pub(super) struct Smtp {
    server: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl Smtp {
    /// The server of a URL (see [`AsyncSmtpTransport::from_url`]).
    pub(super) fn new(url: &str, from: Mailbox) -> Result<Self, Error> {
        let server = AsyncSmtpTransport::<Tokio1Executor>::from_url(url)?.timeout(Some(REQUEST_TIMEOUT)).build();
        Ok(Self { server, from })
    }

    fn build(&self, message: &EmailMessage) -> Result<Message, SendError> {
        let mut builder = Message::builder()
            .message_id(Some(format!("<{}@{}>", message.id, self.from.email.domain())))
            .from(message.sender(&self.from))
            .to(message.to.clone().into())
            .subject(message.subject.as_str());
        if let Some(reply_to) = &message.reply_to {
            builder = builder.reply_to(reply_to.clone().into());
        }
        for (name, value) in message.headers() {
            builder = builder.raw_header(HeaderValue::new(HeaderName::new_from_ascii_str(name), value));
        }
        let invalid = || SendError::Rejected("message".to_owned());
        let mut content = MultiPart::alternative_plain_html(message.text.clone(), message.html.clone());
        if let Some(file) = &message.attachment {
            let media = ContentType::parse(file.media_type).map_err(|_| invalid())?;
            let file = Attachment::new(file.name.to_owned()).body(file.content.clone(), media);
            content = MultiPart::mixed().multipart(content).singlepart(file);
        }
        builder.multipart(content).map_err(|_| invalid())
    }
}

impl Mailer for Smtp {
    async fn send(&self, message: &EmailMessage) -> Result<(), SendError> {
        let (server, message) = (self.server.clone(), self.build(message)?);
        // A task completes even if the caller stops waiting. Otherwise a connection with an outstanding
        // response would return to the pool, and the next message would read that response as its own.
        match tokio::spawn(async move { server.send(message).await }).await {
            Ok(sent) => sent.map(|_| ()).map_err(|error| classify(&error)),
            Err(_) => Err(SendError::Retryable("the task failed".to_owned())),
        }
    }
}

/// Classifies an error: rejected because of the mailbox, or retryable.
///
/// An operator may fix any other error before the mail expires.
fn classify(error: &Error) -> SendError {
    let Some(code) = error.status().map(u16::from) else { return SendError::Retryable(kind(error).to_owned()) };
    let reason = format!("smtp {code}");
    if is_mailbox_error(code) && !is_policy_error(error) {
        SendError::Rejected(reason)
    } else {
        SendError::Retryable(reason)
    }
}

/// Whether a code rejects the mailbox.
///
/// The mailbox is unavailable, not local, or has a name that is not allowed (RFC 5321, 4.2.2).
fn is_mailbox_error(code: u16) -> bool {
    matches!(code, 550 | 551 | 553)
}

/// Whether the server rejects mail because of a policy (RFC 3463, 3.8).
///
/// The server uses the codes of a rejected mailbox.
fn is_policy_error(error: &Error) -> bool {
    error.to_string().contains(" 5.7.")
}

fn kind(error: &Error) -> &'static str {
    if error.is_timeout() {
        "timeout"
    } else if error.is_tls() {
        "tls"
    } else if error.is_response() {
        "malformed response"
    } else if error.is_client() {
        "missing server capability"
    } else {
        "no connection"
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;

    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn message_has_the_id_of_its_row_and_both_parts() {
        let smtp = Smtp::new("smtp://127.0.0.1:1", "Upzento CRM <crm@example.com>".parse().unwrap()).unwrap();
        let message = String::from_utf8(smtp.build(&EmailMessage::sample()).unwrap().formatted()).unwrap();
        for line in [
            "Message-ID: <0195@example.com>",
            "From: \"Upzento CRM\" <crm@example.com>",
            "To: ada@example.org",
            "Subject: Your password",
            "Auto-Submitted: auto-generated",
            "Content-Type: text/plain; charset=utf-8",
            "Content-Type: text/html; charset=utf-8",
            "Hello Zo=C3=AB",
            "<p>Hello Zo=C3=AB</p>",
        ] {
            assert!(message.lines().any(|other| other == line), "{line} in {message}");
        }
        assert!(message.contains("Content-Type: multipart/alternative;"), "{message}");
        // No server listens on this port.
        assert_eq!(smtp.send(&EmailMessage::sample()).await, Err(SendError::Retryable("no connection".to_owned())));
    }

    #[tokio::test]
    async fn full_message_has_its_sender_headers_and_file() {
        let smtp = Smtp::new("smtp://127.0.0.1:1", "Upzento CRM <crm@example.com>".parse().unwrap()).unwrap();
        let message = String::from_utf8(smtp.build(&EmailMessage::full_sample()).unwrap().formatted()).unwrap();
        for line in [
            "Reply-To: hello@salon.example",
            "List-Unsubscribe: <https://widgets.example.com/reminders/unsubscribe?token=x>",
            "List-Unsubscribe-Post: List-Unsubscribe=One-Click",
            "Content-Disposition: attachment; filename=\"appointment.ics\"",
            "Content-Type: text/calendar; charset=utf-8",
            "BEGIN:VCALENDAR",
        ] {
            assert!(message.lines().any(|other| other == line), "{line} in {message}");
        }
        assert!(message.contains("crm@example.com") && !message.lines().any(|line| line.starts_with("Bcc:")));
    }

    #[tokio::test]
    async fn server_requires_an_smtp_url() {
        let from: Mailbox = "crm@example.com".parse().unwrap();
        for good in
            ["smtp://127.0.0.1:2525", "smtps://user:p%40ss@example.com:465", "smtp://example.com:587?tls=required"]
        {
            assert!(Smtp::new(good, from.clone()).is_ok(), "{good}");
        }
        for bad in ["example.com", "https://example.com", "smtp://example.com?tls=no", "smtp://"] {
            assert!(Smtp::new(bad, from.clone()).is_err(), "{bad}");
        }
    }

    /// A server for one connection.
    ///
    /// It accepts the first message slowly and rejects all others.
    fn slow_server() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("smtp://{}", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            let mut stream = BufReader::new(listener.accept().unwrap().0);
            stream.get_mut().write_all(b"220 ready\r\n").unwrap();
            let (mut line, mut first, mut content) = (String::new(), true, false);
            while stream.read_line(&mut line).unwrap_or(0) > 0 {
                let ends = line == ".\r\n";
                let response = match (content, ends) {
                    (true, false) => "",
                    (true, true) if first => {
                        std::thread::sleep(Duration::from_millis(300));
                        "250 accepted\r\n"
                    }
                    (true, true) => "554 rejected\r\n",
                    (false, _) if line == "DATA\r\n" => "354 continue\r\n",
                    (false, _) => "250 ok\r\n",
                };
                stream.get_mut().write_all(response.as_bytes()).unwrap();
                first &= !(content && ends);
                content = if content { !ends } else { line == "DATA\r\n" };
                line.clear();
            }
        });
        url
    }

    #[tokio::test]
    async fn abandoned_message_leaves_no_response_for_the_next() {
        let smtp = Smtp::new(&slow_server(), "crm@example.com".parse().unwrap()).unwrap();
        assert!(timeout(Duration::from_millis(100), smtp.send(&EmailMessage::sample())).await.is_err());
        tokio::time::sleep(Duration::from_millis(400)).await;
        assert_eq!(smtp.send(&EmailMessage::sample()).await, Err(SendError::Retryable("smtp 554".to_owned())));
    }
}
