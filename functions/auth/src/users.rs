//! Create, read, update, delete and invite users of an agency or a client.

use axum::http::StatusCode;
use deserr::Deserr;
use shared::identity::password::{self, NewPassword};
use shared::identity::{Actor, ClientScope, HomeScope, Role};
use shared::mail::{self, Mail, Message};
use shared::references::ClearAssignee;
use shared::table::{Order, Store, Transaction};
use shared::users::one_time_token::{self, Purpose};
use shared::users::{
    Account, Profile, User, UserCountChange, UserFields, UserId, UserStatus, accounts, repository,
    require_current_actor,
};
use shared::value::{Email, Instant, InvalidValue, Name, ValidationErrors};
use shared::web::{
    Accepted, App, Created, Deleted, ErrorCode, IdempotentRequest, IfMatch, IfNoneMatch, Located, Patch, Problem,
    Result, WithEtag,
};
use utoipa::ToSchema;

use crate::email_use::EmailUse;

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
        scope: impl Located,
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
        let account = Account::new(user, password_hash);
        let location = format!("{users}/{}", account.user.id);
        let read = || async {
            let email = EmailUse::read(self, &account.user.email, None).await?;
            email.require_available(self, &account.user).await?;
            Ok(email)
        };
        let created = request.retry_on_conflict(self.store, scope, read, |email, transaction| {
            self.require_current_role(transaction, None)?;
            self.count(transaction, None, Some(&account.user))?;
            repository::create(transaction, self.home, &account)?;
            accounts::reserve_email(self.app, transaction, self.home, &account.user, email.holder.as_ref())?;
            if account.user.status == UserStatus::Invited {
                self.mail_invitation(transaction, email, &account)?;
            }
            Created::new(StatusCode::CREATED, &account.user, location.clone())?.sealed(self.app, account.seal)
        });
        self.open_recorded(created.await?).await
    }

    /// Opens a recorded response: its data can be read until the user is deleted. One read for a recorded response.
    ///
    /// # Errors
    /// 404 if the user was deleted since.
    async fn open_recorded(&self, created: Created) -> Result<Created> {
        if !created.is_replayed() {
            return Ok(created);
        }
        let account = self.store.find(&self.home.user(created.entity_id()?)).await?;
        created.opened(self.app, account.seal)
    }

    /// Returns a user.
    pub(crate) async fn read(&self, id: UserId, if_none_match: IfNoneMatch) -> Result<WithEtag<User>> {
        Ok(WithEtag::unless(self.store.find(&self.home.user(id)).await?.user, if_none_match))
    }

    /// Updates a user.
    pub(crate) async fn update(&self, id: UserId, if_match: &IfMatch, patch: &Patch) -> Result<WithEtag<User>> {
        let read = || async {
            let account = self.store.find(&self.home.user(id)).await?;
            if_match.check(account.user.meta.version)?;
            let fields = patch.apply(&account.user.fields())?;
            check_change(self.actor, self.home, &account, &fields)?;
            let next = next_account(&account, fields, self.app.now());
            let email = self.read_email(&account, &next).await?;
            Ok((account, next, email))
        };
        let updated = self.store.retry_on_conflict(read, |(account, next, email), transaction| {
            if next.user.meta.version == account.user.meta.version {
                return Ok(next.clone());
            }
            self.require_current_role(transaction, Some(account))?;
            self.change(transaction, account, next, email.as_ref())?;
            repository::replace(transaction, self.home, account, next)?;
            Ok(next.clone())
        });
        let updated: Result<Account> = updated.await;
        Ok(WithEtag::new(updated?.user))
    }

    /// Reads what a change of a user's email or an invitation requires; `None` if the change is neither.
    async fn read_email(&self, before: &Account, after: &Account) -> Result<Option<EmailUse>> {
        let has_new_email = has_new_email(before, after);
        if !has_new_email && !is_invited_again(before, after) {
            return Ok(None);
        }
        let previous = has_new_email.then_some(&before.user.email);
        let email = EmailUse::read_for(self, (&after.user.email, previous), mailed(before, after)).await?;
        email.require_available(self, &after.user).await?;
        Ok(Some(email))
    }

    /// Adds the writes of a change besides the user's own item.
    fn change(
        &self,
        transaction: &mut Transaction,
        before: &Account,
        after: &Account,
        email: Option<&EmailUse>,
    ) -> Result<()> {
        self.count(transaction, Some(&before.user), Some(&after.user))?;
        let Some(email) = email else { return Ok(()) };
        if has_new_email(before, after) {
            accounts::release_email(self.app, transaction, &before.user, email.previous_holder.as_ref())?;
            accounts::reserve_email(self.app, transaction, self.home, &after.user, email.holder.as_ref())?;
        }
        if is_invited_again(before, after) {
            self.mail_invitation(transaction, email, after)?;
        } else if before.password_hash.is_some() {
            email.count_mail(transaction)?;
            self.notify_previous_email(transaction, before)?;
        }
        Ok(())
    }

    /// Deletes a user and releases the email. A job removes the user from the deals that are assigned to them.
    pub(crate) async fn delete(&self, id: UserId, if_match: &IfMatch) -> Result<Deleted> {
        let key = self.home.user(id);
        let read = async || {
            let account = self.store.find(&key).await?;
            let email = accounts::email_key(self.app, &account.user.email)?;
            let (holder, first_client) = tokio::join!(self.store.get(&email), self.first_client());
            Ok((account, holder?, first_client?))
        };
        let deleted = self.store.retry_on_conflict(read, |(account, holder, first_client), transaction| {
            if_match.check(account.user.meta.version)?;
            repository::delete(transaction, self.home, &account.user)?;
            self.require_current_role(transaction, Some(account))?;
            self.count(transaction, Some(&account.user), None)?;
            let users = (account.user.id, self.actor.user());
            ClearAssignee::enqueue(transaction, self.app, (self.home, *first_client), users)?;
            accounts::release_email(self.app, transaction, &account.user, holder.as_ref())
        });
        deleted.await.map(|()| Deleted)
    }

    /// The first client of the agency, for users of an agency: one Query.
    async fn first_client(&self) -> Result<Option<ClientScope>> {
        let HomeScope::Agency(agency) = self.home else { return Ok(None) };
        let page = self.store.query(&agency.clients().into(), None, Order::Asc, 1).await?;
        Ok(page.items.first().map(|(_, client)| agency.client(client.id)))
    }

    /// Mails a new invitation to a user with the status `INVITED`.
    pub(crate) async fn invite(&self, id: UserId) -> Result<Accepted> {
        let read = || async {
            let account = self.store.find(&self.home.user(id)).await?;
            if account.user.status != UserStatus::Invited {
                return Err(Problem::new(ErrorCode::NotInvited, "The user has no open invitation."));
            }
            let email = EmailUse::read(self, &account.user.email, None).await?;
            email.require_available(self, &account.user).await?;
            Ok((account, email))
        };
        let mailed = self.store.retry_on_conflict(read, |(account, email), transaction| {
            self.require_current_role(transaction, None)?;
            self.mail_invitation(transaction, email, account)
        });
        mailed.await.map(|()| Accepted)
    }

    /// Mails an invitation; `429 too_many_attempts` after too many mails.
    fn mail_invitation(&self, transaction: &mut Transaction, email: &EmailUse, account: &Account) -> Result<()> {
        email.count_mail(transaction)?;
        one_time_token::mail(self.app, transaction, self.home, account, Purpose::Invitation)
    }

    /// Mails a notice of a changed email to the previous email.
    fn notify_previous_email(&self, transaction: &mut Transaction, before: &Account) -> Result<()> {
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

/// The account with other fields; in the next epoch if the change ends the user's sessions.
fn next_account(before: &Account, fields: UserFields, now: Instant) -> Account {
    let after = Account { user: before.user.with_fields(fields, now), ..before.clone() };
    let is_disabled = before.user.status != UserStatus::Disabled && after.user.status == UserStatus::Disabled;
    if has_new_email(before, &after) || is_disabled { after.next_epoch() } else { after }
}

fn has_new_email(before: &Account, after: &Account) -> bool {
    before.user.email.folded() != after.user.email.folded()
}

/// Whether a change invites a user without a password: with a new email, or after the user was disabled.
fn is_invited_again(before: &Account, after: &Account) -> bool {
    let is_enabled = before.user.status == UserStatus::Disabled;
    after.user.status == UserStatus::Invited && (has_new_email(before, after) || is_enabled)
}

/// The email that gets the mail of a change: the invitation, or the notice of a new email.
fn mailed<'a>(before: &'a Account, after: &'a Account) -> &'a Email {
    if before.password_hash.is_some() { &before.user.email } else { &after.user.email }
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
