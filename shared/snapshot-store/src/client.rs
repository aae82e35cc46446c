//! The SDK's client: its HTTP stack, credentials, time-outs and retries. Calls nothing of S3.

use std::time::Duration;

use aws_config::{
    BehaviorVersion, Region, SdkConfig, environment::region::EnvironmentVariableRegionProvider,
    meta::region::ProvideRegion, retry::RetryConfig,
    stalled_stream_protection::StalledStreamProtectionConfig, timeout::TimeoutConfig,
};
use aws_sdk_s3::{
    Client,
    config::{RequestChecksumCalculation, ResponseChecksumValidation},
};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};

use crate::config::{Credentials, S3Config};

/// What an S3 that is not AWS's calls its region unless told otherwise.
const REGION_OF_OTHERS: &str = "us-east-1";
/// No attempt is this far from the one before.
const LONGEST_BACKOFF: Duration = Duration::from_secs(20);

/// Sets the client up. Looks for a region, and for an instance's where it must; asks for no credentials yet.
pub(crate) async fn client(config: &S3Config, credentials: Credentials) -> Client {
    let sdk = sdk_config(config, credentials).await;
    // Checksums in trailers are news to many an S3; parts are signed with their SHA-256 anyhow. Who wants them says
    // so by AWS_REQUEST_CHECKSUM_CALCULATION and AWS_RESPONSE_CHECKSUM_VALIDATION.
    let calculation = sdk
        .request_checksum_calculation()
        .unwrap_or(RequestChecksumCalculation::WhenRequired);
    let validation = sdk
        .response_checksum_validation()
        .unwrap_or(ResponseChecksumValidation::WhenRequired);
    let mut s3 = aws_sdk_s3::config::Builder::from(&sdk)
        .request_checksum_calculation(calculation)
        .response_checksum_validation(validation)
        .force_path_style(config.is_path_style());
    // Of S3 alone: web identities are exchanged at AWS's STS all the same.
    if !config.endpoint.is_empty() {
        s3 = s3.endpoint_url(&config.endpoint);
    }
    Client::from_conf(s3.build())
}

async fn sdk_config(config: &S3Config, credentials: Credentials) -> SdkConfig {
    let http = aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https();
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(config.connect_timeout.0)
        .read_timeout(config.timeout.0)
        .build();
    let retries = RetryConfig::standard()
        .with_max_attempts(config.attempts)
        .with_initial_backoff(config.retry_backoff.0)
        .with_max_backoff(LONGEST_BACKOFF);
    let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .http_client(http)
        .timeout_config(timeouts)
        .retry_config(retries)
        // Ours are the time-outs: a reader that waits for Qdrant must not look like an S3 that stalls.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
    if let Some(region) = region(config).await {
        loader = loader.region(region);
    }
    if let Credentials::Static {
        access_key_id,
        secret_access_key,
    } = credentials
    {
        let secret = secret_access_key.expose();
        let pair =
            aws_sdk_s3::config::Credentials::new(access_key_id, secret, None, None, "static");
        loader = loader.credentials_provider(pair);
    }
    loader.load().await
}

/// `None` leaves it to the SDK's chain. With an endpoint of another S3 that ends with the environment: an instance
/// of EC2 that was asked would know of AWS's regions only.
async fn region(config: &S3Config) -> Option<Region> {
    if !config.region.is_empty() {
        return Some(Region::new(config.region.clone()));
    }
    if config.endpoint.is_empty() {
        return None;
    }
    let configured = EnvironmentVariableRegionProvider::new().region().await;
    Some(configured.unwrap_or_else(|| Region::from_static(REGION_OF_OTHERS)))
}
