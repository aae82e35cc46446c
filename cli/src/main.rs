//! The `alioth` command: every function in one process, a demo of it, and tools around it.

mod demo;
mod exit;
mod jobs;
mod load;
mod local_jobs;
mod output;
mod restore;
mod settings;
mod snapshots;
mod standalone;
mod transfer;

use std::{io::Write as _, process::ExitCode};

use clap::{Parser, Subcommand};

use crate::exit::Exit;

/// A durable, autoscaled write path in front of Qdrant
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run every function in one process; engines whose address is not configured are embedded
    Standalone(standalone::StandaloneArgs),
    /// Load a Parquet or NDJSON file through an Alioth
    Load(load::LoadArgs),
    /// Create, list, show, verify and prune snapshots in S3
    #[command(subcommand)]
    Snapshots(snapshots::SnapshotsCommand),
    /// Restore collections, or a whole cluster, from a snapshot in S3
    Restore(restore::RestoreArgs),
    /// Show what became of snapshots and restores
    #[command(subcommand)]
    Jobs(jobs::JobsCommand),
    /// Start a standalone Alioth, load 3,200 films through it, search them, snapshot, drop and restore them, stop
    Demo(demo::DemoArgs),
}

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Printing can only fail when nobody reads it.
            error.print().ok();
            return if error.use_stderr() {
                Exit::Usage
            } else {
                Exit::Success
            }
            .into();
        }
    };
    match run(arguments.command) {
        Ok(exit) => exit.into(),
        Err(error) => {
            complain(&format!("alioth: {error:#}"));
            Exit::of(&error).into()
        }
    }
}

fn run(command: Command) -> anyhow::Result<Exit> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let exit = runtime.block_on(async {
        match command {
            Command::Standalone(args) => standalone::command(args).await,
            Command::Load(args) => load::command(args).await,
            Command::Snapshots(command) => snapshots::command(command).await,
            Command::Restore(args) => restore::command(args).await,
            Command::Jobs(command) => jobs::command(command).await,
            Command::Demo(args) => demo::command(args).await,
        }
    });
    // Without waiting for threads: the embedded node leaves an optimisation behind that nothing can cancel, and
    // whose updates are in its log. Waiting for it would keep a process that has drained for minutes.
    runtime.shutdown_background();
    exit
}

/// Writes a line for people to standard output. A reader that has gone away is no error.
fn say(line: &str) {
    writeln!(std::io::stdout().lock(), "{line}").ok();
}

/// Writes a line for people to standard error.
fn complain(line: &str) {
    writeln!(std::io::stderr().lock(), "{line}").ok();
}
