//! Redemption of one-time tokens: sets a password and signs the user in.

use shared::identity::password::{self, NewPassword};
use shared::table::{Store, Transaction};
use shared::users::accounts::{self, FoundUser};
use shared::users::one_time_token::{self, Purpose};
use shared::users::{Account, User, repository};
use shared::value::{InvalidValue, ValidationErrors};
use shared::web::{App, Problem, Result, Source};

use crate::passwords::with_password;
use crate::sessions::{self, NewSession};

/// A request to redeem a one-time token.
pub(crate) struct Redemption<'a> {
    pub(crate) app: &'a App,
    pub(crate) store: &'a Store,
    pub(crate) source: &'a Source,
    pub(crate) token: String,
    pub(crate) purpose: Purpose,
}

impl Redemption<'_> {
    /// Consumes the token, sets the password of its user and opens a session.
    ///
    /// `change` gets the current user and the next version. It may change the next version and add writes to
    /// the transaction.
    pub(crate) async fn redeem(
        self,
        password: NewPassword,
        change: impl Fn(&FoundUser, &mut Account, &mut Transaction) -> Result<()>,
    ) -> Result<(NewSession, User)> {
        let (app, store, now) = (self.app, self.store, self.app.now());
        let token = one_time_token::find(app, store, &self.token, self.purpose).await?.ok_or_else(invalid_token)?;
        let key = token.home.user(token.user);
        let read = || async {
            let account = store.get(&key).await?.filter(|account| token.is_valid_for(account));
            Ok(FoundUser { home: token.home, account: account.ok_or_else(invalid_token)? })
        };
        let found = read().await?;
        let hash = password::hash(password).await?;
        let redeemed = store.retry_on_conflict_from(Some(found), read, |before, transaction| {
            let mut next = with_password(app, &before.account, hash.clone());
            next.user.last_login_at = Some(now);
            change(before, &mut next, transaction)?;
            repository::replace(transaction, token.home, &before.account, &next)?;
            token.consume(transaction, invalid_token())?;
            accounts::prove_email(app, transaction, token.home, &next.user, invalid_token())?;
            let after = FoundUser { home: token.home, account: next };
            let session = sessions::open(app, transaction, self.source, &after)?;
            Ok((session, after.account.user))
        });
        redeemed.await
    }
}

/// The error of a token that is unknown, used, expired or for another purpose.
fn invalid_token() -> Problem {
    let error = InvalidValue::new("invalid_token", "is invalid or has expired; request another mail");
    ValidationErrors::field("/token", error).into()
}
