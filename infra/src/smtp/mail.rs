//! A mail as a person reads it: decoded.

use chrono::Utc;
use mail_parser::{Addr, Message, MessageParser, MessagePart, PartType};
use serde::Serialize;
use shared::value::Instant;

/// A mail that the server was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Mail {
    /// Its `Message-ID` without the angle brackets; empty when it has none.
    pub id: String,
    /// Its `From`, such as `Ada <ada@example.com>`, or the envelope's sender when it has none.
    pub from: String,
    /// The envelope's recipients: whom it was sent to, whatever its headers say.
    pub to: Vec<String>,
    /// Its `Subject`.
    pub subject: String,
    /// The plain text, with `\n` for line ends.
    pub text: Option<String>,
    /// The HTML, with `\n` for line ends.
    pub html: Option<String>,
    /// When it arrived, by the system's clock.
    pub received_at: Instant,
}

impl Mail {
    /// Reads a message. What is none becomes a mail without headers.
    pub(super) fn read(sender: &str, recipients: Vec<String>, raw: &[u8]) -> Self {
        let message = MessageParser::default().parse(raw);
        let message = message.as_ref();
        Self {
            id: message.and_then(Message::message_id).unwrap_or_default().to_owned(),
            from: message.and_then(from).unwrap_or_else(|| sender.to_owned()),
            to: recipients,
            subject: message.and_then(Message::subject).unwrap_or_default().to_owned(),
            text: message.and_then(|message| message.text_bodies().find_map(text)),
            html: message.and_then(|message| message.html_bodies().find_map(html)),
            received_at: Utc::now().into(),
        }
    }
}

fn from(message: &Message<'_>) -> Option<String> {
    let Addr { name, address } = message.from()?.first()?;
    let address = address.as_deref()?;
    Some(match name {
        Some(name) => format!("{name} <{address}>"),
        None => address.to_owned(),
    })
}

/// Of a mail that has HTML only, the parser gives that as the text, too.
fn text(part: &MessagePart<'_>) -> Option<String> {
    match &part.body {
        PartType::Text(text) => Some(with_plain_line_ends(text)),
        _ => None,
    }
}

/// Of a mail that has plain text only, the parser gives that as the HTML, too.
fn html(part: &MessagePart<'_>) -> Option<String> {
    match &part.body {
        PartType::Html(html) => Some(with_plain_line_ends(html)),
        _ => None,
    }
}

fn with_plain_line_ends(text: &str) -> String {
    text.replace("\r\n", "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(raw: &str) -> Mail {
        Mail::read("sender@example.com", vec!["to@example.com".to_owned()], raw.replace('\n', "\r\n").as_bytes())
    }

    #[test]
    fn encoded_headers_and_bodies_are_decoded() {
        let mail = read(
            "Message-ID: <1@example.com>\nFrom: =?utf-8?b?w4VzYQ==?= <asa@example.com>\nSubject: =?utf-8?q?Caf=C3=A9_=E2=82=AC?=\n\
             MIME-Version: 1.0\nContent-Type: multipart/alternative; boundary=b\n\n\
             --b\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n\
             Caf=C3=A9 =\nau lait\nhttps://example.com/?a=3Db\n\
             --b\nContent-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: base64\n\nPHA+Q2Fmw6k8L3A+\n--b--\n",
        );
        assert_eq!(mail.id, "1@example.com");
        assert_eq!(mail.from, "Åsa <asa@example.com>");
        assert_eq!(mail.subject, "Café €");
        assert_eq!(mail.text.as_deref(), Some("Café au lait\nhttps://example.com/?a=b"));
        assert_eq!(mail.html.as_deref(), Some("<p>Café</p>"));
    }

    #[test]
    fn a_mail_of_one_kind_has_not_the_other() {
        let plain = read("Subject: s\n\ntext\n");
        assert_eq!((plain.text.as_deref(), plain.html), (Some("text\n"), None));
        let html = read("Content-Type: text/html\n\n<p>html</p>\n");
        assert_eq!((html.text, html.html.as_deref()), (None, Some("<p>html</p>\n")));
    }

    #[test]
    fn what_a_mail_has_not_is_empty() {
        let mail = read("");
        assert_eq!((mail.id.as_str(), mail.subject.as_str(), mail.text, mail.html), ("", "", None, None));
        assert_eq!(mail.from, "sender@example.com");
    }

    #[test]
    fn its_json_is_in_camel_case() {
        let json = serde_json::to_value(read("Subject: s\n\n")).unwrap();
        assert_eq!(json["to"], serde_json::json!(["to@example.com"]));
        assert!(json["receivedAt"].as_str().unwrap().ends_with('Z'), "{json}");
    }
}
