//! One connection's conversation: as much of SMTP (RFC 5321) as it takes to receive a mail.

use std::io;
use std::sync::Arc;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufStream};
use tokio::net::TcpStream;

use super::{Mail, Mailbox, Refusal};

/// The largest message, which is that of Amazon SES.
const MESSAGE_LIMIT: usize = 40 * 1024 * 1024;

/// The longest line, of a command or of a message. The standard allows 1000 bytes.
const LINE_LIMIT: u64 = 64 * 1024;

const GREETING: &str = "220 localhost ESMTP outbox";
const OK: &str = "250 OK";
const EXTENSIONS: &str = "250-localhost\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 SIZE 41943040";
const GOODBYE: &str = "221 Goodbye";
const START_MAIL: &str = "354 End with <CRLF>.<CRLF>";
const TRY_AGAIN: &str = "451 4.3.0 Try again later";
const UNKNOWN_COMMAND: &str = "500 5.5.1 Unknown command";
const NO_ADDRESS: &str = "501 5.5.4 An address in angle brackets is needed";
const OUT_OF_ORDER: &str = "503 5.5.1 Not now";
const NO_MAILBOX: &str = "550 5.1.1 No such mailbox";
const TOO_LARGE: &str = "552 5.3.4 The message is too large";

/// Talks until the client leaves, or breaks off.
pub(super) async fn converse(stream: TcpStream, mailbox: Arc<Mailbox>) {
    let session = Session { stream: BufStream::new(stream), mailbox, sender: None, recipients: Vec::new() };
    if let Err(error) = session.run().await {
        tracing::debug!(%error, "a mail client broke off");
    }
}

struct Session {
    stream: BufStream<TcpStream>,
    mailbox: Arc<Mailbox>,
    /// Of the mail that is under way.
    sender: Option<String>,
    recipients: Vec<String>,
}

impl Session {
    async fn run(mut self) -> io::Result<()> {
        self.reply(GREETING).await?;
        loop {
            let line = self.line().await?;
            let line = String::from_utf8_lossy(&line);
            let (verb, argument) = line.trim_end().split_once([' ', ':']).unwrap_or((line.trim_end(), ""));
            let reply = match verb.to_ascii_uppercase().as_str() {
                "QUIT" => return self.reply(GOODBYE).await,
                "DATA" => self.data().await?,
                verb => self.command(verb, argument),
            };
            self.reply(reply).await?;
        }
    }

    fn command(&mut self, verb: &str, argument: &str) -> &'static str {
        match verb {
            "EHLO" => self.start_over(EXTENSIONS),
            "HELO" | "RSET" => self.start_over(OK),
            "MAIL" => self.mail(argument),
            "RCPT" => self.recipient(argument),
            "NOOP" => OK,
            _ => UNKNOWN_COMMAND,
        }
    }

    fn start_over(&mut self, reply: &'static str) -> &'static str {
        self.sender = None;
        self.recipients.clear();
        reply
    }

    fn mail(&mut self, argument: &str) -> &'static str {
        match address(argument) {
            Some(_) if self.sender.is_some() => OUT_OF_ORDER,
            Some(sender) => {
                self.sender = Some(sender.to_owned());
                OK
            }
            None => NO_ADDRESS,
        }
    }

    fn recipient(&mut self, argument: &str) -> &'static str {
        let Some(recipient) = address(argument).filter(|address| !address.is_empty()) else { return NO_ADDRESS };
        if self.sender.is_none() {
            return OUT_OF_ORDER;
        }
        match self.mailbox.refusal(recipient) {
            Some(Refusal::Temporary) => TRY_AGAIN,
            Some(Refusal::Permanent) => NO_MAILBOX,
            None => {
                self.recipients.push(recipient.to_owned());
                OK
            }
        }
    }

    async fn data(&mut self) -> io::Result<&'static str> {
        if self.recipients.is_empty() {
            return Ok(OUT_OF_ORDER);
        }
        self.reply(START_MAIL).await?;
        let message = self.message().await?;
        let (sender, recipients) = (self.sender.take().unwrap_or_default(), std::mem::take(&mut self.recipients));
        if message.len() > MESSAGE_LIMIT {
            return Ok(TOO_LARGE);
        }
        self.mailbox.keep(Mail::read(&sender, recipients, &message));
        Ok(OK)
    }

    /// Reads to the end of the message. What is beyond the limit is not kept, but for a line that tells so.
    async fn message(&mut self) -> io::Result<Vec<u8>> {
        let mut message = Vec::new();
        loop {
            let line = self.line().await?;
            if line == b".\r\n" {
                return Ok(message);
            }
            if message.len() <= MESSAGE_LIMIT {
                // A line that begins with a dot was sent with another before it.
                message.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
            }
        }
    }

    async fn line(&mut self) -> io::Result<Vec<u8>> {
        let mut line = Vec::new();
        (&mut self.stream).take(LINE_LIMIT).read_until(b'\n', &mut line).await?;
        if line.ends_with(b"\n") { Ok(line) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    async fn reply(&mut self, reply: &str) -> io::Result<()> {
        self.stream.write_all(reply.as_bytes()).await?;
        self.stream.write_all(b"\r\n").await?;
        self.stream.flush().await
    }
}

/// The address of `FROM:<ada@example.com> SIZE=100`.
fn address(argument: &str) -> Option<&str> {
    let (_, bracketed) = argument.split_once('<')?;
    let (address, _) = bracketed.rsplit_once('>')?;
    Some(address)
}
