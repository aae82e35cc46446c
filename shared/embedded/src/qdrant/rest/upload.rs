//! Routes that restore: from what is uploaded, or from a snapshot the node has kept. What is
//! uploaded goes to disk as it comes, hashed on the way; nothing is looked into before it is all
//! there, which is what a Qdrant server does too.

use std::{io, sync::Arc};

use axum::{
    body::{Body, Bytes},
    extract::{
        Path, Query as Parameters, State,
        rejection::{BytesRejection, PathRejection, QueryRejection},
    },
    http::{HeaderMap, header::CONTENT_TYPE},
    response::Response,
};
use multer::{Field, Multipart};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use tokio::{fs::File, io::AsyncWriteExt};

use super::{
    body::parse,
    snapshots::{Wait, shard_path},
};
use crate::qdrant::{
    Node,
    checksum::{Hashing, check_sha256, hex},
    collection::snapshot::Limits,
    error::RequestError,
    snapshots::Received,
};

const FIELD: &str = "snapshot";

/// Query parameters of an upload.
#[derive(Deserialize)]
pub(super) struct UploadParameters {
    wait: Option<bool>,
    /// Which of several replicas counts; here there is only one.
    #[serde(rename = "priority")]
    _priority: Option<Priority>,
    checksum: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Priority {
    NoSync,
    Snapshot,
    Replica,
}

/// The body of a request to recover.
#[derive(Deserialize)]
struct RecoverBody {
    location: String,
    #[serde(default, rename = "priority")]
    _priority: Option<Priority>,
    checksum: Option<String>,
}

pub(super) async fn shard(
    State(node): State<Arc<Node>>,
    path: Result<Path<(String, u32)>, PathRejection>,
    parameters: Result<Parameters<UploadParameters>, QueryRejection>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let received = receive(&node, &headers, body).await;
    let parameters = checked(parameters);
    let wait = Wait::new(parameters.as_ref().ok().and_then(|given| given.wait));
    wait.answer(async move {
        let (collection, shard) = shard_path(path)?;
        let (parameters, received) = (parameters?, received?);
        check_sha256(&received.sha256, parameters.checksum.as_deref())?;
        node.restore_shard(collection, shard, received).await
    })
    .await
}

pub(super) async fn collection(
    State(node): State<Arc<Node>>,
    Path(name): Path<String>,
    parameters: Result<Parameters<UploadParameters>, QueryRejection>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let received = receive(&node, &headers, body).await;
    let parameters = checked(parameters);
    let wait = Wait::new(parameters.as_ref().ok().and_then(|given| given.wait));
    wait.answer(async move {
        let (parameters, received) = (parameters?, received?);
        check_sha256(&received.sha256, parameters.checksum.as_deref())?;
        let restore = move |node: &Node| {
            let limits = Limits::default();
            node.collections.restore(name, &received.path, &limits)
        };
        node.snapshot(restore).await
    })
    .await
}

pub(super) async fn recover(
    State(node): State<Arc<Node>>,
    Path(name): Path<String>,
    Parameters(wait): Parameters<Wait>,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    wait.answer(async move {
        let RecoverBody {
            location, checksum, ..
        } = parse(body)?;
        let recover = move |node: &Node| {
            let path = node.snapshots.path_of_url(&location)?;
            check_kept(&path, checksum.as_deref())?;
            node.collections.restore(name, &path, &Limits::default())
        };
        node.snapshot(recover).await
    })
    .await
}

fn checked(
    parameters: Result<Parameters<UploadParameters>, QueryRejection>,
) -> Result<UploadParameters, RequestError> {
    match parameters {
        Ok(Parameters(parameters)) => Ok(parameters),
        Err(error) => Err(RequestError::Malformed(error.body_text())),
    }
}

/// Writes the snapshot of a form to a file of no name.
///
/// # Errors
/// When the form breaks off, has no snapshot, or there is no room for it.
async fn receive(node: &Node, headers: &HeaderMap, body: Body) -> Result<Received, RequestError> {
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    let boundary = multer::parse_boundary(kind.unwrap_or_default());
    let boundary = boundary.map_err(|error| malformed(&error))?;
    let mut form = Multipart::new(body.into_data_stream(), boundary);
    let mut received = None;
    while let Some(field) = form.next_field().await.map_err(|error| malformed(&error))? {
        // A field that is not asked for is read and left.
        if field.name() == Some(FIELD) && received.is_none() {
            received = Some(write(node, field).await?);
        }
    }
    received
        .ok_or_else(|| RequestError::Malformed(format!("Field with name '{FIELD}' is required")))
}

async fn write(node: &Node, mut field: Field<'static>) -> Result<Received, RequestError> {
    let file = node.snapshots.temporary_file();
    let (file, path) = file.map_err(RequestError::internal)?.into_parts();
    let mut file = File::from_std(file);
    let mut hasher = Sha256::new();
    while let Some(chunk) = field.chunk().await.map_err(|error| malformed(&error))? {
        hasher.update(&chunk);
        file.write_all(&chunk)
            .await
            .map_err(RequestError::internal)?;
    }
    file.flush().await.map_err(RequestError::internal)?;
    Ok(Received {
        path,
        sha256: hex(hasher),
    })
}

fn malformed(error: &multer::Error) -> RequestError {
    RequestError::Malformed(format!("Multipart error: {error}"))
}

/// # Errors
/// When a kept snapshot has another checksum than the request says.
fn check_kept(path: &std::path::Path, expected: Option<&str>) -> Result<(), RequestError> {
    if expected.is_none() {
        return Ok(());
    }
    let hash = || -> io::Result<String> {
        let mut hashing = Hashing::new(io::sink());
        io::copy(&mut std::fs::File::open(path)?, &mut hashing)?;
        Ok(hashing.finish().1)
    };
    check_sha256(&hash().map_err(RequestError::internal)?, expected)
}
