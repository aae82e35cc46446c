//! Shards: where they lie, and their snapshots out of and into nodes.

use bytes::Bytes;
use futures_util::Stream;
use reqwest::{
    Method,
    multipart::{Form, Part},
};
use tokio::time::timeout;

use super::{
    body::{self, ByteStream, UploadError},
    error::{Operation, RestError},
    http::{Address, Call},
    kinds::{Priority, Shard},
    nodes::QdrantRest,
    placement::{self, Placement},
};

/// What an uploaded snapshot is called on its node, while it is there.
pub const UPLOADED: &str = "alioth.snapshot";

/// An upload's destination and terms.
pub(super) struct Target<'a> {
    pub(super) operation: Operation,
    pub(super) path: &'a [&'a str],
    pub(super) sha256: Option<&'a str>,
    pub(super) priority: Priority,
    pub(super) length: Option<u64>,
}

impl QdrantRest {
    /// A collection's shards by number, as all nodes that answer see them.
    ///
    /// # Errors
    /// When none answers; `Refused` with 404 when there is no such collection.
    pub async fn shards(&self, name: &str) -> Result<Vec<Shard>, RestError> {
        Ok(placement::merge(self.placements(name).await?))
    }

    /// The same, and about how many points lie in all replicas of the nodes that answer: it grows while replicas are
    /// filled, and says nothing else.
    ///
    /// # Errors
    /// As [`QdrantRest::shards`].
    pub async fn filling(&self, name: &str) -> Result<(Vec<Shard>, u64), RestError> {
        let views = self.placements(name).await?;
        let points = placement::points(&views);
        Ok((placement::merge(views), points))
    }

    /// What each node that answers says of a collection's shards, by its peer.
    async fn placements(&self, name: &str) -> Result<Vec<(u64, Placement)>, RestError> {
        let path = ["collections", name, "cluster"];
        let mut views = Vec::new();
        let mut failed = None;
        for (peer, address) in self.addresses() {
            let call = Call::get(Operation::ListShards(name.to_owned()), &path);
            match address.result::<Placement>(call).await {
                Ok(view) => views.push((peer, view)),
                Err(error) if error.is_transient() => failed = Some(error),
                Err(error) => return Err(error),
            }
        }
        match (views.is_empty(), failed) {
            (true, Some(error)) => Err(error),
            (true, None) | (false, _) => Ok(views),
        }
    }

    /// Streams a shard's snapshot out of one of its replicas; leaves no file on the node. Dropping
    /// the stream ends it there too.
    ///
    /// # Errors
    /// `Refused` when the replica is not there (any more). In the stream: `Stalled`, `NoAnswer` when
    /// the connection was cut, `Truncated` when the node gave up; all transient.
    pub async fn stream_shard(
        &self,
        peer: u64,
        name: &str,
        shard: u32,
    ) -> Result<ByteStream, RestError> {
        let operation = Operation::StreamShard(name.to_owned(), shard);
        let number = shard.to_string();
        let path = ["collections", name, "shards", &number, "snapshot"];
        self.stream(self.address(peer)?, operation, &path).await
    }

    /// Uploads a snapshot into a shard of a node, and returns when the node has recovered from it.
    /// `sha256` is checked by the node before it touches anything.
    ///
    /// # Errors
    /// `Source` when what is to be uploaded could not be read; else the node's answer, and
    /// `Stalled` when it neither reads nor answers in time.
    #[expect(
        clippy::too_many_arguments,
        reason = "each is a word of the one request"
    )]
    pub async fn upload_shard<S, E>(
        &self,
        peer: u64,
        name: &str,
        shard: u32,
        source: S,
        length: Option<u64>,
        sha256: Option<&str>,
        priority: Priority,
    ) -> Result<(), UploadError<E>>
    where
        S: Stream<Item = Result<Bytes, E>> + Send + 'static,
        E: Send + 'static,
    {
        let number = shard.to_string();
        let target = Target {
            operation: Operation::UploadShard(name.to_owned(), shard),
            path: &[
                "collections",
                name,
                "shards",
                &number,
                "snapshots",
                "upload",
            ],
            sha256,
            priority,
            length,
        };
        self.upload(self.address(peer)?, target, source).await
    }

    pub(super) async fn stream(
        &self,
        address: &Address,
        operation: Operation,
        path: &[&str],
    ) -> Result<ByteStream, RestError> {
        let idle = self.idle_timeout();
        let request = address.open(Method::GET, path, &[]);
        let Ok(sent) = timeout(idle, request.send()).await else {
            return Err(RestError::Stalled {
                operation,
                host: address.host.clone(),
                after: idle,
            });
        };
        let response = address.accepted(&operation, sent).await?;
        let host = address.host.clone();
        Ok(body::download(response, operation, host, idle))
    }

    pub(super) async fn upload<S, E>(
        &self,
        address: &Address,
        target: Target<'_>,
        source: S,
    ) -> Result<(), UploadError<E>>
    where
        S: Stream<Item = Result<Bytes, E>> + Send + 'static,
        E: Send + 'static,
    {
        let (body, upload) = body::upload(source);
        let part = match target.length {
            Some(length) => Part::stream_with_length(body, length),
            None => Part::stream(body),
        };
        // Without a file name the server takes the part for a plain value.
        let form = Form::new().part("snapshot", part.file_name(UPLOADED));
        let mut query = vec![("wait", "true"), ("priority", target.priority.as_str())];
        query.extend(target.sha256.map(|sum| ("checksum", sum)));
        let request = address
            .open(Method::POST, target.path, &query)
            .multipart(form);
        let sent = tokio::select! {
            sent = request.send() => sent,
            after = upload.stalled(self.idle_timeout(), self.snapshot_timeout()) => {
                return Err(UploadError::Rest(RestError::Stalled {
                    operation: target.operation,
                    host: address.host.clone(),
                    after,
                }));
            }
        };
        match (
            upload.failure(),
            address.accepted(&target.operation, sent).await,
        ) {
            (Some(error), _) => Err(UploadError::Source(error)),
            (None, Ok(_)) => Ok(()),
            (None, Err(error)) => Err(UploadError::Rest(error)),
        }
    }
}
