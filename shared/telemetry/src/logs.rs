//! Logs on standard output, or error. Never payloads, vectors or credentials: callers pass fields, not bodies.

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
    init_to(config, std::io::stdout)
}

/// The same on standard error, for commands whose standard output is their answer.
///
/// # Errors
/// As [`init`].
pub fn init_on_stderr(config: &LogConfig) -> Result<(), TelemetryError> {
    init_to(config, std::io::stderr)
}

fn init_to<W>(config: &LogConfig, writer: W) -> Result<(), TelemetryError>
where
    W: for<'a> fmt::MakeWriter<'a> + Send + Sync + 'static,
{
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
            .with_writer(writer)
            .boxed(),
        LogFormat::Text => fmt::layer().with_target(false).with_writer(writer).boxed(),
    };
    tracing_subscriber::registry()
        .with(filter)
        .with(lines)
        .try_init()
        .map_err(TelemetryError::Install)
}
