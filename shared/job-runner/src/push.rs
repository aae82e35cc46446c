//! Metrics to a Pushgateway: a job is gone before anybody could scrape it. Never fails the job.

use alioth_jobs::JobKind;
use reqwest::{Client, Url, header::CONTENT_TYPE};

use crate::{config::PushConfig, metrics::JobMetrics};

/// Source: <https://prometheus.io/docs/instrumenting/exposition_formats/>
const TEXT_FORMAT: &str = "text/plain; version=0.0.4";

/// Pushes the metrics of jobs, when there is somewhere to push them to.
pub(crate) async fn push(config: &PushConfig, metrics: &JobMetrics, kind: JobKind) {
    if config.url.is_empty() {
        return;
    }
    if let Err(error) = try_push(config, metrics, kind).await {
        let error = crate::chain(&error);
        tracing::warn!(%error, "metrics were not pushed");
    }
}

#[derive(Debug, thiserror::Error)]
enum PushError {
    #[error("read ALIOTH_PUSHGATEWAY_URL")]
    Url,
    #[error("encode the metrics")]
    Encode(#[source] alioth_telemetry::prometheus::Error),
    #[error("push the metrics")]
    Send(#[source] reqwest::Error),
}

async fn try_push(
    config: &PushConfig,
    metrics: &JobMetrics,
    kind: JobKind,
) -> Result<(), PushError> {
    // reqwest takes the process's provider; whichever was installed first stays.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let url = endpoint(&config.url, kind).ok_or(PushError::Url)?;
    let body = metrics.text().map_err(PushError::Encode)?;
    let client = Client::builder()
        .timeout(config.timeout.0)
        .build()
        .map_err(PushError::Send)?;
    // POST replaces families of the same name only: a failure keeps the last success.
    let sent = client
        .post(url)
        .header(CONTENT_TYPE, TEXT_FORMAT)
        .body(body)
        .send();
    // A URL may hold a password.
    let answer = sent.await.and_then(reqwest::Response::error_for_status);
    answer.map_err(|error| PushError::Send(error.without_url()))?;
    Ok(())
}

fn endpoint(base: &str, kind: JobKind) -> Option<Url> {
    let mut url = Url::parse(base).ok()?;
    let job = format!("alioth-{}", kind.as_str());
    url.path_segments_mut()
        .ok()?
        .pop_if_empty()
        .extend(["metrics", "job", &job]);
    Some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_path_is_kept() {
        let at = |base| endpoint(base, JobKind::Snapshot).unwrap().to_string();
        let root = "http://gateway:9091/metrics/job/alioth-snapshot";
        assert_eq!(at("http://gateway:9091"), root);
        assert_eq!(at("http://gateway:9091/"), root);
        assert_eq!(
            at("http://gateway/push/"),
            "http://gateway/push/metrics/job/alioth-snapshot"
        );
    }
}
