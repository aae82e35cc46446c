//! The Lambda build in cargo-lambda's emulator, against a real RabbitMQ and a Qdrant: the table of answers that the
//! ordinary build is held to, and what only Lambda does.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../it/answers.rs"]
mod answers;
#[path = "../it/bad_input.rs"]
mod bad_input;
mod broker;
mod events;
mod freeze;
mod process;
mod secrets;
mod start;
#[path = "../it/support/mod.rs"]
#[expect(dead_code, reason = "the ordinary build's tests use more of it")]
mod support;
