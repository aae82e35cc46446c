#![doc = include_str!("../README.md")]

pub mod collector;
pub mod http_proxy;
pub mod metrics;
pub mod port;
mod process;
pub mod proxy;
pub mod qdrant;
pub mod qdrant_cluster;
pub mod rabbitmq;
pub mod s3;
pub mod scripted_qdrant;
mod shared;
pub mod usage;
pub mod wait;

pub use collector::{Collector, ExportedSpan};
pub use http_proxy::HttpProxy;
pub use metrics::metric;
pub use port::ReservedPort;
pub use proxy::{Direction, Fault, FaultProxy};
pub use qdrant::{Qdrant, unique_collection};
pub use qdrant_cluster::QdrantCluster;
pub use rabbitmq::{Authority, Extra, RabbitMq};
pub use s3::S3;
pub use scripted_qdrant::ScriptedQdrant;
pub use usage::ProcessUsage;
pub use wait::{wait_for, wait_until};
