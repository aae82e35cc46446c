//! A broker and a Qdrant for unit tests, whose answers are set beforehand.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use alioth_broker::{OutgoingMessage, PublishError, Publisher, Queue};
use alioth_cluster::{ClusterMetrics, SchemaCache, SchemaLookup, SchemaSource, SchemaTimes};
use alioth_points::{CollectionSchema, VectorKind};
use alioth_telemetry::prometheus::Registry;
use async_trait::async_trait;

/// Answers every publish alike, and keeps what was published.
pub(crate) struct FakePublisher {
    answer: Result<(), PublishError>,
    ready: AtomicBool,
    proofs: AtomicUsize,
    published: Mutex<Vec<OutgoingMessage>>,
}

impl FakePublisher {
    pub(crate) fn answering(answer: Result<(), PublishError>) -> Self {
        Self {
            answer,
            ready: AtomicBool::new(true),
            proofs: AtomicUsize::new(0),
            published: Mutex::default(),
        }
    }

    pub(crate) fn set_ready(&self, ready: bool) {
        self.ready.store(ready, Ordering::Relaxed);
    }

    /// How often a proof was asked for.
    pub(crate) fn proofs(&self) -> usize {
        self.proofs.load(Ordering::Relaxed)
    }

    pub(crate) fn take(&self) -> Vec<OutgoingMessage> {
        std::mem::take(
            &mut self
                .published
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }
}

#[async_trait]
impl Publisher for FakePublisher {
    async fn publish(&self, _: Queue, messages: Vec<OutgoingMessage>) -> Result<(), PublishError> {
        let mut published = self
            .published
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        published.extend(messages);
        self.answer.clone()
    }

    fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Relaxed)
    }

    async fn prove(&self, _: Duration) -> bool {
        self.proofs.fetch_add(1, Ordering::Relaxed);
        self.is_ready()
    }
}

/// Answers questions for schemas one after the other, the last answer again and again.
pub(crate) struct FakeQdrant {
    answers: Mutex<Vec<SchemaLookup>>,
    asked: AtomicUsize,
}

impl FakeQdrant {
    pub(crate) fn answering(answers: &[SchemaLookup]) -> Arc<Self> {
        Arc::new(Self {
            answers: Mutex::new(answers.to_vec()),
            asked: AtomicUsize::new(0),
        })
    }

    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }

    pub(crate) fn cache(self: &Arc<Self>) -> SchemaCache {
        cache(Arc::clone(self) as Arc<dyn SchemaSource>)
    }
}

#[async_trait]
impl SchemaSource for FakeQdrant {
    async fn ask(&self, _: &str) -> SchemaLookup {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        if answers.len() > 1 {
            return answers.remove(0);
        }
        answers[0].clone()
    }
}

/// The collections of the document's examples: `movies` with one vector, `articles` with several.
struct Examples;

#[async_trait]
impl SchemaSource for Examples {
    async fn ask(&self, collection: &str) -> SchemaLookup {
        let dense = VectorKind::Dense { size: 4 };
        let vectors = match collection {
            "movies" => [(String::new(), dense)].into(),
            "articles" => [
                ("title".to_owned(), dense),
                ("words".to_owned(), VectorKind::Sparse),
            ]
            .into(),
            _ => return SchemaLookup::Missing,
        };
        SchemaLookup::Found(Arc::new(CollectionSchema { vectors }))
    }
}

/// Knows the collections of the document's examples, and no other.
pub(crate) fn example_schemas() -> SchemaCache {
    cache(Arc::new(Examples))
}

fn cache(source: Arc<dyn SchemaSource>) -> SchemaCache {
    let times = SchemaTimes {
        found: Duration::from_secs(30),
        missing: Duration::from_secs(5),
        entries: 10,
    };
    let metrics = ClusterMetrics::register(&Registry::new()).unwrap();
    SchemaCache::with_source(source, times, metrics)
}
