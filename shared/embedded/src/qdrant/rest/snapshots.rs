//! Routes that make snapshots and give them away.

use std::{future::Future, path::PathBuf, sync::Arc, time::Instant};

use axum::{
    body::Body,
    extract::{Path, Query as Parameters, State, rejection::PathRejection},
    http::header::{CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use tokio::{fs::File, sync::OwnedSemaphorePermit};
use tokio_util::io::ReaderStream;

use super::{
    answer::{accepted, answer, error},
    stream,
};
use crate::qdrant::{Node, SHARD_ID, Staged, check_shard, error::RequestError, snapshots::Of};

/// Read from disk at once.
const READ_BYTES: usize = 64 * 1024;

/// Whether the answer is that of the work, or only that it has been taken on.
#[derive(Debug, Deserialize)]
#[serde(default)]
pub(super) struct Wait {
    wait: bool,
}

impl Default for Wait {
    fn default() -> Self {
        Self { wait: true }
    }
}

pub(super) async fn stream_shard(
    State(node): State<Arc<Node>>,
    path: Result<Path<(String, u32)>, PathRejection>,
) -> Response {
    let started = Instant::now();
    let staged = match shard_path(path) {
        Ok((collection, shard)) => stage_shard(&node, collection, shard).await,
        Err(malformed) => Err(malformed),
    };
    let (staged, permit) = match staged {
        Ok(staged) => staged,
        Err(failed) => return error(&failed, started),
    };
    let (mut writer, body) = stream::body();
    // Ends by itself when nobody reads any more, or too slowly.
    tokio::task::spawn_blocking(move || {
        let _permit = permit;
        let written = staged.write(&mut writer).and_then(|()| writer.finish());
        if let Err(error) = written {
            tracing::warn!(%error, "a shard's snapshot broke off");
        }
    });
    let name = format!("attachment; filename=\"shard-{SHARD_ID}.snapshot\"");
    let headers = [
        (CONTENT_TYPE, "application/octet-stream".to_owned()),
        (CONTENT_DISPOSITION, name),
    ];
    (headers, body).into_response()
}

pub(super) async fn list(State(node): State<Arc<Node>>, Path(name): Path<String>) -> Response {
    let started = Instant::now();
    let list = move |node: &Node| {
        let collection = node.collections.get(&name)?;
        node.snapshots.list(Of::Collection(collection.name()))
    };
    answer(node.snapshot(list).await, started)
}

pub(super) async fn create(
    State(node): State<Arc<Node>>,
    Path(name): Path<String>,
    Parameters(wait): Parameters<Wait>,
) -> Response {
    let create = async move { node.create_snapshot(name).await };
    wait.answer(create).await
}

pub(super) async fn get(
    State(node): State<Arc<Node>>,
    Path((collection, name)): Path<(String, String)>,
) -> Response {
    let path = node.collections.get(&collection).and_then(|collection| {
        node.snapshots
            .path(Of::Collection(collection.name()), &name)
    });
    file(path).await
}

pub(super) async fn delete(
    State(node): State<Arc<Node>>,
    Path((collection, name)): Path<(String, String)>,
    Parameters(wait): Parameters<Wait>,
) -> Response {
    let delete = move |node: &Node| {
        let collection = node.collections.get(&collection)?;
        node.snapshots
            .delete(Of::Collection(collection.name()), &name)
    };
    wait.answer(async move { node.snapshot(delete).await })
        .await
}

pub(super) async fn list_full(State(node): State<Arc<Node>>) -> Response {
    let started = Instant::now();
    let list = |node: &Node| node.snapshots.list(Of::Storage);
    answer(node.snapshot(list).await, started)
}

pub(super) async fn create_full(
    State(node): State<Arc<Node>>,
    Parameters(wait): Parameters<Wait>,
) -> Response {
    wait.answer(async move { node.snapshot(Node::create_full_snapshot).await })
        .await
}

pub(super) async fn get_full(State(node): State<Arc<Node>>, Path(name): Path<String>) -> Response {
    file(node.snapshots.path(Of::Storage, &name)).await
}

pub(super) async fn delete_full(
    State(node): State<Arc<Node>>,
    Path(name): Path<String>,
    Parameters(wait): Parameters<Wait>,
) -> Response {
    let delete = move |node: &Node| node.snapshots.delete(Of::Storage, &name);
    wait.answer(async move { node.snapshot(delete).await })
        .await
}

impl Wait {
    pub(super) fn new(wait: Option<bool>) -> Self {
        Self {
            wait: wait.unwrap_or(true),
        }
    }

    /// Answers once the work is done, or at once. It is done either way, whether the client
    /// stays or not.
    pub(super) async fn answer<T: Serialize + Send + 'static>(
        self,
        work: impl Future<Output = Result<T, RequestError>> + Send + 'static,
    ) -> Response {
        let started = Instant::now();
        let work = tokio::spawn(async move {
            let done = work.await;
            if let Err(error) = &done
                && !self.wait
            {
                tracing::error!(%error, "a request that nobody waited for failed");
            }
            done
        });
        if !self.wait {
            return accepted(started);
        }
        let done = work.await.map_err(RequestError::internal);
        answer(done.flatten(), started)
    }
}

/// # Errors
/// When the shard's number is none.
pub(super) fn shard_path(
    path: Result<Path<(String, u32)>, PathRejection>,
) -> Result<(String, u32), RequestError> {
    let Path(path) = path.map_err(|error| RequestError::Malformed(error.body_text()))?;
    Ok(path)
}

/// The copy of a shard, and the permission to read it for as long as it takes.
async fn stage_shard(
    node: &Arc<Node>,
    collection: String,
    shard: u32,
) -> Result<(Staged, OwnedSemaphorePermit), RequestError> {
    node.collections.get(&collection)?;
    check_shard(shard)?;
    let permit = Arc::clone(&node.snapshots.streams).acquire_owned().await;
    let permit = permit.map_err(RequestError::internal)?;
    Ok((node.stage(collection).await?, permit))
}

async fn file(path: Result<PathBuf, RequestError>) -> Response {
    let started = Instant::now();
    let opened = async {
        let file = File::open(path?).await.map_err(RequestError::internal)?;
        let length = file.metadata().await.map_err(RequestError::internal)?.len();
        Ok((file, length))
    };
    match opened.await {
        Ok((file, length)) => {
            let headers = [
                (CONTENT_TYPE, "application/octet-stream".to_owned()),
                (CONTENT_LENGTH, length.to_string()),
            ];
            let body = Body::from_stream(ReaderStream::with_capacity(file, READ_BYTES));
            (headers, body).into_response()
        }
        Err(failed) => error(&failed, started),
    }
}
