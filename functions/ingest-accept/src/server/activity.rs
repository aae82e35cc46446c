//! What a connection is doing, as far as its end depends on it: waiting for a request, reading
//! the head of one, or handling some. Slow heads and idle connections are told apart, because the
//! first are an attack and the second are pools.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use hyper::Version;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::Instant,
};

/// How long a connection may be without a request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// From the first byte of a head, or the connection's beginning.
    pub(super) header: Duration,
    /// From the last answer.
    pub(super) idle: Duration,
}

impl Patience {
    pub(super) fn both(span: Duration) -> Self {
        Self {
            header: span,
            idle: span,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Nothing has come since the last answer.
    Idle,
    /// Something has: over HTTP/1.1, the beginning of a head.
    Head,
}

#[derive(Debug)]
struct State {
    requests: usize,
    phase: Phase,
    since: Instant,
    /// Frames of HTTP/2 come without requests, too, and a head is one frame or few.
    http2: bool,
}

/// What one connection is doing.
#[derive(Debug)]
pub(super) struct Activity(Mutex<State>);

impl Activity {
    /// Of a new connection: it has to begin a request at once.
    pub(super) fn new() -> Self {
        Self(Mutex::new(State {
            requests: 0,
            phase: Phase::Head,
            since: Instant::now(),
            http2: false,
        }))
    }

    /// A request is handled for as long as the guard lives.
    pub(super) fn request(self: &Arc<Self>, version: Version) -> UnderWay {
        let mut state = self.lock();
        state.requests += 1;
        state.http2 = version == Version::HTTP_2;
        UnderWay(Arc::clone(self))
    }

    fn received(&self) {
        let mut state = self.lock();
        if state.requests == 0 && state.phase == Phase::Idle && !state.http2 {
            state.phase = Phase::Head;
            state.since = Instant::now();
        }
    }

    /// Starts the time anew, for a connection that was asked to end.
    pub(super) fn restart(&self) {
        self.lock().since = Instant::now();
    }

    /// Waits until the connection has been without a request for too long.
    pub(super) async fn exhausted(&self, patience: Patience) {
        loop {
            let (deadline, now) = (self.deadline(patience), Instant::now());
            if deadline <= now {
                return;
            }
            // A head that begins meanwhile brings the deadline forward, by this look at the latest.
            tokio::time::sleep_until(deadline.min(now + patience.header)).await;
        }
    }

    fn deadline(&self, patience: Patience) -> Instant {
        let state = self.lock();
        let span = match state.phase {
            Phase::Idle => patience.idle,
            Phase::Head => patience.header,
        };
        if state.requests > 0 {
            return Instant::now() + span;
        }
        state.since + span
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Held for a few assignments, none of which can panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request being handled.
pub(super) struct UnderWay(Arc<Activity>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.requests -= 1;
        state.phase = Phase::Idle;
        state.since = Instant::now();
    }
}

/// A stream that tells of what it receives.
pub(super) struct Watched {
    stream: TcpStream,
    activity: Arc<Activity>,
}

impl Watched {
    pub(super) fn new(stream: TcpStream, activity: Arc<Activity>) -> Self {
        Self { stream, activity }
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            self.activity.received();
        }
        polled
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Patience = Patience {
        header: Duration::from_secs(10),
        idle: Duration::from_secs(75),
    };

    async fn seconds_until_exhausted(activity: &Activity) -> u64 {
        let began = Instant::now();
        activity.exhausted(PATIENCE).await;
        began.elapsed().as_secs()
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_connection_has_the_time_of_a_head() {
        assert_eq!(seconds_until_exhausted(&Activity::new()).await, 10);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answered_one_may_idle_until_a_next_head_begins() {
        let activity = Arc::new(Activity::new());
        drop(activity.request(Version::HTTP_11));
        assert_eq!(seconds_until_exhausted(&activity).await, 75);

        drop(activity.request(Version::HTTP_11));
        activity.received();
        tokio::time::advance(Duration::from_secs(4)).await;
        activity.received();
        assert_eq!(seconds_until_exhausted(&activity).await, 6);
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_that_begins_late_is_noticed() {
        let activity = Arc::new(Activity::new());
        drop(activity.request(Version::HTTP_11));
        let watched = Arc::clone(&activity);
        let watch = tokio::spawn(async move { seconds_until_exhausted(&watched).await });
        tokio::time::sleep(Duration::from_secs(35)).await;
        activity.received();
        assert_eq!(watch.await.unwrap(), 45);
    }

    #[tokio::test(start_paused = true)]
    async fn frames_of_http2_are_no_slow_head() {
        let activity = Arc::new(Activity::new());
        drop(activity.request(Version::HTTP_2));
        activity.received();
        assert_eq!(seconds_until_exhausted(&activity).await, 75);
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_under_way_is_never_cut_off() {
        let activity = Arc::new(Activity::new());
        let under_way = activity.request(Version::HTTP_11);
        let hour = Duration::from_secs(3600);
        tokio::time::timeout(hour, activity.exhausted(PATIENCE))
            .await
            .unwrap_err();
        drop(under_way);
        assert_eq!(seconds_until_exhausted(&activity).await, 75);
    }
}
