//! Against a Qdrant (the embedded node, or the server `QDRANT_BIN` names), a fault proxy, and a server
//! that answers as it is told.

mod faults;
mod qdrant;
mod rest;
mod rest_faults;
mod schemas;
mod statuses;

use std::time::Duration;

use alioth_cluster::{Cluster, ClusterMetrics, QdrantConfig};
use alioth_config::Span;
use alioth_points::{UpsertBody, UpsertMessage, merge};
use alioth_testkit::Qdrant;
use prometheus::Registry;
use prost::Message;
use qdrant_client::qdrant::{
    CreateCollectionBuilder, Distance, PointStruct, UpsertPoints, VectorParamsBuilder,
};

/// Nothing here takes that long unless it is broken.
const DEADLINE: Duration = Duration::from_secs(30);

fn config(urls: &[String]) -> QdrantConfig {
    QdrantConfig {
        url: urls.to_vec(),
        timeout: Span(Duration::from_secs(20)),
        ..QdrantConfig::default()
    }
}

fn cluster_with(config: &QdrantConfig) -> Cluster {
    let metrics = ClusterMetrics::register(&Registry::new()).expect("an empty registry");
    Cluster::new(config, metrics).expect("a good configuration")
}

fn cluster(url: &str) -> Cluster {
    cluster_with(&config(&[url.to_owned()]))
}

fn point(id: u64, vector: Vec<f32>) -> PointStruct {
    PointStruct::new(id, vector, [("n", (id as i64).into())])
}

fn body(upsert: UpsertPoints) -> UpsertBody {
    let message =
        UpsertMessage::scan(upsert.encode_to_vec().into()).expect("what was just encoded");
    merge(&[&message])
}

fn points(collection: &str, points: Vec<PointStruct>) -> UpsertBody {
    body(UpsertPoints {
        collection_name: collection.to_owned(),
        points,
        ..Default::default()
    })
}

async fn create(qdrant: &Qdrant, collection: &str, size: u64) {
    let request = CreateCollectionBuilder::new(collection)
        .vectors_config(VectorParamsBuilder::new(size, Distance::Cosine));
    qdrant
        .client()
        .create_collection(request)
        .await
        .expect("a new collection");
}
