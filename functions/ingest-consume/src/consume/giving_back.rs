//! Handing messages back to the queue, unsettled.

use tokio::task::JoinError;
use tokio_util::sync::CancellationToken;

use super::Consume;
use crate::{batcher::Waiting, burial::Left};

impl Consume {
    /// Hands everything back to the queue before the broker's consumer timeout does so by closing the
    /// channel. Everything, because younger messages may write the ids of older ones again.
    pub(super) async fn give_back(
        &mut self,
        shutdown: &CancellationToken,
    ) -> Result<(), JoinError> {
        tracing::warn!(
            messages = self.held.messages(),
            "held messages for too long, handing them back"
        );
        self.release.cancel();
        loop {
            tokio::select! {
                biased;
                // The drain does the same.
                () = shutdown.cancelled() => return Ok(()),
                done = self.tasks.join_next() => match done {
                    Some(finished) => self.done(finished?),
                    None => break,
                },
            }
        }
        self.requeue_waiting().await;
        self.release = CancellationToken::new();
        Ok(())
    }

    /// Hands back what has not started, in order of arrival, but for messages that must come after one that is still
    /// under way: should that one come back to the queue, it must be delivered before them.
    pub(crate) async fn requeue_waiting(&mut self) -> usize {
        let mut count = 0;
        for waiting in self.batcher.take_all() {
            let mut after = waiting.after.iter();
            if after.any(|earlier| self.order.is_unsettled(*earlier)) {
                self.batcher.push(waiting);
                continue;
            }
            let Waiting {
                ticket,
                message,
                footprint,
                item,
                ..
            } = waiting;
            self.applier.requeue(item).await;
            count += 1;
            self.leave(vec![Left {
                ticket,
                message: Some(message),
                bytes: footprint,
            }]);
        }
        count
    }
}
