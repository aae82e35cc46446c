//! The way to the collector: a channel with its timeouts, and one warning a minute while spans are lost.
//! Runs in the thread of the SDK's queue; no write ever waits for it.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use axum::http::Uri;
use opentelemetry_otlp::{
    SpanExporter as OtlpExporter, WithExportConfig as _, WithTonicConfig as _,
};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{SpanData, SpanExporter},
};
use tonic::{
    metadata::MetadataMap,
    transport::{Channel, ClientTlsConfig, Endpoint},
};

use super::config::Collector;
use crate::TelemetryError;

/// An address that nobody answers at is known as such before the queue of spans is full of them.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// The standard's default for an export, retries included.
/// Source: <https://opentelemetry.io/docs/specs/otel/protocol/exporter/>
const EXPORT_TIMEOUT: Duration = Duration::from_secs(10);

/// Finds a collector that vanished, between two exports.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(20);

/// Between two warnings about lost spans.
const WARNING_INTERVAL: Duration = Duration::from_secs(60);

/// An exporter that tells, now and then, of what the collector did not take.
#[derive(Debug)]
pub(super) struct Watched {
    exporter: OtlpExporter,
    losses: Mutex<Losses>,
}

#[derive(Debug, Default)]
struct Losses {
    spans: usize,
    warned: Option<Instant>,
}

impl Watched {
    /// Prepares the way; it is first gone when there is something to send.
    ///
    /// # Errors
    /// `CollectorTls` and `Export`.
    pub(super) fn new(collector: &Collector) -> Result<Self, TelemetryError> {
        let exporter = OtlpExporter::builder()
            .with_tonic()
            .with_channel(channel(&collector.endpoint)?)
            .with_timeout(EXPORT_TIMEOUT)
            .with_metadata(MetadataMap::from_headers(collector.headers.clone()))
            .build()
            .map_err(TelemetryError::Export)?;
        Ok(Self {
            exporter,
            losses: Mutex::default(),
        })
    }

    fn lost(&self, spans: usize, error: &impl std::fmt::Display) {
        let mut losses = self.losses.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(spans) = losses.add(spans, Instant::now()) {
            tracing::warn!(%error, spans, "spans were lost, the collector did not take them");
        }
    }
}

impl Losses {
    /// Counts lost spans; answers with those to warn of when it is time to.
    fn add(&mut self, spans: usize, now: Instant) -> Option<usize> {
        self.spans += spans;
        let is_recent = |warned: Instant| now.duration_since(warned) < WARNING_INTERVAL;
        if self.warned.is_some_and(is_recent) {
            return None;
        }
        self.warned = Some(now);
        Some(std::mem::take(&mut self.spans))
    }
}

impl SpanExporter for Watched {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        let exported = self.exporter.export(batch).await;
        if let Err(error) = &exported {
            self.lost(spans, error);
        }
        exported
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

/// The exporter's own would wait for a connection as long as the system does, which is minutes.
fn channel(uri: &Uri) -> Result<Channel, TelemetryError> {
    let tls = uri.scheme_str() == Some("https");
    let mut endpoint = Endpoint::from(uri.clone())
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(EXPORT_TIMEOUT)
        .http2_keep_alive_interval(KEEP_ALIVE_INTERVAL);
    if tls {
        endpoint = endpoint
            .tls_config(ClientTlsConfig::new().with_native_roots())
            .map_err(TelemetryError::CollectorTls)?;
    }
    Ok(endpoint.connect_lazy())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_are_told_of_once_a_minute_and_all_of_them() {
        let (mut losses, start) = (Losses::default(), Instant::now());
        let after = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(losses.add(5, start), Some(5));
        assert_eq!(losses.add(7, after(1)), None);
        assert_eq!(losses.add(1, after(59)), None);
        assert_eq!(losses.add(2, after(60)), Some(10));
        assert_eq!(losses.add(3, after(61)), None);
    }
}
