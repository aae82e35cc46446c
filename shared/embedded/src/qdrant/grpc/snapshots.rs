//! The `Snapshots` service, all of which the node lacks.

use qdrant_client::qdrant::{
    CreateFullSnapshotRequest, CreateSnapshotRequest, CreateSnapshotResponse,
    DeleteFullSnapshotRequest, DeleteSnapshotRequest, DeleteSnapshotResponse,
    ListFullSnapshotsRequest, ListSnapshotsRequest, ListSnapshotsResponse,
    snapshots_server::Snapshots,
};
use tonic::{Request, async_trait};

use super::{Answer, lacking};

pub(super) struct SnapshotsService;

#[async_trait]
impl Snapshots for SnapshotsService {
    async fn create(&self, _: Request<CreateSnapshotRequest>) -> Answer<CreateSnapshotResponse> {
        lacking("CreateSnapshot")
    }

    async fn list(&self, _: Request<ListSnapshotsRequest>) -> Answer<ListSnapshotsResponse> {
        lacking("ListSnapshots")
    }

    async fn delete(&self, _: Request<DeleteSnapshotRequest>) -> Answer<DeleteSnapshotResponse> {
        lacking("DeleteSnapshot")
    }

    async fn create_full(
        &self,
        _: Request<CreateFullSnapshotRequest>,
    ) -> Answer<CreateSnapshotResponse> {
        lacking("CreateFullSnapshot")
    }

    async fn list_full(
        &self,
        _: Request<ListFullSnapshotsRequest>,
    ) -> Answer<ListSnapshotsResponse> {
        lacking("ListFullSnapshots")
    }

    async fn delete_full(
        &self,
        _: Request<DeleteFullSnapshotRequest>,
    ) -> Answer<DeleteSnapshotResponse> {
        lacking("DeleteFullSnapshot")
    }
}
