//! Keys of users, sessions, known sources and global items about users.

use super::attempts::AttemptCounter;
use super::one_time_token::StoredToken;
use super::{Account, EmailPointer, KnownIp, Session, UserId, UserPointer};
use crate::identity::{HomeScope, SessionId};
use crate::table::{Entity, Key, Partition};

impl Entity for Account {}
impl Entity for AttemptCounter {}
impl Entity for EmailPointer {}
impl Entity for KnownIp {}
impl Entity for Session {}
impl Entity for StoredToken {}
impl Entity for UserPointer {}

impl HomeScope {
    /// The users of this home.
    pub fn users(self) -> Partition<Account> {
        Partition::new(self, "USER")
    }

    /// One user of this home.
    pub fn user(self, id: UserId) -> Key<Account> {
        self.users().item(id)
    }

    /// A source from which a user has signed in; `pseudonym` is its keyed hash.
    pub fn known_ip(self, user: UserId, pseudonym: &str) -> Key<KnownIp> {
        Partition::new(self, "SOURCE").item((user, pseudonym))
    }

    /// One session of a user.
    pub fn session(self, user: UserId, session: SessionId) -> Key<Session> {
        Partition::new(self, "SESSION").item((user, session))
    }
}

/// The pointer from an email to its user.
///
/// `hash` is a keyed hash of the folded address, so that no key contains an address.
pub(super) fn email_pointer(hash: &str) -> Key<EmailPointer> {
    Key::global("EMAIL", hash)
}

/// The pointer to a user.
pub(super) fn user_pointer(id: UserId) -> Key<UserPointer> {
    Key::global("USER", id)
}

/// The one-time token with this hash; the token itself is not stored.
pub(super) fn one_time_token(hash: &str) -> Key<StoredToken> {
    Key::global("TOKEN", hash)
}

/// The counter of attempts; `hash` is a keyed hash of the limit and the subject.
pub(super) fn attempt_counter(hash: &str) -> Key<AttemptCounter> {
    Key::global("TRIES", hash)
}
