//! The functions of the local server, in this process or as compiled programs.

use std::sync::Arc;

use shared::identity::Keys;
use shared::web::App;

use super::{Error, Mode, Settings, TABLE};
use crate::aws::function::{Functions, Invoke};
use crate::aws::runtime_api::{self, LambdaFunction, Output};
use crate::aws::template::Template;
use crate::local::modules::{self, LocalConfig};

/// Maximum number of concurrent invocations per function.
const MAX_CONCURRENCY: usize = 8;

/// The running functions of the local server.
pub(super) struct RunningFunctions {
    pub(super) functions: Functions,
    lambdas: Vec<Arc<LambdaFunction>>,
}

impl RunningFunctions {
    pub(super) fn start(
        settings: &Settings,
        template: &Template,
        app: &App,
        keys: &Keys,
        endpoint: &str,
        local: &LocalConfig,
    ) -> Result<Self, Error> {
        let Mode::Lambda { programs } = &settings.mode else {
            let routers = modules::routers(app, template, keys, local)?;
            let functions = modules::in_process(template, &routers, &modules::listeners(app, template, local)?);
            return Ok(Self { functions, lambdas: Vec::new() });
        };
        let mut running = Self { functions: Functions::new(), lambdas: Vec::new() };
        for (id, function) in &template.functions {
            let bootstrap = programs.join(&function.name);
            if !bootstrap.exists() {
                return Err(format!("{} is not built", bootstrap.display()).into());
            }
            let lambda = Arc::new(LambdaFunction::new(runtime_api::Settings {
                name: function.name.clone(),
                bootstrap,
                memory_mb: function.memory_mb,
                environment: modules::environment(function, TABLE, keys, endpoint, local),
                concurrency: MAX_CONCURRENCY,
                output: Output::Inherit,
            }));
            running.lambdas.push(Arc::clone(&lambda));
            running.functions.insert(id.clone(), lambda as Arc<dyn Invoke>);
        }
        Ok(running)
    }

    pub(super) async fn stop(self) {
        for lambda in self.lambdas {
            lambda.shutdown().await;
        }
    }
}
