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
use crate::render::{AUTO_SUBMITTED, EmailMessage};

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
    async fn send(&self, letter: &EmailMessage) -> Result<(), SendError> {
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

fn content(letter: &EmailMessage) -> Result<EmailContent, BuildError> {
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

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Read, Write};
    use std::net::TcpListener;
    use std::thread::JoinHandle;

    use aws_config::{BehaviorVersion, Region};
    use aws_sdk_sesv2::config::{Credentials, SharedCredentialsProvider};
    use serde_json::{Value, json};

    use super::*;

    /// An answer: its status, the error's code if it is one, and the body.
    type Answer = (u16, &'static str, &'static str);

    const SENT: Answer = (200, "", r#"{"MessageId":"0100"}"#);
    const REJECTED: Answer = (400, "MessageRejected", r#"{"message":"Local address contains ada@example.org"}"#);
    const SANDBOX: Answer =
        (400, "MessageRejected", r#"{"message":"Email address is not verified. The following: ada@example.org"}"#);
    const BAD: Answer = (400, "BadRequestException", r#"{"message":"Missing final '@domain'"}"#);
    const THROTTLED: Answer = (429, "TooManyRequestsException", r#"{"message":"Maximum sending rate exceeded."}"#);
    const PAUSED: Answer = (400, "SendingPausedException", r#"{"message":"paused"}"#);
    const UNVERIFIED: Answer = (400, "MailFromDomainNotVerifiedException", r#"{"message":"not verified"}"#);
    const DENIED: Answer = (403, "AccessDeniedException", r#"{"message":"not authorized to perform ses:SendEmail"}"#);

    /// SES as one test needs it: gives these answers, a connection each, then nobody is there any more. Its thread ends with
    /// what it was asked: request lines and bodies.
    fn ses(answers: Vec<Answer>) -> (Ses, JoinHandle<Vec<(String, Value)>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = std::thread::spawn(move || answers.into_iter().map(|answer| serve(&listener, answer)).collect());
        let aws = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-west-1"))
            .credentials_provider(SharedCredentialsProvider::new(Credentials::new("id", "secret", None, None, "test")))
            .endpoint_url(url)
            .build();
        (Ses::new(&aws, &"Upzento CRM <crm@example.com>".parse().unwrap()), asked)
    }

    fn serve(listener: &TcpListener, (status, code, body): Answer) -> (String, Value) {
        let mut stream = BufReader::new(listener.accept().unwrap().0);
        let mut read_line = || {
            let mut line = String::new();
            stream.read_line(&mut line).unwrap();
            line.trim_end().to_owned()
        };
        let request = read_line();
        let head: Vec<String> = std::iter::repeat_with(&mut read_line).take_while(|line| !line.is_empty()).collect();
        let length = head.iter().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
        let mut asked = vec![0; length.unwrap()];
        stream.read_exact(&mut asked).unwrap();
        let length = body.len();
        let answer = format!(
            "HTTP/1.1 {status} X\r\nx-amzn-errortype: {code}\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        stream.get_mut().write_all(answer.as_bytes()).unwrap();
        (request, serde_json::from_slice(&asked).unwrap())
    }

    #[tokio::test]
    async fn a_letter_is_one_request() {
        let (ses, asked) = ses(vec![SENT]);
        assert_eq!(ses.send(&EmailMessage::sample()).await, Ok(()));
        let utf8 = |data: &str| json!({ "Data": data, "Charset": "UTF-8" });
        let expected = json!({
            "FromEmailAddress": "\"Upzento CRM\" <crm@example.com>",
            "Destination": { "ToAddresses": ["ada@example.org"] },
            "Content": { "Simple": {
                "Subject": utf8("Your password"),
                "Body": { "Text": utf8("Hello Zoë"), "Html": utf8("<p>Hello Zoë</p>") },
                "Headers": [
                    { "Name": "Auto-Submitted", "Value": "auto-generated" },
                    { "Name": "X-Upzento-Mail-Id", "Value": "0195" },
                ],
            } },
        });
        assert_eq!(asked.join().unwrap(), [("POST /v2/email/outbound-emails HTTP/1.1".to_owned(), expected)]);
    }

    #[tokio::test]
    async fn what_ses_holds_against_a_letter_is_refused_and_nothing_else() {
        let refused = |reason: &str| SendError::Refused(reason.to_owned());
        let later = |reason: &str| SendError::Later(reason.to_owned());
        for (answer, error) in [
            (REJECTED, refused("MessageRejected")),
            (BAD, refused("BadRequestException")),
            (SANDBOX, later("MessageRejected")),
            (PAUSED, later("SendingPausedException")),
            (UNVERIFIED, later("MailFromDomainNotVerifiedException")),
            (DENIED, later("AccessDeniedException")),
        ] {
            let (ses, asked) = ses(vec![answer]);
            assert_eq!(ses.send(&EmailMessage::sample()).await, Err(error));
            assert_eq!(asked.join().unwrap().len(), 1);
        }
    }

    #[tokio::test]
    async fn what_passes_is_tried_once_more_and_then_left_for_later() {
        let (throttling, asked) = ses(vec![THROTTLED, SENT]);
        assert_eq!(throttling.send(&EmailMessage::sample()).await, Ok(()));
        assert_eq!(asked.join().unwrap().len(), 2);

        let (throttling, asked) = ses(vec![THROTTLED, THROTTLED]);
        let later = SendError::Later("TooManyRequestsException".to_owned());
        assert_eq!(throttling.send(&EmailMessage::sample()).await, Err(later));
        assert_eq!(asked.join().unwrap().len(), 2);

        let (gone, _) = ses(vec![]);
        assert_eq!(gone.send(&EmailMessage::sample()).await, Err(SendError::Later("no connection".to_owned())));
    }

    #[test]
    fn a_sender_s_name_travels_in_ascii() {
        let form = |mailbox: &str| header_form(&mailbox.parse().unwrap());
        assert_eq!(form("crm@example.com"), "crm@example.com");
        assert_eq!(form("Café <crm@example.com>"), "=?utf-8?b?Q2Fmw6k=?= <crm@example.com>");
        let long = form(&format!("{} <crm@example.com>", "Café ".repeat(20)));
        assert!(long.is_ascii() && !long.contains(['\r', '\n']) && long.ends_with(" <crm@example.com>"), "{long}");
    }
}
