//! What an operator may do without a token, with nothing but access to the table. Behind the feature `operator`, which no
//! function has.

use super::account::{by_email, take_email};
use super::password::{self, NewPassword, Password};
use super::{HomeScope, PlatformScope, Role};
use crate::entity::{Account, Profile, Status, User, UserCountChange};
use crate::store::Store;
use crate::value::Email;
use crate::{App, Result};

/// Makes the first users of a platform.
pub struct Operator {
    app: App,
    store: Store,
}

impl Operator {
    /// An operator of the deployment that `app` runs on.
    pub fn new(app: App) -> Self {
        let store = app.store_for_event();
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
        password: NewPassword,
    ) -> Result<User> {
        let (home, app) = (home.into(), &self.app);
        let user = User::new(app.ids().make(), home, role, email, profile, app.clock().now());
        let password_hash = Some(password::hash(password).await?);
        let mut transaction = self.store.transaction();
        let account = Account { user: user.clone(), password_hash, epoch: 0 };
        if let Some(holdings) = home.holdings() {
            transaction.count_users(&holdings, UserCountChange::between(None, Some(&user)), false)?;
        }
        transaction.create(&home.user(user.id), &account)?;
        take_email(app, &mut transaction, &user)?;
        transaction.commit().await?;
        Ok(user)
    }

    /// Whether a user can sign in with this email and password.
    pub async fn can_sign_in(&self, email: &Email, password: Password) -> Result<bool> {
        let found = by_email(&self.app, &self.store, email).await?;
        let account = found.map(|found| found.account).filter(|account| account.user.status == Status::Active);
        password::verify(password, account.and_then(|account| account.password_hash)).await
    }
}
