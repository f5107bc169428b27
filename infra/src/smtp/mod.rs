//! A mail server that delivers nothing: it keeps what it is sent, for a developer or a test to look at.

mod mail;
mod session;

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::oneshot;

pub use mail::Mail;

/// How many mails are kept. The oldest makes way.
const KEPT: usize = 1000;

/// A running server, with the mails that it was sent. Dropping it stops it.
///
/// It has a thread and a runtime of its own, so that all tests of a process can share one, although each test has a
/// runtime that ends with it.
pub struct Outbox {
    address: SocketAddr,
    mailbox: Arc<Mailbox>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// How an address refuses its mails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// With a 451: the sender may try again.
    Temporary,
    /// With a 550: trying again is of no use.
    Permanent,
}

impl Outbox {
    /// Starts a server on a free port of this machine, which nobody else can reach.
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

    /// Where to send mail: `smtp://127.0.0.1:…`, without TLS and without credentials.
    pub fn url(&self) -> String {
        format!("smtp://{}", self.address)
    }

    /// The mails that were received, newest first. At most 1000 are kept.
    pub fn mails(&self) -> Vec<Mail> {
        self.mailbox.lock().mails.iter().cloned().collect()
    }

    /// Those of them that this address was sent, newest first.
    pub fn mails_to(&self, recipient: &str) -> Vec<Mail> {
        let sent_to = |mail: &&Mail| mail.to.iter().any(|address| address.eq_ignore_ascii_case(recipient));
        self.mailbox.lock().mails.iter().filter(sent_to).cloned().collect()
    }

    /// From now on, refuses every mail to this address.
    pub fn refuse(&self, recipient: &str, refusal: Refusal) {
        self.mailbox.lock().refusals.insert(recipient.to_ascii_lowercase(), refusal);
    }

    /// Takes mail for this address again.
    pub fn accept(&self, recipient: &str) {
        self.mailbox.lock().refusals.remove(&recipient.to_ascii_lowercase());
    }
}

impl Drop for Outbox {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the server's thread was reported when it happened.
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
                tokio::spawn(session::converse(stream, Arc::clone(mailbox)));
            }
        }
    }
}

/// What the server shares with whoever looks at it.
#[derive(Default)]
struct Mailbox(Mutex<Contents>);

#[derive(Default)]
struct Contents {
    /// Newest first.
    mails: VecDeque<Mail>,
    /// By address in lower case.
    refusals: BTreeMap<String, Refusal>,
}

impl Mailbox {
    fn lock(&self) -> MutexGuard<'_, Contents> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn refusal(&self, recipient: &str) -> Option<Refusal> {
        self.lock().refusals.get(&recipient.to_ascii_lowercase()).copied()
    }

    fn keep(&self, mail: Mail) {
        let mails = &mut self.lock().mails;
        mails.push_front(mail);
        mails.truncate(KEPT);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_mail_makes_way() {
        let mailbox = Mailbox::default();
        for number in 0..=KEPT {
            let raw = format!("Subject: {number}\r\n\r\ntext\r\n");
            mailbox.keep(Mail::read("a@example.com", vec!["b@example.com".to_owned()], raw.as_bytes()));
        }
        let contents = mailbox.lock();
        assert_eq!(contents.mails.len(), KEPT);
        assert_eq!(contents.mails[0].subject, KEPT.to_string());
        assert_eq!(contents.mails[KEPT - 1].subject, "1");
    }
}
