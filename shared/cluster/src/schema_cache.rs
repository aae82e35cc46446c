//! What is known of collections: asked once for all who want to know, believed for a while.
//!
//! A Qdrant that is away is asked one question at a time with a pause between them; everybody else
//! is answered at once, from an outdated schema if there is one: a collection's vectors hardly ever
//! change, and a write checked against them is better than one not checked at all.

mod state;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use alioth_points::CollectionSchema;
use tokio::sync::Semaphore;

use self::state::{Known, Moment, State};
use crate::{
    config::QdrantConfig,
    metrics::{ClusterMetrics, Lookup},
};

/// Qdrant keeps a collection in a folder of its name, so a longer one cannot exist.
const MAX_NAME: usize = 255;

/// Questions under way at once: more than enough at 1 ms each, and a bound for a flood of made-up names.
const MAX_QUESTIONS: usize = 32;

/// Pause between two questions to a Qdrant that is away.
const OUTAGE_PAUSE: Duration = Duration::from_secs(1);

/// What is known of a collection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SchemaLookup {
    /// It exists.
    Found(Arc<CollectionSchema>),
    /// It does not.
    Missing,
    /// Qdrant could not be asked.
    Unavailable,
}

/// Whoever knows collections: a [`Cluster`](crate::Cluster), or a test's stand-in.
#[async_trait::async_trait]
pub trait SchemaSource: Send + Sync + 'static {
    /// Asks now. Must answer within a second or two, if only `Unavailable`.
    async fn ask(&self, collection: &str) -> SchemaLookup;
}

/// How long answers are believed, and how many.
#[derive(Debug, Clone, Copy)]
pub struct SchemaTimes {
    /// That a collection is as it is.
    pub found: Duration,
    /// That a collection is missing.
    pub missing: Duration,
    /// Collections held at most.
    pub entries: usize,
}

/// Collection schemas: single flight, bounded. Clones share it.
#[derive(Clone)]
pub struct SchemaCache {
    inner: Arc<Inner>,
}

struct Inner {
    source: Arc<dyn SchemaSource>,
    times: SchemaTimes,
    metrics: ClusterMetrics,
    questions: Semaphore,
    /// Taken by the one question that is asked while Qdrant is away.
    probe: Semaphore,
    state: Mutex<State>,
}

/// How new an answer has to be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    /// Within its time to live.
    Believed,
    /// Asked after this call came in.
    New,
}

impl SchemaCache {
    /// Caches a cluster's answers.
    pub fn new(cluster: &crate::Cluster, config: &QdrantConfig) -> Self {
        let times = SchemaTimes {
            found: config.schema_ttl.0,
            missing: config.schema_missing_ttl.0,
            entries: config.schema_entries,
        };
        Self::with_source(Arc::new(cluster.clone()), times, cluster.metrics().clone())
    }

    /// Caches any source's answers.
    pub fn with_source(
        source: Arc<dyn SchemaSource>,
        times: SchemaTimes,
        metrics: ClusterMetrics,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                source,
                times,
                metrics,
                questions: Semaphore::new(MAX_QUESTIONS),
                probe: Semaphore::new(1),
                state: Mutex::default(),
            }),
        }
    }

    /// From the cache, or asked. While Qdrant is away an outdated schema is given rather than none;
    /// an outdated absence is not.
    ///
    /// # Cancel safety
    /// Cancel safe: whoever waits for the same answer asks instead.
    pub async fn get(&self, collection: &str) -> SchemaLookup {
        self.look_up(collection, Wanted::Believed).await
    }

    /// Asked now, or by somebody else since this call; for use before a mismatch is answered.
    /// Never outdated: `Unavailable` while Qdrant is away.
    ///
    /// # Cancel safety
    /// As [`SchemaCache::get`].
    pub async fn refresh(&self, collection: &str) -> SchemaLookup {
        self.look_up(collection, Wanted::New).await
    }

    async fn look_up(&self, collection: &str, wanted: Wanted) -> SchemaLookup {
        if collection.len() > MAX_NAME {
            return SchemaLookup::Missing;
        }
        let (arrived, turn) = {
            let mut state = self.inner.lock();
            let arrived = state.moment();
            if let Some(answer) = self.settled(&state, collection, wanted, arrived) {
                return answer;
            }
            (arrived, state.turn(collection, &self.inner.times))
        };
        let Ok(_turn) = turn.acquire().await else {
            return SchemaLookup::Unavailable;
        };
        if let Some(answer) = self.settled(&self.inner.lock(), collection, wanted, arrived) {
            return answer;
        }
        self.question(collection, wanted).await
    }

    /// The answer, where no question is needed or none may be asked.
    fn settled(
        &self,
        state: &State,
        collection: &str,
        wanted: Wanted,
        arrived: Moment,
    ) -> Option<SchemaLookup> {
        let known = state.known(collection);
        if let Some(known) = known {
            let believed = wanted == Wanted::Believed && self.inner.times.believes(known);
            if believed || known.asked.event > arrived.event {
                self.inner.metrics.lookup(Lookup::Cached);
                return Some(known.lookup());
            }
        }
        let failed = state.outage?;
        let may_ask = failed.event < arrived.event && failed.time.elapsed() >= OUTAGE_PAUSE;
        (!may_ask).then(|| self.unanswered(known, wanted))
    }

    async fn question(&self, collection: &str, wanted: Wanted) -> SchemaLookup {
        let _probe = if self.inner.lock().outage.is_some() {
            let Ok(probe) = self.inner.probe.try_acquire() else {
                return self.unanswered(self.inner.lock().known(collection), wanted);
            };
            Some(probe)
        } else {
            None
        };
        let Ok(_question) = self.inner.questions.acquire().await else {
            return SchemaLookup::Unavailable;
        };
        let asked = self.inner.lock().moment();
        let answer = self.inner.source.ask(collection).await;
        let schema = match &answer {
            SchemaLookup::Found(schema) => Some(Arc::clone(schema)),
            SchemaLookup::Missing => None,
            SchemaLookup::Unavailable => {
                let mut state = self.inner.lock();
                state.outage = Some(state.moment());
                let answer = self.unanswered(state.known(collection), wanted);
                state.forget_unknown(collection);
                return answer;
            }
        };
        let mut state = self.inner.lock();
        state.outage = None;
        state.learn(collection, Known { schema, asked }, &self.inner.times);
        self.inner.metrics.lookup(Lookup::Asked);
        answer
    }

    fn unanswered(&self, known: Option<&Known>, wanted: Wanted) -> SchemaLookup {
        if let (
            Wanted::Believed,
            Some(Known {
                schema: Some(schema),
                ..
            }),
        ) = (wanted, known)
        {
            self.inner.metrics.lookup(Lookup::Stale);
            return SchemaLookup::Found(Arc::clone(schema));
        }
        self.inner.metrics.lookup(Lookup::Unavailable);
        SchemaLookup::Unavailable
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Every change below is whole before the guard is dropped.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
