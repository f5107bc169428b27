//! Mail through Amazon SES.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_sesv2::Client;
use aws_sdk_sesv2::config::Builder;
use aws_sdk_sesv2::config::retry::RetryConfig;
use aws_sdk_sesv2::config::timeout::TimeoutConfig;
use aws_sdk_sesv2::error::{BuildError, ProvideErrorMetadata, SdkError};
use aws_sdk_sesv2::operation::send_email::SendEmailError;
use aws_sdk_sesv2::types::{Body, Content, Destination, EmailContent, Message, MessageHeader};
use lettre::message::Mailbox;
use lettre::message::header::{self, Headers};

use crate::mailer::{Mailer, SendError};
use crate::render::{AUTO_SUBMITTED, Letter};

/// Names a mail, because SES replaces the `Message-ID` that it is given by one of its own.
const MAIL_ID: &str = "X-Upzento-Mail-Id";

/// SES, and the sender.
pub(crate) struct Ses {
    client: Client,
    from: String,
}

impl Ses {
    /// SES as `aws` reaches it. What fails quickly, as on a connection that died while the function slept, gets one more
    /// attempt; everything else waits for the row to be due again, because SES has no way to recognise a repetition.
    pub(crate) fn new(aws: &SdkConfig, from: &Mailbox) -> Self {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(3))
            .operation_timeout(Duration::from_secs(10))
            .build();
        let config =
            Builder::from(aws).retry_config(RetryConfig::standard().with_max_attempts(2)).timeout_config(timeouts);
        Self { client: Client::from_conf(config.build()), from: header_form(from) }
    }
}

impl Mailer for Ses {
    async fn send(&self, letter: &Letter) -> Result<(), SendError> {
        let content = content(letter).map_err(|_| SendError::Refused("message".to_owned()))?;
        let request = self
            .client
            .send_email()
            .from_email_address(&self.from)
            .destination(Destination::builder().to_addresses(letter.to.to_string()).build())
            .content(content);
        // The SDK's futures are large: boxed, those that wait for them stay small.
        Box::pin(request.send()).await.map(|_| ()).map_err(|error| classify(&error))
    }
}

fn content(letter: &Letter) -> Result<EmailContent, BuildError> {
    let header = |(name, value): (&str, &str)| MessageHeader::builder().name(name).value(value).build();
    let body = Body::builder().text(utf8(&letter.text)?).html(utf8(&letter.html)?).build();
    let message = Message::builder()
        .subject(utf8(letter.subject)?)
        .body(body)
        .headers(header(AUTO_SUBMITTED)?)
        .headers(header((MAIL_ID, &letter.id))?);
    Ok(EmailContent::builder().simple(message.build()).build())
}

fn utf8(text: &str) -> Result<Content, BuildError> {
    Content::builder().data(text).charset("UTF-8").build()
}

/// A mailbox as it stands in a header, on one line: SES wants a name that is not ASCII as an encoded word (RFC 2047).
fn header_form(mailbox: &Mailbox) -> String {
    let mut headers = Headers::new();
    headers.set(header::Sender::from(mailbox.clone()));
    let folded = headers.to_string();
    folded.trim_start_matches("Sender:").replace("\r\n", "").trim().to_owned()
}

/// Refused is what SES holds against the letter. All else is the account, a limit, the network or a setting.
fn classify(error: &SdkError<SendEmailError>) -> SendError {
    let reason = match error {
        SdkError::ConstructionFailure(_) => "the request could not be built",
        SdkError::TimeoutError(_) => "timeout",
        SdkError::DispatchFailure(_) => "no connection",
        SdkError::ResponseError(_) => "unreadable answer",
        _ => error.code().unwrap_or("an error without a code"),
    };
    let refused = match error.as_service_error() {
        Some(SendEmailError::BadRequestException(_)) => true,
        Some(SendEmailError::MessageRejected(rejected)) => !unverified(rejected.message()),
        _ => false,
    };
    if refused { SendError::Refused(reason.to_owned()) } else { SendError::Later(reason.to_owned()) }
}

/// Under the same code SES tells that the sender is not verified yet or, while the account is in the sandbox, the recipient:
/// somebody can mend that. Only the text of the error tells (SES developer guide, "Errors").
fn unverified(message: Option<&str>) -> bool {
    message.is_some_and(|message| message.starts_with("Email address is not verified"))
}
