#![doc = include_str!("../README.md")]

mod admin;
mod logs;
mod readiness;

pub use admin::{AdminConfig, admin_router, registry, serve_admin};
pub use logs::{LogConfig, LogFormat, TelemetryError, init};
pub use prometheus;
pub use readiness::{Condition, Readiness};
