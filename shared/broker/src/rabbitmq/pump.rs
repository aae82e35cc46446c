//! Moves messages from the publishers to one connection, and confirms back, until the connection ends.

use std::future::poll_fn;

use lapin::options::ConfirmSelectOptions;
use tokio::{
    sync::{mpsc, watch},
    time::{Duration, Instant, Interval, MissedTickBehavior},
};
use tokio_util::sync::CancellationToken;

use super::{
    Settings,
    link::{Condition, Link, LinkError},
    publisher::{State, Submission},
    window::Window,
};
use crate::{error::PublishError, metrics::BrokerMetrics};

/// How late an answer that overtook an older one may be told, and a missing one be noticed.
const TICK: Duration = Duration::from_millis(25);
/// Submissions taken at a time.
const BATCH: usize = 64;

/// Why a connection is given up.
#[derive(Debug)]
pub(super) enum End {
    /// Everything was confirmed after shutdown was asked for.
    Shutdown,
    /// The connection closed, or stopped confirming.
    Lost(String),
}

/// One connection's life as a publisher.
pub(super) struct Pump<'a> {
    window: Window,
    condition: watch::Receiver<Condition>,
    settings: &'a Settings,
    metrics: &'a BrokerMetrics,
    state: &'a watch::Sender<State>,
    blocked: bool,
    ticks: Interval,
}

/// What happened next.
enum Step {
    Answered,
    Submitted,
    Changed,
    Tick,
    Stop,
}

impl<'a> Pump<'a> {
    /// Opens a channel with confirms on the connection.
    pub(super) async fn open(
        link: &Link,
        settings: &'a Settings,
        metrics: &'a BrokerMetrics,
        state: &'a watch::Sender<State>,
    ) -> Result<Self, LinkError> {
        let channel = link.channel().await?;
        link.in_time(channel.confirm_select(ConfirmSelectOptions::default()))
            .await?;
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Ok(Self {
            window: Window::new(channel, settings),
            condition: link.condition(),
            settings,
            metrics,
            state,
            blocked: false,
            ticks,
        })
    }

    /// Publishes what is submitted until the connection ends, or all is confirmed after `shutdown`.
    pub(super) async fn run(
        mut self,
        submissions: &mut mpsc::UnboundedReceiver<Submission>,
        shutdown: &CancellationToken,
    ) -> End {
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            if submissions.is_closed() && submissions.is_empty() && self.window.is_empty() {
                return End::Shutdown;
            }
            match self.next(submissions, &mut batch, shutdown).await {
                Step::Answered => self.window.settle(self.settings, self.metrics),
                Step::Submitted => batch
                    .drain(..)
                    .for_each(|submission| self.submit(submission)),
                Step::Stop => submissions.close(),
                Step::Changed => {
                    let condition = self.condition.borrow_and_update().clone();
                    if let Some(reason) = self.follow(condition) {
                        return self.lose(None, reason);
                    }
                }
                Step::Tick => {
                    self.window.settle(self.settings, self.metrics);
                    let limit = Instant::now().checked_sub(self.settings.confirm_timeout);
                    let late = self
                        .window
                        .oldest()
                        .zip(limit)
                        .is_some_and(|(oldest, limit)| oldest <= limit);
                    if late && !self.blocked {
                        return self.lose(limit, "it stopped confirming".to_owned());
                    }
                }
            }
        }
    }

    async fn next(
        &mut self,
        submissions: &mut mpsc::UnboundedReceiver<Submission>,
        batch: &mut Vec<Submission>,
        shutdown: &CancellationToken,
    ) -> Step {
        let window = &mut self.window;
        let waiting = !window.is_empty();
        let open = !submissions.is_closed() || !submissions.is_empty();
        let answered = poll_fn(|cx| window.poll_oldest(cx));
        tokio::select! {
            biased;
            // An error means that the watching task is gone, and it only goes after it said "closed".
            _ = self.condition.changed() => Step::Changed,
            () = answered => Step::Answered,
            _ = submissions.recv_many(batch, BATCH), if open => Step::Submitted,
            () = shutdown.cancelled(), if !submissions.is_closed() => Step::Stop,
            _ = self.ticks.tick(), if waiting => Step::Tick,
        }
    }

    fn submit(&mut self, submission: Submission) {
        if self.blocked {
            let reason = self.state.borrow().reason();
            submission.fail(PublishError::Away { reason }, self.metrics);
        } else if !submission.is_abandoned() {
            self.window.publish(submission);
        }
    }

    /// Takes a new condition over; the reason when it is the end.
    fn follow(&mut self, condition: Condition) -> Option<String> {
        match condition {
            Condition::Open => {
                if self.blocked {
                    tracing::info!("rabbitmq takes publishes again");
                    self.window.restart_clock();
                }
                self.blocked = false;
                self.state.send_replace(State::Up);
                None
            }
            Condition::Blocked(reason) => {
                tracing::warn!(reason, "rabbitmq blocks publishes");
                let reason = format!("it blocks publishers ({reason})");
                self.blocked = true;
                self.state.send_replace(State::Away(reason.clone()));
                self.window
                    .give_up(&PublishError::Away { reason }, self.metrics);
                None
            }
            Condition::Closed(reason) => Some(reason),
        }
    }

    /// Fails what is outstanding: late before `limit`, with the connection otherwise.
    fn lose(mut self, limit: Option<Instant>, reason: String) -> End {
        self.window.settle(self.settings, self.metrics);
        let late = PublishError::TimedOut {
            after: self.settings.confirm_timeout,
        };
        let lost = PublishError::Away {
            reason: reason.clone(),
        };
        self.window.end(limit, &late, &lost, self.metrics);
        End::Lost(reason)
    }
}
