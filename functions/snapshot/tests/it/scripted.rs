//! A Qdrant of one node with the collection `movies` of two shards, empty as archives. Answers as a test says, and
//! otherwise as if all were well.

use std::sync::{Arc, Mutex};

use alioth_cluster::rest::{QdrantRest, QdrantRestConfig};
use axum::{
    Json, Router,
    body::Body,
    http::{Request, StatusCode},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};

/// A full snapshot, as the node names it.
pub(crate) const FILE: &str = "full-snapshot-2026-11-22-12-00-00.snapshot";

/// What a test has it answer.
pub(crate) enum Answer {
    /// `result`.
    Result(Value),
    /// An error.
    Status(u16),
    /// None, ever.
    Silence,
}

/// Ended when dropped.
pub(crate) struct Scripted {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
    serving: JoinHandle<()>,
}

impl Scripted {
    /// `script` is given `POST /collections/movies/points/count` and the like.
    pub(crate) async fn start(
        script: impl Fn(&str) -> Option<Answer> + Send + Sync + 'static,
    ) -> Self {
        let (script, asked) = (Arc::new(script), Arc::<Mutex<Vec<String>>>::default());
        let noted = Arc::clone(&asked);
        let router = Router::new().fallback(move |request: Request<Body>| {
            let asked = format!("{} {}", request.method(), request.uri().path());
            noted.lock().unwrap().push(asked.clone());
            let answer = script(&asked);
            async move { respond(&asked, answer).await }
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let serving = async move { axum::serve(listener, router).await.expect("a server") };
        Self {
            url,
            asked,
            serving: tokio::spawn(serving),
        }
    }

    pub(crate) async fn rest(&self, config: QdrantRestConfig) -> QdrantRest {
        let config = QdrantRestConfig {
            url: vec![self.url.clone()],
            ..config
        };
        QdrantRest::discover(&config).await.expect("it answers")
    }

    /// Everything it was asked so far.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn respond(asked: &str, answer: Option<Answer>) -> Response {
    match answer {
        None => usual(asked),
        Some(Answer::Result(result)) => of(result),
        Some(Answer::Status(status)) => {
            let status = StatusCode::from_u16(status).expect("a status");
            let error = json!({"status": {"error": "as the test says"}, "time": 0.0});
            (status, Json(error)).into_response()
        }
        Some(Answer::Silence) => std::future::pending().await,
    }
}

fn of(result: Value) -> Response {
    Json(json!({"result": result, "status": "ok", "time": 0.0})).into_response()
}

fn usual(asked: &str) -> Response {
    let shard = |id: u32| json!({"shard_id": id, "points_count": 0, "state": "Active"});
    match asked {
        "GET /" => Json(json!({"title": "qdrant", "version": "1.18.3"})).into_response(),
        "GET /cluster" => of(json!({"status": "disabled"})),
        "GET /collections" => of(json!({"collections": [{"name": "movies"}]})),
        "GET /aliases" => of(json!({"aliases": []})),
        "GET /collections/movies" => of(described(768)),
        "GET /collections/movies/cluster" => of(json!({
            "peer_id": 1, "shard_count": 2, "local_shards": [shard(0), shard(1)],
            "remote_shards": [], "shard_transfers": []
        })),
        "POST /collections/movies/points/count" => of(json!({"count": 100})),
        "GET /snapshots" => of(json!([])),
        "POST /snapshots" => of(json!({"name": FILE, "creation_time": null, "size": 1024})),
        stream if stream.starts_with("GET ") && stream.contains("snapshot") => {
            // The end of a tar archive.
            vec![0; 1024].into_response()
        }
        deletion if deletion.starts_with("DELETE /snapshots/") => of(json!(true)),
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

/// A collection whose vectors have that many floats.
pub(crate) fn described(size: u64) -> Value {
    json!({
        "status": "green",
        "config": {"params": {"vectors": {"size": size, "distance": "Dot"}, "shard_number": 2}},
        "payload_schema": {}
    })
}
