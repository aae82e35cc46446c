//! The publisher: admits messages in bounds, and keeps a connection for them. Never repeats a publish by itself.

use std::{convert::Infallible, sync::Arc};

use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{Duration, Instant},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    Settings,
    link::Link,
    proof::{self, Proofs},
    pump::{End, Pump},
    topology,
};
use crate::{
    backoff::Backoff,
    broker::Publisher,
    error::PublishError,
    message::OutgoingMessage,
    metrics::BrokerMetrics,
    queue::Queue,
    shares::{Share, Shares},
};

/// A connection that lived shorter counts as one more failure.
const LIVED: Duration = Duration::from_secs(5);

/// Whether there is a broker to publish to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum State {
    Up,
    Away(String),
}

impl State {
    pub(super) fn reason(&self) -> String {
        match self {
            Self::Up => String::new(),
            Self::Away(reason) => reason.clone(),
        }
    }
}

/// A message on its way to the connection.
pub(super) struct Submission {
    pub(super) queue: Queue,
    pub(super) message: OutgoingMessage,
    pub(super) share: Share,
    pub(super) answer: oneshot::Sender<Result<(), PublishError>>,
}

impl Submission {
    /// Whether its publisher stopped waiting before it was sent.
    pub(super) fn is_abandoned(&self) -> bool {
        self.answer.is_closed()
    }

    pub(super) fn fail(self, error: PublishError, metrics: &BrokerMetrics) {
        metrics.publish_failed(&error);
        // The publisher may have gone.
        let _ = self.answer.send(Err(error));
    }
}

/// Publishes to RabbitMQ.
#[derive(Debug)]
pub(super) struct RabbitPublisher {
    submissions: mpsc::UnboundedSender<Submission>,
    proofs: mpsc::Sender<proof::Request>,
    state: watch::Receiver<State>,
    shares: Shares,
    confirm_timeout: Duration,
    metrics: BrokerMetrics,
}

impl RabbitPublisher {
    /// Starts to connect, in a task that ends on `shutdown` when everything outstanding is answered.
    pub(super) fn start(
        settings: Arc<Settings>,
        metrics: BrokerMetrics,
        shutdown: CancellationToken,
        tasks: &TaskTracker,
    ) -> Self {
        // Bounded by the semaphores: a message is submitted only with its share of both.
        let (submissions, submitted) = mpsc::unbounded_channel();
        let (state, seen) = watch::channel(State::Away("it is not connected yet".to_owned()));
        let (proofs, asked) = Proofs::channel();
        let publisher = Self {
            submissions,
            proofs,
            state: seen,
            shares: Shares::new(
                settings.in_flight,
                settings.in_flight_bytes,
                metrics.clone(),
            ),
            confirm_timeout: settings.confirm_timeout,
            metrics: metrics.clone(),
        };
        let connector = Connector {
            settings,
            metrics,
            submitted,
            proofs: asked,
            state,
            shutdown,
        };
        tasks.spawn(connector.run());
        publisher
    }

    /// Waits for a message's share of the bounds, while there is a broker.
    async fn share(&self, message: &OutgoingMessage) -> Result<Share, PublishError> {
        self.ensure_up()?;
        if let Some(share) = self.shares.try_take(message.body.len()) {
            return Ok(share);
        }
        let mut state = self.state.clone();
        tokio::select! {
            share = self.shares.take(message.body.len()) => share.map_err(|_| closed()),
            // What was seen then: by now it may be up again.
            away = state.wait_for(|state| *state != State::Up) => Err(match away {
                Ok(state) => PublishError::Away { reason: state.reason() },
                Err(_) => closed(),
            }),
            () = tokio::time::sleep(self.confirm_timeout) => {
                Err(PublishError::TimedOut { after: self.confirm_timeout })
            }
        }
    }

    /// Returns once a connection has answered; never while there is none.
    async fn prove_unbounded(&self) -> bool {
        loop {
            let (request, answered) = oneshot::channel();
            if self.proofs.send(request).await.is_err() {
                return false;
            }
            match tokio::time::timeout(proof::ASK_AGAIN, answered).await {
                Ok(Ok(())) => return true,
                Ok(Err(_)) => tokio::time::sleep(proof::PAUSE).await,
                Err(_) => {}
            }
        }
    }

    fn ensure_up(&self) -> Result<(), PublishError> {
        match &*self.state.borrow() {
            State::Up => Ok(()),
            State::Away(reason) => Err(PublishError::Away {
                reason: reason.clone(),
            }),
        }
    }
}

#[async_trait::async_trait]
impl Publisher for RabbitPublisher {
    async fn publish(
        &self,
        queue: Queue,
        messages: Vec<OutgoingMessage>,
    ) -> Result<(), PublishError> {
        let mut answers = Vec::with_capacity(messages.len());
        for message in messages {
            let share = match self.share(&message).await {
                Ok(share) => share,
                Err(error) => {
                    self.metrics.publish_failed(&error);
                    return Err(error);
                }
            };
            let (answer, answered) = oneshot::channel();
            let submission = Submission {
                queue,
                message,
                share,
                answer,
            };
            self.submissions.send(submission).map_err(|_| closed())?;
            answers.push(answered);
        }
        for answered in answers {
            answered.await.map_err(|_| closed())??;
        }
        Ok(())
    }

    fn is_ready(&self) -> bool {
        *self.state.borrow() == State::Up
    }

    async fn prove(&self, within: Duration) -> bool {
        let proven = tokio::time::timeout(within, self.prove_unbounded()).await;
        proven.unwrap_or(false)
    }
}

/// Keeps a connection under the publisher.
struct Connector {
    settings: Arc<Settings>,
    metrics: BrokerMetrics,
    submitted: mpsc::UnboundedReceiver<Submission>,
    proofs: Proofs,
    state: watch::Sender<State>,
    shutdown: CancellationToken,
}

impl Connector {
    async fn run(mut self) {
        self.keep_connected().await;
        self.state
            .send_replace(State::Away("it was closed".to_owned()));
    }

    async fn keep_connected(&mut self) {
        let mut backoff = Backoff::default();
        let shutdown = self.shutdown.clone();
        loop {
            let since = Instant::now();
            let reason = match shutdown.run_until_cancelled(self.connect()).await {
                None => return,
                Some(Err(reason)) => {
                    self.proofs.failed();
                    reason
                }
                Some(Ok(link)) => match self.serve(link).await {
                    End::Shutdown => return,
                    End::Lost(reason) => {
                        self.metrics.publisher_lost();
                        reason
                    }
                },
            };
            self.away(&reason);
            if since.elapsed() > LIVED {
                backoff.reset();
            }
            // Asked of a connection that turned out dead: they wait for the next.
            if self.proofs.is_anybody_waiting() {
                continue;
            }
            let wait = backoff.next_wait();
            let pause = async {
                tokio::select! {
                    () = tokio::time::sleep(wait) => {}
                    () = self.proofs.asked() => {}
                }
            };
            let pause = refuse_until(pause, &mut self.submitted, &self.state, &self.metrics);
            if shutdown.run_until_cancelled(pause).await.is_none() {
                return;
            }
        }
    }

    /// One attempt; begun anew when somebody asks for a proof and it may be older than the last suspension.
    async fn connect(&mut self) -> Result<Link, String> {
        loop {
            let since = Instant::now();
            let connecting = topology::connect(&self.settings, "publisher");
            let refusing =
                refuse_until(connecting, &mut self.submitted, &self.state, &self.metrics);
            let mut refusing = Box::pin(refusing);
            loop {
                tokio::select! {
                    connected = &mut refusing => return connected,
                    () = self.proofs.asked() => {}
                }
                if since.elapsed() > proof::STALE_ATTEMPT {
                    break;
                }
            }
        }
    }

    async fn serve(&mut self, link: Link) -> End {
        let pump = match Pump::open(&link, &self.settings, &self.metrics, &self.state).await {
            Ok(pump) => pump,
            Err(error) => {
                self.proofs.failed();
                return End::Lost(error.to_string());
            }
        };
        tracing::info!("connected to rabbitmq for publishing");
        self.state.send_replace(State::Up);
        // A connection this new has answered everything so far.
        self.proofs.given();
        let end = pump
            .run(&mut self.submitted, &mut self.proofs, &self.shutdown)
            .await;
        match &end {
            End::Shutdown => link.close().await,
            // Whoever does not confirm does not say goodbye either.
            End::Lost(reason) => {
                self.away(reason);
                drop(link);
            }
        }
        end
    }

    /// Refuses publishes from now on. Said once for each reason.
    fn away(&self, reason: &str) {
        let away = State::Away(reason.to_owned());
        if self.state.send_replace(away.clone()) != away {
            tracing::warn!(reason, "rabbitmq is away for publishing");
        }
    }
}

/// Fails what is submitted while `waiting` waits.
async fn refuse_until<T>(
    waiting: impl Future<Output = T>,
    submitted: &mut mpsc::UnboundedReceiver<Submission>,
    state: &watch::Sender<State>,
    metrics: &BrokerMetrics,
) -> T {
    let refusing = async {
        while let Some(submission) = submitted.recv().await {
            let reason = state.borrow().reason();
            submission.fail(PublishError::Away { reason }, metrics);
        }
        // Every publisher is gone; the wait goes on until shutdown.
        std::future::pending::<Infallible>().await
    };
    tokio::select! {
        waited = waiting => waited,
        never = refusing => match never {},
    }
}

fn closed() -> PublishError {
    PublishError::Away {
        reason: "it was closed".to_owned(),
    }
}
