//! The whole table in one go, on one machine: services, the built functions as processes, figures beside references
//! measured in the same run. `make bench` builds the functions and runs it.
//!
//! Wall-clock is never a test: a missed budget is printed, and is an error only with `--strict`.
#![expect(clippy::print_stdout, reason = "its output is what it is for")]

mod accept;
mod broker;
mod consume;
mod cpu;
mod direct;
mod end_to_end;
mod function;
mod load;
mod rabbit;
mod snapshots;
mod starts;
mod table;
mod wire;
mod world;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::Instant,
};

use alioth_loadtest::machine::Machine;
use clap::{Parser, ValueEnum};
use serde_json::json;

use self::{cpu::Foreign, function::Binaries, table::Table, world::World};

/// Measures Alioth beside what it is built on, and prints one table.
#[derive(Debug, Parser)]
struct Arguments {
    /// Folder of the built functions
    #[arg(long)]
    functions: PathBuf,
    /// Only these groups of rows
    #[arg(long, value_delimiter = ',')]
    only: Vec<Group>,
    /// How often what depends on the machine's mood is measured; medians are told
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Size of the shard that is saved and restored, in MiB
    #[arg(long, default_value_t = 512)]
    shard_mib: usize,
    /// The `aws` command to compare snapshots with
    #[arg(long)]
    aws: Option<PathBuf>,
    /// The machine's name in the results' folder
    #[arg(long)]
    machine: Option<String>,
    /// Fail when a budget is missed
    #[arg(long)]
    strict: bool,
    /// Given by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Group {
    Starts,
    Accept,
    Consume,
    EndToEnd,
    Snapshots,
    Dimensions,
    Depth,
    Broker,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(run(arguments))
}

async fn run(arguments: Arguments) -> ExitCode {
    // reqwest's; an error says that the process has a provider already.
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok();
    let machine = Machine::look(arguments.machine.clone());
    println!(
        "{}, {} cores, load average {}",
        machine.processor, machine.cores, machine.load_average
    );
    let began = Instant::now();
    let world = World::start(Binaries(arguments.functions.clone())).await;
    let qdrant = world.client.health_check().await.expect("Qdrant answers");
    let kind = match world.qdrant.is_embedded() {
        true => "the embedded node",
        false => "a server of its own",
    };
    println!(
        "Qdrant {} ({kind}), RabbitMQ, both on this machine",
        qdrant.version
    );
    let mut table = Table::default();
    for group in Group::value_variants() {
        if arguments.only.is_empty() || arguments.only.contains(group) {
            measure(*group, &world, &arguments, &mut table).await;
        }
    }
    let about = json!({
        "began": jiff::Timestamp::now().to_string(),
        "took_seconds": began.elapsed().as_secs(),
        "commit": commit(),
        "qdrant": qdrant.version,
        "qdrant_is_embedded": world.qdrant.is_embedded(),
        "rabbitmq": world.rabbitmq.rabbitmqctl(&["version"]).await.trim(),
        "rounds": arguments.rounds,
    });
    let path = keep(&machine, &table, about, &arguments);
    println!("\n{}\nkept in {}", table.markdown(), path.display());
    let misses = table.misses();
    println!(
        "{} of the budgets are missed: {}",
        misses.len(),
        misses.join("; ")
    );
    match arguments.strict && !misses.is_empty() {
        true => ExitCode::FAILURE,
        false => ExitCode::SUCCESS,
    }
}

async fn measure(group: Group, world: &World, arguments: &Arguments, table: &mut Table) {
    let name = group
        .to_possible_value()
        .map_or_else(String::new, |name| name.get_name().to_owned());
    let (began, foreign) = (Instant::now(), Foreign::start());
    println!("{name}:");
    let rounds = arguments.rounds;
    match group {
        Group::Starts => starts::rows(world, table).await,
        Group::Accept => accept::rows(world, rounds, table).await,
        Group::Consume => consume::rows(world, rounds, table).await,
        Group::EndToEnd => end_to_end::rows(world, rounds, table).await,
        Group::Snapshots => {
            let (size, aws) = (arguments.shard_mib, arguments.aws.as_deref());
            snapshots::rows(world, size, aws, rounds.min(2), table).await;
        }
        Group::Dimensions => end_to_end::growth_by_dimensions(world, table).await,
        Group::Broker => broker::rows(world, table).await,
        Group::Depth => consume::growth_by_depth(world, table).await,
    }
    let cores = foreign.cores();
    println!(
        "  ({:.0?}; others used {cores:.2} cores meanwhile)",
        began.elapsed()
    );
    table.foreign.push((name, cores));
}

fn keep(
    machine: &Machine,
    table: &Table,
    about: serde_json::Value,
    arguments: &Arguments,
) -> PathBuf {
    let results = Path::new(env!("CARGO_MANIFEST_DIR")).join("results");
    let folder = machine
        .results_folder(&results)
        .expect("a folder for the results");
    // A part of the table does not replace the whole.
    let name = match arguments.only.is_empty() {
        true => "bench.json",
        false => "bench-part.json",
    };
    let path = folder.join(name);
    let json = table.json(machine, about);
    let text = serde_json::to_string_pretty(&json).expect("it is JSON") + "\n";
    std::fs::write(&path, text).expect("the results are written");
    std::fs::write(path.with_extension("md"), table.markdown()).expect("the table is written");
    path
}

/// Of the checkout; empty outside one.
fn commit() -> String {
    let described = std::process::Command::new("git")
        .args(["describe", "--always", "--dirty"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output();
    described.map_or_else(
        |_| String::new(),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    )
}
