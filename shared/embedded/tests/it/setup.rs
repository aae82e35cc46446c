//! Collections and points the tests share.

use alioth_testkit::{Qdrant, unique_collection};
use qdrant_client::{
    Payload, QdrantError,
    qdrant::{
        CreateCollectionBuilder, Distance, PointId, PointStruct, ScrollPointsBuilder,
        UpsertPointsBuilder, VectorParamsBuilder, point_id::PointIdOptions,
    },
};
use serde_json::{Value, json};
use tonic::Code;

pub(crate) type Outcome = anyhow::Result<()>;

/// A Qdrant with one collection of plain vectors.
pub(crate) struct Plain {
    pub(crate) qdrant: Qdrant,
    pub(crate) client: qdrant_client::Qdrant,
    pub(crate) collection: String,
}

impl Plain {
    pub(crate) async fn new(size: u64, distance: Distance) -> anyhow::Result<Self> {
        let qdrant = Qdrant::start().await;
        let client = qdrant.client();
        let collection = unique_collection("plain");
        let vectors = VectorParamsBuilder::new(size, distance);
        let create = CreateCollectionBuilder::new(&collection).vectors_config(vectors);
        client.create_collection(create).await?;
        Ok(Self {
            qdrant,
            client,
            collection,
        })
    }

    pub(crate) async fn upsert(&self, points: Vec<PointStruct>) -> Result<(), QdrantError> {
        let upsert = UpsertPointsBuilder::new(&self.collection, points).wait(true);
        self.client.upsert_points(upsert).await.map(drop)
    }

    pub(crate) async fn count(&self) -> anyhow::Result<u64> {
        count(&self.client, &self.collection).await
    }
}

pub(crate) async fn count(client: &qdrant_client::Qdrant, collection: &str) -> anyhow::Result<u64> {
    let count = qdrant_client::qdrant::CountPointsBuilder::new(collection).exact(true);
    let counted = client.count(count).await?.result;
    Ok(counted.map_or(0, |counted| counted.count))
}

/// Every id, in the order of a scroll.
pub(crate) async fn ids(
    client: &qdrant_client::Qdrant,
    collection: &str,
) -> anyhow::Result<Vec<String>> {
    let scroll = ScrollPointsBuilder::new(collection).limit(10_000);
    let points = client.scroll(scroll).await?.result;
    Ok(points.into_iter().map(|point| id_text(point.id)).collect())
}

pub(crate) fn point(id: u64, vector: Vec<f32>, payload: Value) -> PointStruct {
    PointStruct::new(id, vector, payload_of(payload))
}

pub(crate) fn payload_of(payload: Value) -> Payload {
    match Payload::try_from(payload) {
        Ok(payload) => payload,
        Err(error) => panic!("the test's payload is no object: {error}"),
    }
}

pub(crate) fn json_of(
    payload: std::collections::HashMap<String, qdrant_client::qdrant::Value>,
) -> Value {
    payload
        .into_iter()
        .map(|(name, value)| (name, Value::from(value)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

pub(crate) fn id_text(id: Option<PointId>) -> String {
    match id.and_then(|id| id.point_id_options) {
        Some(PointIdOptions::Num(number)) => number.to_string(),
        Some(PointIdOptions::Uuid(uuid)) => uuid,
        None => panic!("a point without an id"),
    }
}

/// Code and message of a refused call.
#[track_caller]
pub(crate) fn refusal<T: std::fmt::Debug>(result: Result<T, QdrantError>) -> (Code, String) {
    match result {
        Err(QdrantError::ResponseError { status }) => (status.code(), status.message().to_owned()),
        other => panic!("not a refusal: {other:?}"),
    }
}

/// A vector told apart from every other of a test by its number.
pub(crate) fn numbered(number: u64, size: usize) -> Vec<f32> {
    (0..size)
        .map(|position| ((number * 31 + position as u64 * 17) % 101) as f32 + 0.5)
        .collect()
}

pub(crate) fn no_payload() -> Value {
    json!({})
}
