//! `alioth load`: a file of points into a collection, over HTTP, as any client would.

mod client;
mod ndjson;
mod parquet_file;
mod progress;
mod rows;

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    num::NonZeroUsize,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use alioth_config::Span;
use anyhow::{Context, Result};
use tokio::{
    sync::{Mutex, mpsc},
    task::JoinSet,
};

pub(crate) use self::{client::http_client, progress::Progress};
use self::{
    client::{Client, Sent},
    rows::{BadRow, Format, Mapping, Row},
};
use crate::exit::Exit;

/// What Qdrant's documentation advises for one upsert is 64 to 256 points; Alioth merges anyway.
const DEFAULT_BATCH: NonZeroUsize = NonZeroUsize::new(100).expect("is above zero");
/// Enough to hide the confirm's latency.
const DEFAULT_CONCURRENCY: NonZeroUsize = NonZeroUsize::new(4).expect("is above zero");
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);
/// A broker's restart or a burst's drain is shorter.
const DEFAULT_GIVE_UP_AFTER: Duration = Duration::from_secs(600);

/// Distinct reasons that a summary spells out.
const REASONS_SHOWN: usize = 10;
/// Rows that it names for each.
const ROWS_SHOWN: usize = 5;

/// Loads a file of points through an Alioth.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct LoadArgs {
    /// Parquet or NDJSON file
    pub(crate) file: PathBuf,
    /// Collection to write to; it must exist
    #[arg(long)]
    pub(crate) collection: String,
    /// Base address of the Alioth, as in http://localhost:8080
    #[arg(long)]
    pub(crate) url: String,
    /// Key for the `api-key` header
    #[arg(long, env = "ALIOTH_LOAD_API_KEY", hide_env_values = true)]
    pub(crate) api_key: Option<String>,
    /// File format, where its name does not tell
    #[arg(long, value_enum)]
    pub(crate) format: Option<Format>,
    /// Column or field of the id
    #[arg(long, value_name = "COLUMN", default_value = "id")]
    pub(crate) id: String,
    /// Column of the vector, or NAME=COLUMN for a named one; may be repeated
    #[arg(long, value_name = "[NAME=]COLUMN", default_value = "vector")]
    pub(crate) vector: Vec<String>,
    /// Column of the payload (an object, or text with one in it); if the file has none of that name,
    /// every column that is neither id nor vector goes into the payload
    #[arg(long, value_name = "COLUMN", default_value = "payload")]
    pub(crate) payload: String,
    /// Points a request
    #[arg(long, default_value_t = DEFAULT_BATCH)]
    pub(crate) batch: NonZeroUsize,
    /// Requests in flight
    #[arg(long, default_value_t = DEFAULT_CONCURRENCY)]
    pub(crate) concurrency: NonZeroUsize,
    /// How long one request may take
    #[arg(long, default_value = "30s", value_parser = span)]
    pub(crate) timeout: Duration,
    /// How long to go on without progress while the server says "later"
    #[arg(long, default_value = "10m", value_parser = span)]
    pub(crate) give_up_after: Duration,
}

pub(crate) fn span(text: &str) -> Result<Duration, alioth_config::ParseValueError> {
    text.parse::<Span>().map(|span| span.0)
}

impl LoadArgs {
    /// What the command takes when only the three needed arguments are given.
    pub(crate) fn defaults(file: PathBuf, collection: &str, url: &str) -> Self {
        Self {
            file,
            collection: collection.to_owned(),
            url: url.to_owned(),
            api_key: None,
            format: None,
            id: "id".to_owned(),
            vector: vec!["vector".to_owned()],
            payload: "payload".to_owned(),
            batch: DEFAULT_BATCH,
            concurrency: DEFAULT_CONCURRENCY,
            timeout: DEFAULT_TIMEOUT,
            give_up_after: DEFAULT_GIVE_UP_AFTER,
        }
    }
}

/// What a load came to.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    /// Points the server accepted.
    pub(crate) accepted: u64,
    /// Rows that were no points, and points that were refused.
    pub(crate) rejected: Vec<BadRow>,
    /// Times the server had to be waited for.
    pub(crate) waits: u64,
    /// From the first row read to the last answer.
    pub(crate) elapsed: Duration,
}

impl Summary {
    /// Accepted points a second.
    pub(crate) fn rate(&self) -> f64 {
        self.accepted as f64 / self.elapsed.as_secs_f64().max(f64::EPSILON)
    }

    fn text(&self) -> String {
        let mut text = format!(
            "accepted {} points in {:.1} s ({:.0} points/s), waited {} times, rejected {}",
            self.accepted,
            self.elapsed.as_secs_f64(),
            self.rate(),
            self.waits,
            self.rejected.len()
        );
        let mut by_reason: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
        for bad in &self.rejected {
            by_reason.entry(&bad.reason).or_default().push(bad.number);
        }
        for (reason, numbers) in by_reason.iter().take(REASONS_SHOWN) {
            let rows = numbers.iter().take(ROWS_SHOWN).map(u64::to_string);
            let rows = rows.collect::<Vec<_>>().join(", ");
            let more = if numbers.len() > ROWS_SHOWN {
                ", …"
            } else {
                ""
            };
            write!(text, "\n  {} × {reason} (row {rows}{more})", numbers.len()).unwrap_or_default();
        }
        if by_reason.len() > REASONS_SHOWN {
            let rest = by_reason.len() - REASONS_SHOWN;
            write!(text, "\n  and {rest} other reasons").unwrap_or_default();
        }
        text
    }
}

/// Runs the command: exit code 0 when every row was accepted, 65 when some were not, 69 when the
/// server could not be reached or refused all of it.
pub(crate) async fn command(args: LoadArgs) -> Result<Exit> {
    let progress = Progress::for_terminal();
    let (summary, failure) = load(args, progress).await?;
    crate::say(&summary.text());
    if let Some(failure) = failure {
        crate::complain(&format!("stopped early: {failure:#}"));
        return Ok(Exit::Unavailable);
    }
    if summary.rejected.is_empty() {
        Ok(Exit::Success)
    } else {
        Ok(Exit::BadData)
    }
}

/// Loads a file. The error inside is what stopped it early; what was accepted until then stays so.
///
/// # Errors
/// When the file cannot be opened or the arguments contradict each other: nothing was sent.
pub(crate) async fn load(
    args: LoadArgs,
    progress: Progress,
) -> Result<(Summary, Option<anyhow::Error>)> {
    let mapping = Mapping::new(&args.id, &args.vector, &args.payload)?;
    let client = Client::new(
        &args.url,
        &args.collection,
        args.api_key.clone(),
        args.timeout,
        args.give_up_after,
    )?;
    let path = args.file.clone();
    let format = args.format;
    let (rows, total) =
        tokio::task::spawn_blocking(move || rows::open(&path, format, mapping)).await??;
    progress.start(total);

    let started = Instant::now();
    // One batch ready for each sender: reading runs ahead by no more than that.
    let (batches, receiver) = mpsc::channel(args.concurrency.get());
    let size = args.batch.get();
    let reader = tokio::task::spawn_blocking(move || read(rows, size, &batches));
    let mut summary = Summary::default();
    let failure = send(&client, receiver, args.concurrency, &progress, &mut summary).await;
    let bad_rows = match reader.await.context("read the file")? {
        Ok(bad_rows) => bad_rows,
        Err(error) => {
            summary.elapsed = started.elapsed();
            return Ok((summary, Some(error)));
        }
    };
    summary.rejected.extend(bad_rows);
    summary.rejected.sort_by_key(|bad| bad.number);
    summary.elapsed = started.elapsed();
    progress.finish();
    Ok((summary, failure.err()))
}

/// Fills batches until the file or the senders end; returns the rows that are no points.
fn read(rows: rows::Rows, size: usize, batches: &mpsc::Sender<Vec<Row>>) -> Result<Vec<BadRow>> {
    let mut bad_rows = Vec::new();
    let mut batch = Vec::with_capacity(size);
    for row in rows {
        match row? {
            Ok(row) => batch.push(row),
            Err(bad) => bad_rows.push(bad),
        }
        if batch.len() == size {
            let full = std::mem::replace(&mut batch, Vec::with_capacity(size));
            if batches.blocking_send(full).is_err() {
                return Ok(bad_rows);
            }
        }
    }
    if !batch.is_empty() {
        // The senders are gone only when one has failed, and that is reported.
        batches.blocking_send(batch).ok();
    }
    Ok(bad_rows)
}

/// Sends batches until there are none; the first failure ends all.
async fn send(
    client: &Client,
    receiver: mpsc::Receiver<Vec<Row>>,
    concurrency: NonZeroUsize,
    progress: &Progress,
    summary: &mut Summary,
) -> Result<()> {
    let receiver = Arc::new(Mutex::new(receiver));
    let mut senders = JoinSet::new();
    for _ in 0..concurrency.get() {
        let (client, receiver) = (client.clone(), Arc::clone(&receiver));
        let progress = progress.clone();
        senders.spawn(async move {
            let mut total = Sent::default();
            loop {
                let next = receiver.lock().await.recv().await;
                let Some(batch) = next else {
                    return (total, Ok(()));
                };
                match client.send(batch).await {
                    Ok(sent) => {
                        progress.advance(sent.accepted, sent.rejected.len() as u64);
                        total.add(sent);
                    }
                    Err(error) => {
                        receiver.lock().await.close();
                        return (total, Err(error));
                    }
                }
            }
        });
    }
    drop(receiver);
    let mut result = Ok(());
    while let Some(ended) = senders.join_next().await {
        let (total, outcome) = ended.context("send batches")?;
        summary.accepted += total.accepted;
        summary.waits += total.waits;
        summary.rejected.extend(total.rejected);
        result = result.and(outcome);
    }
    result.map_err(anyhow::Error::from)
}
