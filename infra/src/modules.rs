//! The modules as functions in this process: what `main` of each does on Lambda, for all of them at once.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use shared::auth::{Issuer, Keys};
use shared::{App, Config, StartError};

use crate::function::{Functions, InProcess};
use crate::template::{Function, Template};

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
    let issuer = Issuer::new(TOKEN_ISSUER, &keys.signing, &keys.refresh)?;
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

/// What a compiled function finds in its environment: what the template gives to it and no more, with local values, and what
/// the SDK needs to find the engine.
pub fn environment(function: &Function, table: &str, keys: &Keys, endpoint: &str) -> BTreeMap<String, String> {
    let config = config(table, keys);
    let known = [
        ("TABLE_NAME", config.table),
        ("TOKEN_ISSUER", config.token_issuer),
        ("TOKEN_JWKS", config.jwks),
        ("DATA_KEY", config.data_key),
        ("TOKEN_SIGNING_KEY", keys.signing.clone()),
        ("TOKEN_REFRESH_KEY", keys.refresh.clone()),
    ];
    let given = known.into_iter().filter(|(name, _)| function.environment.contains(*name));
    let engine = [
        ("AWS_ENDPOINT_URL_DYNAMODB", endpoint.to_owned()),
        ("AWS_ACCESS_KEY_ID", "local".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "local".to_owned()),
    ];
    given.chain(engine).map(|(name, value)| (name.to_owned(), value)).collect()
}
