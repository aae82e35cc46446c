#![doc = include_str!("../README.md")]

mod asked;
mod config;
mod metrics;
mod progress;
mod push;
mod record;
mod runner;
mod take;

pub use config::{JobConfig, JobSource, PushConfig};
pub use metrics::JobMetrics;
pub use progress::Progress;
pub use record::{RecordError, Recorder, is_alive};
pub use runner::{Ended, JobFault, JobRunner, Report, chain};
pub use take::TakeError;
