//! Routes of collections and their payload indexes.

use std::{collections::HashMap, sync::Arc, time::Instant};

use axum::{
    body::Bytes,
    extract::{Path, Query as Parameters, State, rejection::BytesRejection},
    response::Response,
};
use qdrant_edge::{JsonPath, PayloadIndexInfo};
use serde::Serialize;
use serde_json::{Value, json};

use super::{
    answer::{Updated, answer},
    body::{IndexBody, UpdateParameters, parse},
};
use crate::qdrant::{
    Node, PEER_ID, SHARD_ID,
    collection::{
        Collection,
        config::{CollectionConfig, CreateCollection, check_collection_name},
    },
    error::RequestError,
};

#[derive(Serialize)]
struct Info {
    status: &'static str,
    optimizer_status: &'static str,
    indexed_vectors_count: usize,
    points_count: usize,
    segments_count: usize,
    config: CollectionConfig,
    payload_schema: HashMap<JsonPath, PayloadIndexInfo>,
    update_queue: Value,
}

pub(super) async fn list(State(node): State<Arc<Node>>) -> Response {
    let names = node.collections.names().into_iter();
    let collections: Vec<_> = names.map(|name| json!({"name": name})).collect();
    answer(Ok(json!({"collections": collections})), Instant::now())
}

pub(super) async fn create(
    State(node): State<Arc<Node>>,
    Path(name): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let started = Instant::now();
    let create = |collections: &crate::qdrant::Collections| {
        check_collection_name(&name)?;
        let request: CreateCollection = parse(body)?;
        collections.create(name, request.complete()?)
    };
    answer(node.change(create).await.map(|()| true), started)
}

pub(super) async fn delete(State(node): State<Arc<Node>>, Path(name): Path<String>) -> Response {
    let started = Instant::now();
    let delete = move |collections: &crate::qdrant::Collections| collections.delete(&name);
    answer(node.change(delete).await, started)
}

pub(super) async fn info(State(node): State<Arc<Node>>, Path(name): Path<String>) -> Response {
    let started = Instant::now();
    let info = |collection: &Collection| {
        let state = collection.state()?;
        Ok(Info {
            status: if state.optimizing { "yellow" } else { "green" },
            optimizer_status: "ok",
            indexed_vectors_count: state.shard.indexed_vectors_count,
            points_count: state.shard.points_count,
            segments_count: state.shard.segments_count,
            config: collection.config().clone(),
            payload_schema: state.shard.payload_schema,
            update_queue: json!({"length": 0}),
        })
    };
    answer(node.read(name, info).await, started)
}

pub(super) async fn exists(State(node): State<Arc<Node>>, Path(name): Path<String>) -> Response {
    let exists = node.collections.get(&name).is_ok();
    answer(Ok(json!({"exists": exists})), Instant::now())
}

pub(super) async fn cluster(State(node): State<Arc<Node>>, Path(name): Path<String>) -> Response {
    let started = Instant::now();
    let state = node.read(name, Collection::state).await;
    let cluster = state.map(|state| {
        let points = state.shard.points_count;
        json!({
            "peer_id": PEER_ID,
            "shard_count": 1,
            "local_shards": [{"shard_id": SHARD_ID, "points_count": points, "state": "Active"}],
            "remote_shards": [],
            "shard_transfers": [],
        })
    });
    answer(cluster, started)
}

pub(super) async fn create_index(
    State(node): State<Arc<Node>>,
    Path(collection): Path<String>,
    Parameters(UpdateParameters { wait }): Parameters<UpdateParameters>,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let started = Instant::now();
    let create = |collection: &Collection| {
        let body: IndexBody = parse(body)?;
        collection.create_index(body.field_name, body.field_schema)
    };
    let operation = node.write(collection, create).await;
    answer(operation.map(|id| Updated::new(id, wait)), started)
}

pub(super) async fn delete_index(
    State(node): State<Arc<Node>>,
    Path((collection, field)): Path<(String, String)>,
    Parameters(UpdateParameters { wait }): Parameters<UpdateParameters>,
) -> Response {
    let started = Instant::now();
    let delete = move |collection: &Collection| {
        let path = JsonPath::try_from(field.as_str())
            .map_err(|()| RequestError::Malformed(format!("Invalid json path: '{field}'")))?;
        collection.delete_index(path)
    };
    let operation = node.write(collection, delete).await;
    answer(operation.map(|id| Updated::new(id, wait)), started)
}
