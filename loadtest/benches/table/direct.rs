//! Qdrant without Alioth: the typed client, wait=true.

use std::sync::{Arc, Mutex, PoisonError};

use alioth_loadtest::writes::{Films, id};
use prost::Message as _;
use qdrant_client::{
    Qdrant,
    qdrant::{
        CountPointsBuilder, CreateCollectionBuilder, Distance, OptimizersConfigDiffBuilder,
        PointStruct, UpsertPoints, UpsertPointsBuilder, VectorParamsBuilder,
    },
};
use tokio::{task::JoinSet, time::Instant};

/// Of the issue: what Alioth is compared with everywhere.
pub(crate) const SHARDS: u32 = 6;

/// Makes a collection; nothing of it is ever indexed, for it is writes that are measured.
pub(crate) async fn make(client: &Qdrant, name: &str, dimensions: usize, shards: u32) {
    let create = CreateCollectionBuilder::new(name)
        .vectors_config(VectorParamsBuilder::new(
            dimensions as u64,
            Distance::Cosine,
        ))
        .optimizers_config(OptimizersConfigDiffBuilder::default().indexing_threshold(0))
        .shard_number(shards);
    client
        .create_collection(create)
        .await
        .expect("a new collection");
}

pub(crate) async fn drop(client: &Qdrant, name: &str) {
    client.delete_collection(name).await.expect("it is there");
}

pub(crate) async fn count(client: &Qdrant, name: &str) -> u64 {
    let count = client
        .count(CountPointsBuilder::new(name).exact(true))
        .await;
    count.expect("a count").result.expect("a result").count
}

/// Points cut into writes of equal size, with the ids of 0 and on.
pub(crate) fn writes(films: &Films, points_a_write: usize, total: usize) -> Vec<Vec<PointStruct>> {
    let mut writes = Vec::with_capacity(total / points_a_write);
    let mut points = Vec::new();
    for number in (0..).step_by(films.len()) {
        points.extend(films.points(id(number)));
        while points.len() >= points_a_write {
            let rest = points.split_off(points_a_write);
            writes.push(std::mem::replace(&mut points, rest));
            if writes.len() * points_a_write >= total {
                return writes;
            }
        }
    }
    writes
}

/// A message as it stands on the queue.
pub(crate) fn message(collection: &str, points: Vec<PointStruct>) -> bytes::Bytes {
    let upsert = UpsertPoints {
        collection_name: collection.to_owned(),
        points,
        ..UpsertPoints::default()
    };
    upsert.encode_to_vec().into()
}

/// Points a second of so many writers into a new collection, which is dropped.
pub(crate) async fn rate(
    client: &Qdrant,
    dimensions: usize,
    writes: Vec<Vec<PointStruct>>,
    writers: usize,
) -> f64 {
    let name = "direct";
    make(client, name, dimensions, SHARDS).await;
    let total: usize = writes.iter().map(Vec::len).sum();
    let requests: Vec<_> = writes
        .into_iter()
        .map(|points| UpsertPointsBuilder::new(name, points).wait(true))
        .collect();
    // Taken, not copied: the best a client can do.
    let requests = Arc::new(Mutex::new(requests.into_iter()));
    let take = |requests: &Mutex<std::vec::IntoIter<_>>| {
        let mut requests = requests.lock().unwrap_or_else(PoisonError::into_inner);
        requests.next()
    };
    let began = Instant::now();
    let mut tasks = JoinSet::new();
    for _ in 0..writers {
        let (client, requests) = (client.clone(), Arc::clone(&requests));
        tasks.spawn(async move {
            while let Some(request) = take(&requests) {
                client.upsert_points(request).await.expect("applied");
            }
        });
    }
    tasks.join_all().await;
    let rate = total as f64 / began.elapsed().as_secs_f64();
    assert_eq!(count(client, name).await, total as u64);
    drop(client, name).await;
    rate
}
