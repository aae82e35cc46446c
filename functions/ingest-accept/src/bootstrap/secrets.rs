//! Secrets that are named by their ARN: read from Secrets Manager or from SSM's Parameter Store at the start, kept in
//! memory, and read again when what they open refuses them. Never logged.

mod arn;

use std::{fmt, sync::Arc, time::Duration};

use alioth_broker::UrlSource;
use alioth_config::{ConfigError, Loader, Problem, Secret};
use aws_config::{BehaviorVersion, Region, SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};
use aws_sdk_ssm::error::DisplayErrorContext;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use ingest_accept::KeySource;

use self::arn::{Arn, Store};

/// The variables that may be given by ARN, as the name with this at its end.
const SUFFIX: &str = "_ARN";
const AMQP_URL: &str = "ALIOTH_AMQP_URL";
const API_KEYS: &str = "ALIOTH_API_KEYS";
const QDRANT_API_KEY: &str = "ALIOTH_QDRANT_API_KEY";
/// Of the process's own keys beside those of a secret: which of them are meant cannot be told after a change.
const API_KEYS_FILE: &str = "ALIOTH_API_KEYS_FILE";

/// Within a region an answer takes tens of milliseconds; all attempts stay within Lambda's ten seconds to initialise.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(2);
const READ_TIMEOUT: Duration = Duration::from_secs(7);

/// What a secret is read for, at the start and again.
pub(crate) struct Secrets {
    amqp_url: Option<Reference>,
    api_keys: Option<Reference>,
}

/// One secret, where it is and how to get there.
#[derive(Clone)]
pub(crate) struct Reference {
    arn: Arn,
    stores: Arc<SdkConfig>,
}

/// A secret that could not be read. Its text is the store's, and holds no secret.
#[derive(Debug, thiserror::Error)]
enum ReadError {
    #[error("{0}")]
    Store(String),
    #[error("no answer within {READ_TIMEOUT:?}")]
    TimedOut,
    #[error("it has no text")]
    NoText,
    #[error("it has no text at the JSON key {0}")]
    NoJsonKey(String),
}

impl Secrets {
    /// Reads every secret that a variable names, and gives the loader its text. `None` where none is named: then
    /// nothing of AWS is asked.
    ///
    /// # Errors
    /// Every ARN that is none, and every secret that cannot be read.
    pub(crate) async fn resolve(loader: &mut Loader) -> Result<Option<Self>, ConfigError> {
        let named = [AMQP_URL, API_KEYS, QDRANT_API_KEY].map(|name| {
            let arn = loader.reference(name, &format!("{name}{SUFFIX}"));
            arn.map(|arn| (name, arn))
        });
        if named.iter().all(Option::is_none) {
            return Ok(None);
        }
        let stores = Arc::new(stores().await);
        let mut problems = Vec::new();
        let mut references = Vec::new();
        for (name, text) in named.into_iter().flatten() {
            let read = match Arn::parse(&text) {
                Ok(arn) => {
                    let stores = Arc::clone(&stores);
                    let reference = Reference { arn, stores };
                    let read = reference.read().await.map_err(|error| error.to_string());
                    references.push((name, reference));
                    read
                }
                Err(message) => Err(message.to_owned()),
            };
            match read {
                Ok(secret) => loader.provide(name, secret.expose()),
                Err(message) => problems.push(Problem {
                    variable: format!("{name}{SUFFIX}"),
                    message,
                }),
            }
        }
        let mut find = |wanted| {
            let at = references.iter().position(|(name, _)| *name == wanted)?;
            Some(references.swap_remove(at).1)
        };
        let (amqp_url, api_keys) = (find(AMQP_URL), find(API_KEYS));
        if api_keys.is_some() && loader.is_set(API_KEYS_FILE) {
            problems.push(Problem {
                variable: API_KEYS_FILE.to_owned(),
                message: format!("cannot be beside {API_KEYS}{SUFFIX}"),
            });
        }
        if problems.is_empty() {
            return Ok(Some(Self { amqp_url, api_keys }));
        }
        Err(ConfigError { problems })
    }

    pub(crate) fn amqp_url(&self) -> Option<Reference> {
        self.amqp_url.clone()
    }

    pub(crate) fn api_keys(&self) -> Option<Reference> {
        self.api_keys.clone()
    }
}

impl Reference {
    async fn read(&self) -> Result<Secret, ReadError> {
        let region = Region::new(self.arn.region.clone());
        let reading = async {
            match self.arn.store {
                Store::SecretsManager => self.secret(region).await,
                Store::ParameterStore => self.parameter(region).await,
            }
        };
        let text = match tokio::time::timeout(READ_TIMEOUT, reading).await {
            Ok(read) => read?,
            Err(_) => return Err(ReadError::TimedOut),
        };
        match &self.arn.json_key {
            None => Ok(Secret::from(text)),
            Some(key) => value_at(&text, key).ok_or_else(|| ReadError::NoJsonKey(key.clone())),
        }
    }

    async fn secret(&self, region: Region) -> Result<String, ReadError> {
        let config = aws_sdk_secretsmanager::config::Builder::from(&*self.stores).region(region);
        let client = aws_sdk_secretsmanager::Client::from_conf(config.build());
        let asked = client.get_secret_value().secret_id(&self.arn.id).send();
        let secret = asked
            .await
            .map_err(|error| ReadError::Store(DisplayErrorContext(error).to_string()))?;
        secret.secret_string.ok_or(ReadError::NoText)
    }

    async fn parameter(&self, region: Region) -> Result<String, ReadError> {
        let config = aws_sdk_ssm::config::Builder::from(&*self.stores).region(region);
        let client = aws_sdk_ssm::Client::from_conf(config.build());
        let asked = client
            .get_parameter()
            .name(&self.arn.id)
            .with_decryption(true);
        let answer = asked
            .send()
            .await
            .map_err(|error| ReadError::Store(DisplayErrorContext(error).to_string()))?;
        let parameter = answer.parameter.and_then(|parameter| parameter.value);
        parameter.ok_or(ReadError::NoText)
    }

    /// Reads it again, for somebody whom it no longer opens what it opened.
    async fn again(&self) -> Option<Secret> {
        match self.read().await {
            Ok(secret) => Some(secret),
            Err(error) => {
                tracing::error!(arn = %self.arn.id, %error, "read a secret again");
                None
            }
        }
    }
}

impl fmt::Debug for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Reference").field(&self.arn.id).finish()
    }
}

#[async_trait::async_trait]
impl UrlSource for Reference {
    async fn renewed(&self) -> Option<Secret> {
        self.again().await
    }
}

#[async_trait::async_trait]
impl KeySource for Reference {
    async fn keys(&self) -> Option<Vec<Secret>> {
        let text = self.again().await?;
        let keys = text.expose().split(',').map(str::trim);
        Some(
            keys.filter(|key| !key.is_empty())
                .map(Secret::from)
                .collect(),
        )
    }
}

/// What both clients share. The credentials are Lambda's, from the environment.
async fn stores() -> SdkConfig {
    let http = aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https();
    let timeouts = TimeoutConfig::builder()
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .build();
    aws_config::defaults(BehaviorVersion::v2026_01_12())
        .http_client(http)
        .timeout_config(timeouts)
        .retry_config(RetryConfig::standard())
        .load()
        .await
}

fn value_at(json: &str, key: &str) -> Option<Secret> {
    let object: serde_json::Value = serde_json::from_str(json).ok()?;
    object.get(key)?.as_str().map(Secret::from)
}
