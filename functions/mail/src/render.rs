//! What a mail says, as its recipient reads it.

use askama::Template;
use lettre::Address;
use serde_json::Value;
use shared::mail::{Mail, Message};
use shared::value::{Email, Instant, Name};

use crate::mailer::SendError;

/// Keeps the absent from answering us (RFC 3834, 5).
pub(crate) const AUTO_SUBMITTED: (&str, &str) = ("Auto-Submitted", "auto-generated");

/// A mail, ready to be sent.
pub(crate) struct Letter {
    /// The id of its row, which it keeps however often it is sent.
    pub(crate) id: String,
    pub(crate) to: Address,
    pub(crate) subject: &'static str,
    pub(crate) text: String,
    pub(crate) html: String,
}

/// What the links in mails begin with.
pub(crate) struct Links {
    app_url: String,
}

/// What the templates tell.
#[derive(Clone)]
struct Facts {
    first_name: Name,
    link: String,
    until: String,
}

#[derive(Template)]
enum Text {
    #[template(path = "invitation.txt")]
    Invitation { facts: Facts },
    #[template(path = "password_reset.txt")]
    PasswordReset { facts: Facts },
    #[template(path = "password_changed.txt")]
    PasswordChanged { first_name: Name },
}

#[derive(Template)]
enum Html {
    #[template(path = "invitation.html")]
    Invitation { facts: Facts },
    #[template(path = "password_reset.html")]
    PasswordReset { facts: Facts },
    #[template(path = "password_changed.html")]
    PasswordChanged { first_name: Name },
}

impl Links {
    /// Links into the application at this address; `None` if it is no address of a web page.
    pub(crate) fn new(app_url: &str) -> Option<Self> {
        let host = app_url.strip_prefix("https://").or_else(|| app_url.strip_prefix("http://"))?;
        let app_url = app_url.trim_end_matches('/').to_owned();
        (!host.trim_matches('/').is_empty()).then_some(Self { app_url })
    }

    /// A page of the application for the bearer of a token, which is base64url and so needs no escaping.
    fn page(&self, name: &str, token: &str) -> String {
        format!("{}/{name}?token={token}", self.app_url)
    }
}

impl Letter {
    /// The letter of the row `id`.
    pub(crate) fn new(id: &str, mail: &Mail, links: &Links) -> Result<Self, SendError> {
        let (subject, text, html) = render(mail, links).map_err(|_| SendError::Refused("template".to_owned()))?;
        let to = address(&mail.to).ok_or_else(|| SendError::Refused("address".to_owned()))?;
        Ok(Self { id: id.to_owned(), to, subject, text, html })
    }
}

fn render(mail: &Mail, links: &Links) -> askama::Result<(&'static str, String, String)> {
    let facts = |first_name: &Name, link| Facts { first_name: first_name.clone(), link, until: words(mail.until) };
    let (subject, text, html) = match &mail.message {
        Message::Invitation { first_name, token } => {
            let facts = facts(first_name, links.page("accept-invitation", token));
            let text = Text::Invitation { facts: facts.clone() };
            ("Your invitation to Upzento CRM", text, Html::Invitation { facts })
        }
        Message::PasswordReset { first_name, token } => {
            let facts = facts(first_name, links.page("reset-password", token));
            let text = Text::PasswordReset { facts: facts.clone() };
            ("Choose a new password for Upzento CRM", text, Html::PasswordReset { facts })
        }
        Message::PasswordChanged { first_name } => {
            let text = Text::PasswordChanged { first_name: first_name.clone() };
            ("Your Upzento CRM password was changed", text, Html::PasswordChanged { first_name: first_name.clone() })
        }
    };
    Ok((subject, text.render()?, html.render()?))
}

/// An instant as people say it, such as `8 March 2026, 06:30 UTC`.
fn words(instant: Instant) -> String {
    instant.to_utc().format("%-d %B %Y, %H:%M UTC").to_string()
}

/// An address as mail servers take it: a domain that is not ASCII goes as Punycode.
fn address(email: &Email) -> Option<Address> {
    let Ok(Value::String(email)) = serde_json::to_value(email) else { return None };
    let (user, domain) = email.rsplit_once('@')?;
    Address::new(user, idna::domain_to_ascii(domain).ok()?).ok()
}
