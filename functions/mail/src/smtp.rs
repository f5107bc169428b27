//! Mail over SMTP.

use std::time::Duration;

use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message, MultiPart};
use lettre::transport::smtp::Error;
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};

use crate::mailer::{Mailer, SendError};
use crate::render::{AUTO_SUBMITTED, EmailMessage};

/// How long the server may take for each of its answers.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// An SMTP server, and the connections to it that are open.
pub(crate) struct Smtp {
    server: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl Smtp {
    /// The server that a URL names, see [`AsyncSmtpTransport::from_url`].
    pub(crate) fn new(url: &str, from: Mailbox) -> Result<Self, Error> {
        let server = AsyncSmtpTransport::<Tokio1Executor>::from_url(url)?.timeout(Some(REQUEST_TIMEOUT)).build();
        Ok(Self { server, from })
    }

    fn message(&self, letter: &EmailMessage) -> Result<Message, SendError> {
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
    async fn send(&self, letter: &EmailMessage) -> Result<(), SendError> {
        let (server, message) = (self.server.clone(), self.message(letter)?);
        // In a task, which ends even if nobody waits for it any more: a connection on which an answer is outstanding would
        // go back to the others, and the next letter would take that answer for its own.
        match tokio::spawn(async move { server.send(message).await }).await {
            Ok(sent) => sent.map(|_| ()).map_err(|error| classify(&error)),
            Err(_) => Err(SendError::Later("the task ended".to_owned())),
        }
    }
}

/// A refusal for good is one of the mailbox; any other, an operator may mend before the mail is of no more use.
fn classify(error: &Error) -> SendError {
    let Some(code) = error.status().map(u16::from) else { return SendError::Later(kind(error).to_owned()) };
    let reason = format!("smtp {code}");
    if is_of_mailbox(code) && !is_policy(error) { SendError::Refused(reason) } else { SendError::Later(reason) }
}

/// RFC 5321, 4.2.2: mailbox unavailable, user not local, mailbox name not allowed.
fn is_of_mailbox(code: u16) -> bool {
    matches!(code, 550 | 551 | 553)
}

/// RFC 3463, 3.8: a server that does not take mail from us says so with the same codes.
fn is_policy(error: &Error) -> bool {
    error.to_string().contains(" 5.7.")
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

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;

    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn a_message_has_its_row_s_name_and_both_parts() {
        let smtp = Smtp::new("smtp://127.0.0.1:1", "Upzento CRM <crm@example.com>".parse().unwrap()).unwrap();
        let message = String::from_utf8(smtp.message(&EmailMessage::sample()).unwrap().formatted()).unwrap();
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
            assert!(message.lines().any(|there| there == line), "{line} in {message}");
        }
        assert!(message.contains("Content-Type: multipart/alternative;"), "{message}");
        // Nobody listens there.
        assert_eq!(smtp.send(&EmailMessage::sample()).await, Err(SendError::Later("no connection".to_owned())));
    }

    #[tokio::test]
    async fn a_server_is_named_by_a_url() {
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

    /// A server for one connection that takes the first letter, but slowly, and none after it.
    fn slow_server() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("smtp://{}", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            let mut stream = BufReader::new(listener.accept().unwrap().0);
            stream.get_mut().write_all(b"220 here\r\n").unwrap();
            let (mut line, mut first, mut content) = (String::new(), true, false);
            while stream.read_line(&mut line).unwrap_or(0) > 0 {
                let ends = line == ".\r\n";
                let answer = match (content, ends) {
                    (true, false) => "",
                    (true, true) if first => {
                        std::thread::sleep(Duration::from_millis(300));
                        "250 taken\r\n"
                    }
                    (true, true) => "554 no\r\n",
                    (false, _) if line == "DATA\r\n" => "354 go on\r\n",
                    (false, _) => "250 fine\r\n",
                };
                stream.get_mut().write_all(answer.as_bytes()).unwrap();
                first &= !(content && ends);
                content = if content { !ends } else { line == "DATA\r\n" };
                line.clear();
            }
        });
        url
    }

    #[tokio::test]
    async fn a_letter_that_nobody_waits_for_leaves_no_answer_for_the_next() {
        let smtp = Smtp::new(&slow_server(), "crm@example.com".parse().unwrap()).unwrap();
        assert!(timeout(Duration::from_millis(100), smtp.send(&EmailMessage::sample())).await.is_err());
        tokio::time::sleep(Duration::from_millis(400)).await;
        assert_eq!(smtp.send(&EmailMessage::sample()).await, Err(SendError::Later("smtp 554".to_owned())));
    }
}
