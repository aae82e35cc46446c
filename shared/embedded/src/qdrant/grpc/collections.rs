//! The `Collections` service: what the node can, and by name what it cannot.

use std::{sync::Arc, time::Instant};

use qdrant_client::qdrant::{
    ChangeAliases, CollectionClusterInfoRequest, CollectionClusterInfoResponse,
    CollectionDescription, CollectionExists, CollectionExistsRequest, CollectionExistsResponse,
    CollectionInfo, CollectionOperationResponse, CollectionStatus, CreateCollection,
    CreateShardKeyRequest, CreateShardKeyResponse, DeleteCollection, DeleteShardKeyRequest,
    DeleteShardKeyResponse, GetCollectionInfoRequest, GetCollectionInfoResponse,
    ListAliasesRequest, ListAliasesResponse, ListCollectionAliasesRequest, ListCollectionsRequest,
    ListCollectionsResponse, ListShardKeysRequest, ListShardKeysResponse, LocalShardInfo,
    OptimizerStatus, ReplicaState, UpdateCollection, UpdateCollectionClusterSetupRequest,
    UpdateCollectionClusterSetupResponse, UpdateQueueInfo, collections_server::Collections,
};
use tonic::{Request, Response, async_trait};

use super::{Answer, aliases, answer, check_write, config, index, lacking};
use crate::qdrant::{
    Node, PEER_ID,
    collection::{Collection, config::check_collection_name},
    error::RequestError,
};

pub(super) struct CollectionsService {
    pub(super) node: Arc<Node>,
}

#[async_trait]
impl Collections for CollectionsService {
    async fn get(
        &self,
        request: Request<GetCollectionInfoRequest>,
    ) -> Answer<GetCollectionInfoResponse> {
        let started = Instant::now();
        let name = request.into_inner().collection_name;
        Ok(Response::new(GetCollectionInfoResponse {
            result: Some(self.node.read(name, info).await?),
            time: answer::seconds(started),
        }))
    }

    async fn list(&self, _: Request<ListCollectionsRequest>) -> Answer<ListCollectionsResponse> {
        let started = Instant::now();
        let names = self.node.collections.names().into_iter();
        Ok(Response::new(ListCollectionsResponse {
            collections: names.map(|name| CollectionDescription { name }).collect(),
            time: answer::seconds(started),
        }))
    }

    async fn create(
        &self,
        request: Request<CreateCollection>,
    ) -> Answer<CollectionOperationResponse> {
        let started = Instant::now();
        check_write(&request)?;
        let mut request = request.into_inner();
        let name = std::mem::take(&mut request.collection_name);
        check_collection_name(&name)?;
        let config = config::create(request)?.complete()?;
        let create = |collections: &crate::qdrant::Collections| collections.create(name, config);
        self.node.change(create).await?;
        Ok(done(true, started))
    }

    async fn delete(
        &self,
        request: Request<DeleteCollection>,
    ) -> Answer<CollectionOperationResponse> {
        let started = Instant::now();
        check_write(&request)?;
        let name = request.into_inner().collection_name;
        let delete = move |collections: &crate::qdrant::Collections| collections.delete(&name);
        Ok(done(self.node.change(delete).await?, started))
    }

    async fn collection_exists(
        &self,
        request: Request<CollectionExistsRequest>,
    ) -> Answer<CollectionExistsResponse> {
        let started = Instant::now();
        let name = request.into_inner().collection_name;
        let exists = self.node.collections.get(&name).is_ok();
        Ok(Response::new(CollectionExistsResponse {
            result: Some(CollectionExists { exists }),
            time: answer::seconds(started),
        }))
    }

    async fn collection_cluster_info(
        &self,
        request: Request<CollectionClusterInfoRequest>,
    ) -> Answer<CollectionClusterInfoResponse> {
        let started = Instant::now();
        let name = request.into_inner().collection_name;
        let state = self.node.read(name, Collection::state).await?;
        Ok(Response::new(CollectionClusterInfoResponse {
            peer_id: PEER_ID,
            shard_count: 1,
            local_shards: vec![LocalShardInfo {
                shard_id: 0,
                points_count: state.shard.points_count as u64,
                state: ReplicaState::Active.into(),
                shard_key: None,
            }],
            time: answer::seconds(started),
            ..CollectionClusterInfoResponse::default()
        }))
    }

    async fn update(&self, _: Request<UpdateCollection>) -> Answer<CollectionOperationResponse> {
        lacking("UpdateCollection")
    }

    async fn update_aliases(
        &self,
        request: Request<ChangeAliases>,
    ) -> Answer<CollectionOperationResponse> {
        let started = Instant::now();
        check_write(&request)?;
        let actions = aliases::actions(request.into_inner())?;
        let change =
            move |collections: &crate::qdrant::Collections| collections.change_aliases(actions);
        Ok(done(self.node.change(change).await?, started))
    }

    async fn list_collection_aliases(
        &self,
        request: Request<ListCollectionAliasesRequest>,
    ) -> Answer<ListAliasesResponse> {
        let started = Instant::now();
        let collection = self
            .node
            .collections
            .get(&request.into_inner().collection_name)?;
        let mut found = self.node.collections.aliases();
        found.retain(|(_, of)| of == collection.name());
        Ok(aliases::listed(found, started))
    }

    async fn list_aliases(&self, _: Request<ListAliasesRequest>) -> Answer<ListAliasesResponse> {
        let started = Instant::now();
        Ok(aliases::listed(self.node.collections.aliases(), started))
    }

    async fn update_collection_cluster_setup(
        &self,
        _: Request<UpdateCollectionClusterSetupRequest>,
    ) -> Answer<UpdateCollectionClusterSetupResponse> {
        lacking("UpdateCollectionClusterSetup")
    }

    async fn create_shard_key(
        &self,
        _: Request<CreateShardKeyRequest>,
    ) -> Answer<CreateShardKeyResponse> {
        lacking("CreateShardKey")
    }

    async fn delete_shard_key(
        &self,
        _: Request<DeleteShardKeyRequest>,
    ) -> Answer<DeleteShardKeyResponse> {
        lacking("DeleteShardKey")
    }

    async fn list_shard_keys(
        &self,
        _: Request<ListShardKeysRequest>,
    ) -> Answer<ListShardKeysResponse> {
        lacking("ListShardKeys")
    }
}

fn info(collection: &Collection) -> Result<CollectionInfo, RequestError> {
    let state = collection.state()?;
    let status = match state.optimizing {
        true => CollectionStatus::Yellow,
        false => CollectionStatus::Green,
    };
    let indexes = state.shard.payload_schema.into_iter();
    Ok(CollectionInfo {
        status: status.into(),
        optimizer_status: Some(OptimizerStatus {
            ok: true,
            error: String::new(),
        }),
        segments_count: state.shard.segments_count as u64,
        config: Some(config::answer(collection.config())),
        payload_schema: indexes
            .map(|(path, of)| (path.to_string(), index::info(of)))
            .collect(),
        points_count: Some(state.shard.points_count as u64),
        indexed_vectors_count: Some(state.shard.indexed_vectors_count as u64),
        update_queue: Some(UpdateQueueInfo::default()),
        ..CollectionInfo::default()
    })
}

fn done(result: bool, started: Instant) -> Response<CollectionOperationResponse> {
    Response::new(CollectionOperationResponse {
        result,
        time: answer::seconds(started),
    })
}
