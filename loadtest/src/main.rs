//! `alioth-loadtest`: puts a scenario's load on one target, waits until all of it is applied, and tells what came of it.

mod attack;
mod outcome;
mod probe;
mod progress;
mod qdrant;
mod report;
mod scenario;
mod target;

use std::{path::PathBuf, process::ExitCode, sync::Arc};

use alioth_loadtest::machine::Machine;
use clap::Parser;

use self::{
    outcome::Outcome, progress::Progress, qdrant::Qdrant, scenario::Scenario, target::TargetKind,
};

/// Puts load on an Alioth, or on a Qdrant to compare it with
#[derive(Debug, Clone, Parser)]
#[command(version)]
struct Arguments {
    /// Alioth's address, as http://localhost:8080; for the targets qdrant-* the Qdrant's is enough
    #[arg(long, default_value = "http://localhost:8080")]
    url: String,
    /// Qdrant's REST address: makes the collection, counts what was applied, measures end to end
    #[arg(long)]
    qdrant_url: Option<String>,
    /// Qdrant's gRPC address, when it is not port 6334 of the REST address
    #[arg(long)]
    qdrant_grpc_url: Option<String>,
    /// Sent as `api-key`
    #[arg(long, env = "ALIOTH_LOAD_TEST_API_KEY")]
    api_key: Option<String>,
    /// What kind of load
    #[arg(long, value_enum, default_value = "film")]
    scenario: Scenario,
    /// Where it goes
    #[arg(long, value_enum, default_value = "ingest")]
    target: TargetKind,
    /// Points of one write, instead of the scenario's
    #[arg(long, env = "ALIOTH_LOAD_TEST_BATCH_SIZE")]
    batch: Option<usize>,
    /// Writers, instead of the scenario's
    #[arg(long)]
    users: Option<usize>,
    /// Writers started a second, instead of the scenario's
    #[arg(long)]
    ramp: Option<usize>,
    /// How long, instead of the scenario's time; a burst ends when it is sent
    #[arg(long)]
    seconds: Option<u64>,
    /// Collection, instead of the scenario's
    #[arg(long)]
    collection: Option<String>,
    /// Seconds without a further point applied after which what is missing counts as lost
    #[arg(long, default_value_t = 60)]
    patience: u64,
    /// Folder of the results' folders
    #[arg(long, default_value = "loadtest/results")]
    results: PathBuf,
    /// The machine's name in the results' folder
    #[arg(long)]
    machine: Option<String>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments).await {
        Ok(outcome) if outcome.is_good() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            progress::say(&format!("alioth-loadtest: {error:#}"));
            ExitCode::from(69)
        }
    }
}

async fn run(arguments: &Arguments) -> anyhow::Result<Outcome> {
    // An error says that the process has a provider already.
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok();
    let machine = Machine::look(arguments.machine.clone());
    let plan = arguments.scenario.plan().with(arguments);
    let qdrant = match &arguments.qdrant_url {
        Some(url) => Some(Qdrant::open(url, arguments.api_key.as_deref(), &plan).await?),
        None => {
            progress::say(
                "without --qdrant-url nobody counts what is applied, and the collection must be there",
            );
            None
        }
    };
    let target = arguments.target.open(arguments, &plan)?;
    let progress = Arc::new(Progress::new(Arc::clone(&plan), qdrant.clone()));

    let probing = qdrant
        .clone()
        .map(|qdrant| probe::start(target.clone(), qdrant, Arc::clone(&plan)));
    let telling = progress::start(Arc::clone(&progress));
    let folder = machine.results_folder(&arguments.results)?;
    let name = format!("{}-{}", arguments.scenario, arguments.target);
    let html = folder.join(format!("{name}.html"));
    attack::run(target, Arc::clone(&plan), Arc::clone(&progress), &html).await?;
    let load_ended = progress.elapsed();
    let probes = match probing {
        Some(probing) => probing.end().await,
        None => probe::Probes::default(),
    };
    progress.drain(probes.sent, arguments.patience).await;
    telling.end().await;

    let outcome = progress.outcome(load_ended, probes);
    report::write(
        &folder, &name, &html, arguments, &machine, &outcome, &progress,
    )?;
    Ok(outcome)
}
