//! The compiled functions, each behind a Runtime API of its own, with the environment that the template gives them.

use std::path::Path;
use std::sync::Arc;

use infra::function::{Functions, Invoke};
use infra::modules::{self, LocalConfig};
use infra::runtime_api::{LambdaFunction, Output, Settings};
use infra::template::Function;
use shared::auth::Keys;

use crate::world::{TEMPLATE, program};

/// What differs from one deployment to the next.
pub(crate) struct Environment<'a> {
    pub(crate) table: &'a str,
    pub(crate) keys: &'a Keys,
    pub(crate) endpoint: &'a str,
    pub(crate) surroundings: &'a LocalConfig,
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
    let Environment { table, keys, endpoint, surroundings, .. } = environment;
    Settings {
        name: function.name.clone(),
        bootstrap: program(&function.name),
        memory_mb: function.memory_mb,
        environment: modules::environment(function, table, keys, endpoint, surroundings),
        concurrency: 4,
        output: Output::Append(environment.logs.join(&function.name)),
    }
}
