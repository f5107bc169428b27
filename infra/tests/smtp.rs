//! The outbox, with a real SMTP client and with raw connections.

#![expect(clippy::unwrap_used, reason = "a test may fail by panicking")]

use infra::smtp::{Outbox, Refusal};
use lettre::message::{MultiPart, header};
use lettre::transport::smtp::Error;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufStream};
use tokio::net::TcpStream;

const ADA: &str = "ada@example.com";

fn message(to: &str, text: &str) -> Message {
    let message = Message::builder().from("Upzento CRM <crm@localhost.example>".parse().unwrap());
    let message = message.to(to.parse().unwrap()).subject("Grüße, 你好").message_id(Some("<1@example.com>".to_owned()));
    message.multipart(MultiPart::alternative_plain_html(text.to_owned(), format!("<p>{text}</p>"))).unwrap()
}

async fn send(outbox: &Outbox, message: Message) -> Result<(), Error> {
    let url = outbox.url();
    let (host, port) = url.strip_prefix("smtp://").unwrap().split_once(':').unwrap();
    let client = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host).port(port.parse().unwrap());
    client.build().send(message).await.map(drop)
}

/// A raw connection.
struct Raw(BufStream<TcpStream>);

impl Raw {
    async fn connect(outbox: &Outbox) -> Self {
        let address = outbox.url().replace("smtp://", "");
        let mut raw = Self(BufStream::new(TcpStream::connect(address).await.unwrap()));
        assert!(raw.reply().await.starts_with("220 "));
        raw
    }

    async fn write(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.unwrap();
        self.0.flush().await.unwrap();
    }

    async fn reply(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).await.unwrap();
        line
    }

    /// Sends a line and returns the reply code.
    async fn send_line(&mut self, line: &str) -> String {
        self.write(format!("{line}\r\n").as_bytes()).await;
        self.reply().await.split(' ').next().unwrap().to_owned()
    }
}

#[tokio::test]
async fn received_mail_is_decoded() {
    let outbox = Outbox::start().unwrap();
    let text = "Hello, Åsa.\n\n.hidden\nhttps://example.com/?token=abc&x=1";
    send(&outbox, message(ADA, text)).await.unwrap();
    let mails = outbox.mails();
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0].id, "1@example.com");
    assert_eq!(mails[0].from, "Upzento CRM <crm@localhost.example>");
    assert_eq!(mails[0].to, [ADA]);
    assert_eq!(mails[0].subject, "Grüße, 你好");
    assert_eq!(mails[0].text.as_deref().map(str::trim_end), Some(text));
    assert_eq!(mails[0].html.as_deref().map(str::trim_end), Some(format!("<p>{text}</p>").as_str()));
}

#[tokio::test]
async fn mails_are_listed_newest_first_and_by_recipient() {
    let outbox = Outbox::start().unwrap();
    for (to, text) in [(ADA, "one"), ("ben@example.com", "two"), (ADA, "three")] {
        send(&outbox, message(to, text)).await.unwrap();
    }
    let texts = |mails: Vec<infra::smtp::Mail>| -> Vec<String> {
        mails.into_iter().map(|mail| mail.text.unwrap().trim_end().to_owned()).collect()
    };
    assert_eq!(texts(outbox.mails()), ["three", "two", "one"]);
    assert_eq!(texts(outbox.mails_to("Ada@Example.com")), ["three", "one"]);
    assert_eq!(texts(outbox.mails_to("unknown@example.com")), Vec::<String>::new());
}

#[tokio::test]
async fn refused_recipient_is_rejected_until_accepted() {
    let outbox = Outbox::start().unwrap();
    outbox.refuse("Ada@example.com", Refusal::Temporary);
    let error = send(&outbox, message(ADA, "one")).await.unwrap_err();
    assert!(error.is_transient(), "{error:?}");
    outbox.refuse(ADA, Refusal::Permanent);
    let error = send(&outbox, message(ADA, "two")).await.unwrap_err();
    assert!(error.is_permanent(), "{error:?}");
    assert_eq!(outbox.mails(), []);
    outbox.accept(ADA);
    send(&outbox, message(ADA, "three")).await.unwrap();
    assert_eq!(outbox.mails_to(ADA).len(), 1);
}

#[tokio::test]
async fn large_mail_is_stored_completely() {
    let outbox = Outbox::start().unwrap();
    let text = "0123456789abcdef\n".repeat(60_000);
    let mut plain = Message::builder().from(ADA.parse().unwrap()).to(ADA.parse().unwrap());
    plain = plain.subject("large").header(header::ContentType::TEXT_PLAIN);
    send(&outbox, plain.body(text.clone()).unwrap()).await.unwrap();
    assert!(outbox.mails()[0].text.as_deref().map(str::trim_end) == Some(text.trim_end()));
}

#[tokio::test]
async fn concurrent_clients_are_served() {
    let outbox = Outbox::start().unwrap();
    let mut idle = Vec::new();
    for _ in 0..20 {
        idle.push(Raw::connect(&outbox).await);
    }
    send(&outbox, message(ADA, "text")).await.unwrap();
    assert_eq!(outbox.mails().len(), 1);
}

#[tokio::test]
async fn commands_out_of_sequence_are_rejected() {
    let outbox = Outbox::start().unwrap();
    let mut raw = Raw::connect(&outbox).await;
    assert_eq!(raw.send_line("HELO me").await, "250");
    assert_eq!(raw.send_line("RCPT TO:<ada@example.com>").await, "503");
    assert_eq!(raw.send_line("DATA").await, "503");
    assert_eq!(raw.send_line("mail from:<> SIZE=10").await, "250");
    assert_eq!(raw.send_line("MAIL FROM:<ada@example.com>").await, "503");
    assert_eq!(raw.send_line("RCPT TO:ada@example.com").await, "501");
    assert_eq!(raw.send_line("RCPT TO:<>").await, "501");
    assert_eq!(raw.send_line("VRFY ada").await, "500");
    assert_eq!(raw.send_line("RCPT TO:<ada@example.com>").await, "250");
    assert_eq!(raw.send_line("RSET").await, "250");
    assert_eq!(raw.send_line("DATA").await, "503");
    assert_eq!(raw.send_line("QUIT").await, "221");
    assert_eq!(outbox.mails(), []);
}

#[tokio::test]
async fn incomplete_and_oversized_mails_are_discarded() {
    let outbox = Outbox::start().unwrap();
    let mut raw = Raw::connect(&outbox).await;
    for _ in 0..2 {
        assert_eq!(raw.send_line("HELO me").await, "250");
        assert_eq!(raw.send_line("MAIL FROM:<ada@example.com>").await, "250");
        assert_eq!(raw.send_line("RCPT TO:<ada@example.com>").await, "250");
        assert_eq!(raw.send_line("DATA").await, "354");
        let line = [vec![b'x'; 65_534], b"\r\n".to_vec()].concat();
        for _ in 0..=640 {
            raw.0.write_all(&line).await.unwrap();
        }
        assert_eq!(raw.send_line(".").await, "552");
    }
    raw.write(b"MAIL FROM:<ada@example.com>\r\nRCPT TO:<ada@example.com>\r\nDATA\r\nSubject: half").await;
    raw.0.shutdown().await.unwrap();
    raw.0.read_to_end(&mut Vec::new()).await.unwrap();
    assert_eq!(outbox.mails(), []);
}

#[tokio::test]
async fn dropping_the_outbox_stops_it() {
    let outbox = Outbox::start().unwrap();
    let address = outbox.url().replace("smtp://", "");
    let mut raw = Raw::connect(&outbox).await;
    drop(outbox);
    assert_eq!(raw.reply().await, "");
    assert!(TcpStream::connect(address).await.is_err());
}
