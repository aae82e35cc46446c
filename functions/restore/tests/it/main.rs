//! The process as it is deployed, on a real RabbitMQ, a real S3 and a Qdrant (the embedded node, or the server that
//! `QDRANT_BIN` names). `real_cluster` wants several servers: see `make test-cluster`.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod again;
mod bad;
mod files;
mod names;
mod queue;
mod real_cluster;
mod world;
