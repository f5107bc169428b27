//! Sending of messages over SMTP or through Amazon SES.
//!
//! Only the functions that send mail have this module (feature `mailer`).

mod message;
mod ses;
mod smtp;

use aws_config::SdkConfig;
use lettre::message::Mailbox;

use message::ascii;
pub use message::{Attachment, EmailMessage, mail_address};
use ses::Ses;
use smtp::Smtp;

use crate::web::variable;

/// Sends messages.
pub trait Mailer: Send + Sync {
    /// Hands a message over for delivery.
    fn send(&self, message: &EmailMessage) -> impl Future<Output = Result<(), SendError>> + Send;
}

/// Why a message was not sent, with a short reason for the log.
///
/// The reason never repeats the text of a server's response, which may contain the address.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The address or the message was rejected. A retry would be rejected too.
    #[error("{0}")]
    Rejected(String),
    /// The connection or the configuration failed. A retry may succeed.
    #[error("{0}")]
    Retryable(String),
}

/// The configuration of the transport, set in the environment by the template.
#[derive(Clone)]
pub struct MailerConfig {
    /// `MAIL_FROM`: the sender, such as `Upzento CRM <crm@example.com>`.
    pub mail_from: String,
    /// `SMTP_URL`: the SMTP server, such as `smtps://user:password@smtp.example.com`.
    ///
    /// Mail is sent through SES if it is not set.
    pub smtp_url: Option<String>,
}

/// Why a transport cannot start.
///
/// The message never repeats a setting, because `SMTP_URL` contains a password.
#[derive(Debug, thiserror::Error)]
pub enum MailerError {
    /// An environment variable is missing.
    #[error(transparent)]
    Setting(#[from] crate::web::StartError),
    /// `MAIL_FROM` is not a mailbox.
    #[error("MAIL_FROM does not have the form: Name <address>")]
    MailFrom,
    /// `SMTP_URL` is not the URL of a server.
    #[error("SMTP_URL does not have the form: smtps://user:password@host:port or smtp://host:port?tls=required")]
    SmtpUrl,
}

impl MailerConfig {
    /// Reads the configuration from the environment.
    pub fn from_env() -> Result<Self, MailerError> {
        let smtp_url = std::env::var("SMTP_URL").ok().filter(|url| !url.is_empty());
        Ok(Self { mail_from: variable("MAIL_FROM")?, smtp_url })
    }
}

/// The transport of this deployment.
pub struct Transport(Kind);

enum Kind {
    Smtp(Smtp),
    Ses(Ses),
}

impl Transport {
    /// Creates the transport; `aws` configures SES, which is used if there is no SMTP server.
    ///
    /// Must be called within a Tokio runtime, because a task keeps the connections to an SMTP server.
    pub fn new(config: &MailerConfig, aws: &SdkConfig) -> Result<Self, MailerError> {
        let from = sender(&config.mail_from).ok_or(MailerError::MailFrom)?;
        Ok(Self(match &config.smtp_url {
            Some(url) => Kind::Smtp(Smtp::new(url, from).map_err(|_| MailerError::SmtpUrl)?),
            None => Kind::Ses(Ses::new(aws, from)),
        }))
    }
}

impl Mailer for Transport {
    async fn send(&self, message: &EmailMessage) -> Result<(), SendError> {
        match &self.0 {
            Kind::Smtp(smtp) => smtp.send(message).await,
            Kind::Ses(ses) => ses.send(message).await,
        }
    }
}

fn sender(mail_from: &str) -> Option<Mailbox> {
    let Mailbox { name, email } = mail_from.parse().ok()?;
    Some(Mailbox::new(name, ascii(email.user(), email.domain())?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sender_requires_an_address() {
        let parse = |mail_from| sender(mail_from).map(|mailbox| (mailbox.name, mailbox.email.to_string()));
        let address = "crm@xn--bcher-kva.example".to_owned();
        assert_eq!(parse("Upzento CRM <crm@bücher.example>"), Some((Some("Upzento CRM".to_owned()), address.clone())));
        assert_eq!(parse("crm@bücher.example"), Some((None, address)));
        for bad in ["", "Upzento CRM", "Upzento CRM <>", "Upzento CRM <crm@>"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    /// The template puts the name in quotes.
    #[test]
    fn sender_may_have_a_quoted_name() {
        for name in ["Upzento CRM", "Smith, Jones & Co.", "Müller @ Söhne"] {
            let mailbox = sender(&format!("\"{name}\" <crm@example.com>")).unwrap();
            assert_eq!((mailbox.name.as_deref(), mailbox.email.as_ref()), (Some(name), "crm@example.com"));
        }
    }
}
