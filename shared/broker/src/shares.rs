//! Bounds on what publishers have handed over and the broker has not answered, in messages and in bytes.

use std::sync::Arc;

use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};

use crate::metrics::BrokerMetrics;

/// The unit of the bound on bytes: a semaphore counts in 32 bits.
const BYTES_PER_PERMIT: usize = 1024;

/// The bounds of one publisher.
#[derive(Debug)]
pub(crate) struct Shares {
    messages: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
    most_bytes: u32,
    metrics: BrokerMetrics,
}

/// A message's share of the bounds. Held by whoever has the message, so that it is given back when the broker has
/// answered, whatever became of the publisher that waits.
#[derive(Debug)]
pub(crate) struct Share {
    _message: OwnedSemaphorePermit,
    _bytes: OwnedSemaphorePermit,
    metrics: BrokerMetrics,
}

impl Shares {
    pub(crate) fn new(messages: usize, bytes: usize, metrics: BrokerMetrics) -> Self {
        let most_bytes = permits(bytes);
        Self {
            messages: Arc::new(Semaphore::new(messages)),
            bytes: Arc::new(Semaphore::new(most_bytes as usize)),
            most_bytes,
            metrics,
        }
    }

    /// A share for a message, if there is one now.
    pub(crate) fn try_take(&self, bytes: usize) -> Option<Share> {
        let message = Arc::clone(&self.messages).try_acquire_owned().ok()?;
        let bytes = Arc::clone(&self.bytes)
            .try_acquire_many_owned(self.permits(bytes))
            .ok()?;
        Some(self.share(message, bytes))
    }

    /// Waits for a share, in turn.
    ///
    /// # Errors
    /// Never: the bounds are not closed.
    ///
    /// # Cancel safety
    /// Cancel safe; the place in the queue is lost.
    pub(crate) async fn take(&self, bytes: usize) -> Result<Share, AcquireError> {
        let message = Arc::clone(&self.messages).acquire_owned().await?;
        let bytes = Arc::clone(&self.bytes)
            .acquire_many_owned(self.permits(bytes))
            .await?;
        Ok(self.share(message, bytes))
    }

    /// A message above the bound goes alone rather than never.
    fn permits(&self, bytes: usize) -> u32 {
        permits(bytes).min(self.most_bytes)
    }

    fn share(&self, message: OwnedSemaphorePermit, bytes: OwnedSemaphorePermit) -> Share {
        self.metrics.publish_begun();
        Share {
            _message: message,
            _bytes: bytes,
            metrics: self.metrics.clone(),
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.metrics.publish_ended();
    }
}

fn permits(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(BYTES_PER_PERMIT))
        .unwrap_or(u32::MAX)
        .max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    fn shares(messages: usize, bytes: usize) -> Shares {
        let metrics = BrokerMetrics::register(&prometheus::Registry::new());
        Shares::new(messages, bytes, metrics.expect("a new registry"))
    }

    #[test]
    fn both_bounds_hold_and_come_back() {
        let by_count = shares(1, 1 << 20);
        let share = by_count.try_take(10).expect("the first");
        assert!(by_count.try_take(10).is_none());
        assert!(by_count.take(10).now_or_never().is_none());
        drop(share);
        assert!(by_count.try_take(10).is_some());

        let by_bytes = shares(10, 4096);
        let share = by_bytes.try_take(3000).expect("the first");
        assert!(by_bytes.try_take(3000).is_none());
        drop(share);
        assert!(by_bytes.try_take(3000).is_some());
    }

    #[test]
    fn a_message_above_the_bound_goes_alone() {
        let shares = shares(10, 4096);
        let share = shares.try_take(1 << 20).expect("alone");
        assert!(shares.try_take(1).is_none());
        drop(share);
        assert!(shares.try_take(1).is_some());
    }
}
