//! CAPTCHA verification: a provider checks that a person filled in a form. Off by default.
//!
//! The widget shows the challenge of the provider and sends its response in a header, not in the body: a response can be
//! verified once, so that a repeated request has another one and is still the same request.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Extension, FromRequestParts};
use axum::http::request::Parts;
use serde::{Deserialize, Serialize};
use shared::value::HttpsUrl;
use shared::web::{App, ErrorCode, Problem, Result};
use tokio::sync::OnceCell;
use utoipa::ToSchema;

/// The header with the response to the challenge.
const HEADER: &str = "captcha-response";

/// The longest response, in bytes; a longer one is not sent to the provider.
///
/// Those of Turnstile have at most 2,048 bytes (its documentation), those of hCaptcha may be longer.
const MAX_RESPONSE_BYTES: usize = 16 * 1024;

/// How long a verification may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// A provider of challenges. Both providers have the same interface for scripts and for verification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum CaptchaProvider {
    /// Cloudflare Turnstile.
    Turnstile,
    /// hCaptcha.
    Hcaptcha,
}

impl CaptchaProvider {
    const ALL: [Self; 2] = [Self::Turnstile, Self::Hcaptcha];

    /// The name, which is also that of the script's object in the page.
    const fn name(self) -> &'static str {
        match self {
            Self::Turnstile => "turnstile",
            Self::Hcaptcha => "hcaptcha",
        }
    }

    const fn verify_url(self) -> &'static str {
        match self {
            Self::Turnstile => "https://challenges.cloudflare.com/turnstile/v0/siteverify",
            Self::Hcaptcha => "https://api.hcaptcha.com/siteverify",
        }
    }

    /// The script; with `render=explicit`, only the widget shows a challenge.
    const fn script_url(self) -> &'static str {
        match self {
            Self::Turnstile => "https://challenges.cloudflare.com/turnstile/v0/api.js?render=explicit",
            Self::Hcaptcha => "https://js.hcaptcha.com/1/api.js?render=explicit",
        }
    }

    /// The sources that a page must allow in its policy (CSP), from the documentation of the providers.
    pub(crate) const fn policy(self) -> &'static str {
        match self {
            Self::Turnstile => {
                "script-src 'self' https://challenges.cloudflare.com; frame-src https://challenges.cloudflare.com; \
                 connect-src 'self' https://challenges.cloudflare.com"
            }
            Self::Hcaptcha => {
                "script-src 'self' https://hcaptcha.com https://*.hcaptcha.com; \
                 frame-src https://hcaptcha.com https://*.hcaptcha.com; \
                 style-src https://hcaptcha.com https://*.hcaptcha.com; \
                 connect-src 'self' https://hcaptcha.com https://*.hcaptcha.com"
            }
        }
    }
}

/// The account at a provider.
#[derive(Clone, Debug)]
pub struct CaptchaConfig {
    provider: CaptchaProvider,
    site_key: String,
    secret: String,
    verify_url: String,
}

/// Why the account is incomplete.
#[derive(Debug, thiserror::Error)]
pub enum CaptchaError {
    /// `CAPTCHA_PROVIDER` is not the name of a provider.
    #[error("CAPTCHA_PROVIDER is not turnstile or hcaptcha")]
    Provider,
    /// A variable is missing, though there is a provider.
    #[error("{0} is not set")]
    Unset(&'static str),
    /// The client of HTTPS cannot be created.
    #[error("the HTTPS client for CAPTCHA verification cannot start: {0}")]
    Client(#[from] reqwest::Error),
}

impl CaptchaConfig {
    /// The account in environment variables; `None` without `CAPTCHA_PROVIDER`. An empty variable counts as unset.
    ///
    /// The variables are `CAPTCHA_PROVIDER` (`turnstile` or `hcaptcha`), `CAPTCHA_SITE_KEY`, `CAPTCHA_SECRET`, and
    /// `CAPTCHA_VERIFY_URL`, which replaces the URL of the provider's verification.
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Result<Option<Self>, CaptchaError> {
        let set = |name| variable(name).filter(|value| !value.is_empty());
        let required = |name| set(name).ok_or(CaptchaError::Unset(name));
        let Some(name) = set("CAPTCHA_PROVIDER") else { return Ok(None) };
        let provider = CaptchaProvider::ALL.into_iter().find(|provider| provider.name() == name);
        let provider = provider.ok_or(CaptchaError::Provider)?;
        Ok(Some(Self {
            provider,
            site_key: required("CAPTCHA_SITE_KEY")?,
            secret: required("CAPTCHA_SECRET")?,
            verify_url: set("CAPTCHA_VERIFY_URL").unwrap_or_else(|| provider.verify_url().to_owned()),
        }))
    }

    /// The variables of this account.
    pub fn variables(&self) -> [(&'static str, String); 4] {
        [
            ("CAPTCHA_PROVIDER", self.provider.name().to_owned()),
            ("CAPTCHA_SITE_KEY", self.site_key.clone()),
            ("CAPTCHA_SECRET", self.secret.clone()),
            ("CAPTCHA_VERIFY_URL", self.verify_url.clone()),
        ]
    }
}

/// The verification of this deployment, if it is on.
#[derive(Clone)]
pub struct Captcha(Option<Arc<Verifier>>);

struct Verifier {
    account: CaptchaConfig,
    client: reqwest::Client,
}

/// What a widget needs to show a challenge.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CaptchaChallenge {
    /// The provider, and the name of its script's object in the page.
    provider: CaptchaProvider,
    /// The public key of the account.
    site_key: String,
    /// The script of the provider.
    #[schema(value_type = HttpsUrl)]
    script_url: &'static str,
}

/// A provider's verdict.
#[derive(Deserialize)]
struct Verdict {
    success: bool,
    #[serde(rename = "error-codes", default)]
    errors: Vec<String>,
}

impl Verdict {
    /// Whether the provider rejects the account, and not the response: both providers name the secret then.
    fn rejects_account(&self) -> bool {
        self.errors.iter().any(|error| error.contains("secret"))
    }
}

impl Captcha {
    /// The verification with this account.
    pub fn new(account: Option<CaptchaConfig>) -> Result<Self, CaptchaError> {
        let Some(account) = account else { return Ok(Self(None)) };
        let redirects = reqwest::redirect::Policy::none();
        let client = reqwest::Client::builder().timeout(TIMEOUT).redirect(redirects).build()?;
        Ok(Self(Some(Arc::new(Verifier { account, client }))))
    }

    /// The provider.
    pub(crate) fn provider(&self) -> Option<CaptchaProvider> {
        self.0.as_ref().map(|verifier| verifier.account.provider)
    }

    /// The challenge that a form has to show.
    pub(crate) fn challenge(&self) -> Option<CaptchaChallenge> {
        let CaptchaConfig { provider, site_key, .. } = &self.0.as_ref()?.account;
        Some(CaptchaChallenge { provider: *provider, site_key: site_key.clone(), script_url: provider.script_url() })
    }
}

impl Verifier {
    /// Asks the provider about a response.
    ///
    /// The visitor's address is not sent: both providers can do without it.
    async fn verify(&self, response: &str) -> Result<()> {
        let form = [("secret", self.account.secret.as_str()), ("response", response)];
        let verdict = async {
            let answer = self.client.post(&self.account.verify_url).form(&form).send().await?;
            answer.error_for_status()?.json::<Verdict>().await
        };
        match verdict.await {
            Ok(Verdict { success: true, .. }) => Ok(()),
            Ok(verdict) if verdict.rejects_account() => {
                tracing::error!(errors = ?verdict.errors, "the provider rejects the CAPTCHA account");
                Err(unavailable())
            }
            Ok(_) => Err(failed()),
            Err(error) => {
                // Without the URL: it is the operator's, and the form in the body has the secret.
                tracing::warn!(error = %error.without_url(), "the CAPTCHA cannot be verified");
                Err(unavailable())
            }
        }
    }
}

fn unavailable() -> Problem {
    Problem::new(ErrorCode::Unavailable, "The CAPTCHA cannot be verified at the moment.")
}

fn failed() -> Problem {
    let detail = "The CAPTCHA was not solved, or its response has expired. Send a new one as Captcha-Response.";
    Problem::new(ErrorCode::CaptchaFailed, detail)
}

/// The response to the challenge, sent with a write.
pub(crate) struct CaptchaResponse {
    captcha: Captcha,
    response: Option<String>,
    /// Whether the provider has accepted the response.
    accepted: OnceCell<()>,
}

impl CaptchaResponse {
    /// Requires that the provider accepts the response.
    ///
    /// Asks it once for each request, however often this is called.
    ///
    /// # Errors
    /// `403 captcha_failed`; `503 unavailable` if the provider cannot be asked.
    pub(crate) async fn require_accepted(&self) -> Result<()> {
        let Some(verifier) = &self.captcha.0 else { return Ok(()) };
        let response = self.response.as_ref().ok_or_else(failed)?;
        self.accepted.get_or_try_init(|| verifier.verify(response)).await.copied()
    }
}

impl FromRequestParts<App> for Captcha {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        let Extension(captcha) = Extension::from_request_parts(parts, app).await.map_err(Problem::internal)?;
        Ok(captcha)
    }
}

impl FromRequestParts<App> for CaptchaResponse {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        let captcha = Captcha::from_request_parts(parts, app).await?;
        let response = parts.headers.get(HEADER).and_then(|value| value.to_str().ok());
        let response = response.filter(|response| (1..=MAX_RESPONSE_BYTES).contains(&response.len()));
        Ok(Self { captcha, response: response.map(str::to_owned), accepted: OnceCell::new() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(variables: &[(&str, &str)]) -> Result<Option<CaptchaConfig>, CaptchaError> {
        let value = |name: &str| variables.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned());
        CaptchaConfig::from_variables(value)
    }

    #[test]
    fn verification_is_off_without_a_provider() {
        assert!(config(&[]).unwrap().is_none());
        assert!(config(&[("CAPTCHA_PROVIDER", ""), ("CAPTCHA_SITE_KEY", "key")]).unwrap().is_none());
    }

    #[test]
    fn account_without_a_secret_is_rejected() {
        let error = config(&[("CAPTCHA_PROVIDER", "hcaptcha"), ("CAPTCHA_SITE_KEY", "key")]).unwrap_err();
        assert_eq!(error.to_string(), "CAPTCHA_SECRET is not set");
        assert!(matches!(config(&[("CAPTCHA_PROVIDER", "other")]), Err(CaptchaError::Provider)));
    }

    #[test]
    fn url_of_the_provider_is_the_default() {
        let names = ["CAPTCHA_PROVIDER", "CAPTCHA_SITE_KEY", "CAPTCHA_SECRET"];
        let [provider, key, secret] = names.map(|name| (name, if name == names[0] { "turnstile" } else { "text" }));
        let account = config(&[provider, key, secret]).unwrap().unwrap();
        assert_eq!(account.verify_url, CaptchaProvider::Turnstile.verify_url());
    }
}
