//! The functions behind the local gateway: in this process, or as their compiled programs.

use std::sync::Arc;

use shared::App;
use shared::auth::Keys;

use super::{Error, Mode, Settings, TABLE};
use crate::function::{Functions, Invoke};
use crate::modules::{self, LocalConfig};
use crate::runtime_api::{self, LambdaFunction, Output};
use crate::template::Template;

/// How many invocations of a function may be under way at once.
const CONCURRENCY: usize = 8;

/// The functions, as long as the server needs them.
pub(super) struct Running {
    pub(super) functions: Functions,
    processes: Vec<Arc<LambdaFunction>>,
}

impl Running {
    pub(super) fn start(
        settings: &Settings,
        template: &Template,
        app: &App,
        keys: &Keys,
        endpoint: &str,
        surroundings: &LocalConfig,
    ) -> Result<Self, Error> {
        let Mode::Lambda { programs } = &settings.mode else {
            let routers = modules::routers(app, keys, surroundings)?;
            let functions = modules::in_process(template, &routers, &modules::listeners(app, surroundings)?);
            return Ok(Self { functions, processes: Vec::new() });
        };
        let mut running = Self { functions: Functions::new(), processes: Vec::new() };
        for (id, function) in &template.functions {
            let bootstrap = programs.join(&function.name);
            if !bootstrap.exists() {
                return Err(format!("{} is not built", bootstrap.display()).into());
            }
            let process = Arc::new(LambdaFunction::new(runtime_api::Settings {
                name: function.name.clone(),
                bootstrap,
                memory_mb: function.memory_mb,
                environment: modules::environment(function, TABLE, keys, endpoint, surroundings),
                concurrency: CONCURRENCY,
                output: Output::Inherit,
            }));
            running.processes.push(Arc::clone(&process));
            running.functions.insert(id.clone(), process as Arc<dyn Invoke>);
        }
        Ok(running)
    }

    pub(super) async fn stop(self) {
        for process in self.processes {
            process.shutdown().await;
        }
    }
}
