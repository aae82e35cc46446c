//! `alioth demo`: real films through the whole system, in one process and one screen of output.

mod backup;

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use alioth_broker::Queue;
use anyhow::{Context, Result, bail, ensure};
use qdrant_client::{
    Qdrant,
    qdrant::{
        Condition, CountPointsBuilder, CreateCollectionBuilder, Distance, Filter,
        QueryPointsBuilder, RetrievedPoint, ScoredPoint, ScrollPointsBuilder, Value,
        VectorParamsBuilder, r#match::MatchValue,
    },
};

use crate::{
    exit::Exit,
    load::{self, LoadArgs, Progress, Summary},
    standalone::{Addresses, Standalone},
};

const COLLECTION: &str = "movies";
/// Of the sentence embeddings in the file.
const DIMENSIONS: u64 = 384;
const TITLES: [&str; 3] = ["The Lion King", "Alien", "The Godfather"];
const NEIGHBOURS: u64 = 5;
/// Between two looks at how far the consumer is.
const POLL: Duration = Duration::from_millis(20);

/// Shows Alioth at work.
#[derive(Debug, clap::Args)]
pub(crate) struct DemoArgs {
    /// File of films
    #[arg(long, default_value = "loadtest/data/movies.parquet")]
    data: PathBuf,
    /// How long the points may take to be applied once they are accepted, and each job to be done
    #[arg(long, default_value = "2m", value_parser = load::span)]
    deadline: Duration,
}

/// Runs the command. Anything short of every film being found again is an error.
pub(crate) async fn command(args: DemoArgs) -> Result<Exit> {
    let folder = tempfile::tempdir().context("make a temporary folder")?;
    let standalone = Standalone::start_private(folder.path()).await?;
    let addresses = standalone.addresses().clone();
    crate::say(&format!(
        "alioth standalone at {}, data in {}",
        addresses.http,
        folder.path().display()
    ));
    let outcome = show(&args, &standalone, &addresses).await;
    let stopped = standalone.stop().await;
    outcome?;
    stopped.context("stop standalone")?;
    crate::say("stopped; nothing is left behind");
    Ok(Exit::Success)
}

async fn show(args: &DemoArgs, standalone: &Standalone, addresses: &Addresses) -> Result<()> {
    let qdrant = Qdrant::from_url(&addresses.qdrant_grpc)
        .skip_compatibility_check()
        .build()?;
    let vectors = VectorParamsBuilder::new(DIMENSIONS, Distance::Cosine);
    qdrant
        .create_collection(CreateCollectionBuilder::new(COLLECTION).vectors_config(vectors))
        .await
        .context("create the collection")?;
    crate::say(&format!(
        "created {COLLECTION}: {DIMENSIONS} dimensions, cosine"
    ));

    let started = Instant::now();
    let summary = accept(args, addresses).await?;
    let applied = wait_until_applied(&qdrant, summary.accepted, args.deadline).await;
    let seconds = started.elapsed().as_secs_f64();
    let (applied, dead) = (applied?, standalone.depth(Queue::IngestDead).await?);
    crate::say(&format!(
        "accepted {} · applied {applied} · dead-lettered {dead} · {:.1} s, {:.0} points/s from file to searchable",
        summary.accepted,
        seconds,
        applied as f64 / seconds
    ));
    ensure!(
        summary.rejected.is_empty(),
        "{} rows were rejected",
        summary.rejected.len()
    );
    ensure!(
        applied == summary.accepted,
        "{applied} of {} points were applied",
        summary.accepted
    );
    ensure!(dead == 0, "{dead} messages were dead-lettered");

    let before = search(&qdrant).await?;
    for line in &before {
        crate::say(line);
    }

    let client = backup::Client::connect(addresses, standalone.bucket(), args.deadline).await?;
    let snapshot = client.snapshot(COLLECTION).await?;
    crate::say(&format!("snapshot {snapshot}"));
    qdrant
        .delete_collection(COLLECTION)
        .await
        .context("drop the collection")?;
    crate::say(&format!("dropped {COLLECTION}"));
    let restored = client.restore(COLLECTION).await?;
    let counted = count(&qdrant).await?;
    ensure!(
        counted == applied,
        "{counted} of {applied} points were restored"
    );
    let after = search(&qdrant).await?;
    ensure!(
        after == before,
        "other films are nearest after the restore:\n{}",
        after.join("\n")
    );
    crate::say(&format!(
        "restored {COLLECTION}: {restored} · the same {counted} points, the same nearest films"
    ));
    Ok(())
}

/// A line a title, with the films nearest to it.
async fn search(qdrant: &Qdrant) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    for title in TITLES {
        let film = find(qdrant, title).await?;
        let neighbours = nearest(qdrant, &film).await?;
        ensure!(
            neighbours.len() as u64 == NEIGHBOURS,
            "{title} has {} neighbours",
            neighbours.len()
        );
        lines.push(format!("nearest to {title}: {}", list(&neighbours)));
    }
    Ok(lines)
}

/// Loads the file over HTTP, as any client would.
async fn accept(args: &DemoArgs, addresses: &Addresses) -> Result<Summary> {
    let load = LoadArgs::defaults(args.data.clone(), COLLECTION, &addresses.http);
    let (summary, failure) = load::load(load, Progress::for_terminal()).await?;
    match failure {
        Some(failure) => Err(failure.context("load the films")),
        None => Ok(summary),
    }
}

async fn wait_until_applied(qdrant: &Qdrant, wanted: u64, deadline: Duration) -> Result<u64> {
    let started = Instant::now();
    loop {
        let count = count(qdrant).await?;
        if count >= wanted {
            return Ok(count);
        }
        if started.elapsed() > deadline {
            bail!("only {count} of {wanted} points were applied within {deadline:?}");
        }
        tokio::time::sleep(POLL).await;
    }
}

async fn count(qdrant: &Qdrant) -> Result<u64> {
    let request = CountPointsBuilder::new(COLLECTION).exact(true);
    let response = qdrant.count(request).await.context("count the points")?;
    Ok(response.result.map_or(0, |result| result.count))
}

async fn find(qdrant: &Qdrant, title: &str) -> Result<RetrievedPoint> {
    // Said in full: from a string with a blank in it the client makes a full-text match.
    let exactly = MatchValue::Keyword(title.to_owned());
    let filter = Filter::must([Condition::matches("title", exactly)]);
    let request = ScrollPointsBuilder::new(COLLECTION).filter(filter).limit(1);
    let response = qdrant
        .scroll(request)
        .await
        .with_context(|| format!("find {title}"))?;
    let film = response.result.into_iter().next();
    film.with_context(|| format!("{title} is not in {COLLECTION}"))
}

async fn nearest(qdrant: &Qdrant, film: &RetrievedPoint) -> Result<Vec<ScoredPoint>> {
    let id = film.id.clone().context("the film has no id")?;
    let request = QueryPointsBuilder::new(COLLECTION)
        .query(id)
        .limit(NEIGHBOURS)
        .with_payload(true);
    Ok(qdrant.query(request).await.context("search")?.result)
}

fn list(points: &[ScoredPoint]) -> String {
    let films = points.iter().map(|point| {
        let title = point.payload.get("title").and_then(Value::as_str);
        format!("{} ({:.3})", title.map_or("?", String::as_str), point.score)
    });
    films.collect::<Vec<_>>().join(", ")
}
