//! End to end: single points, sent beside the load, and how long until Qdrant gives each of them back.

use std::{sync::Arc, time::Duration};

use alioth_loadtest::{
    latencies::Latencies,
    writes::{Films, Payloads},
};
use tokio::{sync::watch, task::JoinHandle, time::Instant};

use crate::{
    qdrant::Qdrant,
    scenario::Plan,
    target::{Answer, Target, TargetKind, answer},
};

const BETWEEN: Duration = Duration::from_millis(500);
const LOOK: Duration = Duration::from_millis(2);
/// A probe that takes longer is given up, and counted as that long.
const LONGEST: Duration = Duration::from_secs(120);

/// What the probes found.
#[derive(Debug, Clone, Default)]
pub(crate) struct Probes {
    /// Accepted ones: points like the load's.
    pub(crate) sent: u64,
    pub(crate) latencies: Latencies,
}

/// Probes under way.
pub(crate) struct Probing {
    stop: watch::Sender<bool>,
    task: JoinHandle<Probes>,
}

/// Starts to probe, over HTTP whatever the target speaks.
pub(crate) fn start(target: Target, qdrant: Qdrant, plan: Arc<Plan>) -> Probing {
    let (stop, stopped) = watch::channel(false);
    let task = tokio::spawn(probe(target, qdrant, plan, stopped));
    Probing { stop, task }
}

impl Probing {
    /// Lets the last one arrive.
    pub(crate) async fn end(self) -> Probes {
        self.stop.send_replace(true);
        self.task.await.unwrap_or_default()
    }
}

async fn probe(
    target: Target,
    qdrant: Qdrant,
    plan: Arc<Plan>,
    mut stopped: watch::Receiver<bool>,
) -> Probes {
    let http = reqwest::Client::new();
    let films = Films::new(1, plan.shape, Payloads::Film, 99);
    let mut probes = Probes::default();
    for number in 0.. {
        let point = plan.probe_point(number);
        let body = target.probe_body(&films, point);
        let began = Instant::now();
        if send(&http, &target, body).await == Answer::Accepted {
            probes.sent += 1;
            while !qdrant.has(point).await && began.elapsed() < LONGEST {
                tokio::time::sleep(LOOK).await;
            }
            probes.latencies.add(began.elapsed());
        }
        if tokio::time::timeout(BETWEEN, stopped.wait_for(|stopped| *stopped))
            .await
            .is_ok()
        {
            break;
        }
    }
    probes
}

async fn send(http: &reqwest::Client, target: &Target, body: Vec<u8>) -> Answer {
    let url = format!("{}{}", target.base_url.trim_end_matches('/'), target.path);
    let request = match target.kind {
        TargetKind::Ingest => http.post(url),
        TargetKind::Upsert | TargetKind::QdrantRest | TargetKind::QdrantGrpc => http.put(url),
    };
    let mut request = request
        .header("content-type", "application/json")
        .body(body);
    if let Some(key) = &target.api_key {
        request = request.header("api-key", key);
    }
    match request.send().await {
        Ok(found) => answer(found.status().as_u16(), None),
        Err(error) => Answer::Failed(error.to_string()),
    }
}
