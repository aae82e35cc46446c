#![doc = include_str!("../README.md")]

mod backoff;
mod broker;
mod config;
pub mod embedded;
mod error;
mod message;
mod metrics;
mod queue;
pub mod rabbitmq;
mod shares;

pub use broker::{Broker, Consumer, Publisher, UrlSource};
pub use config::AmqpConfig;
pub use embedded::{EmbeddedBroker, EmbeddedOptions};
pub use error::{ConsumeError, DeclareError, OpenError, PublishError};
pub use message::{Delivery, HeaderValue, OutgoingMessage, Settle, headers};
pub use metrics::BrokerMetrics;
pub use queue::{Queue, QueueDepth, QueueLimits, QueueNames};
pub use rabbitmq::RabbitMqBroker;
