//! The compiled functions, each behind a Runtime API of its own, with the environment that the template gives them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use infra::function::{Functions, Invoke};
use infra::modules::TOKEN_ISSUER;
use infra::runtime_api::{LambdaFunction, Output, Settings};
use infra::template::Function;
use shared::auth::Keys;

use crate::world::TEMPLATE;

/// What differs from one deployment to the next.
pub(crate) struct Environment<'a> {
    pub(crate) table: &'a str,
    pub(crate) keys: &'a Keys,
    pub(crate) endpoint: &'a str,
    /// The folder for a log file of each function.
    pub(crate) logs: &'a Path,
}

/// Every function of the template.
pub(crate) fn functions(environment: &Environment<'_>) -> Functions {
    let functions = TEMPLATE.functions.iter().map(|(id, function)| {
        let function: Arc<dyn Invoke> = Arc::new(LambdaFunction::new(settings(function, environment)));
        (id.clone(), function)
    });
    functions.collect()
}

fn settings(function: &Function, environment: &Environment<'_>) -> Settings {
    Settings {
        name: function.name.clone(),
        bootstrap: program(&function.name),
        memory_mb: function.memory_mb,
        environment: variables(&function.name, environment),
        concurrency: 4,
        output: Output::Append(environment.logs.join(&function.name)),
    }
}

/// The variables of the template, and where the engine is instead of AWS.
fn variables(name: &str, environment: &Environment<'_>) -> BTreeMap<String, String> {
    let Environment { table, keys, endpoint, .. } = environment;
    let mut variables = BTreeMap::from([
        ("TABLE_NAME", *table),
        ("TOKEN_ISSUER", TOKEN_ISSUER),
        ("TOKEN_JWKS", &keys.jwks),
        ("DATA_KEY", &keys.data),
        ("AWS_ENDPOINT_URL_DYNAMODB", endpoint),
        ("AWS_ACCESS_KEY_ID", "local"),
        ("AWS_SECRET_ACCESS_KEY", "local"),
    ]);
    if name == "auth" {
        variables.insert("TOKEN_SIGNING_KEY", &keys.signing);
    }
    variables.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// Cargo puts a package's program above the folder of the tests.
fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test has a program");
    let folder = test.ancestors().nth(2).expect("a test is in target/debug/deps");
    let program = folder.join(name);
    assert!(program.is_file(), "{} is not there: run `cargo build -p {name}` first", program.display());
    program
}
