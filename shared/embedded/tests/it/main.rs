//! The node's behaviour as clients see it. What runs on [`alioth_testkit::Qdrant`] runs with the
//! same assertions on a real server when `QDRANT_BIN` names one.

mod aliases;
mod collections;
mod crash;
mod filters;
mod growth;
mod http;
mod keys;
mod life;
mod points;
mod python;
mod query;
mod refusals;
mod rest;
mod s3;
mod setup;
mod snapshot_crash;
mod snapshot_files;
mod snapshot_refusals;
mod snapshots;
