//! Runs the compiled functions, each behind its own Runtime API.
//!
//! Their environment variables are those of the template.

use std::path::Path;
use std::sync::Arc;

use infra::aws::function::{Functions, Invoke};
use infra::aws::runtime_api::{LambdaFunction, Output, Settings};
use infra::aws::template::Function;
use infra::local::modules::{self, LocalConfig};
use shared::identity::Keys;

use crate::world::{TEMPLATE, program};

/// The settings that differ between deployments.
pub(crate) struct Environment<'a> {
    pub(crate) table: &'a str,
    pub(crate) keys: &'a Keys,
    pub(crate) endpoint: &'a str,
    pub(crate) local_config: &'a LocalConfig,
    /// The folder with one log file per function.
    pub(crate) logs: &'a Path,
}

/// Starts every function of the template.
pub(crate) fn functions(environment: &Environment<'_>) -> Functions {
    let functions = TEMPLATE.functions.iter().map(|(id, function)| {
        let function: Arc<dyn Invoke> = Arc::new(LambdaFunction::new(settings(function, environment)));
        (id.clone(), function)
    });
    functions.collect()
}

fn settings(function: &Function, environment: &Environment<'_>) -> Settings {
    let Environment { table, keys, endpoint, local_config, .. } = environment;
    Settings {
        name: function.name.clone(),
        bootstrap: program(&function.name),
        memory_mb: function.memory_mb,
        environment: modules::environment(function, table, keys, endpoint, local_config),
        concurrency: 4,
        output: Output::Append(environment.logs.join(&function.name)),
    }
}
