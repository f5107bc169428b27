//! The Amazon SES transport.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_sesv2::Client;
use aws_sdk_sesv2::config::Builder;
use aws_sdk_sesv2::config::retry::RetryConfig;
use aws_sdk_sesv2::config::timeout::TimeoutConfig;
use aws_sdk_sesv2::error::{BuildError, ProvideErrorMetadata, SdkError};
use aws_sdk_sesv2::operation::send_email::SendEmailError;
use aws_sdk_sesv2::primitives::Blob;
use aws_sdk_sesv2::types::{Attachment, Body, Content, Destination, EmailContent, Message, MessageHeader};
use lettre::message::Mailbox;
use lettre::message::header::{self, Headers};

use super::{EmailMessage, Mailer, SendError};

/// The header with the id of a mail.
///
/// SES replaces the `Message-ID` header with its own.
const MAIL_ID: &str = "X-Upzento-Mail-Id";

/// A client of SES with the sender of all mail.
pub(super) struct Ses {
    client: Client,
    from: Mailbox,
}

impl Ses {
    /// Creates a client that is configured by `aws`.
    ///
    /// The SDK retries once, which covers fast failures such as a connection that was closed while the
    /// function was frozen. Other retries wait until the row is due again, because SES cannot detect
    /// duplicates.
    pub(super) fn new(aws: &SdkConfig, from: Mailbox) -> Self {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(3))
            .operation_timeout(Duration::from_secs(10))
            .build();
        let config =
            Builder::from(aws).retry_config(RetryConfig::standard().with_max_attempts(2)).timeout_config(timeouts);
        Self { client: Client::from_conf(config.build()), from }
    }
}

impl Mailer for Ses {
    async fn send(&self, message: &EmailMessage) -> Result<(), SendError> {
        let content = content(message).map_err(|_| SendError::Rejected("message".to_owned()))?;
        let request = self
            .client
            .send_email()
            .from_email_address(header_value(&message.sender(&self.from)))
            .set_reply_to_addresses(message.reply_to.as_ref().map(|address| vec![address.to_string()]))
            .destination(Destination::builder().to_addresses(message.to.to_string()).build())
            .content(content);
        // The futures of the SDK are large: boxing keeps the futures that await them small.
        Box::pin(request.send()).await.map(|_| ()).map_err(|error| classify(&error))
    }
}

fn content(message: &EmailMessage) -> Result<EmailContent, BuildError> {
    let body = Body::builder().text(utf8(&message.text)?).html(utf8(&message.html)?).build();
    let mut content = Message::builder().subject(utf8(&message.subject)?).body(body);
    for (name, value) in message.headers().into_iter().chain([(MAIL_ID, message.id.clone())]) {
        content = content.headers(MessageHeader::builder().name(name).value(value).build()?);
    }
    if let Some(file) = &message.attachment {
        let bytes = Blob::new(file.content.as_bytes());
        let file = Attachment::builder().file_name(file.name).content_type(file.media_type).raw_content(bytes);
        content = content.attachments(file.build()?);
    }
    Ok(EmailContent::builder().simple(content.build()).build())
}

fn utf8(text: &str) -> Result<Content, BuildError> {
    Content::builder().data(text).charset("UTF-8").build()
}

/// A mailbox as the one-line value of a header.
///
/// SES requires a name that is not ASCII as an encoded word (RFC 2047).
fn header_value(mailbox: &Mailbox) -> String {
    let mut headers = Headers::new();
    headers.set(header::Sender::from(mailbox.clone()));
    let folded = headers.to_string();
    folded.trim_start_matches("Sender:").replace("\r\n", "").trim().to_owned()
}

/// Classifies an error: rejected because of the message, or retryable.
///
/// Errors of the account, a limit, the network or the configuration are retryable.
fn classify(error: &SdkError<SendEmailError>) -> SendError {
    let reason = match error {
        SdkError::ConstructionFailure(_) => "the request could not be built",
        SdkError::TimeoutError(_) => "timeout",
        SdkError::DispatchFailure(_) => "no connection",
        SdkError::ResponseError(_) => "malformed response",
        _ => error.code().unwrap_or("an error without a code"),
    };
    let is_rejected = match error.as_service_error() {
        Some(SendEmailError::BadRequestException(_)) => true,
        Some(SendEmailError::MessageRejected(rejected)) => !is_unverified(rejected.message()),
        _ => false,
    };
    if is_rejected { SendError::Rejected(reason.to_owned()) } else { SendError::Retryable(reason.to_owned()) }
}

/// Whether the reason is an unverified address, which an operator can fix.
///
/// It may be the sender or, while the account is in the sandbox, the recipient. SES uses the code of a
/// rejected message, so that only the text distinguishes it (SES developer guide, "Errors").
fn is_unverified(message: Option<&str>) -> bool {
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

    /// A response: its status, its error code if any, and its body.
    type Response = (u16, &'static str, &'static str);

    const SENT: Response = (200, "", r#"{"MessageId":"0100"}"#);
    const REJECTED: Response = (400, "MessageRejected", r#"{"message":"Local address contains ada@example.org"}"#);
    const SANDBOX: Response =
        (400, "MessageRejected", r#"{"message":"Email address is not verified. The following: ada@example.org"}"#);
    const BAD: Response = (400, "BadRequestException", r#"{"message":"Missing final '@domain'"}"#);
    const THROTTLED: Response = (429, "TooManyRequestsException", r#"{"message":"Maximum sending rate exceeded."}"#);
    const PAUSED: Response = (400, "SendingPausedException", r#"{"message":"paused"}"#);
    const UNVERIFIED: Response = (400, "MailFromDomainNotVerifiedException", r#"{"message":"not verified"}"#);
    const DENIED: Response = (403, "AccessDeniedException", r#"{"message":"not authorized to perform ses:SendEmail"}"#);

    /// A server that answers one connection with each response and then closes.
    ///
    /// Its thread returns the request lines and bodies.
    fn ses(responses: Vec<Response>) -> (Ses, JoinHandle<Vec<(String, Value)>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests =
            std::thread::spawn(move || responses.into_iter().map(|response| serve(&listener, response)).collect());
        let aws = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-west-1"))
            .credentials_provider(SharedCredentialsProvider::new(Credentials::new("id", "secret", None, None, "test")))
            .endpoint_url(url)
            .build();
        (Ses::new(&aws, "Upzento CRM <crm@example.com>".parse().unwrap()), requests)
    }

    fn serve(listener: &TcpListener, (status, code, body): Response) -> (String, Value) {
        let mut stream = BufReader::new(listener.accept().unwrap().0);
        let mut read_line = || {
            let mut line = String::new();
            stream.read_line(&mut line).unwrap();
            line.trim_end().to_owned()
        };
        let request = read_line();
        let head: Vec<String> = std::iter::repeat_with(&mut read_line).take_while(|line| !line.is_empty()).collect();
        let length = head.iter().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
        let mut request_body = vec![0; length.unwrap()];
        stream.read_exact(&mut request_body).unwrap();
        let length = body.len();
        let response = format!(
            "HTTP/1.1 {status} X\r\nx-amzn-errortype: {code}\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        stream.get_mut().write_all(response.as_bytes()).unwrap();
        (request, serde_json::from_slice(&request_body).unwrap())
    }

    #[tokio::test]
    async fn message_is_sent_in_one_request() {
        let (ses, requests) = ses(vec![SENT]);
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
        assert_eq!(requests.join().unwrap(), [("POST /v2/email/outbound-emails HTTP/1.1".to_owned(), expected)]);
    }

    #[tokio::test]
    async fn full_message_has_its_sender_headers_and_file() {
        let (ses, requests) = ses(vec![SENT]);
        assert_eq!(ses.send(&EmailMessage::full_sample()).await, Ok(()));
        let (_, request) = requests.join().unwrap().remove(0);
        assert_eq!(request["ReplyToAddresses"], json!(["hello@salon.example"]));
        let from = request["FromEmailAddress"].as_str().unwrap();
        assert!(from.starts_with("=?utf-8?b?") && from.ends_with(" <crm@example.com>"), "{from}");
        let content = &request["Content"]["Simple"];
        let unsubscribe = "<https://widgets.example.com/reminders/unsubscribe?token=x>";
        assert_eq!(content["Headers"][1], json!({ "Name": "List-Unsubscribe", "Value": unsubscribe }));
        let file = &content["Attachments"][0];
        assert_eq!(
            (&file["FileName"], &file["ContentType"]),
            (&json!("appointment.ics"), &json!("text/calendar; charset=utf-8"))
        );
        assert_eq!(file["RawContent"], "QkVHSU46VkNBTEVOREFSDQpFTkQ6VkNBTEVOREFSDQo=");
    }

    #[tokio::test]
    async fn only_errors_of_the_message_are_rejected() {
        let rejected = |reason: &str| SendError::Rejected(reason.to_owned());
        let retryable = |reason: &str| SendError::Retryable(reason.to_owned());
        for (response, error) in [
            (REJECTED, rejected("MessageRejected")),
            (BAD, rejected("BadRequestException")),
            (SANDBOX, retryable("MessageRejected")),
            (PAUSED, retryable("SendingPausedException")),
            (UNVERIFIED, retryable("MailFromDomainNotVerifiedException")),
            (DENIED, retryable("AccessDeniedException")),
        ] {
            let (ses, requests) = ses(vec![response]);
            assert_eq!(ses.send(&EmailMessage::sample()).await, Err(error));
            assert_eq!(requests.join().unwrap().len(), 1);
        }
    }

    #[tokio::test]
    async fn transient_error_is_retried_once() {
        let (throttling, requests) = ses(vec![THROTTLED, SENT]);
        assert_eq!(throttling.send(&EmailMessage::sample()).await, Ok(()));
        assert_eq!(requests.join().unwrap().len(), 2);

        let (throttling, requests) = ses(vec![THROTTLED, THROTTLED]);
        let retryable = SendError::Retryable("TooManyRequestsException".to_owned());
        assert_eq!(throttling.send(&EmailMessage::sample()).await, Err(retryable));
        assert_eq!(requests.join().unwrap().len(), 2);

        let (unreachable, _) = ses(vec![]);
        assert_eq!(
            unreachable.send(&EmailMessage::sample()).await,
            Err(SendError::Retryable("no connection".to_owned()))
        );
    }

    #[test]
    fn sender_name_is_encoded_in_ascii() {
        let value = |mailbox: &str| header_value(&mailbox.parse().unwrap());
        assert_eq!(value("crm@example.com"), "crm@example.com");
        assert_eq!(value("Café <crm@example.com>"), "=?utf-8?b?Q2Fmw6k=?= <crm@example.com>");
        let long = value(&format!("{} <crm@example.com>", "Café ".repeat(20)));
        assert!(long.is_ascii() && !long.contains(['\r', '\n']) && long.ends_with(" <crm@example.com>"), "{long}");
    }
}
