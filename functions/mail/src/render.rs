//! Renders a mail into a message: subject, text and HTML.

use askama::Template;
use shared::mail::{GreetingName, Mail, Message};
use shared::mailer::{EmailMessage, SendError, mail_address};
use shared::value::Instant;

/// The base of the links in mails.
pub(crate) struct Links {
    app_url: String,
}

/// The variables of the templates with a link.
#[derive(Clone)]
struct TemplateContext {
    greeting: String,
    link: String,
    until: String,
}

#[derive(Template)]
enum Text {
    #[template(path = "invitation.txt")]
    Invitation { context: TemplateContext },
    #[template(path = "password_reset.txt")]
    PasswordReset { context: TemplateContext },
    #[template(path = "email_changed.txt")]
    EmailChanged { greeting: String },
    #[template(path = "password_changed.txt")]
    PasswordChanged { greeting: String },
}

#[derive(Template)]
enum Html {
    #[template(path = "invitation.html")]
    Invitation { context: TemplateContext },
    #[template(path = "password_reset.html")]
    PasswordReset { context: TemplateContext },
    #[template(path = "email_changed.html")]
    EmailChanged { greeting: String },
    #[template(path = "password_changed.html")]
    PasswordChanged { greeting: String },
}

impl Links {
    /// Links into the application at this URL; `None` if it is not a web address.
    pub(crate) fn new(app_url: &str) -> Option<Self> {
        let host = app_url.strip_prefix("https://").or_else(|| app_url.strip_prefix("http://"))?;
        let app_url = app_url.trim_end_matches('/').to_owned();
        (!host.trim_matches('/').is_empty()).then_some(Self { app_url })
    }

    /// The URL of a page with a token, which is base64url and needs no escaping.
    fn page(&self, name: &str, token: &str) -> String {
        format!("{}/{name}?token={token}", self.app_url)
    }
}

/// The message with the mail of the row `id`; `None` for a placeholder.
pub(crate) fn to_message(id: &str, mail: &Mail, links: &Links) -> Result<Option<EmailMessage>, SendError> {
    let rendered = render(mail, links).map_err(|_| SendError::Rejected("template".to_owned()))?;
    let Some((subject, text, html)) = rendered else { return Ok(None) };
    let to = mail_address(&mail.to).ok_or_else(|| SendError::Rejected("address".to_owned()))?;
    Ok(Some(EmailMessage {
        id: id.to_owned(),
        from_name: None,
        to,
        reply_to: None,
        subject: subject.to_owned(),
        text,
        html,
        unsubscribe_url: None,
        attachment: None,
    }))
}

fn render(mail: &Mail, links: &Links) -> askama::Result<Option<(&'static str, String, String)>> {
    let context = |name: &GreetingName, link| TemplateContext {
        greeting: greeting(name),
        link,
        until: format_instant(mail.until),
    };
    let (subject, text, html) = match &mail.message {
        Message::Placeholder => return Ok(None),
        Message::Invitation { name, token } => {
            let context = context(name, links.page("accept-invitation", token));
            let text = Text::Invitation { context: context.clone() };
            ("Your invitation to Upzento CRM", text, Html::Invitation { context })
        }
        Message::PasswordReset { name, token } => {
            let context = context(name, links.page("reset-password", token));
            let text = Text::PasswordReset { context: context.clone() };
            ("Choose a new password for Upzento CRM", text, Html::PasswordReset { context })
        }
        Message::EmailChanged { name } => {
            let text = Text::EmailChanged { greeting: greeting(name) };
            ("Your Upzento CRM email was changed", text, Html::EmailChanged { greeting: greeting(name) })
        }
        Message::PasswordChanged { name } => {
            let text = Text::PasswordChanged { greeting: greeting(name) };
            ("Your Upzento CRM password was changed", text, Html::PasswordChanged { greeting: greeting(name) })
        }
    };
    Ok(Some((subject, text.render()?, html.render()?)))
}

/// The greeting at the start of a mail.
fn greeting(name: &GreetingName) -> String {
    name.as_deref().map_or_else(|| "Hello".to_owned(), |name| format!("Hello {name}"))
}

/// An instant in words, such as `8 March 2026, 06:30 UTC`.
fn format_instant(instant: Instant) -> String {
    instant.to_utc().format("%-d %B %Y, %H:%M UTC").to_string()
}

#[cfg(test)]
mod tests {
    use expect_test::{ExpectFile, expect_file};

    use super::*;

    const TOKEN: &str = "aB3-_x";

    fn render_message(message: Message) -> EmailMessage {
        let until = "2026-03-08T06:30:59Z".parse().unwrap();
        let mail = Mail { to: "Ada@example.com".parse().unwrap(), message, until };
        to_message("0195", &mail, &Links::new("https://app.example.com/").unwrap()).unwrap().unwrap()
    }

    fn name(name: &str) -> GreetingName {
        GreetingName::from(&name.parse().unwrap())
    }

    fn invitation(first_name: &str) -> EmailMessage {
        render_message(Message::Invitation { name: name(first_name), token: TOKEN.to_owned() })
    }

    /// Compares a mail with its snapshot. `UPDATE_EXPECT=1` writes the snapshot.
    fn assert_snapshot(message: &EmailMessage, snapshot: &ExpectFile) {
        snapshot.assert_eq(&format!("{}\n\n{}\n{}", message.subject, message.text, message.html));
    }

    #[test]
    fn invitation_matches_snapshot() {
        let message = invitation("Ada");
        assert_eq!(message.id, "0195");
        assert_snapshot(&message, &expect_file!["../snapshots/invitation.txt"]);
    }

    #[test]
    fn password_reset_matches_snapshot() {
        let message = render_message(Message::PasswordReset { name: name("Ada"), token: TOKEN.to_owned() });
        assert_snapshot(&message, &expect_file!["../snapshots/password_reset.txt"]);
    }

    #[test]
    fn password_changed_matches_snapshot_and_has_no_link() {
        let message = render_message(Message::PasswordChanged { name: name("Ada") });
        assert_snapshot(&message, &expect_file!["../snapshots/password_changed.txt"]);
        assert_no_link(&message);
    }

    #[test]
    fn email_changed_matches_snapshot_and_has_no_link() {
        let message = render_message(Message::EmailChanged { name: name("Ada") });
        assert_snapshot(&message, &expect_file!["../snapshots/email_changed.txt"]);
        assert_no_link(&message);
    }

    fn assert_no_link(message: &EmailMessage) {
        for part in [&message.text, &message.html] {
            assert!(!part.contains("href") && !part.contains("://"), "{part}");
        }
    }

    #[test]
    fn name_is_escaped_in_html_only() {
        let rendered = invitation("Zoë O'Hara");
        assert!(rendered.text.starts_with("Hello Zoë O'Hara,\n"), "{}", rendered.text);
        assert!(rendered.html.contains("<p>Hello Zoë O&#39;Hara,</p>"), "{}", rendered.html);
    }

    #[test]
    fn unsuitable_name_is_left_out() {
        let rendered = invitation("<b>https://evil.example</b>");
        assert!(rendered.text.starts_with("Hello,\n") && !rendered.text.contains("evil"), "{}", rendered.text);
        assert!(rendered.html.contains("<p>Hello,</p>") && !rendered.html.contains("evil"), "{}", rendered.html);
    }

    #[test]
    fn html_is_one_document_without_external_resources() {
        let html = invitation("Ada").html;
        assert!(
            html.starts_with("<!doctype html>\n<html lang=\"en\">") && html.trim_end().ends_with("</html>"),
            "{html}"
        );
        assert!(html.contains("<title>Your invitation to Upzento CRM</title>"), "{html}");
        for loads in ["<img", "src=", "<link", "@import", "url("] {
            assert!(!html.contains(loads), "{loads}");
        }
    }

    #[test]
    fn links_require_a_web_address() {
        let page = |app_url| Links::new(app_url).map(|links| links.page("p", "t"));
        assert_eq!(page("http://localhost:3002").unwrap(), "http://localhost:3002/p?token=t");
        assert_eq!(page("https://example.com/crm//").unwrap(), "https://example.com/crm/p?token=t");
        for bad in ["", "https://", "https:///", "app.example.com", "javascript:alert(1)"] {
            assert_eq!(page(bad), None, "{bad}");
        }
    }
}
