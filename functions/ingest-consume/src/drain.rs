//! The end, step by step; each is logged, and each has a test of that name in `tests/it/drain.rs`.

use std::time::Duration;

use alioth_telemetry::Condition;

use crate::consume::Consume;

/// The drain took longer than it may: what was in flight is delivered again, to somebody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "drain missed its deadline of {deadline:?} with {in_flight} upserts or dead letters in flight"
)]
pub struct DrainDeadlineMissed {
    /// As configured.
    pub deadline: Duration,
    /// Merges and dead letters that were cut off.
    pub in_flight: usize,
}

/// Ends consuming: not ready → basic.cancel → requeue what has not started → wait for what is in flight, which settles,
/// and requeue what had to wait for that → close the channel and connection.
///
/// # Errors
/// When this is not done by the deadline.
pub(crate) async fn drain(
    mut consume: Consume,
    serving: &Condition,
    deadline: Duration,
) -> Result<(), DrainDeadlineMissed> {
    serving.set(false);
    tracing::info!(?deadline, "drain: not ready");
    let in_time = tokio::time::timeout(deadline, steps(&mut consume)).await;
    if in_time.is_ok() {
        return Ok(());
    }
    let in_flight = consume.tasks.len();
    consume.tasks.abort_all();
    Err(DrainDeadlineMissed {
        deadline,
        in_flight,
    })
}

async fn steps(consume: &mut Consume) {
    consume.consumer.cancel().await;
    tracing::info!("drain: cancelled the subscription");

    // Merges that wait for Qdrant or for a dead letter's confirm give back too.
    consume.release.cancel();
    while let Some(delivery) = consume.consumer.next().await {
        consume.take(delivery);
    }
    let requeued = consume.requeue_waiting().await;
    tracing::info!(requeued, "drain: requeued what had not started");

    let in_flight = consume.tasks.len();
    while let Some(done) = consume.tasks.join_next().await {
        match done {
            Ok(finished) => consume.done(finished),
            Err(error) => tracing::error!(%error, "a merge panicked"),
        }
    }
    // The later writes of the ids that were in flight.
    consume.requeue_waiting().await;
    tracing::info!(in_flight, "drain: settled what was in flight");

    consume.consumer.close().await;
    tracing::info!("drain: closed the channel and connection");
}
