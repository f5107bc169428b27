//! Settings of the local server: environment variables with defaults.
//!
//! `infra/README.md` has a table of all variables.

use std::env;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use widgets::CaptchaConfig;

use super::Error;

/// Settings of the local server.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `PORT` (3000): port of the API.
    ///
    /// The next two are reserved for the widget API and the demo site.
    pub port: u16,
    /// `DYNAMODB`, `DYNAMODB_PORT`, `DYNAMODB_ENDPOINT`: the database engine.
    pub engine: Engine,
    /// `DATA_DIR` (`.local`): directory of the keys and the embedded engine's data.
    pub data_dir: PathBuf,
    /// `SEED` (`demo`): initial data of an empty platform.
    pub seed: Seed,
    /// `ADMIN_EMAIL`: email of the platform's first admin.
    pub admin_email: String,
    /// `ADMIN_PASSWORD`: password of the platform's first admin.
    pub admin_password: String,
    /// `MODE` (`process`): how the functions run.
    pub mode: Mode,
    /// `ALLOWED_HOSTS`: host names that the server accepts besides those of this machine, separated by commas.
    pub allowed_hosts: Vec<String>,
    /// `CAPTCHA_PROVIDER`, `CAPTCHA_SITE_KEY`, `CAPTCHA_SECRET`, `CAPTCHA_VERIFY_URL`: an account for CAPTCHA verification.
    pub captcha: Option<CaptchaConfig>,
    /// Path of the deployment's template.
    pub template: PathBuf,
}

/// The database engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Engine {
    /// The embedded engine, which stores its data in the data directory.
    Embedded {
        /// `DYNAMODB_PORT` (8000): port for other tools on this machine.
        port: u16,
    },
    /// `DYNAMODB=local`: DynamoDB Local, in memory.
    DynamoDbLocal {
        /// The folder in which its package is installed.
        folder: PathBuf,
    },
    /// `DYNAMODB_ENDPOINT`: an engine that runs outside of the local server.
    External {
        /// URL of the engine.
        endpoint: String,
    },
}

/// Initial data of an empty platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seed {
    /// The first admin, and a tenant with demo data and a user of each role.
    Demo,
    /// Only the first admin.
    Empty,
}

/// How the functions run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    /// In this process.
    InProcess,
    /// `MODE=lambda`: as processes of their compiled programs.
    Lambda {
        /// Directory of the compiled programs.
        programs: PathBuf,
    },
}

impl Settings {
    /// Reads the settings from the environment. An empty variable counts as unset.
    pub fn from_env() -> Result<Self, Error> {
        Self::parse(|name| env::var(name).ok().filter(|value| !value.is_empty()))
    }

    fn parse(variable: impl Fn(&str) -> Option<String>) -> Result<Self, Error> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("the workspace has no parent folder")?;
        let or = |name: &str, default: &str| variable(name).unwrap_or_else(|| default.to_owned());
        let port: u16 = port_number("PORT", &or("PORT", "3000"))?;
        if port > u16::MAX - 2 {
            return Err("PORT must be at most 65533, because the next two ports are reserved".into());
        }
        Ok(Self {
            port,
            engine: engine(&variable, root)?,
            data_dir: or("DATA_DIR", ".local").into(),
            seed: match or("SEED", "demo").as_str() {
                "demo" => Seed::Demo,
                "empty" => Seed::Empty,
                other => return Err(format!("SEED must be demo or empty, not {other}").into()),
            },
            admin_email: or("ADMIN_EMAIL", "admin@example.com"),
            admin_password: or("ADMIN_PASSWORD", "upzento-demo-admin"),
            mode: match or("MODE", "process").as_str() {
                "process" => Mode::InProcess,
                "lambda" => Mode::Lambda { programs: program_folder()? },
                other => return Err(format!("MODE must be process or lambda, not {other}").into()),
            },
            allowed_hosts: or("ALLOWED_HOSTS", "")
                .split(',')
                .map(str::trim)
                .filter(|host| !host.is_empty())
                .map(str::to_owned)
                .collect(),
            captcha: CaptchaConfig::from_variables(&variable)?,
            template: root.join("template.yaml"),
        })
    }
}

fn engine(variable: &impl Fn(&str) -> Option<String>, root: &Path) -> Result<Engine, Error> {
    if let Some(endpoint) = variable("DYNAMODB_ENDPOINT") {
        return Ok(Engine::External { endpoint });
    }
    match variable("DYNAMODB").as_deref() {
        None | Some("embedded") => {
            let port = variable("DYNAMODB_PORT").unwrap_or_else(|| "8000".to_owned());
            Ok(Engine::Embedded { port: port_number("DYNAMODB_PORT", &port)? })
        }
        Some("local") => Ok(Engine::DynamoDbLocal { folder: root.join("infra/dynamodb-local") }),
        Some(other) => Err(format!("DYNAMODB must be embedded or local, not {other}").into()),
    }
}

fn port_number<T: FromStr>(name: &str, text: &str) -> Result<T, Error> {
    text.parse().map_err(|_| format!("{name} must be a port number, not {text}").into())
}

/// The folder of this program, in which cargo also builds the functions' programs.
fn program_folder() -> Result<PathBuf, Error> {
    Ok(env::current_exe()?.parent().ok_or("this program has no parent folder")?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(variables: &[(&str, &str)]) -> Result<Settings, Error> {
        let value = |name: &str| variables.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned());
        Settings::parse(value)
    }

    #[test]
    fn defaults_are_the_embedded_demo_on_port_3000() {
        let settings = parse(&[]).unwrap();
        assert_eq!((settings.port, settings.seed, settings.mode), (3000, Seed::Demo, Mode::InProcess));
        assert_eq!(settings.engine, Engine::Embedded { port: 8000 });
    }

    #[test]
    fn allowed_hosts_are_separated_by_commas() {
        assert!(parse(&[]).unwrap().allowed_hosts.is_empty());
        assert_eq!(parse(&[("ALLOWED_HOSTS", "a.test, b.test,")]).unwrap().allowed_hosts, ["a.test", "b.test"]);
    }

    #[test]
    fn endpoint_takes_precedence_over_a_named_engine() {
        let settings = parse(&[("DYNAMODB", "local"), ("DYNAMODB_ENDPOINT", "http://127.0.0.1:9")]).unwrap();
        assert_eq!(settings.engine, Engine::External { endpoint: "http://127.0.0.1:9".to_owned() });
    }

    #[test]
    fn invalid_value_is_rejected_with_the_name_of_its_variable() {
        for invalid in [("PORT", "eighty"), ("PORT", "65534"), ("SEED", "full"), ("MODE", "fast"), ("DYNAMODB", "aws")]
        {
            let error = parse(&[invalid]).unwrap_err().to_string();
            assert!(error.contains(invalid.0), "{error}");
        }
    }
}
