//! Serves the router on a port, HTTP/1.1 and HTTP/2 without TLS alike, until told to end. Knows
//! connections; what is in a request is the router's.

mod activity;
mod leftover;

use std::{convert::Infallible, pin::pin, sync::Arc, time::Duration};

use alioth_telemetry::prometheus::IntGauge;
use axum::{Router, body::Body, response::Response};
use hyper::{Request, body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt;

use self::{
    activity::{Activity, Patience, UnderWay, Watched},
    leftover::Leftover,
};
use crate::{config::HttpConfig, metrics::Held};

/// After a failed accept, which is mostly a lack of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How long a connection that was asked to end may take to flush its last answer.
const CLOSE_GRACE: Duration = Duration::from_secs(5);
/// Heads are small here; a name of 255 percent-encoded characters is the longest part.
const LARGEST_HEAD_BYTES: u32 = 16 * 1024;
/// What one connection may read ahead, and the largest head. The default of 400 KiB, times the
/// connections, is more memory than all bodies may have together.
const HTTP1_BUFFER_BYTES: usize = 64 * 1024;
/// Requests that one HTTP/2 connection may have open.
const HTTP2_STREAMS: u32 = 128;
/// Lets a body of usual size come in without waiting for a window update.
const HTTP2_STREAM_WINDOW_BYTES: u32 = 512 * 1024;
const HTTP2_CONNECTION_WINDOW_BYTES: u32 = 2 * 1024 * 1024;
/// Finds peers that vanished.
const HTTP2_PING_INTERVAL: Duration = Duration::from_secs(20);

/// What connections share.
struct Server {
    router: Router,
    builder: auto::Builder<TokioExecutor>,
    patience: Patience,
    ending: CancellationToken,
    connections: TaskTracker,
    open: IntGauge,
}

/// Accepts connections until `ending` is cancelled, then no more. Those that are left, each ending
/// after its last answer, are in the tracker.
pub(crate) async fn serve(
    listener: &TcpListener,
    router: Router,
    config: &HttpConfig,
    open: IntGauge,
    ending: CancellationToken,
) -> TaskTracker {
    let server = Arc::new(Server {
        router,
        builder: builder(),
        patience: Patience {
            header: config.header_timeout.0,
            idle: config.idle_timeout.0,
        },
        ending: ending.clone(),
        connections: TaskTracker::new(),
        open,
    });
    let slots = Arc::new(Semaphore::new(config.connections));
    while let Some((stream, slot)) = next(listener, &slots, &ending).await {
        let connection = Arc::clone(&server).connection(stream, slot);
        server.connections.spawn(connection);
    }
    server.connections.close();
    server.connections.clone()
}

fn builder() -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        // `Activity` tells a slow head from an idle connection, which this does not.
        .header_read_timeout(None)
        .max_buf_size(HTTP1_BUFFER_BYTES)
        .timer(TokioTimer::new());
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(HTTP2_STREAMS)
        .max_header_list_size(LARGEST_HEAD_BYTES)
        .initial_stream_window_size(HTTP2_STREAM_WINDOW_BYTES)
        .initial_connection_window_size(HTTP2_CONNECTION_WINDOW_BYTES)
        .keep_alive_interval(HTTP2_PING_INTERVAL)
        .keep_alive_timeout(HTTP2_PING_INTERVAL);
    builder
}

/// The next connection, once there is room for it; `None` when it is time to end.
async fn next(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
    ending: &CancellationToken,
) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    let accepted = async {
        let slot = Arc::clone(slots).acquire_owned().await.ok()?;
        loop {
            match listener.accept().await {
                Ok((stream, _)) => return Some((stream, slot)),
                Err(error) => {
                    tracing::warn!(%error, "accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    };
    tokio::select! {
        biased;
        () = ending.cancelled() => None,
        accepted = accepted => accepted,
    }
}

impl Server {
    /// Serves one connection to its end.
    async fn connection(self: Arc<Self>, stream: TcpStream, slot: OwnedSemaphorePermit) {
        let _open = Held::one(&self.open);
        // Answers are small and complete: nothing is gained by waiting for more to send.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "set TCP_NODELAY");
        }
        let activity = Arc::new(Activity::new());
        let io = TokioIo::new(Watched::new(stream, Arc::clone(&activity)));
        let service = service_fn(|request| {
            let under_way = activity.request(request.version());
            Arc::clone(&self).request(request, under_way)
        });
        let mut connection = pin!(self.builder.serve_connection(io, service));
        let ended = tokio::select! {
            ended = connection.as_mut() => Some(ended),
            () = self.ending.cancelled() => None,
            () = activity.exhausted(self.patience) => None,
        };
        let ended = match ended {
            Some(ended) => ended,
            None => {
                connection.as_mut().graceful_shutdown();
                activity.restart();
                tokio::select! {
                    ended = connection.as_mut() => ended,
                    // Requests under way are waited for: they have limits of their own.
                    () = activity.exhausted(Patience::both(CLOSE_GRACE)) => Ok(()),
                }
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "a connection ended in an error");
        }
        drop(slot);
    }

    async fn request(
        self: Arc<Self>,
        request: Request<Incoming>,
        _under_way: UnderWay,
    ) -> Result<Response, Infallible> {
        let linger = leftover::may_linger(&request);
        let request = request.map(|incoming| {
            if linger {
                return Body::new(Leftover::new(incoming, self.connections.clone()));
            }
            Body::new(incoming)
        });
        self.router.clone().oneshot(request).await
    }
}
