//! An SMTP server for developers and tests: stores mail instead of delivering it.

mod mail;
mod session;

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::oneshot;

pub use mail::{File, Mail};

/// Maximum number of stored mails. The oldest is discarded first.
const MAX_MAILS: usize = 1000;

/// A running SMTP server with the mails it has received.
///
/// Dropping it stops the server. The server has its own thread and runtime, so that all tests of a process
/// can share one server although the runtime of a test ends with the test.
pub struct Outbox {
    address: SocketAddr,
    mailbox: Arc<Mailbox>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// How mail to an address is rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// With a 451: the sender may retry.
    Temporary,
    /// With a 550: the sender must not retry.
    Permanent,
}

impl Outbox {
    /// Starts a server on a free port of localhost.
    pub fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let mailbox = Arc::new(Mailbox::default());
        let (stop, stopped) = oneshot::channel();
        let serving = Arc::clone(&mailbox);
        let thread = std::thread::Builder::new().name("outbox".to_owned()).spawn(move || {
            if let Err(error) = serve(listener, &serving, stopped) {
                tracing::error!(%error, "the outbox failed");
            }
        })?;
        Ok(Self { address, mailbox, stop: Some(stop), thread: Some(thread) })
    }

    /// URL of the server: `smtp://127.0.0.1:<port>`, without TLS and credentials.
    pub fn url(&self) -> String {
        format!("smtp://{}", self.address)
    }

    /// The received mails, newest first. At most 1000 are stored.
    pub fn mails(&self) -> Vec<Mail> {
        self.mailbox.lock().mails.iter().cloned().collect()
    }

    /// The received mails to this address, newest first.
    pub fn mails_to(&self, recipient: &str) -> Vec<Mail> {
        let is_recipient = |mail: &&Mail| mail.to.iter().any(|address| address.eq_ignore_ascii_case(recipient));
        self.mailbox.lock().mails.iter().filter(is_recipient).cloned().collect()
    }

    /// Rejects all mail to this address from now on.
    pub fn refuse(&self, recipient: &str, refusal: Refusal) {
        self.mailbox.lock().refusals.insert(recipient.to_ascii_lowercase(), refusal);
    }

    /// Accepts mail to this address again.
    pub fn accept(&self, recipient: &str) {
        self.mailbox.lock().refusals.remove(&recipient.to_ascii_lowercase());
    }
}

impl Drop for Outbox {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // The panic hook has already reported a panic of the server's thread.
            let _ = thread.join();
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn serve(listener: TcpListener, mailbox: &Arc<Mailbox>, mut stopped: oneshot::Receiver<()>) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    loop {
        tokio::select! {
            _ = &mut stopped => return Ok(()),
            accepted = listener.accept() => {
                let (stream, _) = accepted?;
                tokio::spawn(session::serve(stream, Arc::clone(mailbox)));
            }
        }
    }
}

/// The state that the server shares with its owner.
#[derive(Default)]
struct Mailbox(Mutex<Contents>);

#[derive(Default)]
struct Contents {
    /// Newest first.
    mails: VecDeque<Mail>,
    /// By lowercase address.
    refusals: BTreeMap<String, Refusal>,
}

impl Mailbox {
    fn lock(&self) -> MutexGuard<'_, Contents> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn refusal(&self, recipient: &str) -> Option<Refusal> {
        self.lock().refusals.get(&recipient.to_ascii_lowercase()).copied()
    }

    fn store(&self, mail: Mail) {
        let mails = &mut self.lock().mails;
        mails.push_front(mail);
        mails.truncate(MAX_MAILS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn oldest_mail_is_discarded_at_the_limit() {
        let mailbox = Mailbox::default();
        for number in 0..=MAX_MAILS {
            let raw = format!("Subject: {number}\r\n\r\ntext\r\n");
            mailbox.store(Mail::parse("a@example.com", vec!["b@example.com".to_owned()], raw.as_bytes()));
        }
        let contents = mailbox.lock();
        assert_eq!(contents.mails.len(), MAX_MAILS);
        assert_eq!(contents.mails[0].subject, MAX_MAILS.to_string());
        assert_eq!(contents.mails[MAX_MAILS - 1].subject, "1");
    }
}
