//! What becomes of a body that its handler did not read to the end. Over HTTP/1.1 a connection
//! that is closed with unread bytes is reset, and the client, still sending, never sees why. So
//! the rest is read and thrown away, within bounds.

use std::{
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use hyper::{
    Request, Version,
    body::{Body, Frame, Incoming, SizeHint},
    header,
};
use tokio_util::task::TaskTracker;

/// Twice the usual body limit. A client that goes on beyond it is cut off.
const MOST_BYTES: u64 = 64 * 1024 * 1024;
const LONGEST: Duration = Duration::from_secs(5);

/// Whether the rest of this request's body may be thrown away later on. HTTP/2 ends a single
/// stream by itself; and a client that asked whether to send has been answered.
pub(super) fn may_linger<B>(request: &Request<B>) -> bool {
    request.version() < Version::HTTP_2 && !request.headers().contains_key(header::EXPECT)
}

/// A body that is read to its end, by its handler or after it.
pub(super) struct Leftover {
    /// `None` once it has ended.
    body: Option<Incoming>,
    tasks: TaskTracker,
}

impl Leftover {
    pub(super) fn new(body: Incoming, tasks: TaskTracker) -> Self {
        let body = (!body.is_end_stream()).then_some(body);
        Self { body, tasks }
    }
}

impl Body for Leftover {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Some(body) = &mut self.body else {
            return Poll::Ready(None);
        };
        let polled = Pin::new(&mut *body).poll_frame(cx);
        let ended = match &polled {
            Poll::Pending => false,
            Poll::Ready(Some(Ok(_))) => body.is_end_stream(),
            Poll::Ready(Some(Err(_)) | None) => true,
        };
        if ended {
            self.body = None;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        match &self.body {
            Some(body) => body.size_hint(),
            None => SizeHint::with_exact(0),
        }
    }
}

impl Drop for Leftover {
    fn drop(&mut self) {
        // Outside a runtime the process is ending, and nobody waits for an answer.
        if let (Some(body), Ok(runtime)) = (self.body.take(), tokio::runtime::Handle::try_current())
        {
            self.tasks.spawn_on(discard(body), &runtime);
        }
    }
}

async fn discard(mut body: Incoming) {
    let rest = async {
        let mut discarded = 0;
        while let Some(Ok(frame)) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
            discarded += frame.data_ref().map_or(0, |data| data.len() as u64);
            if discarded > MOST_BYTES {
                return;
            }
        }
    };
    // Late or not, the body is dropped: the connection ends with it.
    tokio::time::timeout(LONGEST, rest)
        .await
        .unwrap_or_default();
}
