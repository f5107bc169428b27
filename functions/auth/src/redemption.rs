//! Tokens from mails, redeemed: a password is chosen, and whoever chose it is signed in.

use shared::auth::account::FoundUser;
use shared::auth::credential::{self, Purpose};
use shared::auth::password::{self, NewPassword};
use shared::entity::{Account, User};
use shared::http::Source;
use shared::store::{Store, Transaction};
use shared::value::{InvalidValue, ValidationErrors};
use shared::{App, Problem, Result};

use crate::passwords::renewed;
use crate::sessions::{self, NewSession};

/// Somebody who was mailed a token.
pub(crate) struct Bearer<'a> {
    pub(crate) app: &'a App,
    pub(crate) store: &'a Store,
    pub(crate) source: &'a Source,
    pub(crate) token: String,
    pub(crate) purpose: Purpose,
}

impl Bearer<'_> {
    /// Uses up the token, gives its user the password, and opens a session; `also` makes and adds what else changes, knowing the
    /// user as they were.
    pub(crate) async fn choose(
        self,
        password: NewPassword,
        also: impl Fn(&FoundUser, &mut Account, &mut Transaction) -> Result<()>,
    ) -> Result<(NewSession, User)> {
        let (app, store, now) = (self.app, self.store, self.app.clock().now());
        let token = credential::find(store, &self.token, self.purpose, now).await?.ok_or_else(bad_token)?;
        let key = token.home.user(token.user);
        let read = || async {
            let account = store.get(&key).await?.filter(|account| token.fits(account)).ok_or_else(bad_token)?;
            Ok(FoundUser { home: token.home, account })
        };
        let found = read().await?;
        let hash = password::hash(password).await?;
        let chosen = store.decide_from(Some(found), read, |before, transaction| {
            let mut next = renewed(app, &before.account, hash.clone());
            next.user.last_login_at = Some(now);
            also(before, &mut next, transaction)?;
            transaction.replace(&key, &next, before.account.user.meta.version)?;
            token.consume(transaction, bad_token())?;
            let found = FoundUser { home: token.home, account: next };
            let entered = sessions::open(app, transaction, self.source, &found)?;
            Ok((entered, found.account.user))
        });
        chosen.await
    }
}

/// Whatever is the matter with a token: nobody's, used, too old, or for another purpose.
fn bad_token() -> Problem {
    ValidationErrors::field(
        "/token",
        InvalidValue::new("invalid_token", "is not good, or no longer: ask for another mail"),
    )
    .into()
}
