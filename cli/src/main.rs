//! The `alioth` command: every function in one process, a demo of it, and tools around it.

mod demo;
mod exit;
mod load;
mod standalone;

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
    /// Start a standalone Alioth, load 3,200 films through it, search them, stop
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

#[tokio::main]
async fn run(command: Command) -> anyhow::Result<Exit> {
    match command {
        Command::Standalone(args) => standalone::command(args).await,
        Command::Load(args) => load::command(args).await,
        Command::Demo(args) => demo::command(args).await,
    }
}

/// Writes a line for people to standard output. A reader that has gone away is no error.
fn say(line: &str) {
    writeln!(std::io::stdout().lock(), "{line}").ok();
}

/// Writes a line for people to standard error.
fn complain(line: &str) {
    writeln!(std::io::stderr().lock(), "{line}").ok();
}
