//! What can go wrong in telemetry: one variant an operation.

use std::net::SocketAddr;

/// Telemetry that could not be set up, or an endpoint that stopped. Never transient.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter is malformed; `LogConfig::problems` reports it earlier.
    #[error("parse the log filter")]
    Filter(#[source] tracing_subscriber::filter::ParseError),
    /// This process has logs already.
    #[error("install the log subscriber")]
    Install(#[source] tracing_subscriber::util::TryInitError),
    /// A metric was registered twice.
    #[error("register the process's metrics")]
    Register(#[source] prometheus::Error),
    /// Somebody else has the port, or it is not for this process to take.
    #[error("listen on {address}")]
    Listen {
        /// As configured.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The admin endpoint stopped.
    #[error("serve the admin endpoint")]
    Serve(#[source] std::io::Error),
    /// A bug.
    #[error("the admin endpoint panicked")]
    Panicked(#[source] tokio::task::JoinError),
    /// The trust store cannot be read.
    #[error("prepare TLS to the collector of spans")]
    CollectorTls(#[source] tonic::transport::Error),
    /// A variable that OpenTelemetry's SDK reads by itself makes no sense to it.
    #[error("prepare the export of spans")]
    Export(#[source] opentelemetry_otlp::ExporterBuildError),
}
