//! A Qdrant of memory, which answers as it is told.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use alioth_cluster::{Applied, UpsertError};
use alioth_points::UpsertBody;
use prost::Message;
use qdrant_client::qdrant::UpsertPoints;
use tokio::time::Instant;

use super::{lock, number, version};
use crate::applier::Upserts;

/// Answers an upsert; called in the order the upserts end.
pub(crate) type Script = Box<dyn FnMut(&UpsertPoints) -> Result<Applied, UpsertError> + Send>;

/// A Qdrant of memory. What it rejects leaves no trace, what it accepts overwrites by id.
pub(crate) struct FakeQdrant {
    script: Mutex<Script>,
    pub(crate) takes: Mutex<Duration>,
    /// Collections whose upserts take longer.
    pub(crate) takes_longer: Mutex<BTreeMap<String, Duration>>,
    pub(crate) calls: Mutex<Vec<(Instant, UpsertPoints)>>,
    pub(crate) points: Mutex<BTreeMap<(String, u64), i64>>,
}

#[async_trait::async_trait]
impl Upserts for FakeQdrant {
    async fn upsert(&self, body: Arc<UpsertBody>) -> Result<Applied, UpsertError> {
        let bytes = body.pieces.concat();
        // A broken point is the server's to notice, as in life.
        let Ok(upsert) = UpsertPoints::decode(&bytes[..]) else {
            return Err(UpsertError::Internal {
                reason: "failed to decode".to_owned(),
            });
        };
        lock(&self.calls).push((Instant::now(), upsert.clone()));
        let longer = lock(&self.takes_longer)
            .get(&upsert.collection_name)
            .copied();
        let takes = longer.unwrap_or(*lock(&self.takes));
        tokio::time::sleep(takes).await;
        let answer = (lock(&self.script))(&upsert);
        if answer.is_ok() {
            let mut points = lock(&self.points);
            for point in &upsert.points {
                points.insert(
                    (upsert.collection_name.clone(), number(point)),
                    version(point),
                );
            }
        }
        answer
    }
}

impl FakeQdrant {
    pub(crate) fn new(
        script: impl FnMut(&UpsertPoints) -> Result<Applied, UpsertError> + Send + 'static,
    ) -> Self {
        Self {
            script: Mutex::new(Box::new(script)),
            takes: Mutex::new(Duration::from_millis(10)),
            takes_longer: Mutex::default(),
            calls: Mutex::default(),
            points: Mutex::default(),
        }
    }

    pub(crate) fn calls(&self) -> usize {
        lock(&self.calls).len()
    }

    pub(crate) fn answer_by(
        &self,
        script: impl FnMut(&UpsertPoints) -> Result<Applied, UpsertError> + Send + 'static,
    ) {
        *lock(&self.script) = Box::new(script);
    }
}
