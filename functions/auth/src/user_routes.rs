//! The routes of [users](crate::users): those of agencies and those of clients differ in their paths and in who may.

use axum::Json;
use axum::extract::State;
use shared::auth::{
    Access, AgencyId, AgencyScope, ClientId, ClientScope, HomeScope, ManageAgencyUsers, ManageClientUsers,
    ReadAgencyUsers, ReadClientUsers,
};
use shared::entity::{User, UserFields, UserId};
use shared::http::page::PageParams;
use shared::http::{
    Accepted, Api, Create, Created, Deleted, IfMatch, IfNoneMatch, Page, Paging, Patch, PathId, WithEtag,
};
use shared::store::Store;
use shared::{App, Result};
use utoipa_axum::routes;

use crate::users::{NewUser, UserService};

type UserPage = Page<User>;

macro_rules! user_routes {
    (
        $module:ident: $Scope:ty, $Read:ty, $Manage:ty, $id:literal = $Id:ty,
        $users:literal, $user:literal, $invitation:literal,
        $create:literal, $list:literal, $read:literal, $update:literal, $delete:literal, $invite:literal
    ) => {
        pub(crate) mod $module {
            use super::*;

            /// Create a user, or invite one by mail.
            #[utoipa::path(post, path = $users, tag = "users", operation_id = $create,
                                params(($id = $Id, Path)), request_body = NewUser,
                                responses((status = 201, body = User, description = "Created.")),
                                extensions(("x-round-trips" = json!(2))))]
            async fn create(
                scope: Access<$Scope, $Manage>,
                State(app): State<App>,
                store: Store,
                Create { fields, request }: Create<NewUser>,
            ) -> Result<Created> {
                let users = $users.replace(concat!("{", $id, "}"), &scope.id().to_string());
                manager(&app, &store, &scope).create(*scope, &users, fields, request).await
            }

            /// List the users, oldest first.
            #[utoipa::path(get, path = $users, tag = "users", operation_id = $list,
                                params(($id = $Id, Path), PageParams),
                                responses((status = 200, body = UserPage, description = "A page.")),
                                extensions(("x-round-trips" = json!(1))))]
            async fn list(scope: Access<$Scope, $Read>, store: Store, paging: Paging) -> Result<Json<UserPage>> {
                let page = paging.read(&store, *scope, HomeScope::from(*scope).users()).await?;
                Ok(Json(page.map(|account| account.user)))
            }

            /// Read a user.
            #[utoipa::path(get, path = $user, tag = "users", operation_id = $read,
                                params(($id = $Id, Path), ("userId" = UserId, Path)),
                                responses((status = 200, body = User, description = "The user.")),
                                extensions(("x-round-trips" = json!(1)), ("x-versioned" = json!(true))))]
            async fn read(
                scope: Access<$Scope, $Read>,
                PathId(id): PathId<User>,
                State(app): State<App>,
                store: Store,
                has: IfNoneMatch,
            ) -> Result<WithEtag<User>> {
                manager(&app, &store, &scope).read(id, has).await
            }

            /// Change a user: another role or email, disabled or active again.
            #[utoipa::path(patch, path = $user, tag = "users", operation_id = $update,
                                params(($id = $Id, Path), ("userId" = UserId, Path)),
                                request_body(content = UserFields, content_type = "application/merge-patch+json"),
                                responses((status = 200, body = User, description = "Changed.")),
                                extensions(("x-round-trips" = json!(3)), ("x-versioned" = json!(true))))]
            async fn update(
                scope: Access<$Scope, $Manage>,
                PathId(id): PathId<User>,
                State(app): State<App>,
                store: Store,
                if_match: IfMatch,
                patch: Patch,
            ) -> Result<WithEtag<User>> {
                manager(&app, &store, &scope).update(id, &if_match, &patch).await
            }

            /// Delete a user.
            #[utoipa::path(delete, path = $user, tag = "users", operation_id = $delete,
                                params(($id = $Id, Path), ("userId" = UserId, Path)),
                                responses((status = 204, description = "Deleted.")),
                                extensions(("x-round-trips" = json!(2)), ("x-versioned" = json!(true))))]
            async fn delete(
                scope: Access<$Scope, $Manage>,
                PathId(id): PathId<User>,
                State(app): State<App>,
                store: Store,
                if_match: IfMatch,
            ) -> Result<Deleted> {
                manager(&app, &store, &scope).delete(id, &if_match).await
            }

            /// Mail another invitation to a user who has not accepted one.
            #[utoipa::path(post, path = $invitation, tag = "users", operation_id = $invite,
                                params(($id = $Id, Path), ("userId" = UserId, Path)),
                                responses((status = 202, description = "A mail follows.")),
                                extensions(("x-round-trips" = json!(3))))]
            async fn invite(
                scope: Access<$Scope, $Manage>,
                PathId(id): PathId<User>,
                State(app): State<App>,
                store: Store,
            ) -> Result<Accepted> {
                manager(&app, &store, &scope).invite(id).await
            }

            pub(crate) fn api() -> Api {
                Api::new().routes(routes!(create, list)).routes(routes!(read, update, delete)).routes(routes!(invite))
            }
        }
    };
}

user_routes!(
    of_agency: AgencyScope, ReadAgencyUsers, ManageAgencyUsers, "agencyId" = AgencyId,
    "/v1/agencies/{agencyId}/users",
    "/v1/agencies/{agencyId}/users/{userId}",
    "/v1/agencies/{agencyId}/users/{userId}/invitation",
    "createAgencyUser", "listAgencyUsers", "readAgencyUser", "updateAgencyUser", "deleteAgencyUser", "inviteAgencyUser"
);

user_routes!(
    of_client: ClientScope, ReadClientUsers, ManageClientUsers, "clientId" = ClientId,
    "/v1/clients/{clientId}/users",
    "/v1/clients/{clientId}/users/{userId}",
    "/v1/clients/{clientId}/users/{userId}/invitation",
    "createClientUser", "listClientUsers", "readClientUser", "updateClientUser", "deleteClientUser", "inviteClientUser"
);

fn manager<'a, S: Copy + Into<HomeScope>, P>(
    app: &'a App,
    store: &'a Store,
    scope: &'a Access<S, P>,
) -> UserService<'a> {
    UserService { app, store, actor: scope.actor(), home: (**scope).into() }
}
