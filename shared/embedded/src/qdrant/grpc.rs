//! Qdrant's gRPC API on the server traits of its own client.

use std::sync::Arc;

use qdrant_client::qdrant::{
    HealthCheckReply, HealthCheckRequest,
    collections_server::CollectionsServer,
    points_server::PointsServer,
    qdrant_server::{Qdrant, QdrantServer},
    snapshots_server::SnapshotsServer,
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::{
    Request, Response, Status, async_trait,
    codec::CompressionEncoding,
    service::interceptor::InterceptedService,
    transport::{Server, server::TcpIncoming},
};

use super::{
    Node, QDRANT_VERSION,
    access::{Access, Keys},
    error::{NodeError, RequestError},
};

mod aliases;
mod answer;
mod collections;
mod config;
mod filter;
mod index;
mod payload;
mod points;
mod read;
mod snapshots;
mod write;

/// Requests one connection may have under way; more wait their turn in the client.
const STREAMS_PER_CONNECTION: u32 = 256;

type Answer<T> = Result<Response<T>, Status>;

/// Serves until the token is cancelled and the last request answered.
///
/// # Errors
/// When the listener fails.
pub(super) async fn serve(
    listener: TcpListener,
    node: Arc<Node>,
    keys: Keys,
    token: CancellationToken,
) -> Result<(), NodeError> {
    let authenticate = move |mut request: Request<()>| {
        let access = keys.of_metadata(request.metadata())?;
        request.extensions_mut().insert(access);
        Ok(request)
    };
    let points = points::PointsService {
        node: Arc::clone(&node),
    };
    // Like the server, which leaves the size of a message to the sender.
    let points = PointsServer::new(points)
        .accept_compressed(CompressionEncoding::Gzip)
        .send_compressed(CompressionEncoding::Gzip)
        .max_decoding_message_size(usize::MAX);
    let collections = collections::CollectionsService {
        node: Arc::clone(&node),
    };
    let collections = CollectionsServer::new(collections).max_decoding_message_size(usize::MAX);
    let snapshots = SnapshotsServer::new(snapshots::SnapshotsService { node });
    Server::builder()
        .max_concurrent_streams(STREAMS_PER_CONNECTION)
        .add_service(QdrantServer::new(HealthService))
        .add_service(InterceptedService::new(points, authenticate.clone()))
        .add_service(InterceptedService::new(collections, authenticate.clone()))
        .add_service(InterceptedService::new(snapshots, authenticate))
        .serve_with_incoming_shutdown(
            TcpIncoming::from(listener).with_nodelay(Some(true)),
            token.cancelled_owned(),
        )
        .await
        .map_err(|source| NodeError::Serve {
            protocol: "gRPC",
            source: Box::new(source),
        })
}

/// Answers without a key, as Qdrant does.
struct HealthService;

#[async_trait]
impl Qdrant for HealthService {
    async fn health_check(&self, _: Request<HealthCheckRequest>) -> Answer<HealthCheckReply> {
        Ok(Response::new(HealthCheckReply {
            title: super::TITLE.to_owned(),
            version: QDRANT_VERSION.to_owned(),
            commit: None,
        }))
    }
}

fn check_write<T>(request: &Request<T>) -> Result<(), RequestError> {
    let access = request.extensions().get::<Access>();
    access.copied().unwrap_or(Access::ReadOnly).check_write()
}

fn lacking<T>(call: &'static str) -> Answer<T> {
    Err(RequestError::Unsupported(call).into())
}
