//! Handing messages back to the queue, unsettled.

use tokio::task::JoinError;
use tokio_util::sync::CancellationToken;

use super::Consume;
use crate::{batcher::Waiting, merge::Left};

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
                    Some(left) => self.done(left?),
                    None => break,
                },
            }
        }
        self.requeue_waiting().await;
        self.release = CancellationToken::new();
        Ok(())
    }

    /// Hands back what has not started, in order of arrival.
    pub(crate) async fn requeue_waiting(&mut self) -> usize {
        let waiting = self.batcher.take_all();
        let count = waiting.len();
        for Waiting {
            ticket,
            message,
            item,
            ..
        } in waiting
        {
            let bytes = item.body.len();
            self.applier.requeue(item).await;
            self.leave(vec![Left {
                ticket,
                message: Some(message),
                bytes,
            }]);
        }
        count
    }
}
