//! Moves messages from the publishers to one connection, and confirms back, until the connection ends.

use std::{future::poll_fn, task::Poll};

use lapin::options::ConfirmSelectOptions;
use tokio::{
    sync::{mpsc, watch},
    time::{Duration, Interval, MissedTickBehavior},
};
use tokio_util::sync::CancellationToken;

use super::{
    Settings,
    link::{Condition, Link, LinkError},
    proof::Proofs,
    publisher::{State, Submission},
    window::{RoundTrip, Window},
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
    /// On its way, for those who asked for a proof.
    round_trip: Option<RoundTrip>,
    ticks: Interval,
}

/// What happened next.
enum Step {
    Answered,
    Submitted,
    Changed,
    Tick,
    Stop,
    Asked,
    Proven(bool),
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
            round_trip: None,
            ticks,
        })
    }

    /// Publishes what is submitted until the connection ends, or all is confirmed after `shutdown`.
    pub(super) async fn run(
        mut self,
        submissions: &mut mpsc::UnboundedReceiver<Submission>,
        proofs: &mut Proofs,
        shutdown: &CancellationToken,
    ) -> End {
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            let done = self.blocked || self.window.is_empty();
            if submissions.is_closed() && submissions.is_empty() && done {
                return End::Shutdown;
            }
            let over = match self.next(submissions, &mut batch, proofs, shutdown).await {
                Step::Answered => self.settle(),
                Step::Submitted => {
                    batch
                        .drain(..)
                        .for_each(|submission| self.submit(submission));
                    None
                }
                Step::Stop => {
                    submissions.close();
                    None
                }
                Step::Changed => {
                    let condition = self.condition.borrow_and_update().clone();
                    self.follow(condition)
                }
                Step::Asked => {
                    self.prove(proofs);
                    None
                }
                Step::Proven(true) => {
                    proofs.given();
                    None
                }
                // Whoever asked goes on waiting, for the next connection.
                Step::Proven(false) => Some("it did not answer".to_owned()),
                Step::Tick => self.settle().or_else(|| self.late()),
            };
            if let Some(reason) = over {
                return self.lose(reason);
            }
        }
    }

    /// Tells what was answered; the reason when the connection shall be made anew, which declares what is missing.
    fn settle(&mut self) -> Option<String> {
        self.window.settle(self.settings, self.metrics);
        let missing = self.window.missing()?;
        Some(format!(
            "queue {} does not exist",
            self.settings.names.of(missing)
        ))
    }

    /// The reason when a confirm is overdue: whoever is that late is gone, and a new connection will tell.
    fn late(&self) -> Option<String> {
        let oldest = self.window.oldest()?;
        let late = oldest.elapsed() >= self.settings.confirm_timeout;
        (late && !self.blocked).then(|| "it stopped confirming".to_owned())
    }

    async fn next(
        &mut self,
        submissions: &mut mpsc::UnboundedReceiver<Submission>,
        batch: &mut Vec<Submission>,
        proofs: &mut Proofs,
        shutdown: &CancellationToken,
    ) -> Step {
        let (asking, round_trip) = (self.round_trip.is_some(), &mut self.round_trip);
        let proven = poll_fn(|cx| match round_trip {
            Some(under_way) => under_way.as_mut().poll(cx),
            None => Poll::Pending,
        });
        let window = &mut self.window;
        let waiting = !window.is_empty();
        let open = !submissions.is_closed() || !submissions.is_empty();
        let answered = poll_fn(|cx| window.poll_oldest(cx));
        tokio::select! {
            biased;
            // An error means that the watching task is gone, and it only goes after it said "closed".
            _ = self.condition.changed() => Step::Changed,
            () = answered => Step::Answered,
            alive = proven => {
                self.round_trip = None;
                Step::Proven(alive)
            }
            () = proofs.asked(), if !asking => Step::Asked,
            _ = submissions.recv_many(batch, BATCH), if open => Step::Submitted,
            () = shutdown.cancelled(), if !submissions.is_closed() => Step::Stop,
            _ = self.ticks.tick(), if waiting => Step::Tick,
        }
    }

    /// A broker that blocks answers nothing on this connection, and would not on another.
    fn prove(&mut self, proofs: &mut Proofs) {
        match self.blocked {
            true => proofs.failed(),
            false => self.round_trip = Some(self.window.round_trip()),
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

    /// Fails what is outstanding.
    fn lose(mut self, reason: String) -> End {
        self.window.settle(self.settings, self.metrics);
        let error = PublishError::Away {
            reason: reason.clone(),
        };
        self.window
            .end(self.settings.confirm_timeout, &error, self.metrics);
        End::Lost(reason)
    }
}
