//! An HTTP/1.1 proxy that answers for its server when told to. Carries everything else as it came, `Host` included,
//! so that signed requests stay so.

use crate::port::ReservedPort;
use bytes::Bytes;
use http_body_util::{BodyExt, Either, Full};
use hyper::{
    Request, Response, StatusCode, Uri,
    body::Incoming,
    header::{CONTENT_TYPE, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo},
};
use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::{
    net::TcpListener,
    task::{JoinHandle, JoinSet},
};

/// What S3 says when it is asked too much.
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>
const SLOW_DOWN: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\
    <Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>";

type Answer = Response<Either<Incoming, Full<Bytes>>>;

/// A proxy on a port of its own in front of one HTTP server; ends, with its connections, when dropped.
#[derive(Debug)]
pub struct HttpProxy {
    port: ReservedPort,
    faults: Arc<Mutex<Faults>>,
    task: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Faults {
    refuse: u64,
    refused: u64,
    lose: Option<String>,
    lost: u64,
}

impl HttpProxy {
    /// Starts to pass between a free port and `upstream`.
    ///
    /// # Panics
    /// When the port cannot be listened on.
    pub async fn start(upstream: SocketAddr) -> Self {
        let port = ReservedPort::new();
        let faults = Arc::<Mutex<Faults>>::default();
        let listener = match TcpListener::bind(port.address()).await {
            Ok(listener) => listener,
            Err(error) => panic!("cannot listen on {}: {error}", port.address()),
        };
        let client = Client::builder(TokioExecutor::new()).build_http();
        let server = Server {
            client,
            upstream,
            faults: Arc::clone(&faults),
        };
        let task = tokio::spawn(server.serve(listener));
        Self { port, faults, task }
    }

    /// Where to connect to.
    pub fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// Answers the next so many requests 503 `SlowDown`, after reading them whole.
    pub fn refuse(&self, requests: u64) {
        lock(&self.faults).refuse = requests;
    }

    /// Requests refused so far.
    pub fn refused(&self) -> u64 {
        lock(&self.faults).refused
    }

    /// Has the next request whose line (`POST /bucket/key?uploadId=…`) contains `part` carried out, and closes the
    /// connection instead of answering.
    pub fn lose_answer_to(&self, part: &str) {
        lock(&self.faults).lose = Some(part.to_owned());
    }

    /// Answers lost so far.
    pub fn lost(&self) -> u64 {
        lock(&self.faults).lost
    }
}

impl Drop for HttpProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Clone)]
struct Server {
    client: Client<HttpConnector, Incoming>,
    upstream: SocketAddr,
    faults: Arc<Mutex<Faults>>,
}

impl Server {
    async fn serve(self, listener: TcpListener) {
        // Dropping the set, with the task, ends every connection.
        let mut connections = JoinSet::new();
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                continue;
            };
            while connections.try_join_next().is_some() {}
            let server = self.clone();
            let service = service_fn(move |request| server.clone().answer(request));
            connections.spawn(async move {
                // A connection that ends in an error is one that was to be closed, or that the client closed.
                let serving = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                let _ = serving.await;
            });
        }
    }

    async fn answer(self, mut request: Request<Incoming>) -> io::Result<Answer> {
        if self.is_refused() {
            let _ = request
                .into_body()
                .collect()
                .await
                .map_err(io::Error::other)?;
            let mut answer = Response::new(Either::Right(Full::from(SLOW_DOWN)));
            *answer.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
            let xml = HeaderValue::from_static("application/xml");
            answer.headers_mut().insert(CONTENT_TYPE, xml);
            return Ok(answer);
        }
        let lose = self.is_lost(&format!("{} {}", request.method(), request.uri()));
        let path = request
            .uri()
            .path_and_query()
            .map_or("/", |path| path.as_str());
        let uri = format!("http://{}{path}", self.upstream);
        *request.uri_mut() = uri.parse::<Uri>().map_err(io::Error::other)?;
        let answer = self
            .client
            .request(request)
            .await
            .map_err(io::Error::other)?;
        if lose {
            let _ = answer
                .into_body()
                .collect()
                .await
                .map_err(io::Error::other)?;
            return Err(io::Error::other("the answer is to be lost"));
        }
        Ok(answer.map(Either::Left))
    }

    fn is_refused(&self) -> bool {
        let mut faults = lock(&self.faults);
        if faults.refuse == 0 {
            return false;
        }
        faults.refuse -= 1;
        faults.refused += 1;
        true
    }

    fn is_lost(&self, line: &str) -> bool {
        let mut faults = lock(&self.faults);
        let wanted = faults.lose.as_ref().is_some_and(|part| line.contains(part));
        if wanted {
            faults.lose = None;
            faults.lost += 1;
        }
        wanted
    }
}

fn lock(faults: &Mutex<Faults>) -> MutexGuard<'_, Faults> {
    faults.lock().unwrap_or_else(PoisonError::into_inner)
}
