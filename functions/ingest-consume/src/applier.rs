//! What all merges share: the way to Qdrant with its slots and breaker, and the way to the dead letters.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use alioth_broker::{Delivery, HeaderValue, OutgoingMessage, Publisher, Queue};
use alioth_cluster::{Applied, Cluster, UpsertError};
use alioth_points::UpsertBody;
use alioth_telemetry::Tracer;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use crate::{
    access::Access,
    backoff::Backoff,
    breaker::Breaker,
    metrics::{Metrics, Outcome},
    stalls::Stalls,
    trace::UpsertSpan,
};

/// Where upserts go: a [`Cluster`], or a test's stand-in.
#[async_trait::async_trait]
pub(crate) trait Upserts: Send + Sync + 'static {
    async fn upsert(&self, body: Arc<UpsertBody>) -> Result<Applied, UpsertError>;
}

#[async_trait::async_trait]
impl Upserts for Cluster {
    async fn upsert(&self, body: Arc<UpsertBody>) -> Result<Applied, UpsertError> {
        Cluster::upsert(self, body).await
    }
}

/// An upsert, to be sent as often as it takes.
#[derive(Debug)]
pub(crate) struct Upsert {
    pub(crate) collection: Arc<str>,
    pub(crate) body: Arc<UpsertBody>,
    /// Of the writes in it, for the spans.
    pub(crate) traceparents: Vec<String>,
    /// It is all of a message on probation: that it fails again tells nothing of Qdrant.
    pub(crate) is_on_probation: bool,
}

impl Upsert {
    pub(crate) fn bytes(&self) -> usize {
        self.body.pieces.iter().map(bytes::Bytes::len).sum()
    }
}

/// Shared by all merges of one consumer.
pub(crate) struct Applier {
    pub(crate) qdrant: Arc<dyn Upserts>,
    pub(crate) publisher: Arc<dyn Publisher>,
    pub(crate) breaker: Breaker,
    pub(crate) slots: Arc<Semaphore>,
    pub(crate) stalls: Arc<Stalls>,
    pub(crate) access: Access,
    pub(crate) backoff: Backoff,
    pub(crate) internal_tries: u32,
    pub(crate) metrics: Metrics,
    pub(crate) tracer: Tracer,
    /// Upserts that went well so far: evidence that Qdrant is sound.
    pub(crate) successes: AtomicU64,
}

/// The messages have to go back to the queue: the process drains, or they have been held too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct GiveBack;

impl Applier {
    /// Makes one upsert, once the breaker and a slot allow it. The slot is kept for the next.
    ///
    /// Of a stalled collection one call is made at a time, so that it takes one slot, not all. Of any other the
    /// first passes an open breaker: what others do says nothing of it.
    ///
    /// # Errors
    /// `GiveBack` when `release` came before the call was made. A call once made is waited for.
    pub(crate) async fn call(
        &self,
        upsert: &Upsert,
        slot: &mut Option<OwnedSemaphorePermit>,
        release: &CancellationToken,
    ) -> Result<Result<Applied, UpsertError>, GiveBack> {
        let turn = self.stalls.turn(&upsert.collection);
        if turn.is_some() {
            self.free(slot);
        }
        let ready = async {
            let pass = match turn {
                Some(turn) => Some((turn.acquire_owned().await, self.breaker.pass().await)),
                None => None,
            };
            if slot.is_none() {
                // The semaphore is never closed.
                *slot = Arc::clone(&self.slots).acquire_owned().await.ok();
            }
            pass
        };
        let pass = tokio::select! {
            biased;
            () = release.cancelled() => return Err(GiveBack),
            pass = ready => pass,
        };
        let answer = self.observed(upsert).await;
        if answer.is_ok() || !upsert.is_on_probation {
            self.report(&answer);
        }
        drop(pass);
        Ok(answer)
    }

    async fn observed(&self, upsert: &Upsert) -> Result<Applied, UpsertError> {
        let span = UpsertSpan::start(&self.tracer, upsert);
        let started = Instant::now();
        self.metrics.upserts_in_flight.inc();
        let answer = self.qdrant.upsert(Arc::clone(&upsert.body)).await;
        self.metrics.upserts_in_flight.dec();
        self.metrics.upsert(
            upsert.body.points,
            upsert.bytes(),
            started.elapsed(),
            &answer,
        );
        span.answered(&answer);
        answer
    }

    /// What the breaker makes of an answer: a rejection or a limit is Qdrant being there.
    fn report(&self, answer: &Result<Applied, UpsertError>) {
        match answer {
            Ok(Applied::Completed | Applied::Acknowledged | Applied::WaitTimeout) => {
                self.successes.fetch_add(1, Ordering::Relaxed);
                self.breaker.answered();
            }
            Err(UpsertError::Rejected { .. } | UpsertError::Exhausted { .. }) => {
                self.breaker.answered();
            }
            Err(
                UpsertError::Unavailable { reason }
                | UpsertError::Denied { reason }
                | UpsertError::Internal { reason },
            ) => self.breaker.failed(reason),
        }
    }

    /// Waits before the next try of what failed so many times in a row. While the breaker is open that
    /// is the breaker's affair.
    ///
    /// # Errors
    /// `GiveBack` when `release` came first.
    pub(crate) async fn pause(
        &self,
        failures: u32,
        at_least: Duration,
        slot: &mut Option<OwnedSemaphorePermit>,
        release: &CancellationToken,
    ) -> Result<(), GiveBack> {
        self.free(slot);
        self.metrics.retries.inc();
        if at_least.is_zero() && !self.breaker.is_closed() {
            return Ok(());
        }
        let pause = self.backoff.pause(failures).max(at_least);
        tokio::select! {
            biased;
            () = release.cancelled() => Err(GiveBack),
            () = tokio::time::sleep(pause) => Ok(()),
        }
    }

    /// Gives the slot to whoever can use it.
    pub(crate) fn free(&self, slot: &mut Option<OwnedSemaphorePermit>) {
        if slot.take().is_some() {
            self.stalls.changed.notify_one();
        }
    }

    /// Publishes dead letters until they are confirmed; before that nothing of theirs is acknowledged.
    ///
    /// # Errors
    /// `GiveBack` when `release` came between two tries.
    pub(crate) async fn bury(
        &self,
        letters: Vec<OutgoingMessage>,
        release: &CancellationToken,
    ) -> Result<(), GiveBack> {
        let mut failures = 0;
        loop {
            let Err(error) = self
                .publisher
                .publish(Queue::IngestDead, letters.clone())
                .await
            else {
                return Ok(());
            };
            if failures == 0 {
                tracing::warn!(%error, "dead letters are not confirmed, keeping their messages");
            }
            failures += 1;
            self.metrics.dead_letter_failures.inc();
            tokio::select! {
                biased;
                () = release.cancelled() => return Err(GiveBack),
                () = tokio::time::sleep(self.backoff.pause(failures)) => {}
            }
        }
    }

    /// Acknowledges. Should the broker be away it delivers the message again, which is harmless.
    pub(crate) async fn acknowledge(&self, delivery: Delivery, outcome: Outcome) {
        if let Some(HeaderValue::Int(accepted_at_ms)) = delivery.header("alioth-accepted-at-ms")
            && outcome == Outcome::Applied
        {
            self.metrics.lag(*accepted_at_ms);
        }
        self.metrics.message(outcome);
        if let Err(error) = delivery.ack().await {
            tracing::debug!(%error, "an acknowledgement was lost, the message will come again");
        }
    }

    /// Hands a message back to the queue.
    pub(crate) async fn requeue(&self, delivery: Delivery) {
        self.metrics.message(Outcome::Requeued);
        if let Err(error) = delivery.requeue().await {
            tracing::debug!(%error, "a requeue was lost, the message will come again");
        }
    }
}
