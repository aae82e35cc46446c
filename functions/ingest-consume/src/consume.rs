//! The loop: takes deliveries, starts merges, takes back what has been held too long. It alone decides
//! what starts; every merge runs in a task of its own.

mod giving_back;

use std::{sync::Arc, time::Duration};

use alioth_broker::{Consumer, Delivery};
use futures_util::{FutureExt as _, future::OptionFuture};
use tokio::{
    task::{JoinError, JoinSet},
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

use crate::{
    applier::Applier,
    batcher::{Batcher, Load, MergeLimits, Waiting},
    burial::{Burial, Dead, DeadMessage, Left},
    config::ConsumeConfig,
    held::{Held, HoldLimits, footprint},
    intake,
    merge::{Merge, Merged},
    order::WriteOrder,
};

/// How often readiness follows the subscription. At 100 ms a start, done in 3 ms, took 103 to be told of.
const READINESS_INTERVAL: Duration = Duration::from_millis(20);

/// Deliveries taken before anything else is looked at again.
const TAKE_AT_ONCE: usize = 64;

/// Why the loop ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// The shutdown token.
    Shutdown,
    /// Nothing was held and nothing came for as long as was to be waited.
    Idle,
    /// Somebody closed the broker.
    BrokerClosed,
    /// A bug: a merge panicked. What it held goes back to the queue with the connection.
    Panicked(JoinError),
}

/// A task that ended.
pub(crate) enum Finished {
    Merge(Merged),
    Burial(Vec<Left>),
}

/// The consumer's state.
pub(crate) struct Consume {
    pub(crate) consumer: Box<dyn Consumer>,
    pub(crate) applier: Arc<Applier>,
    pub(crate) batcher: Batcher<Delivery>,
    pub(crate) tasks: JoinSet<Finished>,
    /// Cancelled to make every merge that waits give its messages back.
    pub(crate) release: CancellationToken,
    order: WriteOrder,
    held: Held,
    /// When there was last something to do, or no subscription to hear of it by.
    busy_at: Instant,
    /// When the last merge began.
    merged_at: Option<Instant>,
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
        let hold = HoldLimits {
            bytes: config.hold_bytes.as_usize(),
            time: config.hold_time.0,
            prefetch: usize::from(config.prefetch),
            look_ahead: config.look_ahead,
        };
        Self {
            consumer,
            applier,
            batcher: Batcher::new(limits),
            tasks: JoinSet::new(),
            release: CancellationToken::new(),
            order: WriteOrder::new(),
            held: Held::new(hold),
            busy_at: Instant::now(),
            merged_at: None,
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
        let at = |time: Option<Instant>| OptionFuture::from(time.map(sleep_until));
        loop {
            self.start_merges();
            let now = Instant::now();
            let due = self.batcher.next_due(now);
            let held_until = self.held.until();
            let look_ahead_at = self.look_ahead_at(now);
            let idle_at = self.idle_at();
            let has_room = self.held.has_room();
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return Ended::Shutdown,
                Some(done) = self.tasks.join_next() => match done {
                    Ok(finished) => self.done(finished),
                    Err(panic) => return Ended::Panicked(panic),
                },
                _ = readiness.tick() => {
                    let is_ready = self.consumer.is_ready();
                    if !is_ready {
                        self.busy_at = now;
                    }
                    subscribed(is_ready);
                }
                Some(()) = at(held_until) => if let Err(panic) = self.give_back(shutdown).await {
                    return Ended::Panicked(panic);
                },
                Some(()) = at(look_ahead_at) => self.look_ahead(),
                () = applier.stalls.changed.notified() => {}
                Some(()) = at(due) => {}
                delivery = self.consumer.next(), if has_room => match delivery {
                    Some(delivery) => self.take_available(delivery),
                    None => return Ended::BrokerClosed,
                },
                // Last: what has come meanwhile goes before.
                Some(()) = at(idle_at) => return Ended::Idle,
            }
        }
    }

    /// When the process has been idle for long enough to end.
    fn idle_at(&self) -> Option<Instant> {
        let patience = self.config.exit_when_idle.0;
        let idle = self.held.messages() == 0 && self.consumer.is_ready();
        (idle && !patience.is_zero()).then(|| self.busy_at + patience)
    }

    /// Takes a delivery and those that are there already.
    fn take_available(&mut self, first: Delivery) {
        self.take(first);
        for _ in 1..TAKE_AT_ONCE {
            if !self.held.has_room() {
                return;
            }
            // `None` at the end comes again at the next call.
            let Some(Some(delivery)) = self.consumer.next().now_or_never() else {
                return;
            };
            self.take(delivery);
        }
    }

    pub(crate) fn take(&mut self, delivery: Delivery) {
        let since = delivery.received_at;
        match intake::read(&delivery) {
            Ok(message) => {
                let bytes = footprint(&delivery.body, message.points());
                let (ticket, after) = self.order.enter(&message);
                let collection = Some(message.collection_name());
                self.held.enter(ticket, collection, bytes, since);
                self.batcher.push(Waiting {
                    ticket,
                    bytes: message.point_bytes(),
                    footprint: bytes,
                    message,
                    after,
                    since,
                    item: delivery,
                });
            }
            Err(death) => {
                let bytes = footprint(&delivery.body, 0);
                let ticket = self.order.enter_unread();
                self.held.enter(ticket, None, bytes, since);
                self.bury(Burial(vec![DeadMessage {
                    ticket,
                    delivery,
                    bytes,
                    what: Dead::Whole(death),
                }]));
            }
        }
        self.applier.metrics.held_messages.inc();
        self.applier
            .metrics
            .held_bytes
            .set(self.held.bytes() as i64);
    }

    /// Sends messages' dead letters on their way.
    fn bury(&mut self, burial: Burial) {
        if burial.0.is_empty() {
            return;
        }
        for message in &burial.0 {
            self.held
                .set_aside(message.ticket, message.collection(), message.bytes);
        }
        let burial = burial.run(Arc::clone(&self.applier), self.release.clone());
        self.tasks.spawn(async { Finished::Burial(burial.await) });
    }

    /// Starts merges while there are slots and something is due.
    fn start_merges(&mut self) {
        let slots = &self.applier.slots;
        while let Ok(slot) = Arc::clone(slots).try_acquire_owned() {
            let now = Instant::now();
            let none_in_flight = slots.available_permits() + 1 == self.config.upserts_in_flight;
            // Small upserts that follow each other at once cost Qdrant three times what fewer and larger ones do.
            let quiet = self
                .merged_at
                .is_none_or(|at| now >= at + self.config.linger.0);
            // Where no more can come, waiting for it would be for nothing.
            let load = match none_in_flight && (quiet || self.held.has_used_up_prefetch()) {
                true => Load::Idle,
                false => Load::Busy,
            };
            let Applier {
                breaker, stalls, ..
            } = &*self.applier;
            let (closed, held) = (breaker.is_closed(), &self.held);
            // At an open breaker one merge of each collection finds out whether that one is away too.
            let waits = |collection: &str| {
                let others = || {
                    held.merges(collection)
                        .saturating_sub(stalls.on_probation(collection))
                };
                stalls.holds_back(collection) || (!closed && others() > 0)
            };
            let Some(messages) = self.batcher.next_merge(now, load, &self.order, waits) else {
                return;
            };
            let applier = Arc::clone(&self.applier);
            let merge = Merge::new(applier, messages, slot, self.release.clone());
            self.held.begin_merge(merge.collection());
            self.merged_at = Some(now);
            self.tasks
                .spawn(async { Finished::Merge(merge.run().await) });
        }
    }

    /// Takes note of a task that ended.
    pub(crate) fn done(&mut self, finished: Finished) {
        match finished {
            Finished::Merge(Merged {
                collection,
                left,
                dead,
            }) => {
                self.held.end_merge(&collection);
                self.leave(left);
                self.bury(dead);
            }
            Finished::Burial(left) => self.leave(left),
        }
    }

    fn leave(&mut self, left: Vec<Left>) {
        for Left {
            ticket,
            message,
            bytes,
        } in left
        {
            let collection = message.as_ref().map(|message| message.collection_name());
            self.held.leave(ticket, collection, bytes);
            self.order.leave(ticket, message.as_ref());
            self.applier.metrics.held_messages.dec();
        }
        self.applier
            .metrics
            .held_bytes
            .set(self.held.bytes() as i64);
        let order = &self.order;
        self.held
            .forget_settled(|ticket| order.is_unsettled(ticket));
        self.busy_at = Instant::now();
    }

    /// When to look past what collections that take nothing, or messages without a confirm of their dead letters, have of
    /// the subscription: at once while others are known to pass, else now and then.
    fn look_ahead_at(&mut self, now: Instant) -> Option<Instant> {
        let Applier {
            breaker, stalls, ..
        } = &*self.applier;
        let any = !stalls.is_empty();
        let stalled = |collection: &str| any && stalls.contains(collection);
        let since = self.held.clogged_since(now, stalled)?;
        Some(match any && breaker.is_closed() {
            true => since,
            // A dead letter is confirmed in milliseconds, unless its queue is full.
            false => since + self.config.retry_max.0,
        })
    }

    /// Has as many more delivered as if nothing were held.
    fn look_ahead(&mut self) {
        self.consumer.renew();
        self.held.renewed(self.order.upcoming());
        self.applier.metrics.look_aheads.inc();
    }
}
