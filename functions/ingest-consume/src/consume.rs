//! The loop: takes deliveries, starts merges, takes back what has been held too long. It alone decides
//! what starts; every merge runs in a task of its own.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use alioth_broker::{Consumer, Delivery};
use futures_util::FutureExt as _;
use tokio::{
    task::{JoinError, JoinSet},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use crate::{
    applier::{Applier, now_ms},
    batcher::{Batcher, Load, MergeLimits, Waiting},
    config::ConsumeConfig,
    dead_letter::{self, Death},
    intake,
    merge::{Left, Merge},
    metrics::Outcome,
    order::{Ticket, WriteOrder},
};

/// How often readiness follows the subscription.
const READINESS_INTERVAL: Duration = Duration::from_millis(100);

/// Deliveries taken before anything else is looked at again.
const TAKE_AT_ONCE: usize = 64;

/// Why the loop ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// The shutdown token.
    Shutdown,
    /// Somebody closed the broker.
    BrokerClosed,
    /// A bug: a merge panicked. What it held goes back to the queue with the connection.
    Panicked(JoinError),
}

/// The consumer's state.
pub(crate) struct Consume {
    pub(crate) consumer: Box<dyn Consumer>,
    pub(crate) applier: Arc<Applier>,
    pub(crate) batcher: Batcher<Delivery>,
    pub(crate) tasks: JoinSet<Vec<Left>>,
    /// Cancelled to make every merge that waits give its messages back.
    pub(crate) release: CancellationToken,
    order: WriteOrder,
    /// Arrival of every unsettled message, the oldest first; settled ones are dropped from the front.
    arrivals: VecDeque<(Ticket, Instant)>,
    held_bytes: usize,
    /// Merges among the tasks.
    merging: usize,
    config: ConsumeConfig,
}

impl Consume {
    pub(crate) fn new(
        consumer: Box<dyn Consumer>,
        applier: Arc<Applier>,
        config: ConsumeConfig,
    ) -> Self {
        let limits = MergeLimits {
            points: config.upsert_points,
            bytes: config.upsert_bytes.as_usize(),
            linger: config.linger.0,
        };
        Self {
            consumer,
            applier,
            batcher: Batcher::new(limits),
            tasks: JoinSet::new(),
            release: CancellationToken::new(),
            order: WriteOrder::new(),
            arrivals: VecDeque::new(),
            held_bytes: 0,
            merging: 0,
            config,
        }
    }

    /// Consumes until `shutdown` is cancelled. `subscribed` is told whether the broker delivers.
    pub(crate) async fn run(
        &mut self,
        shutdown: &CancellationToken,
        subscribed: impl Fn(bool),
    ) -> Ended {
        let applier = Arc::clone(&self.applier);
        let mut readiness = tokio::time::interval(READINESS_INTERVAL);
        loop {
            self.start_merges();
            let now = Instant::now();
            let due = self.batcher.next_due(now);
            let held_until = self.held_until();
            let has_room = self.held_bytes < self.config.hold_bytes.as_usize();
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return Ended::Shutdown,
                Some(done) = self.tasks.join_next() => match done {
                    Ok(left) => self.done(left),
                    Err(panic) => return Ended::Panicked(panic),
                },
                _ = readiness.tick() => subscribed(self.consumer.is_ready()),
                () = at(held_until) => if let Err(panic) = self.give_back(shutdown).await {
                    return Ended::Panicked(panic);
                },
                () = applier.stalls.changed.notified() => {}
                () = at(due) => {}
                delivery = self.consumer.next(), if has_room => match delivery {
                    Some(delivery) => self.take_available(delivery),
                    None => return Ended::BrokerClosed,
                },
            }
        }
    }

    /// Takes a delivery and those that are there already.
    fn take_available(&mut self, first: Delivery) {
        self.take(first);
        for _ in 1..TAKE_AT_ONCE {
            if self.held_bytes >= self.config.hold_bytes.as_usize() {
                return;
            }
            // `None` at the end comes again at the next call.
            let Some(Some(delivery)) = self.consumer.next().now_or_never() else {
                return;
            };
            self.take(delivery);
        }
    }

    fn take(&mut self, delivery: Delivery) {
        let bytes = delivery.body.len();
        self.held_bytes += bytes;
        self.applier.metrics.held_messages.inc();
        self.applier.metrics.held_bytes.set(self.held_bytes as i64);
        let since = delivery.received_at;
        match intake::read(&delivery) {
            Ok(message) => {
                let (ticket, after) = self.order.enter(&message);
                self.arrivals.push_back((ticket, since));
                self.batcher.push(Waiting {
                    ticket,
                    bytes: message.point_bytes(),
                    message,
                    after,
                    since,
                    item: delivery,
                });
            }
            Err(death) => {
                let ticket = self.order.enter_unread();
                self.arrivals.push_back((ticket, since));
                self.bury(ticket, bytes, delivery, death);
            }
        }
    }

    /// Sets a whole message aside.
    fn bury(&mut self, ticket: Ticket, bytes: usize, delivery: Delivery, death: Death) {
        let (applier, release) = (Arc::clone(&self.applier), self.release.clone());
        self.tasks.spawn(async move {
            let letter = dead_letter::of_message(&delivery, &death, now_ms());
            match applier.bury(vec![letter], &release).await {
                Ok(()) => {
                    applier.metrics.dead_letter(death.cause, 0);
                    applier.acknowledge(delivery, Outcome::DeadLettered).await;
                }
                Err(_) => applier.requeue(delivery).await,
            }
            vec![Left {
                ticket,
                message: None,
                bytes,
            }]
        });
    }

    /// Starts merges while there are slots and something is due.
    fn start_merges(&mut self) {
        // At an open breaker some wait for their turn to probe: of different collections, since one alone may
        // be what is away.
        while self.applier.breaker.is_closed() || self.merging < self.config.upserts_in_flight {
            let slots = &self.applier.slots;
            let Ok(slot) = Arc::clone(slots).try_acquire_owned() else {
                return;
            };
            let load = match slots.available_permits() + 1 == self.config.upserts_in_flight {
                true => Load::Idle,
                false => Load::Busy,
            };
            let stalls = &self.applier.stalls;
            let stalled = |collection: &str| stalls.contains(collection);
            let now = Instant::now();
            let Some(messages) = self.batcher.next_merge(now, load, &self.order, stalled) else {
                return;
            };
            let applier = Arc::clone(&self.applier);
            let merge = Merge::new(applier, messages, slot, self.release.clone());
            self.merging += 1;
            self.tasks.spawn(merge.run());
        }
    }

    /// Takes note of a task that ended.
    pub(crate) fn done(&mut self, left: Vec<Left>) {
        if left.iter().any(|left| left.message.is_some()) {
            self.merging -= 1;
        }
        self.leave(left);
    }

    fn leave(&mut self, left: Vec<Left>) {
        for Left {
            ticket,
            message,
            bytes,
        } in left
        {
            self.order.leave(ticket, message.as_ref());
            self.held_bytes -= bytes;
            self.applier.metrics.held_messages.dec();
        }
        self.applier.metrics.held_bytes.set(self.held_bytes as i64);
        while let Some((ticket, _)) = self.arrivals.front()
            && !self.order.is_unsettled(*ticket)
        {
            self.arrivals.pop_front();
        }
    }

    /// When the oldest message will have been held too long.
    fn held_until(&self) -> Option<Instant> {
        let (_, arrived) = self.arrivals.front()?;
        Some(*arrived + self.config.hold_time.0)
    }

    /// Hands everything back to the queue before the broker's consumer timeout does so by closing the
    /// channel. Everything, because younger messages may write the ids of older ones again.
    async fn give_back(&mut self, shutdown: &CancellationToken) -> Result<(), JoinError> {
        tracing::warn!(
            messages = self.arrivals.len(),
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

/// Sleeps until then; for ever when there is no such time.
async fn at(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}
