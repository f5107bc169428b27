//! Operations that need access to the table but no access token.
//!
//! They require the feature `operator`, which no function enables.

use super::accounts::{by_email, reserve_proved_email};
use super::{Account, Profile, User, UserCountChange, UserStatus, repository};
use crate::identity::password::{self, NewPassword, Password};
use crate::identity::{HomeScope, PlatformScope, Role};
use crate::table::Store;
use crate::value::Email;
use crate::web::{App, Result};

/// Creates the first users of a platform.
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

    /// Creates an active user.
    ///
    /// Fails with `409 email_taken` if another user has the email, and with 404 if the home does not exist.
    pub async fn create_user(
        &self,
        home: impl Into<HomeScope>,
        role: Role,
        email: Email,
        profile: Profile,
        password: NewPassword,
    ) -> Result<User> {
        let (home, app) = (home.into(), &self.app);
        let user = User::new(app.ids().make(), home, role, email, profile, app.now());
        let password_hash = Some(password::hash(password).await?);
        let mut transaction = self.store.transaction();
        let account = Account::new(user.clone(), password_hash);
        if let Some(count) = home.child_count() {
            repository::count_users(&mut transaction, &count, UserCountChange::between(None, Some(&user)), false)?;
        }
        repository::create(&mut transaction, home, &account)?;
        reserve_proved_email(app, &mut transaction, home, &user)?;
        transaction.commit().await?;
        Ok(user)
    }

    /// Whether a user can sign in with this email and password.
    pub async fn can_sign_in(&self, email: &Email, password: Password) -> Result<bool> {
        let found = by_email(&self.app, &self.store, email).await?;
        let account = found.map(|found| found.account).filter(|account| account.user.status == UserStatus::Active);
        Ok(password::verify(password, account.and_then(|account| account.password_hash)).await?)
    }
}
