//! Logs on standard output. Never payloads, vectors or credentials: callers pass fields, not bodies.

use alioth_config::Section;
use serde::Deserialize;
use tracing_subscriber::{EnvFilter, fmt, prelude::*};

use crate::TelemetryError;

/// lapin logs what a broker returns to it whole, vectors and payloads included.
const RETURNED_MESSAGES_OFF: &str = "lapin::returned_messages=off";

/// How much is logged, and how it looks.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct LogConfig {
    /// A level, or filter directives.
    pub level: String,
    /// JSON or text.
    pub format: LogFormat,
}

/// How a log line looks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One object a line, for collectors.
    #[default]
    Json,
    /// For people at a terminal.
    Text,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            level: "info".to_owned(),
            format: LogFormat::default(),
        }
    }
}

impl Section for LogConfig {
    const PREFIX: &'static str = "ALIOTH_LOG_";

    fn problems(&self) -> Vec<(&'static str, String)> {
        match EnvFilter::try_new(&self.level) {
            Ok(_) => Vec::new(),
            Err(_) => vec![("LEVEL", "is no level or filter".to_owned())],
        }
    }
}

/// Starts logging, once a process.
///
/// # Errors
/// `Filter`, and `Install` when called twice.
pub fn init(config: &LogConfig) -> Result<(), TelemetryError> {
    let filter = EnvFilter::try_new(&config.level)
        .map_err(TelemetryError::Filter)?
        .add_directive(
            RETURNED_MESSAGES_OFF
                .parse()
                .map_err(TelemetryError::Filter)?,
        );
    let lines = match config.format {
        LogFormat::Json => fmt::layer()
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .boxed(),
        LogFormat::Text => fmt::layer().with_target(false).boxed(),
    };
    tracing_subscriber::registry()
        .with(filter)
        .with(lines)
        .try_init()
        .map_err(TelemetryError::Install)
}
