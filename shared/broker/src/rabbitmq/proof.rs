//! Requests for a proof of the publisher's connection: who waits for one, and what they are told. Makes no round
//! trip itself.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

/// A connection of a live broker answers within a millisecond, of a busy one within some tens. A replacement that was
/// not needed costs a handshake and the declarations.
pub(super) const ROUND_TRIP: Duration = Duration::from_millis(500);
/// An attempt to connect older than this may have been begun before its process was suspended.
pub(super) const STALE_ATTEMPT: Duration = Duration::from_millis(1500);
/// After this the same is asked again, so that an attempt can have become stale meanwhile.
pub(super) const ASK_AGAIN: Duration = Duration::from_secs(1);
/// Between two attempts on behalf of somebody who waits.
pub(super) const PAUSE: Duration = Duration::from_millis(100);
/// Requests that may wait to be taken; who has no room waits a little longer.
const REQUESTS: usize = 16;

/// Told when the connection has proven itself; dropped when there is none.
pub(super) type Request = oneshot::Sender<()>;

/// The connection's side of the requests.
#[derive(Debug)]
pub(super) struct Proofs {
    requests: mpsc::Receiver<Request>,
    waiting: Vec<Request>,
}

impl Proofs {
    pub(super) fn channel() -> (mpsc::Sender<Request>, Self) {
        let (sender, requests) = mpsc::channel(REQUESTS);
        let waiting = Vec::new();
        (sender, Self { requests, waiting })
    }

    /// Takes the next request in. Cancel safe.
    pub(super) async fn asked(&mut self) {
        match self.requests.recv().await {
            Some(request) => {
                self.waiting.retain(|request| !request.is_closed());
                self.waiting.push(request);
            }
            // The publisher is gone; whoever waits beside this waits on.
            None => std::future::pending().await,
        }
    }

    pub(super) fn is_anybody_waiting(&self) -> bool {
        self.waiting.iter().any(|request| !request.is_closed())
    }

    /// The connection is there and answers.
    pub(super) fn given(&mut self) {
        for request in self.waiting.drain(..) {
            // Who asked may have gone.
            let _ = request.send(());
        }
    }

    /// There is no connection.
    pub(super) fn failed(&mut self) {
        self.waiting.clear();
    }
}
