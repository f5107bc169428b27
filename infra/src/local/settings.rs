//! How the local server is told what to do: environment variables, each with a default.

use std::env;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::Error;

/// What the local server runs, where, and on which data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `PORT` (3000): the API. The next two are kept for the widget API and the demo site.
    pub port: u16,
    /// The engine.
    pub engine: Engine,
    /// `DATA_DIR` (`.local`): keys, and the embedded engine's data.
    pub data_dir: PathBuf,
    /// `SEED` (`demo`): what an empty platform gets.
    pub seed: Seed,
    /// `ADMIN_EMAIL`: the platform's first admin.
    pub admin_email: String,
    /// `ADMIN_PASSWORD`.
    pub admin_password: String,
    /// `MODE`: how the functions run.
    pub mode: Mode,
    /// The deployment's template.
    pub template: PathBuf,
}

/// Where the data is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Engine {
    /// In this process, kept in the data directory.
    Embedded {
        /// `DYNAMODB_PORT` (8000): for other tools on this machine.
        port: u16,
    },
    /// `DYNAMODB=local`: DynamoDB Local, in memory.
    DynamoDbLocal {
        /// Where its package is installed.
        folder: PathBuf,
    },
    /// `DYNAMODB_ENDPOINT`: somebody else's.
    Elsewhere {
        /// Its URL.
        endpoint: String,
    },
}

/// What an empty platform gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seed {
    /// A tenant with agencies, clients, contacts, and a user of each role.
    Demo,
    /// The first admin.
    Empty,
}

/// How the functions run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    /// In this process.
    InProcess,
    /// `MODE=lambda`: each as processes of its compiled program.
    Lambda {
        /// Where the programs are.
        programs: PathBuf,
    },
}

impl Settings {
    /// From the environment.
    pub fn from_env() -> Result<Self, Error> {
        Self::read(|name| env::var(name).ok().filter(|value| !value.is_empty()))
    }

    fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, Error> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("the workspace has no folder")?;
        let or = |name: &str, default: &str| variable(name).unwrap_or_else(|| default.to_owned());
        let port: u16 = number("PORT", &or("PORT", "3000"))?;
        if port > u16::MAX - 2 {
            return Err("PORT must leave room for the two ports after it".into());
        }
        Ok(Self {
            port,
            engine: engine(&variable, root)?,
            data_dir: or("DATA_DIR", ".local").into(),
            seed: match or("SEED", "demo").as_str() {
                "demo" => Seed::Demo,
                "empty" => Seed::Empty,
                other => return Err(format!("SEED is demo or empty, not {other}").into()),
            },
            admin_email: or("ADMIN_EMAIL", "admin@example.com"),
            admin_password: or("ADMIN_PASSWORD", "upzento-demo-admin"),
            mode: match or("MODE", "process").as_str() {
                "process" => Mode::InProcess,
                "lambda" => Mode::Lambda { programs: own_folder()? },
                other => return Err(format!("MODE is process or lambda, not {other}").into()),
            },
            template: root.join("template.yaml"),
        })
    }
}

fn engine(variable: &impl Fn(&str) -> Option<String>, root: &Path) -> Result<Engine, Error> {
    if let Some(endpoint) = variable("DYNAMODB_ENDPOINT") {
        return Ok(Engine::Elsewhere { endpoint });
    }
    match variable("DYNAMODB").as_deref() {
        None | Some("embedded") => {
            let port = variable("DYNAMODB_PORT").unwrap_or_else(|| "8000".to_owned());
            Ok(Engine::Embedded { port: number("DYNAMODB_PORT", &port)? })
        }
        Some("local") => Ok(Engine::DynamoDbLocal { folder: root.join("infra/dynamodb-local") }),
        Some(other) => Err(format!("DYNAMODB is embedded or local, not {other}").into()),
    }
}

fn number<T: FromStr>(name: &str, text: &str) -> Result<T, Error> {
    text.parse().map_err(|_| format!("{name} must be a port number, not {text}").into())
}

/// The functions' programs are built beside this one.
fn own_folder() -> Result<PathBuf, Error> {
    Ok(env::current_exe()?.parent().ok_or("this program has no folder")?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Settings, Error> {
        let found = |name: &str| variables.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned());
        Settings::read(found)
    }

    #[test]
    fn nothing_set_is_the_embedded_demo_on_port_3000() {
        let settings = read(&[]).unwrap();
        assert_eq!((settings.port, settings.seed, settings.mode), (3000, Seed::Demo, Mode::InProcess));
        assert_eq!(settings.engine, Engine::Embedded { port: 8000 });
    }

    #[test]
    fn an_endpoint_wins_over_a_named_engine() {
        let settings = read(&[("DYNAMODB", "local"), ("DYNAMODB_ENDPOINT", "http://127.0.0.1:9")]).unwrap();
        assert_eq!(settings.engine, Engine::Elsewhere { endpoint: "http://127.0.0.1:9".to_owned() });
    }

    #[test]
    fn what_means_nothing_is_refused_with_its_name() {
        for wrong in [("PORT", "eighty"), ("PORT", "65534"), ("SEED", "full"), ("MODE", "fast"), ("DYNAMODB", "aws")] {
            let error = read(&[wrong]).unwrap_err().to_string();
            assert!(error.contains(wrong.0), "{error}");
        }
    }
}
