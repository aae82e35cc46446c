#![doc = include_str!("../README.md")]

pub mod collector;
pub mod metrics;
pub mod port;
mod process;
pub mod proxy;
pub mod qdrant;
pub mod rabbitmq;
pub mod scripted_qdrant;
pub mod usage;
pub mod wait;

pub use collector::{Collector, ExportedSpan};
pub use metrics::metric;
pub use port::ReservedPort;
pub use proxy::{Direction, Fault, FaultProxy};
pub use qdrant::{Qdrant, unique_collection};
pub use rabbitmq::{Authority, Extra, RabbitMq};
pub use scripted_qdrant::ScriptedQdrant;
pub use usage::ProcessUsage;
pub use wait::{wait_for, wait_until};
