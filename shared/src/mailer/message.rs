//! Messages that are ready to be sent.

use lettre::Address;
use lettre::message::Mailbox;

use crate::value::Email;

/// The header that prevents automatic replies (RFC 3834, 5).
const AUTO_SUBMITTED: (&str, &str) = ("Auto-Submitted", "auto-generated");

/// A message that is ready to be sent.
#[derive(Clone, Debug)]
pub struct EmailMessage {
    /// The id, which does not change between attempts: part of the `Message-ID` or of another header.
    pub id: String,
    /// The name of the sender. Default: that of the deployment's sender.
    pub from_name: Option<String>,
    /// The recipient.
    pub to: Address,
    /// The address for replies. Default: that of the sender.
    pub reply_to: Option<Address>,
    /// The subject.
    pub subject: String,
    /// The plain text.
    pub text: String,
    /// The HTML.
    pub html: String,
    /// The URL that stops mails of this kind with one click (RFC 8058).
    pub unsubscribe_url: Option<String>,
    /// A file.
    pub attachment: Option<Attachment>,
}

/// A text file of a message.
#[derive(Clone, Debug)]
pub struct Attachment {
    /// The name of the file.
    pub name: &'static str,
    /// The media type.
    pub media_type: &'static str,
    /// The content.
    pub content: String,
}

impl EmailMessage {
    /// The sender of this message: the address of the deployment's sender, with the name of the message.
    pub(super) fn sender(&self, from: &Mailbox) -> Mailbox {
        // Line ends would begin another header.
        let name = self.from_name.as_ref().map(|name| name.replace(char::is_control, " "));
        Mailbox::new(name.or_else(|| from.name.clone()), from.email.clone())
    }

    /// The headers beside those that every message has.
    pub(super) fn headers(&self) -> Vec<(&'static str, String)> {
        let unsubscribe = self.unsubscribe_url.as_ref().map(|url| {
            [
                ("List-Unsubscribe", format!("<{url}>")),
                ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click".to_owned()),
            ]
        });
        let (name, value) = AUTO_SUBMITTED;
        [(name, value.to_owned())].into_iter().chain(unsubscribe.into_iter().flatten()).collect()
    }
}

#[cfg(test)]
impl EmailMessage {
    /// A message for the tests of transports.
    pub(super) fn sample() -> Self {
        Self {
            id: "0195".to_owned(),
            from_name: None,
            to: Address::new("ada", "example.org").unwrap(),
            reply_to: None,
            subject: "Your password".to_owned(),
            text: "Hello Zoë".to_owned(),
            html: "<p>Hello Zoë</p>".to_owned(),
            unsubscribe_url: None,
            attachment: None,
        }
    }

    /// A message with everything that a message can have.
    pub(super) fn full_sample() -> Self {
        Self {
            from_name: Some("Salon Zoë\r\nBcc: eve@example.org".to_owned()),
            reply_to: Some(Address::new("hello", "salon.example").unwrap()),
            unsubscribe_url: Some("https://widgets.example.com/reminders/unsubscribe?token=x".to_owned()),
            attachment: Some(Attachment {
                name: "appointment.ics",
                media_type: "text/calendar; charset=utf-8",
                content: "BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n".to_owned(),
            }),
            ..Self::sample()
        }
    }
}

/// A mail address with its domain in ASCII (Punycode), as mail servers require; `None` if there is none.
pub fn mail_address(email: &Email) -> Option<Address> {
    let (user, domain) = email.as_str().rsplit_once('@')?;
    ascii(user, domain)
}

pub(super) fn ascii(user: &str, domain: &str) -> Option<Address> {
    Address::new(user, idna::domain_to_ascii(domain).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_keeps_its_case_with_an_ascii_domain() {
        assert_eq!(mail_address(&"Ada@example.com".parse().unwrap()).unwrap().to_string(), "Ada@example.com");
        assert_eq!(
            mail_address(&"ada@bücher.example".parse().unwrap()).unwrap().to_string(),
            "ada@xn--bcher-kva.example"
        );
    }
}
