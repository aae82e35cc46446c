#![doc = include_str!("../README.md")]

mod admin;
mod error;
mod listen;
mod logs;
mod readiness;
mod telemetry;
mod traces;

pub use admin::{AdminConfig, AdminEndpoint, admin_router, metrics_router, probe_router, registry};
pub use error::TelemetryError;
pub use listen::listen;
pub use logs::{LogConfig, LogFormat, init, init_on_stderr};
pub use prometheus;
pub use readiness::{Condition, Readiness};
pub use telemetry::{Telemetry, TelemetryConfig};
pub use traces::{MAX_LINKS, Span, Tracer, Traces, TracesConfig};
