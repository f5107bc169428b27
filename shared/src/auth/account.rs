//! Users by their email: finding one who signs in, and making one.

use super::password::{self, Password};
use super::{HomeScope, PlatformScope, Role};
use crate::entity::{Account, AccountPointer, Profile, User};
use crate::http::trace::Trace;
use crate::keys::{self, Key, Scope};
use crate::store::Store;
use crate::value::Email;
use crate::{App, Problem, Result};

/// A user who was found by their email.
pub struct Signing {
    /// Their home.
    pub home: HomeScope,
    /// The user as stored.
    pub account: Account,
}

/// Finds a user by email: two reads, also when there is none, so that the time it takes does not tell.
pub async fn by_email(app: &App, store: &Store, email: &Email) -> Result<Option<Signing>> {
    let pointer = store.get(&pointer(app, email)).await?;
    let home = pointer.as_ref().and_then(AccountPointer::home);
    let (Some(pointer), Some(home)) = (pointer, home) else {
        store.probe().await?;
        return Ok(None);
    };
    let account = store.get(&home.user(pointer.user_id)).await?;
    Ok(account.map(|account| Signing { home, account }))
}

fn pointer(app: &App, email: &Email) -> Key<AccountPointer> {
    keys::account_pointer(&app.emails().hash(&email.folded()))
}

/// What an operator may do without a token, with nothing but access to the table: make the first users.
pub struct Operator {
    app: App,
    store: Store,
}

impl Operator {
    /// An operator of the deployment that `app` runs on.
    pub fn new(app: App) -> Self {
        let store = app.store(Trace::start(&lambda_http::http::Request::new(())));
        Self { app, store }
    }

    /// The whole platform.
    pub fn platform(&self) -> PlatformScope {
        PlatformScope::root()
    }

    /// Makes an active user in a home. `409 email_taken` if somebody has the email, 404 if there is no such home.
    pub async fn create_user(
        &self,
        home: impl Into<HomeScope>,
        role: Role,
        email: Email,
        profile: Profile,
        password: Password,
    ) -> Result<User> {
        let (home, app) = (home.into(), &self.app);
        let user = User::new(app.ids().make(), home, role, email, profile, app.clock().now());
        let password_hash = Some(password::hash(password).await?);
        let mut transaction = self.store.transaction();
        let account = Account { user: user.clone(), password_hash };
        match home {
            // The platform is never deleted, and nobody counts what it holds.
            HomeScope::Platform(_) => {}
            HomeScope::Agency(agency) => transaction.hold(&agency.holdings())?,
            HomeScope::Client(client) => transaction.hold(&client.holdings())?,
        }
        transaction.create(&home.user(user.id), &account)?;
        let taken = Problem::conflict("email_taken", "Somebody has this email.");
        transaction.create_or(&pointer(app, &user.email), &AccountPointer::from(&user), taken)?;
        transaction.commit().await?;
        Ok(user)
    }
}
