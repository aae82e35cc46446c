//! The command as a user runs it: real processes, real files, kill -9.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod architecture;
mod chart;
mod command;
mod jobs;
mod process;
mod snapshots;
mod world;
