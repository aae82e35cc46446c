//! The `Points` service: what the node can, and by name what it cannot.

use std::{sync::Arc, time::Instant};

use qdrant_client::qdrant::{
    ClearPayloadPoints, CountPoints, CountResponse, CountResult, CreateFieldIndexCollection,
    CreateVectorNameRequest, DeleteFieldIndexCollection, DeletePayloadPoints, DeletePointVectors,
    DeletePoints, DeleteVectorNameRequest, DiscoverBatchPoints, DiscoverBatchResponse,
    DiscoverPoints, DiscoverResponse, FacetCounts, FacetResponse, GetPoints, GetResponse,
    PointsOperationResponse, QueryBatchPoints, QueryBatchResponse, QueryGroupsResponse,
    QueryPointGroups, QueryPoints, QueryResponse, RecommendBatchPoints, RecommendBatchResponse,
    RecommendGroupsResponse, RecommendPointGroups, RecommendPoints, RecommendResponse,
    ScrollPoints, ScrollResponse, SearchBatchPoints, SearchBatchResponse, SearchGroupsResponse,
    SearchMatrixOffsetsResponse, SearchMatrixPairsResponse, SearchMatrixPoints, SearchPointGroups,
    SearchPoints, SearchResponse, SetPayloadPoints, UpdateBatchPoints, UpdateBatchResponse,
    UpdatePointVectors, UpsertPoints, points_server::Points,
};
use qdrant_edge::{CountRequest, ScoredPoint, WithPayloadInterface};
use tonic::{Request, Response, async_trait};

use super::{Answer, answer, check_write, filter::filter, index, lacking, read, write};
use crate::qdrant::{Node, collection::Collection, error::RequestError};

pub(super) struct PointsService {
    pub(super) node: Arc<Node>,
}

#[async_trait]
impl Points for PointsService {
    async fn upsert(&self, request: Request<UpsertPoints>) -> Answer<PointsOperationResponse> {
        let started = Instant::now();
        check_write(&request)?;
        let mut request = request.into_inner();
        let collection = std::mem::take(&mut request.collection_name);
        let wait = request.wait;
        let upsert = |collection: &Collection| collection.upsert(write::upsert(request)?);
        let operation = self.node.write(collection, upsert).await?;
        Ok(answer::updated(operation, wait, started))
    }

    async fn delete(&self, request: Request<DeletePoints>) -> Answer<PointsOperationResponse> {
        let started = Instant::now();
        check_write(&request)?;
        let mut request = request.into_inner();
        let collection = std::mem::take(&mut request.collection_name);
        let wait = request.wait;
        let delete = |collection: &Collection| collection.delete(write::delete(request)?);
        let operation = self.node.write(collection, delete).await?;
        Ok(answer::updated(operation, wait, started))
    }

    async fn create_field_index(
        &self,
        request: Request<CreateFieldIndexCollection>,
    ) -> Answer<PointsOperationResponse> {
        let started = Instant::now();
        check_write(&request)?;
        let request = request.into_inner();
        let (field, schema) = (read::path(&request.field_name)?, index::schema(&request)?);
        let create = |collection: &Collection| collection.create_index(field, schema);
        let operation = self.node.write(request.collection_name, create).await?;
        Ok(answer::updated(operation, request.wait, started))
    }

    async fn delete_field_index(
        &self,
        request: Request<DeleteFieldIndexCollection>,
    ) -> Answer<PointsOperationResponse> {
        let started = Instant::now();
        check_write(&request)?;
        let request = request.into_inner();
        let field = read::path(&request.field_name)?;
        let delete = |collection: &Collection| collection.delete_index(field);
        let operation = self.node.write(request.collection_name, delete).await?;
        Ok(answer::updated(operation, request.wait, started))
    }

    async fn get(&self, request: Request<GetPoints>) -> Answer<GetResponse> {
        let started = Instant::now();
        let request = request.into_inner();
        let ids = request.ids.into_iter().map(write::point_id);
        let ids = ids.collect::<Result<Vec<_>, _>>()?;
        // Unlike a scroll, a server answers without payloads unless it is told.
        let with_payload = read::with_payload(request.with_payload)?;
        let with_payload = with_payload.or(Some(WithPayloadInterface::Bool(false)));
        let with_vector = read::with_vector(request.with_vectors);
        let get = move |collection: &Collection| {
            collection.read(|shard| shard.retrieve(&ids, with_payload, Some(with_vector)))
        };
        let records = self.node.read(request.collection_name, get).await?;
        Ok(Response::new(GetResponse {
            result: records.into_iter().map(answer::retrieved).collect(),
            time: answer::seconds(started),
            usage: None,
        }))
    }

    async fn count(&self, request: Request<CountPoints>) -> Answer<CountResponse> {
        let started = Instant::now();
        let request = request.into_inner();
        let filter = request.filter.map(filter).transpose()?;
        let exact = request.exact.unwrap_or(CountRequest::default_exact());
        let count = move |collection: &Collection| {
            collection.read(|shard| shard.count(CountRequest { filter, exact }))
        };
        let count = self.node.read(request.collection_name, count).await?;
        Ok(Response::new(CountResponse {
            result: Some(CountResult {
                count: count as u64,
            }),
            time: answer::seconds(started),
            usage: None,
        }))
    }

    async fn scroll(&self, request: Request<ScrollPoints>) -> Answer<ScrollResponse> {
        let started = Instant::now();
        let mut request = request.into_inner();
        let collection = std::mem::take(&mut request.collection_name);
        let scroll = read::scroll(request)?;
        let scroll = move |collection: &Collection| collection.scroll(scroll);
        let (records, next) = self.node.read(collection, scroll).await?;
        Ok(Response::new(ScrollResponse {
            next_page_offset: next.map(answer::id),
            result: records.into_iter().map(answer::retrieved).collect(),
            time: answer::seconds(started),
            usage: None,
        }))
    }

    async fn query(&self, request: Request<QueryPoints>) -> Answer<QueryResponse> {
        let started = Instant::now();
        let points = self.run_query(request.into_inner()).await?;
        Ok(Response::new(QueryResponse {
            result: points.into_iter().map(answer::scored).collect(),
            time: answer::seconds(started),
            usage: None,
        }))
    }

    async fn query_batch(&self, request: Request<QueryBatchPoints>) -> Answer<QueryBatchResponse> {
        let started = Instant::now();
        let request = request.into_inner();
        let mut result = Vec::with_capacity(request.query_points.len());
        for mut query in request.query_points {
            query.collection_name.clone_from(&request.collection_name);
            let points = self.run_query(query).await?;
            result.push(qdrant_client::qdrant::BatchResult {
                result: points.into_iter().map(answer::scored).collect(),
            });
        }
        Ok(Response::new(QueryBatchResponse {
            result,
            time: answer::seconds(started),
            usage: None,
        }))
    }

    async fn update_vectors(
        &self,
        _: Request<UpdatePointVectors>,
    ) -> Answer<PointsOperationResponse> {
        lacking("UpdateVectors")
    }

    async fn delete_vectors(
        &self,
        _: Request<DeletePointVectors>,
    ) -> Answer<PointsOperationResponse> {
        lacking("DeleteVectors")
    }

    async fn set_payload(&self, _: Request<SetPayloadPoints>) -> Answer<PointsOperationResponse> {
        lacking("SetPayload")
    }

    async fn overwrite_payload(
        &self,
        _: Request<SetPayloadPoints>,
    ) -> Answer<PointsOperationResponse> {
        lacking("OverwritePayload")
    }

    async fn delete_payload(
        &self,
        _: Request<DeletePayloadPoints>,
    ) -> Answer<PointsOperationResponse> {
        lacking("DeletePayload")
    }

    async fn clear_payload(
        &self,
        _: Request<ClearPayloadPoints>,
    ) -> Answer<PointsOperationResponse> {
        lacking("ClearPayload")
    }

    async fn create_vector_name(
        &self,
        _: Request<CreateVectorNameRequest>,
    ) -> Answer<PointsOperationResponse> {
        lacking("CreateVectorName")
    }

    async fn delete_vector_name(
        &self,
        _: Request<DeleteVectorNameRequest>,
    ) -> Answer<PointsOperationResponse> {
        lacking("DeleteVectorName")
    }

    async fn search(&self, _: Request<SearchPoints>) -> Answer<SearchResponse> {
        lacking("Search")
    }

    async fn search_batch(&self, _: Request<SearchBatchPoints>) -> Answer<SearchBatchResponse> {
        lacking("SearchBatch")
    }

    async fn search_groups(&self, _: Request<SearchPointGroups>) -> Answer<SearchGroupsResponse> {
        lacking("SearchGroups")
    }

    async fn recommend(&self, _: Request<RecommendPoints>) -> Answer<RecommendResponse> {
        lacking("Recommend")
    }

    async fn recommend_batch(
        &self,
        _: Request<RecommendBatchPoints>,
    ) -> Answer<RecommendBatchResponse> {
        lacking("RecommendBatch")
    }

    async fn recommend_groups(
        &self,
        _: Request<RecommendPointGroups>,
    ) -> Answer<RecommendGroupsResponse> {
        lacking("RecommendGroups")
    }

    async fn discover(&self, _: Request<DiscoverPoints>) -> Answer<DiscoverResponse> {
        lacking("Discover")
    }

    async fn discover_batch(
        &self,
        _: Request<DiscoverBatchPoints>,
    ) -> Answer<DiscoverBatchResponse> {
        lacking("DiscoverBatch")
    }

    async fn update_batch(&self, _: Request<UpdateBatchPoints>) -> Answer<UpdateBatchResponse> {
        lacking("UpdateBatch")
    }

    async fn query_groups(&self, _: Request<QueryPointGroups>) -> Answer<QueryGroupsResponse> {
        lacking("QueryGroups")
    }

    async fn facet(&self, _: Request<FacetCounts>) -> Answer<FacetResponse> {
        lacking("Facet")
    }

    async fn search_matrix_pairs(
        &self,
        _: Request<SearchMatrixPoints>,
    ) -> Answer<SearchMatrixPairsResponse> {
        lacking("SearchMatrixPairs")
    }

    async fn search_matrix_offsets(
        &self,
        _: Request<SearchMatrixPoints>,
    ) -> Answer<SearchMatrixOffsetsResponse> {
        lacking("SearchMatrixOffsets")
    }
}

impl PointsService {
    async fn run_query(&self, mut request: QueryPoints) -> Result<Vec<ScoredPoint>, RequestError> {
        let collection = std::mem::take(&mut request.collection_name);
        let query = read::query(request)?;
        let query = move |collection: &Collection| query.run(collection);
        self.node.read(collection, query).await
    }
}
