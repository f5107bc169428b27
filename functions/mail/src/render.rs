//! What a mail says, as its recipient reads it.

use askama::Template;
use lettre::Address;
use shared::mail::{Mail, Message};
use shared::value::{Email, Instant, Name};

use crate::mailer::SendError;

/// Keeps the absent from answering us (RFC 3834, 5).
pub(crate) const AUTO_SUBMITTED: (&str, &str) = ("Auto-Submitted", "auto-generated");

/// A mail, ready to be sent.
pub(crate) struct EmailMessage {
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
struct TemplateContext {
    greeting: String,
    link: String,
    until: String,
}

#[derive(Template)]
enum Text {
    #[template(path = "invitation.txt")]
    Invitation { facts: TemplateContext },
    #[template(path = "password_reset.txt")]
    PasswordReset { facts: TemplateContext },
    #[template(path = "email_changed.txt")]
    EmailChanged { greeting: String },
    #[template(path = "password_changed.txt")]
    PasswordChanged { greeting: String },
}

#[derive(Template)]
enum Html {
    #[template(path = "invitation.html")]
    Invitation { facts: TemplateContext },
    #[template(path = "password_reset.html")]
    PasswordReset { facts: TemplateContext },
    #[template(path = "email_changed.html")]
    EmailChanged { greeting: String },
    #[template(path = "password_changed.html")]
    PasswordChanged { greeting: String },
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

impl EmailMessage {
    /// The letter of the row `id`.
    pub(crate) fn new(id: &str, mail: &Mail, links: &Links) -> Result<Self, SendError> {
        let (subject, text, html) = render(mail, links).map_err(|_| SendError::Refused("template".to_owned()))?;
        let to = address(&mail.to).ok_or_else(|| SendError::Refused("address".to_owned()))?;
        Ok(Self { id: id.to_owned(), to, subject, text, html })
    }
}

#[cfg(test)]
impl EmailMessage {
    /// One for the tests of those that send letters.
    pub(crate) fn sample() -> Self {
        Self {
            id: "0195".to_owned(),
            to: Address::new("ada", "example.org").unwrap(),
            subject: "Your password",
            text: "Hello Zoë".to_owned(),
            html: "<p>Hello Zoë</p>".to_owned(),
        }
    }
}

fn render(mail: &Mail, links: &Links) -> askama::Result<(&'static str, String, String)> {
    let facts =
        |first_name: &Name, link| TemplateContext { greeting: greeting(first_name), link, until: words(mail.until) };
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
        Message::EmailChanged { first_name } => {
            let text = Text::EmailChanged { greeting: greeting(first_name) };
            ("Your Upzento CRM email was changed", text, Html::EmailChanged { greeting: greeting(first_name) })
        }
        Message::PasswordChanged { first_name } => {
            let text = Text::PasswordChanged { greeting: greeting(first_name) };
            ("Your Upzento CRM password was changed", text, Html::PasswordChanged { greeting: greeting(first_name) })
        }
    };
    Ok((subject, text.render()?, html.render()?))
}

/// How a mail begins. Somebody else gave the name, and may have given one that a mail program makes a link of: that is left out.
fn greeting(first_name: &Name) -> String {
    let name = first_name.to_string();
    let links = name.contains(['.', '/', ':', '@', '\\']);
    if links { "Hello".to_owned() } else { format!("Hello {name}") }
}

/// An instant as people say it, such as `8 March 2026, 06:30 UTC`.
fn words(instant: Instant) -> String {
    instant.to_utc().format("%-d %B %Y, %H:%M UTC").to_string()
}

fn address(email: &Email) -> Option<Address> {
    let (user, domain) = email.as_str().rsplit_once('@')?;
    ascii(user, domain)
}

/// An address as mail servers take it: a domain that is not ASCII goes as Punycode.
pub(crate) fn ascii(user: &str, domain: &str) -> Option<Address> {
    Address::new(user, idna::domain_to_ascii(domain).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "aB3-_x";

    fn letter(message: Message) -> EmailMessage {
        let until = "2026-03-08T06:30:59Z".parse().unwrap();
        let mail = Mail { to: "Ada@example.com".parse().unwrap(), message, until };
        EmailMessage::new("0195", &mail, &Links::new("https://app.example.com/").unwrap()).unwrap()
    }

    fn invitation(first_name: &str) -> EmailMessage {
        letter(Message::Invitation { first_name: first_name.parse().unwrap(), token: TOKEN.to_owned() })
    }

    /// The lines of a letter's two parts, without what only shapes them.
    fn lines(part: &str) -> Vec<&str> {
        part.lines().map(str::trim).filter(|line| !line.is_empty()).collect()
    }

    #[test]
    fn an_invitation_leads_to_its_page_and_says_until_when() {
        let letter = invitation("Ada");
        assert_eq!((letter.id.as_str(), letter.subject), ("0195", "Your invitation to Upzento CRM"));
        let text = lines(&letter.text);
        assert_eq!(text[0], "Hello Ada,");
        assert_eq!(text[3], "https://app.example.com/accept-invitation?token=aB3-_x");
        assert_eq!(text[4], "The link works once, until 8 March 2026, 06:30 UTC.");
        assert!(text[6].starts_with("If you did not expect this invitation, ignore this mail"), "{text:?}");
        let html = lines(&letter.html);
        let action = r#"<p><a class="action" href="https://app.example.com/accept-invitation?token=aB3-_x">Choose a password</a></p>"#;
        for line in ["<p>Hello Ada,</p>", action] {
            assert!(html.contains(&line), "{}", letter.html);
        }
        assert!(letter.html.contains("<p>The link works once, until 8 March 2026, 06:30 UTC."), "{}", letter.html);
    }

    #[test]
    fn a_reset_leads_to_its_page_and_comforts_who_did_not_ask() {
        let letter = letter(Message::PasswordReset { first_name: "Ada".parse().unwrap(), token: TOKEN.to_owned() });
        assert_eq!(letter.subject, "Choose a new password for Upzento CRM");
        for part in [&letter.text, &letter.html] {
            assert!(part.contains("https://app.example.com/reset-password?token=aB3-_x"), "{part}");
            assert!(part.contains("until 8 March 2026, 06:30 UTC"), "{part}");
            assert!(part.contains("your password stays as it is"), "{part}");
        }
    }

    #[test]
    fn a_change_is_told_without_a_link() {
        let letter = letter(Message::PasswordChanged { first_name: "Ada".parse().unwrap() });
        assert_eq!(letter.subject, "Your Upzento CRM password was changed");
        for part in [&letter.text, &letter.html] {
            assert!(part.contains("tell your administrator"), "{part}");
            assert!(!part.contains("href") && !part.contains("://"), "{part}");
        }
    }

    #[test]
    fn a_name_is_text_in_both_parts() {
        let letter = invitation(r#"<script>alert("1")<b> & Söhne"#);
        assert!(letter.text.starts_with("Hello <script>alert(\"1\")<b> & Söhne,\n"), "{}", letter.text);
        let escaped = "<p>Hello &#60;script&#62;alert(&#34;1&#34;)&#60;b&#62; &#38; Söhne,</p>";
        assert!(letter.html.contains(escaped) && !letter.html.contains("<script"), "{}", letter.html);
    }

    #[test]
    fn html_is_one_document_that_loads_nothing() {
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
    fn an_address_keeps_its_case_and_travels_in_ascii() {
        assert_eq!(invitation("Ada").to.to_string(), "Ada@example.com");
        assert_eq!(address(&"ada@bücher.example".parse().unwrap()).unwrap().to_string(), "ada@xn--bcher-kva.example");
    }

    #[test]
    fn links_begin_with_a_web_address() {
        let page = |app_url| Links::new(app_url).map(|links| links.page("p", "t"));
        assert_eq!(page("http://localhost:3002").unwrap(), "http://localhost:3002/p?token=t");
        assert_eq!(page("https://example.com/crm//").unwrap(), "https://example.com/crm/p?token=t");
        for none in ["", "https://", "https:///", "app.example.com", "javascript:alert(1)"] {
            assert_eq!(page(none), None, "{none}");
        }
    }

    #[test]
    fn a_name_that_a_mail_program_would_make_a_link_of_is_left_out() {
        let greeting = |name: &str| greeting(&name.parse().unwrap());
        assert_eq!(greeting("Zoë-Ann O'Hara"), "Hello Zoë-Ann O'Hara");
        for name in ["evil.example", "https://evil", "a@b", "call 555/1234"] {
            assert_eq!(greeting(name), "Hello", "{name}");
        }
    }
}
