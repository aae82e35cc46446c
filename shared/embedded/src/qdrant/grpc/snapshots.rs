//! The `Snapshots` service. As in a server, what restores and what streams is REST only.

use std::{sync::Arc, time::Instant};

use qdrant_client::qdrant::{
    CreateFullSnapshotRequest, CreateSnapshotRequest, CreateSnapshotResponse,
    DeleteFullSnapshotRequest, DeleteSnapshotRequest, DeleteSnapshotResponse,
    ListFullSnapshotsRequest, ListSnapshotsRequest, ListSnapshotsResponse, SnapshotDescription,
    snapshots_server::Snapshots,
};
use tonic::{Request, Response, async_trait};

use super::{Answer, answer::seconds, check_write};
use crate::qdrant::{
    Node,
    snapshots::{Description, Of},
};

pub(super) struct SnapshotsService {
    pub(super) node: Arc<Node>,
}

#[async_trait]
impl Snapshots for SnapshotsService {
    async fn create(
        &self,
        request: Request<CreateSnapshotRequest>,
    ) -> Answer<CreateSnapshotResponse> {
        let started = Instant::now();
        check_write(&request)?;
        let name = request.into_inner().collection_name;
        let created = self.node.create_snapshot(name).await?;
        Ok(created_at(created, started))
    }

    async fn list(&self, request: Request<ListSnapshotsRequest>) -> Answer<ListSnapshotsResponse> {
        let started = Instant::now();
        let name = request.into_inner().collection_name;
        let list = move |node: &Node| {
            let collection = node.collections.get(&name)?;
            node.snapshots.list(Of::Collection(collection.name()))
        };
        Ok(listed(self.node.snapshot(list).await?, started))
    }

    async fn delete(
        &self,
        request: Request<DeleteSnapshotRequest>,
    ) -> Answer<DeleteSnapshotResponse> {
        let started = Instant::now();
        check_write(&request)?;
        let request = request.into_inner();
        let delete = move |node: &Node| {
            let collection = node.collections.get(&request.collection_name)?;
            let of = Of::Collection(collection.name());
            node.snapshots.delete(of, &request.snapshot_name)
        };
        self.node.snapshot(delete).await?;
        Ok(deleted(started))
    }

    async fn create_full(
        &self,
        request: Request<CreateFullSnapshotRequest>,
    ) -> Answer<CreateSnapshotResponse> {
        let started = Instant::now();
        check_write(&request)?;
        let created = self.node.snapshot(Node::create_full_snapshot).await?;
        Ok(created_at(created, started))
    }

    async fn list_full(
        &self,
        _: Request<ListFullSnapshotsRequest>,
    ) -> Answer<ListSnapshotsResponse> {
        let started = Instant::now();
        let list = |node: &Node| node.snapshots.list(Of::Storage);
        Ok(listed(self.node.snapshot(list).await?, started))
    }

    async fn delete_full(
        &self,
        request: Request<DeleteFullSnapshotRequest>,
    ) -> Answer<DeleteSnapshotResponse> {
        let started = Instant::now();
        check_write(&request)?;
        let name = request.into_inner().snapshot_name;
        let delete = move |node: &Node| node.snapshots.delete(Of::Storage, &name);
        self.node.snapshot(delete).await?;
        Ok(deleted(started))
    }
}

fn description(description: Description) -> SnapshotDescription {
    SnapshotDescription {
        name: description.name,
        creation_time: Some(description.creation_time.into()),
        size: i64::try_from(description.size).unwrap_or(i64::MAX),
        checksum: description.checksum,
    }
}

fn created_at(created: Description, started: Instant) -> Response<CreateSnapshotResponse> {
    Response::new(CreateSnapshotResponse {
        snapshot_description: Some(description(created)),
        time: seconds(started),
    })
}

fn listed(found: Vec<Description>, started: Instant) -> Response<ListSnapshotsResponse> {
    Response::new(ListSnapshotsResponse {
        snapshot_descriptions: found.into_iter().map(description).collect(),
        time: seconds(started),
    })
}

fn deleted(started: Instant) -> Response<DeleteSnapshotResponse> {
    Response::new(DeleteSnapshotResponse {
        time: seconds(started),
    })
}
