//! A gRPC server that answers upserts as it is told, for what no real Qdrant does on demand. Knows no other call.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, Response},
    routing::post,
};
use http_body_util::{BodyExt as _, Full};
use prost::Message;
use qdrant_client::qdrant::{PointsOperationResponse, UpdateResult, UpdateStatus, UpsertPoints};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};
pub use tonic::Code;

/// One upsert as it arrived.
#[derive(Debug, Clone)]
pub struct Arrived {
    /// The message.
    pub upsert: UpsertPoints,
    /// The metadata `api-key`.
    pub api_key: Option<String>,
}

/// What to say to it.
#[derive(Debug, Clone)]
pub enum Answer {
    /// Success of this kind.
    Applied(UpdateStatus),
    /// A status, with metadata.
    Status(Code, &'static str, Vec<(&'static str, &'static str)>),
    /// A success that lacks its result.
    Empty,
    /// Bytes that are no answer.
    Garbage,
    /// A plain HTTP status, as a proxy between would give.
    Http(u16),
    /// Nothing, ever.
    Silence,
}

type Script = Box<dyn Fn(&Arrived) -> Answer + Send + Sync>;

/// A Qdrant by script. Runs until dropped.
pub struct ScriptedQdrant {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

struct Shared {
    script: Mutex<Script>,
    arrived: Mutex<Vec<Arrived>>,
    in_flight: AtomicUsize,
    most_in_flight: AtomicUsize,
    held: watch::Sender<bool>,
}

impl ScriptedQdrant {
    /// Starts to answer every upsert by `script`.
    ///
    /// # Panics
    /// When there is no free port.
    pub async fn start(script: impl Fn(&Arrived) -> Answer + Send + Sync + 'static) -> Self {
        let shared = Arc::new(Shared {
            script: Mutex::new(Box::new(script)),
            arrived: Mutex::default(),
            in_flight: AtomicUsize::new(0),
            most_in_flight: AtomicUsize::new(0),
            held: watch::Sender::new(false),
        });
        let router = Router::new()
            .route("/qdrant.Points/Upsert", post(upsert))
            .with_state(Arc::clone(&shared));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("the port it listens on");
        let task = tokio::spawn(async move {
            axum::serve(listener, router)
                .await
                .expect("serves until aborted");
        });
        Self {
            address,
            shared,
            task,
        }
    }

    /// `http://127.0.0.1:<port>`.
    pub fn grpc_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where it listens, for a [`FaultProxy`](crate::FaultProxy) before it.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers otherwise from now on.
    pub fn answer_by(&self, script: impl Fn(&Arrived) -> Answer + Send + Sync + 'static) {
        *lock(&self.shared.script) = Box::new(script);
    }

    /// Keeps upserts that have arrived, and those to come, waiting for their answers, or lets them go.
    pub fn hold(&self, held: bool) {
        self.shared.held.send_replace(held);
    }

    /// Every upsert so far.
    pub fn arrived(&self) -> Vec<Arrived> {
        lock(&self.shared.arrived).clone()
    }

    /// The most upserts that were under way at once.
    pub fn most_in_flight(&self) -> usize {
        self.shared.most_in_flight.load(Ordering::SeqCst)
    }
}

impl Drop for ScriptedQdrant {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn upsert(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let Some(Ok(upsert)) = body.get(5..).map(UpsertPoints::decode) else {
        return status(Code::Internal, "failed to decode Protobuf message", &[]);
    };
    let now = shared.in_flight.fetch_add(1, Ordering::SeqCst) + 1;
    shared.most_in_flight.fetch_max(now, Ordering::SeqCst);
    let api_key = headers.get("api-key").and_then(|key| key.to_str().ok());
    let arrived = Arrived {
        upsert,
        api_key: api_key.map(str::to_owned),
    };
    let answer = (lock(&shared.script))(&arrived);
    lock(&shared.arrived).push(arrived);
    // The server is dropped only with its tests.
    let _ = shared.held.subscribe().wait_for(|held| !held).await;
    let response = respond(answer).await;
    shared.in_flight.fetch_sub(1, Ordering::SeqCst);
    response
}

async fn respond(answer: Answer) -> Response<Body> {
    match answer {
        Answer::Applied(applied) => {
            let result = UpdateResult {
                operation_id: Some(1),
                status: applied.into(),
            };
            let response = PointsOperationResponse {
                result: Some(result),
                ..Default::default()
            };
            success(response.encode_to_vec())
        }
        Answer::Status(code, message, metadata) => status(code, message, &metadata),
        Answer::Empty => success(PointsOperationResponse::default().encode_to_vec()),
        Answer::Garbage => success(vec![0xff; 7]),
        Answer::Http(code) => {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = code.try_into().expect("an HTTP status");
            response
        }
        Answer::Silence => std::future::pending().await,
    }
}

fn status(
    code: Code,
    message: &'static str,
    metadata: &[(&'static str, &'static str)],
) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    headers.insert("content-type", HeaderValue::from_static("application/grpc"));
    headers.insert("grpc-status", HeaderValue::from(code as i32));
    headers.insert("grpc-message", HeaderValue::from_static(message));
    for (name, value) in metadata {
        headers.insert(
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
    }
    response
}

fn success(message: Vec<u8>) -> Response<Body> {
    let mut framed = vec![0];
    framed.extend_from_slice(&(message.len() as u32).to_be_bytes());
    framed.extend_from_slice(&message);
    let trailers: HashMap<String, String> =
        HashMap::from([("grpc-status".to_owned(), "0".to_owned())]);
    let trailers = HeaderMap::try_from(&trailers).expect("good trailers");
    let body = Full::new(Bytes::from(framed)).with_trailers(std::future::ready(Some(Ok(trailers))));
    let mut response = Response::new(Body::new(body));
    let content_type = HeaderValue::from_static("application/grpc");
    response.headers_mut().insert("content-type", content_type);
    response
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
