//! A decoded mail.

use chrono::Utc;
use mail_parser::{Addr, Message, MessageParser, MessagePart, MimeHeaders, PartType};
use serde::Serialize;
use shared::value::Instant;

/// A mail received by the server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Mail {
    /// The `Message-ID` without angle brackets, or an empty string.
    pub id: String,
    /// The `From` header, such as `Ada <ada@example.com>`, or else the envelope sender.
    pub from: String,
    /// The address of the `Reply-To` header.
    pub reply_to: Option<String>,
    /// The envelope recipients, independent of the headers.
    pub to: Vec<String>,
    /// The `Subject`, or an empty string.
    pub subject: String,
    /// The plain text, with `\n` as line ends.
    pub text: Option<String>,
    /// The HTML, with `\n` as line ends.
    pub html: Option<String>,
    /// The URL in the `List-Unsubscribe` header, if one click on it is enough (RFC 8058).
    pub unsubscribe_url: Option<String>,
    /// The files, with `\n` as line ends.
    pub attachments: Vec<File>,
    /// Time of arrival by the system clock.
    pub received_at: Instant,
}

/// A text file of a mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct File {
    /// The file name, or an empty string.
    pub name: String,
    /// The content, with `\n` as line ends.
    pub text: String,
}

impl Mail {
    /// Parses a message. Malformed input results in a mail without headers.
    pub(super) fn parse(sender: &str, recipients: Vec<String>, raw: &[u8]) -> Self {
        let message = MessageParser::default().parse(raw);
        let message = message.as_ref();
        Self {
            id: message.and_then(Message::message_id).unwrap_or_default().to_owned(),
            from: message.and_then(from).unwrap_or_else(|| sender.to_owned()),
            reply_to: message.and_then(|message| message.reply_to()?.first()?.address().map(str::to_owned)),
            to: recipients,
            subject: message.and_then(Message::subject).unwrap_or_default().to_owned(),
            text: message.and_then(|message| message.text_bodies().find_map(text)),
            html: message.and_then(|message| message.html_bodies().find_map(html)),
            unsubscribe_url: message.and_then(unsubscribe_url),
            attachments: message.map(files).unwrap_or_default(),
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

fn unsubscribe_url(message: &Message<'_>) -> Option<String> {
    let is_one_click = message.header_raw("List-Unsubscribe-Post")?.trim() == "List-Unsubscribe=One-Click";
    let url = message.header_raw("List-Unsubscribe")?.split_whitespace().collect::<String>();
    let url = url.strip_prefix('<')?.strip_suffix('>')?.to_owned();
    is_one_click.then_some(url)
}

fn files(message: &Message<'_>) -> Vec<File> {
    let file = |part: &MessagePart<'_>| File {
        name: part.attachment_name().unwrap_or_default().to_owned(),
        text: with_plain_line_ends(&String::from_utf8_lossy(part.contents())),
    };
    message.attachments().map(file).collect()
}

/// The plain text of a part.
///
/// For a mail with HTML only, the parser returns the HTML part as the text.
fn text(part: &MessagePart<'_>) -> Option<String> {
    match &part.body {
        PartType::Text(text) => Some(with_plain_line_ends(text)),
        _ => None,
    }
}

/// The HTML of a part.
///
/// For a mail with plain text only, the parser returns the text part as the HTML.
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

    fn parse(raw: &str) -> Mail {
        Mail::parse("sender@example.com", vec!["to@example.com".to_owned()], raw.replace('\n', "\r\n").as_bytes())
    }

    #[test]
    fn encoded_headers_and_bodies_are_decoded() {
        let mail = parse(
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
    fn mail_with_one_body_type_lacks_the_other() {
        let plain = parse("Subject: s\n\ntext\n");
        assert_eq!((plain.text.as_deref(), plain.html), (Some("text\n"), None));
        let html = parse("Content-Type: text/html\n\n<p>html</p>\n");
        assert_eq!((html.text, html.html.as_deref()), (None, Some("<p>html</p>\n")));
    }

    #[test]
    fn missing_headers_and_bodies_are_empty() {
        let mail = parse("");
        assert_eq!((mail.id.as_str(), mail.subject.as_str(), mail.text, mail.html), ("", "", None, None));
        assert_eq!(mail.from, "sender@example.com");
    }

    #[test]
    fn json_field_names_are_in_camel_case() {
        let json = serde_json::to_value(parse("Subject: s\n\n")).unwrap();
        assert_eq!(json["to"], serde_json::json!(["to@example.com"]));
        assert!(json["receivedAt"].as_str().unwrap().ends_with('Z'), "{json}");
    }
}
