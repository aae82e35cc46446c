//! On a Qdrant (the embedded node, or the server `QDRANT_BIN` names), a real S3, RabbitMQ and Pushgateway.
//! `real_cluster` wants three servers and `QDRANT_BIN`: see `make test-cluster`.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod collections;
mod faults;
mod process;
mod pushgateway;
mod real_cluster;
mod restores;
mod scripted;
mod scripts;
mod storage;
mod world;

use std::time::Duration;

/// Nothing here takes that long unless it is broken.
const DEADLINE: Duration = Duration::from_secs(60);
