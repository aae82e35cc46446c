//! What a process shows of itself from its start to its end: one value for a main to hold.

use std::time::Duration;

use alioth_config::Loader;
use prometheus::Registry;

use crate::{
    AdminConfig, AdminEndpoint, LogConfig, Readiness, TelemetryError, Tracer, Traces, TracesConfig,
    init, registry,
};

/// The sections of telemetry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TelemetryConfig {
    /// What is logged.
    pub log: LogConfig,
    /// Where the admin endpoint listens.
    pub admin: AdminConfig,
    /// Where spans go, if anywhere.
    pub traces: TracesConfig,
}

impl TelemetryConfig {
    /// Reads the sections; problems are left with the loader.
    pub fn load(loader: &mut Loader) -> Self {
        Self {
            log: loader.section(),
            admin: loader.section(),
            traces: loader.section(),
        }
    }
}

/// Logs, metrics, readiness and spans of one process.
#[derive(Debug)]
pub struct Telemetry {
    /// Takes the metrics of every crate.
    pub registry: Registry,
    /// Takes the conditions of whoever has some.
    pub readiness: Readiness,
    /// Makes the spans.
    pub tracer: Tracer,
    traces: Traces,
    admin: AdminConfig,
}

impl Telemetry {
    /// Starts logging and whatever else needs no port. Within a runtime; once a process.
    ///
    /// # Errors
    /// `Install` when called twice; `CollectorTls` and `Export` when spans are asked for and cannot be sent.
    pub fn start(
        config: TelemetryConfig,
        function: &'static str,
        version: &'static str,
    ) -> Result<Self, TelemetryError> {
        init(&config.log)?;
        let traces = Traces::start(&config.traces, function, version)?;
        Ok(Self {
            registry: registry(function, version)?,
            readiness: Readiness::new(),
            tracer: traces.tracer(),
            traces,
            admin: config.admin,
        })
    }

    /// Serves probes and metrics. After whatever adds conditions, as far as that is possible: without any
    /// the process counts as ready.
    ///
    /// # Errors
    /// `Listen`.
    pub async fn serve_admin(&self) -> Result<AdminEndpoint, TelemetryError> {
        AdminEndpoint::start(self.admin, self.registry.clone(), self.readiness.clone()).await
    }

    /// Sends the spans that are left, when everything else has ended.
    pub async fn flush(self, time_left: Duration) {
        self.traces.flush(time_left).await;
    }
}
