//! The process as it is deployed, against a real RabbitMQ and a Qdrant; and `run` in-process over
//! the embedded broker.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod answers;
mod bad_input;
mod broker_faults;
mod combine;
mod connections;
mod embedded;
mod jobs;
mod lifecycle;
mod memory;
mod process;
mod python_clients;
#[expect(dead_code, reason = "the Lambda build's tests use more of it")]
mod support;
mod traces;
