//! The start page of the local server.

use askama::Template;
use serde_json::json;

use super::seed::Account;
use super::{Error, Settings};

#[derive(Template)]
#[template(path = "start.html")]
struct StartPage<'a> {
    url: String,
    demo_url: String,
    accounts: &'a [Account],
    admin_email: &'a str,
    login_command: String,
}

/// Renders the start page with the accounts that can sign in.
pub(super) fn render(settings: &Settings, accounts: &[Account]) -> Result<String, Error> {
    let url = format!("http://localhost:{}", settings.port);
    let (email, password) = accounts
        .first()
        .map_or((settings.admin_email.as_str(), "…"), |account| (account.email.as_str(), account.password.as_str()));
    let login_command = login_command(&url, email, password);
    let demo_url = format!("http://localhost:{}", settings.port + 2);
    Ok(StartPage { url, demo_url, accounts, admin_email: &settings.admin_email, login_command }.render()?)
}

/// A shell command that signs in and prints the tokens.
fn login_command(url: &str, email: &str, password: &str) -> String {
    let body = json!({ "email": email, "password": password }).to_string();
    // Inside single quotes, the shell needs '\'' for a quote.
    let body = body.replace('\'', r"'\''");
    format!("curl {url}/v1/auth/login \\\n  -H 'content-type: application/json' \\\n  -d '{body}'")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn login_command_quotes_the_password_for_the_shell() {
        let command = login_command("http://localhost:3000", "ada@example.com", "it's \"quoted\"");
        assert!(command.ends_with(r#"-d '{"email":"ada@example.com","password":"it'\''s \"quoted\""}'"#), "{command}");
    }

    #[test]
    fn accounts_are_escaped_in_the_page() {
        let account =
            Account { role: "ADMIN", email: "ada@example.com".to_owned(), password: "<b>bold</b>".to_owned() };
        let page = StartPage {
            url: "http://localhost:3000".to_owned(),
            demo_url: "http://localhost:3002".to_owned(),
            accounts: &[account],
            admin_email: "ada@example.com",
            login_command: String::new(),
        };
        let html = page.render().unwrap();
        assert!(!html.contains("<b>bold"), "{html}");
    }
}
