//! What decides whether a user may get an email, and a mail.
//!
//! Read in one call: the users who have the emails, and how many mails and taken emails there were recently.

use shared::table::{BatchKeys, Transaction};
use shared::users::attempts::{CountedAttempts, TAKEN_EMAILS, mail_counters};
use shared::users::{EmailPointer, User, accounts};
use shared::value::Email;
use shared::web::Result;

use crate::users::UserService;

/// The state of an email that a user has or gets.
pub(crate) struct EmailUse {
    /// The user who has the email.
    pub(crate) holder: Option<EmailPointer>,
    /// The user who has the previous email, if there is one.
    pub(crate) previous_holder: Option<EmailPointer>,
    mails: CountedAttempts,
    taken: CountedAttempts,
}

impl EmailUse {
    /// Reads the state of an email that also gets the mail of the change.
    pub(crate) async fn read(service: &UserService<'_>, email: &Email, previous: Option<&Email>) -> Result<Self> {
        Self::read_for(service, (email, previous), email).await
    }

    /// Reads the state of an email and of the previous one, for a mail to `mailed`.
    pub(crate) async fn read_for(
        service: &UserService<'_>,
        (email, previous): (&Email, Option<&Email>),
        mailed: &Email,
    ) -> Result<Self> {
        let UserService { app, store, actor, home } = *service;
        let mails = mail_counters(app, actor, home, mailed)?;
        let taken = TAKEN_EMAILS.counters(app, actor, home)?;
        let key = accounts::email_key(app, email)?;
        let previous = previous.map(|email| accounts::email_key(app, email)).transpose()?;
        let keys = taken.add_to(mails.add_to(BatchKeys::default().and(&key)));
        let keys = previous.iter().fold(keys, BatchKeys::and);
        let items = store.get_batch(keys).await?;
        let previous_holder = previous.map(|key| items.get(&key)).transpose()?.flatten();
        let (mails, taken) = (mails.attempts(app, &items)?, taken.attempts(app, &items)?);
        Ok(Self { holder: items.get(&key)?, previous_holder, mails, taken })
    }

    /// Requires that the user may have the email.
    ///
    /// `409 email_taken` if another user has it. Users of other homes must not be found by trying emails: each such
    /// response counts, and after too many, the response to any email is `429 too_many_attempts`.
    pub(crate) async fn require_available(&self, service: &UserService<'_>, user: &User) -> Result<()> {
        let UserService { app, store, actor, home } = *service;
        let holder = self.holder.filter(|holder| holder.user_id != user.id);
        if holder.is_some_and(|holder| holder.is_in(home)) {
            return Err(accounts::email_taken());
        }
        self.taken.check()?;
        if holder.is_none_or(|holder| holder.gives_way(home, user.status)) {
            return Ok(());
        }
        let read = || async { TAKEN_EMAILS.counters(app, actor, home)?.read(app, store).await };
        store.retry_on_conflict(read, CountedAttempts::record).await?;
        Err(accounts::email_taken())
    }

    /// Counts a mail; `429 too_many_attempts` after too many.
    pub(crate) fn count_mail(&self, transaction: &mut Transaction) -> Result<()> {
        self.mails.record(transaction)
    }
}
