//! The modules as functions in this process: what `main` of each does on Lambda, for all of them at once.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use shared::auth::{Issuer, Keys};
use shared::{App, Config, StartError};

use crate::function::{Functions, InProcess};
use crate::template::Template;

/// The issuer of tokens that the local server and the tests accept.
pub const TOKEN_ISSUER: &str = "upzento-local";

/// The configuration of every function, with these keys, on this table.
pub fn config(table: &str, keys: &Keys) -> Config {
    Config {
        table: table.to_owned(),
        token_issuer: TOKEN_ISSUER.to_owned(),
        jwks: keys.jwks.clone(),
        data_key: keys.data.clone(),
    }
}

/// Every module's router, by the name of its function's code.
pub fn routers(app: &App, keys: &Keys) -> Result<BTreeMap<&'static str, Router>, StartError> {
    let issuer = Issuer::new(TOKEN_ISSUER, &keys.signing)?;
    Ok([
        ("auth", auth::router(app.clone(), issuer)),
        ("contacts", contacts::router(app.clone())),
        ("docs", docs::router()),
        ("tenancy", tenancy::router(app.clone())),
    ]
    .into())
}

/// The template's functions, answered by these routers. A function without a router is left out, and the gateway says so.
pub fn in_process(template: &Template, routers: &BTreeMap<&'static str, Router>) -> Functions {
    let answered = template.functions.iter().filter_map(|(id, function)| {
        let router = routers.get(function.name.as_str())?;
        let function: Arc<dyn crate::function::Invoke> = Arc::new(InProcess::new(&function.name, router.clone()));
        Some((id.clone(), function))
    });
    answered.collect()
}
