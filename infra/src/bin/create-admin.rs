//! `create-admin EMAIL FIRST_NAME LAST_NAME` makes a platform admin of a deployment, whose password is in `ADMIN_PASSWORD`.
//!
//! It runs with the operator's own AWS credentials, and with the `TABLE_NAME`, `TOKEN_ISSUER`, `TOKEN_JWKS` and `DATA_KEY` of
//! the deployment in its environment.

use std::env;

use shared::App;
use shared::auth::Role;
use shared::auth::operator::Operator;
use shared::entity::Profile;

type Error = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [email, first_name, last_name] = arguments.as_slice() else {
        return Err("usage: ADMIN_PASSWORD=… create-admin EMAIL FIRST_NAME LAST_NAME".into());
    };
    let password = env::var("ADMIN_PASSWORD").map_err(|_| "ADMIN_PASSWORD is not set")?;
    let profile = Profile {
        first_name: first_name.parse().map_err(|_| "the first name cannot be used")?,
        last_name: last_name.parse().map_err(|_| "the last name cannot be used")?,
    };
    let email = email.parse().map_err(|_| "that is not an email address")?;
    let password =
        password.parse().map_err(|_| "ADMIN_PASSWORD must have 12 to 128 characters, and not be a common one")?;
    let operator = Operator::new(App::from_env().await?);
    let created = operator.create_user(operator.platform(), Role::Admin, email, profile, password).await;
    let user = created.map_err(|problem| format!("the admin was not created: {}", problem.code()))?;
    println!("Created the admin {}.", user.id);
    Ok(())
}
