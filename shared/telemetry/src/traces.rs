//! Spans over OTLP, when asked: none are made, and nothing is connected, unless a collector is configured.
//!
//! Spans are made by hand where there is something to tell, rather than out of `tracing`'s: so the log's
//! level has no say in them, and of the events other crates log nothing gets out (lapin's hold payloads).

mod config;
mod exporter;
mod span;

use std::time::Duration;

use opentelemetry::{KeyValue, trace::TracerProvider as _};
use opentelemetry_sdk::{
    Resource,
    resource::TelemetryResourceDetector,
    trace::{BatchSpanProcessor, SdkTracerProvider},
};

use crate::TelemetryError;

pub use config::TracesConfig;
pub use span::{MAX_LINKS, Span, Tracer};

use self::{config::Collector, exporter::Watched};

/// Whose spans these are, in OpenTelemetry's terms: the library that makes them.
const SCOPE: &str = "alioth";

/// Enough for a full queue of spans and a collector that is there; one that is not must not hold up the
/// exit for all of the drain's time.
const LONGEST_FLUSH: Duration = Duration::from_secs(5);

/// The way spans take out of a process. Without a collector there is none.
#[derive(Debug, Default)]
pub struct Traces {
    provider: Option<SdkTracerProvider>,
}

impl Traces {
    /// Starts to export, if a collector is configured. Connects later: an absent collector is no error.
    /// Within a runtime, which the connection lives on.
    ///
    /// # Errors
    /// `CollectorTls` and `Export`.
    pub fn start(
        config: &TracesConfig,
        function: &'static str,
        version: &'static str,
    ) -> Result<Self, TelemetryError> {
        // Its problems were the loader's to report.
        let Ok(Some(collector)) = config.parse() else {
            return Ok(Self::default());
        };
        let host = collector.endpoint.host().unwrap_or_default();
        tracing::info!(host, port = ?collector.endpoint.port_u16(), "spans go to a collector");
        let resource = resource(&collector, function, version);
        // Bounded, and given to without waiting: what finds the queue full is dropped.
        let queue = BatchSpanProcessor::builder(Watched::new(&collector)?).build();
        let provider = SdkTracerProvider::builder()
            .with_resource(resource)
            .with_sampler(collector.sampler)
            .with_max_links_per_span(MAX_LINKS as u32)
            .with_span_processor(queue)
            .build();
        Ok(Self {
            provider: Some(provider),
        })
    }

    /// Makes spans that take this way.
    pub fn tracer(&self) -> Tracer {
        Tracer::new(
            self.provider
                .as_ref()
                .map(|provider| provider.tracer(SCOPE)),
        )
    }

    /// Sends what is left, for as long as there is time and at most five seconds. Spans made later are lost.
    pub async fn flush(self, time_left: Duration) {
        let Some(provider) = self.provider else {
            return;
        };
        let timeout = time_left.min(LONGEST_FLUSH);
        // It waits for the thread that exports.
        let flush = move || provider.shutdown_with_timeout(timeout);
        match tokio::task::spawn_blocking(flush).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "spans were lost at the end"),
            Err(error) => tracing::error!(%error, "the flush of spans panicked"),
        }
    }
}

/// What is configured wins over what is known here, and the variable for the name over the list.
fn resource(collector: &Collector, function: &'static str, version: &'static str) -> Resource {
    let known = [
        KeyValue::new("service.name", function),
        KeyValue::new("service.version", version),
    ];
    Resource::builder_empty()
        .with_detector(Box::new(TelemetryResourceDetector))
        .with_attributes(known)
        .with_attributes(collector.attributes.clone())
        .build()
}
