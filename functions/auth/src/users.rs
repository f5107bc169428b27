//! Users of an agency or of a client: what is the same for both, and the rules.

use axum::http::StatusCode;
use deserr::Deserr;
use shared::auth::credential::{self, Purpose};
use shared::auth::password::{self, NewPassword};
use shared::auth::tries::{Count, MAIL};
use shared::auth::{Actor, HomeScope, Role, account};
use shared::entity::{Account, Profile, Status, User, UserCountChange, UserFields, UserId};
use shared::http::{Accepted, Created, Creation, Deleted, IfMatch, IfNoneMatch, Patch, WithEtag};
use shared::keys::Scope;
use shared::mail::{Mail, Message};
use shared::store::{Store, Transaction};
use shared::value::{Email, InvalidValue, Name, ValidationErrors};
use shared::{App, Problem, Result};
use utoipa::ToSchema;

/// Somebody who is to be a user.
#[derive(Clone, Deserr, ToSchema)]
#[serde(rename_all = "camelCase")]
#[deserr(error = ValidationErrors, rename_all = camelCase, deny_unknown_fields)]
pub(crate) struct NewUser {
    /// Unique on the whole platform, whatever its case.
    email: Email,
    /// Given name.
    first_name: Name,
    /// Family name.
    last_name: Name,
    /// One of the roles of the home; without it, the lower.
    #[deserr(default)]
    role: Option<Role>,
    /// Without it, the user is `INVITED` and gets a mail with which to choose one.
    #[deserr(default)]
    password: Option<NewPassword>,
}

/// Somebody who manages the users of a home that their role reaches.
pub(crate) struct UserService<'a> {
    pub(crate) app: &'a App,
    pub(crate) store: &'a Store,
    pub(crate) actor: &'a Actor,
    pub(crate) home: HomeScope,
}

impl UserService<'_> {
    /// Creates a user, whose path is below `users`.
    pub(crate) async fn create(
        &self,
        scope: impl Scope,
        users: &str,
        new: NewUser,
        request: Creation,
    ) -> Result<Created> {
        let role = new.role.unwrap_or(lower_role(self.home));
        may_grant(self.actor.role(), role, self.home)?;
        let password_hash = match new.password {
            Some(password) => Some(password::hash(password).await?),
            None => None,
        };
        let profile = Profile { first_name: new.first_name, last_name: new.last_name };
        let now = self.app.clock().now();
        let mut user = User::new(self.app.ids().make(), self.home, role, new.email, profile, now);
        if password_hash.is_none() {
            user.status = Status::Invited;
        }
        let account = Account { user, password_hash, epoch: 0 };
        let location = format!("{users}/{}", account.user.id);
        let invited = account.user.status == Status::Invited;
        let read = || async {
            let count = MAIL.count(self.app, self.store, format!("invitation {}", account.user.email.folded()));
            Ok(if invited { Some(count.await?) } else { None })
        };
        let created = request.decide(self.store, scope, &account.user, location, read, |mails, transaction| {
            self.still_may(transaction, None)?;
            self.count(transaction, None, Some(&account.user))?;
            transaction.create(&self.home.user(account.user.id), &account)?;
            account::take_email(self.app, transaction, &account.user)?;
            mails.as_ref().map_or(Ok(()), |mails| self.mail_invitation(transaction, mails, &account))
        });
        created.await
    }

    /// Reads a user.
    pub(crate) async fn read(&self, id: UserId, has: IfNoneMatch) -> Result<WithEtag<User>> {
        Ok(WithEtag::unless(self.store.find(&self.home.user(id)).await?.user, has))
    }

    /// Changes a user.
    pub(crate) async fn update(&self, id: UserId, if_match: &IfMatch, patch: &Patch) -> Result<WithEtag<User>> {
        let key = self.home.user(id);
        let read = || self.find(id);
        let changed = self.store.decide(read, |(account, mails), transaction| {
            if_match.check(account.user.meta.version)?;
            let fields = patch.apply(&account.user.fields())?;
            may_change(self.actor, self.home, account, &fields)?;
            self.still_may(transaction, Some(account))?;
            let next = self.change(transaction, account, fields, mails.as_ref())?;
            transaction.replace(&key, &next, account.user.meta.version)?;
            Ok(next)
        });
        Ok(WithEtag::new(changed.await?.user))
    }

    /// A user, and for one who never chose a password how much mail they were sent of late.
    async fn find(&self, id: UserId) -> Result<(Account, Option<Count>)> {
        let account = self.store.find(&self.home.user(id)).await?;
        if account.password_hash.is_some() {
            return Ok((account, None));
        }
        let mails = MAIL.count(self.app, self.store, format!("invitation {id}")).await?;
        Ok((account, Some(mails)))
    }

    /// The account with these fields, and in the transaction what must change with it.
    fn change(
        &self,
        transaction: &mut Transaction,
        before: &Account,
        fields: UserFields,
        mails: Option<&Count>,
    ) -> Result<Account> {
        let user = before.user.with_fields(fields, self.app.clock().now());
        let after = Account { user, ..before.clone() };
        let moved = before.user.email.folded() != after.user.email.folded();
        let disabled = before.user.status != Status::Disabled && after.user.status == Status::Disabled;
        let after = if moved || disabled { after.next_epoch() } else { after };
        if moved {
            account::free_email(self.app, transaction, &before.user)?;
            account::take_email(self.app, transaction, &after.user)?;
            self.tell_former_email(transaction, before)?;
        }
        self.count(transaction, Some(&before.user), Some(&after.user))?;
        let invited = after.user.status == Status::Invited && (moved || before.user.status == Status::Disabled);
        if let Some(mails) = mails.filter(|_| invited) {
            self.mail_invitation(transaction, mails, &after)?;
        }
        Ok(after)
    }

    /// Deletes a user, whose email is free from then on.
    pub(crate) async fn delete(&self, id: UserId, if_match: &IfMatch) -> Result<Deleted> {
        let gone = self.store.delete(self.home.user(id), if_match, |account, transaction| {
            self.still_may(transaction, Some(account))?;
            self.count(transaction, Some(&account.user), None)?;
            account::free_email(self.app, transaction, &account.user)
        });
        gone.await.map(|()| Deleted)
    }

    /// Mails a new invitation to a user who has not accepted one.
    pub(crate) async fn invite(&self, id: UserId) -> Result<Accepted> {
        let mailed = self.store.decide(
            || self.find(id),
            |(account, mails), transaction| {
                let open = mails.as_ref().filter(|_| account.user.status == Status::Invited);
                let not_invited = || Problem::conflict("not_invited", "There is no open invitation of this user.");
                self.still_may(transaction, None)?;
                self.mail_invitation(transaction, open.ok_or_else(not_invited)?, account)
            },
        );
        mailed.await.map(|()| Accepted)
    }

    /// Mails an invitation, if there were not too many of late.
    fn mail_invitation(&self, transaction: &mut Transaction, mails: &Count, account: &Account) -> Result<()> {
        mails.check()?;
        mails.add(transaction)?;
        credential::mail(self.app, transaction, self.home, account, Purpose::Invitation)
    }

    /// Tells whoever has the former email of a user that it is theirs no longer.
    fn tell_former_email(&self, transaction: &mut Transaction, before: &Account) -> Result<()> {
        if before.user.status == Status::Invited {
            return Ok(());
        }
        let (to, first_name) = (before.user.email.clone(), before.user.first_name.clone());
        let notice = Mail::notice(to, Message::EmailChanged { first_name }, self.app.clock().now());
        transaction.mail(self.app, self.home, &notice)
    }

    /// Requires that the actor still is what their token says: else whoever lost their power could pass it on while the token
    /// lasts. `read` is the user whom the transaction changes.
    fn still_may(&self, transaction: &mut Transaction, read: Option<&Account>) -> Result<()> {
        let (actor, role) = (self.actor.user(), self.actor.role());
        match read.map(|read| &read.user).filter(|user| user.id == actor) {
            // Their own row is written under the version that was read.
            Some(user) if user.status == Status::Active && user.role == role => Ok(()),
            Some(_) => Err(Problem::unauthenticated()),
            None => transaction.require_role(&self.actor.home().user(actor), role, Problem::unauthenticated()),
        }
    }

    fn count(&self, transaction: &mut Transaction, before: Option<&User>, after: Option<&User>) -> Result<()> {
        let change = UserCountChange::between(before, after);
        let from_above = self.actor.home() != self.home;
        match self.home.holdings() {
            Some(holdings) if change != UserCountChange::default() => {
                transaction.count_users(&holdings, change, from_above)
            }
            _ => Ok(()),
        }
    }
}

// ── Rules ───────────────────────────────────────────────────────────────────────────────────────────────────────────

/// What somebody is unless it is said.
const fn lower_role(home: HomeScope) -> Role {
    match home {
        HomeScope::Platform(_) => Role::Admin,
        HomeScope::Agency(_) => Role::AgencyUser,
        HomeScope::Client(_) => Role::ClientUser,
    }
}

/// Nobody grants a role above their own (403), and a home has roles of its own (422).
fn may_grant(own: Role, role: Role, home: HomeScope) -> Result<()> {
    if role.is_above(own) {
        let detail = "Nobody grants a role above their own.";
        return Err(Problem::new(StatusCode::FORBIDDEN, "role_above_own", detail));
    }
    if !role.is_of(home) {
        return Err(
            ValidationErrors::field("/role", InvalidValue::new("invalid_role", "is not a role of users here")).into()
        );
    }
    Ok(())
}

/// Whether somebody may give these fields to a user.
fn may_change(actor: &Actor, home: HomeScope, account: &Account, fields: &UserFields) -> Result<()> {
    let user = &account.user;
    if fields.role != user.role {
        if actor.user() == user.id {
            return Err(Problem::new(StatusCode::FORBIDDEN, "own_role", "Nobody changes their own role."));
        }
        may_grant(actor.role(), fields.role, home)?;
    }
    if may_become(user.status, fields.status, account.password_hash.is_some()) {
        return Ok(());
    }
    let detail = "A user with a password is ACTIVE or DISABLED; one without is INVITED or DISABLED.";
    Err(Problem::conflict("invalid_transition", detail))
}

/// Only their own choice of a password makes somebody who was invited active.
fn may_become(from: Status, to: Status, has_password: bool) -> bool {
    from == to
        || match to {
            Status::Disabled => true,
            Status::Active => has_password,
            Status::Invited => !has_password,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disabling_is_for_everybody_and_coming_back_depends_on_a_password() {
        use Status::{Active, Disabled, Invited};
        for (from, to, has_password, may) in [
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
            assert_eq!(may_become(from, to, has_password), may, "{from:?} to {to:?}");
        }
    }
}
