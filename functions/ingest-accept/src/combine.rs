//! Puts writes into messages. Small writes of one collection and equal options share one when they come while others
//! await their confirms: RabbitMQ, lapin and the consumers pay by the message. A write that finds nobody waiting goes at
//! once, alone, and none is told "accepted" before the message that holds it is confirmed.

use std::{
    collections::{HashMap, VecDeque, hash_map::Entry},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use alioth_broker::{OutgoingMessage, PublishError, Publisher, Queue};
use alioth_points::{MergeKey, UpsertMessage};
use alioth_telemetry::prometheus::IntCounter;
use bytes::Bytes;
use tokio::sync::oneshot;

use crate::{
    budget::Reservation,
    message::{Envelope, of_writes},
    metrics::Metrics,
};

/// Messages of one lane that await their confirms at once, whole ones apart. With one the broker idles while the next is
/// made, for some 5 % fewer points a second. With six or eight, 50 writers of single points had nearly twice the messages for
/// 2 to 5 % more points, which is less than runs differ by (29 November 2026, two cores, five runs of each).
const CARRIERS: usize = 2;
/// A write larger than this part of a shared message would leave no room for others.
const SMALL: usize = 4;
/// Keeps the list of writes far below the 64 KiB of a frame with headers.
const MAX_WRITES: usize = 512;

/// Publishes writes, each in messages of its own or in one that is shared.
pub(crate) struct Combiner {
    publisher: Arc<dyn Publisher>,
    /// Bytes of a shared message.
    limit: usize,
    lanes: Mutex<HashMap<MergeKey, Lane>>,
    messages: IntCounter,
    message_bytes: IntCounter,
    combined: IntCounter,
}

/// The small writes of one merge key. It exists while it has a carrier.
#[derive(Default)]
struct Lane {
    waiting: VecDeque<Waiting>,
    /// Of what waits.
    bytes: usize,
    carriers: usize,
}

/// What a write that came to wait has made due.
enum Due {
    /// It waits for a carrier that there is.
    Nothing,
    /// A carrier.
    Carrier,
    /// A whole message, which waits for none.
    Message(Vec<Waiting>),
}

/// A write on its way into a shared message.
struct Waiting {
    message: UpsertMessage,
    body: Bytes,
    envelope: Envelope,
    /// What it holds of the memory, its client being there or not.
    _reservation: Reservation,
    answer: oneshot::Sender<Result<(), PublishError>>,
}

impl Combiner {
    /// `limit` in bytes; with 0 nothing is shared.
    pub(crate) fn new(publisher: Arc<dyn Publisher>, metrics: &Metrics, limit: usize) -> Arc<Self> {
        Arc::new(Self {
            publisher,
            limit,
            lanes: Mutex::default(),
            messages: metrics.messages.clone(),
            message_bytes: metrics.message_bytes.clone(),
            combined: metrics.combined.clone(),
        })
    }

    /// Publishes a write's chunks; returns when every message that holds some of it is confirmed.
    ///
    /// # Errors
    /// As of [`Publisher::publish`], of the message it shares also.
    ///
    /// # Cancel safety
    /// The write may be queued all the same. Those it shares a message with notice nothing.
    pub(crate) async fn publish(
        self: &Arc<Self>,
        mut chunks: Vec<Bytes>,
        envelope: &Envelope,
        reservation: Reservation,
    ) -> Result<(), PublishError> {
        let Some(message) = self.shareable(&chunks, envelope) else {
            // Held until the end: the messages are about as large as the write is.
            let _reservation = reservation;
            return self.send(envelope.wrap(chunks)).await;
        };
        let (answer, answered) = oneshot::channel();
        let key = message.merge_key().clone();
        let waiting = Waiting {
            message,
            body: chunks.swap_remove(0),
            envelope: envelope.clone(),
            _reservation: reservation,
            answer,
        };
        // A task of its own: should this write's client go, the others' must be confirmed all the same.
        match self.enter(&key, waiting) {
            Due::Nothing => {}
            Due::Carrier => drop(tokio::spawn(Arc::clone(self).carry(key))),
            Due::Message(writes) => {
                let combiner = Arc::clone(self);
                tokio::spawn(async move { combiner.deliver(writes).await });
            }
        }
        answered.await.unwrap_or_else(|_| {
            Err(PublishError::Away {
                reason: "the process ends".to_owned(),
            })
        })
    }

    /// The one message of a write that may share one. A write whose trace is recorded goes alone, to be told from others,
    /// and so does one of which the order decides more than the survivor.
    fn shareable(&self, chunks: &[Bytes], envelope: &Envelope) -> Option<UpsertMessage> {
        let [body] = chunks else {
            return None;
        };
        if body.len() > self.limit / SMALL || envelope.is_sampled() {
            return None;
        }
        // Our own bytes: what cannot be read here is for the consumer to say.
        let message = UpsertMessage::scan(body.clone()).ok()?;
        (!message.order_matters()).then_some(message)
    }

    /// Has a write wait in its lane.
    fn enter(&self, key: &MergeKey, waiting: Waiting) -> Due {
        let mut lanes = self.lanes();
        let lane = lanes.entry(key.clone()).or_default();
        lane.bytes += waiting.body.len();
        lane.waiting.push_back(waiting);
        if lane.carriers < CARRIERS {
            lane.carriers += 1;
            return Due::Carrier;
        }
        match lane.bytes >= self.limit || lane.waiting.len() >= MAX_WRITES {
            true => Due::Message(lane.next(self.limit)),
            false => Due::Nothing,
        }
    }

    /// Publishes what waits in a lane, message by message, until nothing does.
    async fn carry(self: Arc<Self>, key: MergeKey) {
        loop {
            // What has come already and has not been looked at yet comes along.
            tokio::task::yield_now().await;
            let writes = self.take(&key);
            if writes.is_empty() {
                return;
            }
            self.deliver(writes).await;
        }
    }

    /// Publishes a message of the writes, and tells each how that went.
    async fn deliver(&self, writes: Vec<Waiting>) {
        let Some(message) = gather(&writes) else {
            return;
        };
        let outcome = self.send(vec![message]).await;
        if outcome.is_ok() && writes.len() > 1 {
            self.combined.inc_by(writes.len() as u64);
        }
        for write in writes {
            // Its client may have gone.
            let _ = write.answer.send(outcome.clone());
        }
    }

    /// The next writes to share a message; with none the carrier ends, and the lane with the last of them.
    fn take(&self, key: &MergeKey) -> Vec<Waiting> {
        let mut lanes = self.lanes();
        let Entry::Occupied(mut entry) = lanes.entry(key.clone()) else {
            return Vec::new();
        };
        let lane = entry.get_mut();
        let writes = lane.next(self.limit);
        if writes.is_empty() {
            lane.carriers -= 1;
            if lane.carriers == 0 {
                entry.remove();
            }
        }
        writes
    }

    async fn send(&self, messages: Vec<OutgoingMessage>) -> Result<(), PublishError> {
        let count = messages.len() as u64;
        let bytes: usize = messages.iter().map(|message| message.body.len()).sum();
        self.publisher.publish(Queue::Ingest, messages).await?;
        self.messages.inc_by(count);
        self.message_bytes.inc_by(bytes as u64);
        Ok(())
    }

    fn lanes(&self) -> MutexGuard<'_, HashMap<MergeKey, Lane>> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lane {
    /// Takes a message of those that have waited longest.
    fn next(&mut self, limit: usize) -> Vec<Waiting> {
        let (mut writes, mut bytes) = (Vec::new(), 0);
        while let Some(next) = self.waiting.front()
            && writes.len() < MAX_WRITES
        {
            let size = next.body.len();
            if bytes + size > limit && !writes.is_empty() {
                break;
            }
            bytes += size;
            self.bytes -= size;
            // Nobody waits for it any more: it need not be written.
            writes.extend(
                self.waiting
                    .pop_front()
                    .filter(|write| !write.answer.is_closed()),
            );
        }
        writes
    }
}

/// One message of the writes; none of none.
fn gather(writes: &[Waiting]) -> Option<OutgoingMessage> {
    match writes {
        [] => None,
        [alone] => alone.envelope.wrap(vec![alone.body.clone()]).pop(),
        several => {
            let messages: Vec<_> = several.iter().map(|write| &write.message).collect();
            let body = UpsertMessage::concat(&messages);
            let whose: Vec<_> = several
                .iter()
                .map(|write| (&write.envelope, write.message.points()))
                .collect();
            Some(of_writes(&whose, body))
        }
    }
}

#[cfg(test)]
mod tests;
