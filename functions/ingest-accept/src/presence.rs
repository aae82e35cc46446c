//! Whether there is a broker to publish to. A process that runs asks its publisher, which follows the connection; one
//! that is suspended between requests, as Lambda's are, has the connection proven first.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use alioth_broker::Publisher;

/// An environment that is called again this soon is kept busy. What may happen to a connection in that time may as
/// well happen during the request.
const LATELY: Duration = Duration::from_millis(100);

/// How the presence of the broker is known.
#[derive(Debug)]
pub(crate) enum Presence {
    /// As the publisher says.
    Followed,
    /// By a round trip, unless there was one lately.
    Proven {
        /// How long a proof, and with it the broker, is waited for.
        within: Duration,
        last: Mutex<Option<Moment>>,
    },
}

/// By both clocks: the monotonic one may stand still while a machine is suspended, the other may be set.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    monotonic: Instant,
    wall: SystemTime,
}

impl Moment {
    fn now() -> Self {
        Self {
            monotonic: Instant::now(),
            wall: SystemTime::now(),
        }
    }

    /// The longer of the two; a wall clock that was set back says nothing, so that much.
    fn elapsed(self) -> Duration {
        let wall = self.wall.elapsed().unwrap_or(Duration::MAX);
        self.monotonic.elapsed().max(wall)
    }
}

impl Presence {
    /// For a process that is suspended between requests.
    pub(crate) fn proven(within: Duration) -> Self {
        let last = Mutex::new(None);
        Self::Proven { within, last }
    }

    /// Whether a publish now has a broker to go to.
    pub(crate) async fn holds(&self, publisher: &dyn Publisher) -> bool {
        let Self::Proven { within, last } = self else {
            return publisher.is_ready();
        };
        let last = *last.lock().unwrap_or_else(PoisonError::into_inner);
        let lately = last.is_some_and(|last| last.elapsed() < LATELY);
        if lately && publisher.is_ready() {
            return true;
        }
        let holds = publisher.prove(*within).await;
        if holds {
            self.seen();
        }
        holds
    }

    /// The broker has answered just now.
    pub(crate) fn seen(&self) {
        if let Self::Proven { last, .. } = self {
            *last.lock().unwrap_or_else(PoisonError::into_inner) = Some(Moment::now());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fakes::FakePublisher;

    const WITHIN: Duration = Duration::from_secs(3);

    #[tokio::test]
    async fn a_process_that_runs_asks_for_no_proof() {
        let publisher = FakePublisher::answering(Ok(()));
        assert!(Presence::Followed.holds(&publisher).await);
        publisher.set_ready(false);
        assert!(!Presence::Followed.holds(&publisher).await);
        assert_eq!(publisher.proofs(), 0);
    }

    #[tokio::test]
    async fn a_suspended_one_asks_unless_the_broker_answered_lately() {
        let publisher = FakePublisher::answering(Ok(()));
        let presence = Presence::proven(WITHIN);
        assert!(presence.holds(&publisher).await);
        assert_eq!(publisher.proofs(), 1);
        presence.seen();
        assert!(presence.holds(&publisher).await);
        assert_eq!(publisher.proofs(), 1);
        let Presence::Proven { last, .. } = &presence else {
            panic!("{presence:?}");
        };
        // Suspended for longer: only one of the clocks went on.
        last.lock().unwrap().as_mut().unwrap().wall -= LATELY;
        assert!(presence.holds(&publisher).await);
        assert_eq!(publisher.proofs(), 2);
        // Set back: it tells nothing.
        last.lock().unwrap().as_mut().unwrap().wall += Duration::from_secs(3600);
        assert!(presence.holds(&publisher).await);
        assert_eq!(publisher.proofs(), 3);
    }

    #[tokio::test]
    async fn a_connection_known_to_be_lost_is_proven_however_lately_it_answered() {
        let publisher = FakePublisher::answering(Ok(()));
        let presence = Presence::proven(WITHIN);
        presence.seen();
        publisher.set_ready(false);
        assert!(!presence.holds(&publisher).await);
        assert_eq!(publisher.proofs(), 1);
    }
}
