//! One SMTP connection: the part of RFC 5321 that is required to receive mail.

use std::io;
use std::sync::Arc;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufStream};
use tokio::net::TcpStream;

use super::{Mail, Mailbox, Refusal};

/// Maximum message size in bytes: the limit of Amazon SES.
const MESSAGE_LIMIT: usize = 40 * 1024 * 1024;

/// Maximum line length in bytes, of commands and messages.
///
/// RFC 5321 requires at least 1000.
const LINE_LIMIT: u64 = 64 * 1024;

const READY: &str = "220 localhost ESMTP outbox";
const OK: &str = "250 OK";
const EXTENSIONS: &str = "250-localhost\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 SIZE 41943040";
const GOODBYE: &str = "221 Goodbye";
const START_MAIL: &str = "354 End with <CRLF>.<CRLF>";
const TRY_AGAIN: &str = "451 4.3.0 Try again later";
const UNKNOWN_COMMAND: &str = "500 5.5.1 Unknown command";
const NO_ADDRESS: &str = "501 5.5.4 An address in angle brackets is required";
const BAD_SEQUENCE: &str = "503 5.5.1 Bad sequence of commands";
const NO_MAILBOX: &str = "550 5.1.1 No such mailbox";
const TOO_LARGE: &str = "552 5.3.4 Message too large";

/// Serves a connection until the client quits or disconnects.
pub(super) async fn serve(stream: TcpStream, mailbox: Arc<Mailbox>) {
    let session = Session { stream: BufStream::new(stream), mailbox, sender: None, recipients: Vec::new() };
    if let Err(error) = session.run().await {
        tracing::debug!(%error, "SMTP client disconnected");
    }
}

struct Session {
    stream: BufStream<TcpStream>,
    mailbox: Arc<Mailbox>,
    /// Sender of the current mail.
    sender: Option<String>,
    /// Recipients of the current mail.
    recipients: Vec<String>,
}

impl Session {
    async fn run(mut self) -> io::Result<()> {
        self.reply(READY).await?;
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
            "EHLO" => self.reset(EXTENSIONS),
            "HELO" | "RSET" => self.reset(OK),
            "MAIL" => self.mail(argument),
            "RCPT" => self.recipient(argument),
            "NOOP" => OK,
            _ => UNKNOWN_COMMAND,
        }
    }

    fn reset(&mut self, reply: &'static str) -> &'static str {
        self.sender = None;
        self.recipients.clear();
        reply
    }

    fn mail(&mut self, argument: &str) -> &'static str {
        match address(argument) {
            Some(_) if self.sender.is_some() => BAD_SEQUENCE,
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
            return BAD_SEQUENCE;
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
            return Ok(BAD_SEQUENCE);
        }
        self.reply(START_MAIL).await?;
        let message = self.message().await?;
        let (sender, recipients) = (self.sender.take().unwrap_or_default(), std::mem::take(&mut self.recipients));
        if message.len() > MESSAGE_LIMIT {
            return Ok(TOO_LARGE);
        }
        self.mailbox.store(Mail::parse(&sender, recipients, &message));
        Ok(OK)
    }

    /// Reads a message to its end. Lines after the limit is exceeded are discarded.
    async fn message(&mut self) -> io::Result<Vec<u8>> {
        let mut message = Vec::new();
        loop {
            let line = self.line().await?;
            if line == b".\r\n" {
                return Ok(message);
            }
            if message.len() <= MESSAGE_LIMIT {
                // Undo dot-stuffing (RFC 5321, section 4.5.2).
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

/// Extracts the address from an argument such as `FROM:<ada@example.com> SIZE=100`.
fn address(argument: &str) -> Option<&str> {
    let (_, bracketed) = argument.split_once('<')?;
    let (address, _) = bracketed.rsplit_once('>')?;
    Some(address)
}
