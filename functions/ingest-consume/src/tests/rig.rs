//! A whole consumer over a broker and a Qdrant of memory, on paused time.

mod broker;
mod messages;
mod qdrant;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use alioth_broker::HeaderValue;
use alioth_cluster::{Applied, UpsertError};
use alioth_telemetry::{Readiness, Tracer};
use alioth_testkit::{metric, wait_until};
use prometheus::Registry;
use prost::Message;
use qdrant_client::qdrant::{PointStruct, UpsertPoints};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use self::broker::Handle;
pub(crate) use self::{
    broker::{Event, FakeBroker},
    messages::{broken, number, outgoing, point, version},
    qdrant::FakeQdrant,
};
use crate::{Config, RunError, applier::Upserts, run_with};

/// Of paused time.
pub(crate) const DEADLINE: Duration = Duration::from_secs(3600);

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A consumer that runs, and what it runs on.
pub(crate) struct Rig {
    pub(crate) broker: Arc<FakeBroker>,
    pub(crate) qdrant: Arc<FakeQdrant>,
    pub(crate) readiness: Readiness,
    pub(crate) registry: Registry,
    pub(crate) config: Config,
    pub(crate) shutdown: CancellationToken,
    running: Option<JoinHandle<Result<(), RunError>>>,
}

impl Rig {
    /// Everything but the consumer itself; [`Rig::start`] starts it.
    pub(crate) fn new(
        script: impl FnMut(&UpsertPoints) -> Result<Applied, UpsertError> + Send + 'static,
    ) -> Self {
        Self {
            broker: Arc::default(),
            qdrant: Arc::new(FakeQdrant::new(script)),
            readiness: Readiness::new(),
            registry: Registry::new(),
            config: Config::default(),
            shutdown: CancellationToken::new(),
            running: None,
        }
    }

    /// A Qdrant that takes everything.
    pub(crate) fn sound() -> Self {
        Self::new(|_| Ok(Applied::Completed))
    }

    pub(crate) fn start(&mut self) {
        let broker = Arc::new(Handle(Arc::clone(&self.broker)));
        let qdrant = Arc::clone(&self.qdrant) as Arc<dyn Upserts>;
        let (registry, readiness) = (self.registry.clone(), self.readiness.clone());
        let (config, shutdown) = (self.config, self.shutdown.clone());
        self.running = Some(tokio::spawn(async move {
            let tracer = Tracer::default();
            run_with(
                config, broker, qdrant, &registry, &readiness, tracer, shutdown,
            )
            .await
        }));
    }

    pub(crate) fn put(&self, collection: &str, points: Vec<PointStruct>) -> u64 {
        self.broker.put(outgoing(collection, points))
    }

    /// Starts it, and waits until the queue is empty and everything settled.
    pub(crate) async fn run_dry(&mut self) {
        self.start();
        self.wait_dry().await;
    }

    pub(crate) async fn wait_dry(&self) {
        wait_until(DEADLINE, || async { self.broker.is_empty() }).await;
    }

    pub(crate) async fn stop(&mut self) -> Result<(), RunError> {
        self.shutdown.cancel();
        let running = self.running.take().expect("it was started");
        running.await.expect("no panic")
    }

    /// Ids in a collection with the version that was applied last.
    pub(crate) fn applied(&self, collection: &str) -> BTreeMap<u64, i64> {
        let points = lock(&self.qdrant.points);
        let of = points.iter().filter(|((name, _), _)| name == collection);
        of.map(|((_, id), version)| (*id, *version)).collect()
    }

    /// The dead letters: ids, and headers as text.
    pub(crate) fn dead(&self) -> Vec<(Vec<u64>, BTreeMap<String, String>)> {
        let dead = lock(&self.broker.dead);
        let text = |value: &HeaderValue| match value {
            HeaderValue::Text(text) => text.clone(),
            HeaderValue::Int(int) => int.to_string(),
        };
        dead.iter()
            .map(|letter| {
                let upsert = UpsertPoints::decode(letter.body.clone()).unwrap_or_default();
                let ids = upsert.points.iter().map(number).collect();
                let headers = letter
                    .headers
                    .iter()
                    .map(|(name, value)| (name.clone(), text(value)));
                (ids, headers.collect())
            })
            .collect()
    }

    /// A counter or gauge by name, summed over those labels that have the given value.
    pub(crate) fn metric(&self, name: &str, label: &str) -> f64 {
        metric(&self.registry, name, label)
    }
}
