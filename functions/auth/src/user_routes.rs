//! The routes of users.
//!
//! The routes of agency users and of client users differ only in their paths and permissions.

use axum::Json;
use axum::extract::State;
use shared::identity::{
    AgencyId, AgencyScope, ClientId, ClientScope, HomeScope, ManageAgencyUsers, ManageClientUsers, ReadAgencyUsers,
    ReadClientUsers,
};
use shared::table::Store;
use shared::users::{User, UserFields, UserId};
use shared::value::marker;
use shared::web::page::PageParams;
use shared::web::{
    Accepted, Access, Api, App, Create, Created, Deleted, IfMatch, IfNoneMatch, Page, Paging, Patch, PathId, Result,
    WithEtag,
};
use utoipa_axum::routes;

use crate::users::{CreateUserRequest, UserService};

type UserPage = Page<User>;

/// Defines a module with the routes of the users of one kind of home.
///
/// `noun` is the home in the texts of the OpenAPI document.
macro_rules! user_routes {
    (
        mod $module:ident;
        scope: $Scope:ty;
        read: $Read:ty, errors: $read_errors:tt;
        manage: $Manage:ty;
        id: $id:literal = $Id:ty;
        path: $path:literal;
        noun: $noun:literal;
        operations {
            create: $create:literal;
            list: $list:literal;
            get: $get:literal;
            update: $update:literal;
            delete: $delete:literal;
            invite: $invite:literal;
        }
    ) => {
        pub(crate) mod $module {
            use super::*;

            #[utoipa::path(post, path = $path, tag = "users", operation_id = $create,
                summary = concat!("Create or invite a user of ", $noun, "."),
                description = "Without a password, the user is `INVITED` and gets an invitation by mail to choose \
                    one. Mails are limited, for example to 5 an hour to one email, and so are the responses \
                    `email_taken`. No user can grant a role above their own.",
                params(($id = $Id, Path, description = concat!("The id of ", $noun, "."))),
                request_body = CreateUserRequest,
                responses((status = 201, body = User, description = "The new user.")),
                extensions(("x-errors" = json!(["forbidden", "email_taken", "role_above_own", "too_many_attempts"]))))]
            async fn create(
                scope: Access<$Scope, $Manage>,
                State(app): State<App>,
                store: Store,
                Create { fields, request }: Create<CreateUserRequest>,
            ) -> Result<Created> {
                let users = $path.replace(concat!("{", $id, "}"), &scope.id().to_string());
                service(&app, &store, &scope).create(*scope, &users, fields, request).await
            }

            #[utoipa::path(get, path = $path, tag = "users", operation_id = $list,
                summary = concat!("List the users of ", $noun, "."), description = "Oldest first.",
                params(($id = $Id, Path, description = concat!("The id of ", $noun, ".")), PageParams),
                responses((status = 200, body = UserPage, description = "A page of users.")),
                extensions(("x-errors" = json!($read_errors))))]
            async fn list(scope: Access<$Scope, $Read>, store: Store, paging: Paging) -> Result<Json<UserPage>> {
                let page = paging.read(&store, *scope, HomeScope::from(*scope).users()).await?;
                Ok(Json(page.map(|account| account.user)))
            }

            #[utoipa::path(get, path = concat!($path, "/{userId}"), tag = "users", operation_id = $get,
                summary = concat!("Get a user of ", $noun, "."), description = "The password is never returned.",
                params(($id = $Id, Path, description = concat!("The id of ", $noun, ".")),
                    ("userId" = UserId, Path, description = "The user's id.")),
                responses((status = 200, body = User, description = "The user.")),
                extensions(("x-errors" = json!($read_errors)), ("x-versioned" = json!(true))))]
            async fn read(
                scope: Access<$Scope, $Read>,
                PathId(id): PathId<marker::User>,
                State(app): State<App>,
                store: Store,
                if_none_match: IfNoneMatch,
            ) -> Result<WithEtag<User>> {
                service(&app, &store, &scope).read(id, if_none_match).await
            }

            #[utoipa::path(patch, path = concat!($path, "/{userId}"), tag = "users", operation_id = $update,
                summary = concat!("Update a user of ", $noun, "."),
                description = "A JSON Merge Patch: an absent field keeps its value. A new email, or disabling the user, \
                    ends all sessions of the user. The previous email gets a notice of the change; an invited user \
                    gets a new invitation instead. No user can change their own role or grant a role above their \
                    own. The last active admin cannot be disabled or get another role.",
                params(($id = $Id, Path, description = concat!("The id of ", $noun, ".")),
                    ("userId" = UserId, Path, description = "The user's id.")),
                request_body(content = UserFields, content_type = "application/merge-patch+json"),
                responses((status = 200, body = User, description = "The updated user.")),
                extensions(
                    ("x-errors" = json!(["forbidden", "email_taken", "role_above_own", "own_role", "last_admin",
                        "invalid_transition", "too_many_attempts"])),
                    ("x-versioned" = json!(true))))]
            async fn update(
                scope: Access<$Scope, $Manage>,
                PathId(id): PathId<marker::User>,
                State(app): State<App>,
                store: Store,
                if_match: IfMatch,
                patch: Patch,
            ) -> Result<WithEtag<User>> {
                service(&app, &store, &scope).update(id, &if_match, &patch).await
            }

            #[utoipa::path(delete, path = concat!($path, "/{userId}"), tag = "users", operation_id = $delete,
                summary = concat!("Delete a user of ", $noun, "."),
                description = "Ends all sessions of the user and releases the email. Deals that are assigned to the user \
                    have no assignee soon after; notes and the history of deals keep the user's id. The last active \
                    admin cannot be deleted, except as the last user, by an admin of a higher level.",
                params(($id = $Id, Path, description = concat!("The id of ", $noun, ".")),
                    ("userId" = UserId, Path, description = "The user's id.")),
                responses((status = 204, description = "The user was deleted.")),
                extensions(("x-errors" = json!(["forbidden", "last_admin"])), ("x-versioned" = json!(true))))]
            async fn delete(
                scope: Access<$Scope, $Manage>,
                PathId(id): PathId<marker::User>,
                State(app): State<App>,
                store: Store,
                if_match: IfMatch,
            ) -> Result<Deleted> {
                service(&app, &store, &scope).delete(id, &if_match).await
            }

            #[utoipa::path(post, path = concat!($path, "/{userId}/invitation"), tag = "users",
                operation_id = $invite, summary = concat!("Mail a new invitation to a user of ", $noun, "."),
                description = "Only for a user with the status `INVITED`. At most 5 mails an hour are sent to one email.",
                params(($id = $Id, Path, description = concat!("The id of ", $noun, ".")),
                    ("userId" = UserId, Path, description = "The user's id.")),
                responses((status = 202, description = "The invitation will be sent.")),
                extensions(("x-errors" = json!(["forbidden", "not_invited", "email_taken", "too_many_attempts"]))))]
            async fn invite(
                scope: Access<$Scope, $Manage>,
                PathId(id): PathId<marker::User>,
                State(app): State<App>,
                store: Store,
            ) -> Result<Accepted> {
                service(&app, &store, &scope).invite(id).await
            }

            pub(crate) fn api() -> Api {
                Api::new().routes(routes!(create, list)).routes(routes!(read, update, delete)).routes(routes!(invite))
            }
        }
    };
}

user_routes! {
    mod agency_users;
    scope: AgencyScope;
    read: ReadAgencyUsers, errors: ["forbidden"];
    manage: ManageAgencyUsers;
    id: "agencyId" = AgencyId;
    path: "/v1/agencies/{agencyId}/users";
    noun: "an agency";
    operations {
        create: "createAgencyUser";
        list: "listAgencyUsers";
        get: "getAgencyUser";
        update: "updateAgencyUser";
        delete: "deleteAgencyUser";
        invite: "inviteAgencyUser";
    }
}

user_routes! {
    mod client_users;
    scope: ClientScope;
    read: ReadClientUsers, errors: [];
    manage: ManageClientUsers;
    id: "clientId" = ClientId;
    path: "/v1/clients/{clientId}/users";
    noun: "a client";
    operations {
        create: "createClientUser";
        list: "listClientUsers";
        get: "getClientUser";
        update: "updateClientUser";
        delete: "deleteClientUser";
        invite: "inviteClientUser";
    }
}

fn service<'a, S: Copy + Into<HomeScope>, P>(
    app: &'a App,
    store: &'a Store,
    scope: &'a Access<S, P>,
) -> UserService<'a> {
    UserService { app, store, actor: scope.actor(), home: (**scope).into() }
}
