//! Creates a platform admin: `create-admin EMAIL FIRST_NAME LAST_NAME`.
//!
//! Reads the password from `ADMIN_PASSWORD` and the deployment from `TABLE_NAME`, `TOKEN_ISSUER`, `TOKEN_JWKS` and
//! `USER_KEY`. Uses the operator's AWS credentials. `infra/create-admin.sh` sets these variables for a stage.

use std::env;

use shared::identity::Role;
use shared::users::Profile;
use shared::users::operator::Operator;
use shared::web::App;

type Error = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [email, first_name, last_name] = arguments.as_slice() else {
        return Err("usage: ADMIN_PASSWORD=… create-admin EMAIL FIRST_NAME LAST_NAME".into());
    };
    let password = env::var("ADMIN_PASSWORD").map_err(|_| "ADMIN_PASSWORD is not set")?;
    let profile = Profile {
        first_name: first_name.parse().map_err(|_| "FIRST_NAME is not a valid name")?,
        last_name: last_name.parse().map_err(|_| "LAST_NAME is not a valid name")?,
    };
    let email = email.parse().map_err(|_| "EMAIL is not an email address")?;
    let password = password
        .parse()
        .map_err(|_| "ADMIN_PASSWORD must have 12 to 128 characters and must not be a common password")?;
    let operator = Operator::new(App::from_env().await?);
    let created = operator.create_user(operator.platform(), Role::Admin, email, profile, password).await;
    let user = created.map_err(|problem| format!("cannot create the admin: {}", problem.code()))?;
    println!("Created the admin {}.", user.id);
    Ok(())
}
