//! Create, read, update, delete and invite users of an agency or a client.

use axum::http::StatusCode;
use deserr::Deserr;
use shared::identity::password::{self, NewPassword};
use shared::identity::{Actor, HomeScope, Role};
use shared::mail::{self, Mail, Message};
use shared::table::{Scope, Store, Transaction};
use shared::users::attempts::{Attempts, MAIL};
use shared::users::one_time_token::{self, Purpose};
use shared::users::{
    Account, Profile, User, UserCountChange, UserFields, UserId, UserStatus, accounts, repository,
    require_current_actor,
};
use shared::value::{Email, InvalidValue, Name, ValidationErrors};
use shared::web::{
    Accepted, App, Created, Deleted, ErrorCode, IdempotentRequest, IfMatch, IfNoneMatch, Patch, Problem, Result,
    WithEtag,
};
use utoipa::ToSchema;

/// A new user.
#[derive(Clone, Deserr, ToSchema)]
#[serde(rename_all = "camelCase")]
#[deserr(error = ValidationErrors, rename_all = camelCase, deny_unknown_fields)]
#[schema(example = json!({
    "email": "ada@example.com",
    "firstName": "Ada",
    "lastName": "Lovelace",
    "password": "correct horse battery staple",
}))]
pub(crate) struct CreateUserRequest {
    /// Email; unique on the whole platform, regardless of case.
    #[schema(example = "ada@example.com")]
    email: Email,
    /// Given name.
    #[schema(example = "Ada")]
    first_name: Name,
    /// Family name.
    #[schema(example = "Lovelace")]
    last_name: Name,
    /// The role: one of the roles of the user's home.
    ///
    /// Default: `AGENCY_USER` in an agency, `CLIENT_USER` in a client.
    #[deserr(default)]
    role: Option<Role>,
    /// The password.
    ///
    /// Without it, the user is `INVITED` and gets an invitation by mail to choose a password.
    #[deserr(default)]
    password: Option<NewPassword>,
}

/// Reads and changes the users of a home on behalf of an actor.
pub(crate) struct UserService<'a> {
    pub(crate) app: &'a App,
    pub(crate) store: &'a Store,
    pub(crate) actor: &'a Actor,
    pub(crate) home: HomeScope,
}

impl UserService<'_> {
    /// Creates a user; `users` is the path of the home's users.
    pub(crate) async fn create(
        &self,
        scope: impl Scope,
        users: &str,
        fields: CreateUserRequest,
        request: IdempotentRequest,
    ) -> Result<Created> {
        let role = fields.role.unwrap_or(default_role(self.home));
        check_grant(self.actor.role(), role, self.home)?;
        let password_hash = match fields.password {
            Some(password) => Some(password::hash(password).await?),
            None => None,
        };
        let profile = Profile { first_name: fields.first_name, last_name: fields.last_name };
        let now = self.app.now();
        let mut user = User::new(self.app.ids().make(), self.home, role, fields.email, profile, now);
        if password_hash.is_none() {
            user.status = UserStatus::Invited;
        }
        let account = Account { user, password_hash, epoch: 0 };
        let location = format!("{users}/{}", account.user.id);
        let is_invited = account.user.status == UserStatus::Invited;
        let read = || async {
            let subject = format!("invitation {}", account.user.email.folded());
            Ok(if is_invited { Some(MAIL.attempts(self.app, self.store, subject).await?) } else { None })
        };
        let created = request.retry_on_conflict(self.store, scope, read, |mails, transaction| {
            self.require_current_role(transaction, None)?;
            self.count(transaction, None, Some(&account.user))?;
            repository::create(transaction, self.home, &account)?;
            accounts::reserve_email(self.app, transaction, self.home, &account.user)?;
            if let Some(mails) = mails {
                self.mail_invitation(transaction, mails, &account)?;
            }
            Created::new(StatusCode::CREATED, &account.user, location.clone())
        });
        created.await
    }

    /// Returns a user.
    pub(crate) async fn read(&self, id: UserId, if_none_match: IfNoneMatch) -> Result<WithEtag<User>> {
        Ok(WithEtag::unless(self.store.find(&self.home.user(id)).await?.user, if_none_match))
    }

    /// Updates a user.
    pub(crate) async fn update(&self, id: UserId, if_match: &IfMatch, patch: &Patch) -> Result<WithEtag<User>> {
        let read = || self.find(id);
        let updated = self.store.retry_on_conflict(read, |(account, mails), transaction| {
            if_match.check(account.user.meta.version)?;
            let fields = patch.apply(&account.user.fields())?;
            check_change(self.actor, self.home, account, &fields)?;
            self.require_current_role(transaction, Some(account))?;
            let next = self.change(transaction, account, fields, mails.as_ref())?;
            repository::replace(transaction, self.home, account, &next)?;
            Ok(next)
        });
        Ok(WithEtag::new(updated.await?.user))
    }

    /// Reads a user and, if the user has no password, the recent invitations.
    async fn find(&self, id: UserId) -> Result<(Account, Option<Attempts>)> {
        let account = self.store.find(&self.home.user(id)).await?;
        if account.password_hash.is_some() {
            return Ok((account, None));
        }
        let mails = MAIL.attempts(self.app, self.store, format!("invitation {id}")).await?;
        Ok((account, Some(mails)))
    }

    /// Returns the account with other fields, and adds the writes of this change.
    fn change(
        &self,
        transaction: &mut Transaction,
        before: &Account,
        fields: UserFields,
        mails: Option<&Attempts>,
    ) -> Result<Account> {
        let user = before.user.with_fields(fields, self.app.now());
        let after = Account { user, ..before.clone() };
        let has_new_email = before.user.email.folded() != after.user.email.folded();
        let is_disabled = before.user.status != UserStatus::Disabled && after.user.status == UserStatus::Disabled;
        let after = if has_new_email || is_disabled { after.next_epoch() } else { after };
        if has_new_email {
            accounts::release_email(self.app, transaction, &before.user)?;
            accounts::reserve_email(self.app, transaction, self.home, &after.user)?;
            self.notify_previous_email(transaction, before)?;
        }
        self.count(transaction, Some(&before.user), Some(&after.user))?;
        let is_invited_again =
            after.user.status == UserStatus::Invited && (has_new_email || before.user.status == UserStatus::Disabled);
        if let Some(mails) = mails.filter(|_| is_invited_again) {
            self.mail_invitation(transaction, mails, &after)?;
        }
        Ok(after)
    }

    /// Deletes a user and releases the email.
    pub(crate) async fn delete(&self, id: UserId, if_match: &IfMatch) -> Result<Deleted> {
        let key = self.home.user(id);
        let read = async || Ok(self.store.find(&key).await?);
        let deleted = self.store.retry_on_conflict(read, |account, transaction| {
            if_match.check(account.user.meta.version)?;
            repository::delete(transaction, self.home, &account.user)?;
            self.require_current_role(transaction, Some(account))?;
            self.count(transaction, Some(&account.user), None)?;
            accounts::release_email(self.app, transaction, &account.user)
        });
        deleted.await.map(|()| Deleted)
    }

    /// Mails a new invitation to a user with the status `INVITED`.
    pub(crate) async fn invite(&self, id: UserId) -> Result<Accepted> {
        let mailed = self.store.retry_on_conflict(
            || self.find(id),
            |(account, mails), transaction| {
                let mails = mails.as_ref().filter(|_| account.user.status == UserStatus::Invited);
                let not_invited = || Problem::new(ErrorCode::NotInvited, "The user has no open invitation.");
                self.require_current_role(transaction, None)?;
                self.mail_invitation(transaction, mails.ok_or_else(not_invited)?, account)
            },
        );
        mailed.await.map(|()| Accepted)
    }

    /// Mails an invitation; `429 too_many_attempts` after too many of them.
    fn mail_invitation(&self, transaction: &mut Transaction, mails: &Attempts, account: &Account) -> Result<()> {
        mails.check()?;
        mails.record(transaction)?;
        one_time_token::mail(self.app, transaction, self.home, account, Purpose::Invitation)
    }

    /// Mails a notice of a changed email to the previous email.
    ///
    /// An invited user gets no notice, because the user has never signed in with the previous email.
    fn notify_previous_email(&self, transaction: &mut Transaction, before: &Account) -> Result<()> {
        if before.user.status == UserStatus::Invited {
            return Ok(());
        }
        let (to, name) = (before.user.email.clone(), (&before.user.first_name).into());
        let notice = Mail::notice(to, Message::EmailChanged { name }, self.app.now());
        mail::enqueue(transaction, self.app, self.home, &notice)
    }

    /// Requires that the actor is still active and has the role of the access token.
    ///
    /// Without this check, a user who has lost a role could still grant it until the token expires. `changed` is the
    /// user that the transaction changes.
    fn require_current_role(&self, transaction: &mut Transaction, changed: Option<&Account>) -> Result<()> {
        let (actor, role) = (self.actor.user(), self.actor.role());
        match changed.map(|account| &account.user).filter(|user| user.id == actor) {
            // The actor's own item is written only if its version has not changed.
            Some(user) if user.status == UserStatus::Active && user.role == role => Ok(()),
            Some(_) => Err(Problem::unauthenticated()),
            None => Ok(require_current_actor(transaction, self.actor)?),
        }
    }

    /// Counts the change in the home's numbers of users and admins.
    fn count(&self, transaction: &mut Transaction, before: Option<&User>, after: Option<&User>) -> Result<()> {
        let change = UserCountChange::between(before, after);
        let may_delete_last = self.actor.home() != self.home;
        match self.home.child_count() {
            Some(count) if change != UserCountChange::default() => {
                Ok(repository::count_users(transaction, &count, change, may_delete_last)?)
            }
            _ => Ok(()),
        }
    }
}

// ── Rules ───────────────────────────────────────────────────────────────────────────────────────────────────────────

/// The role of a new user if the request has none.
const fn default_role(home: HomeScope) -> Role {
    match home {
        HomeScope::Platform(_) => Role::Admin,
        HomeScope::Agency(_) => Role::AgencyUser,
        HomeScope::Client(_) => Role::ClientUser,
    }
}

/// Checks that a user with the role `own` may grant `role` in a home.
///
/// `403 role_above_own` if `role` is above `own`; 422 if users of the home cannot have it.
fn check_grant(own: Role, role: Role, home: HomeScope) -> Result<()> {
    if role.is_above(own) {
        let detail = "No user grants a role above their own.";
        return Err(Problem::new(ErrorCode::RoleAboveOwn, detail));
    }
    if !role.is_of(home) {
        let error = InvalidValue::new("invalid_role", "must be a role of this agency or client");
        return Err(ValidationErrors::field("/role", error).into());
    }
    Ok(())
}

/// Checks that an actor may give these fields to a user.
fn check_change(actor: &Actor, home: HomeScope, account: &Account, fields: &UserFields) -> Result<()> {
    let user = &account.user;
    if fields.role != user.role {
        if actor.user() == user.id {
            return Err(Problem::new(ErrorCode::OwnRole, "No user changes their own role."));
        }
        check_grant(actor.role(), fields.role, home)?;
    }
    if is_allowed_transition(user.status, fields.status, account.password_hash.is_some()) {
        return Ok(());
    }
    let detail = "A user with a password can be ACTIVE or DISABLED, a user without one INVITED or DISABLED.";
    Err(Problem::new(ErrorCode::InvalidTransition, detail))
}

/// Whether an admin may change a user's status.
///
/// An invited user becomes active only by choosing a password.
fn is_allowed_transition(from: UserStatus, to: UserStatus, has_password: bool) -> bool {
    from == to
        || match to {
            UserStatus::Disabled => true,
            UserStatus::Active => has_password,
            UserStatus::Invited => !has_password,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disabled_user_returns_to_active_with_a_password_and_to_invited_without() {
        use UserStatus::{Active, Disabled, Invited};
        for (from, to, has_password, is_allowed) in [
            (Active, Disabled, true, true),
            (Invited, Disabled, false, true),
            (Disabled, Active, true, true),
            (Disabled, Invited, false, true),
            (Disabled, Active, false, false),
            (Disabled, Invited, true, false),
            (Invited, Active, false, false),
            (Active, Invited, true, false),
            (Active, Active, true, true),
        ] {
            assert_eq!(is_allowed_transition(from, to, has_password), is_allowed, "{from:?} to {to:?}");
        }
    }
}
