//! Several real servers. Run by `make test-cluster QDRANT_BIN=/path/to/qdrant`.

use alioth_testkit::{Qdrant, QdrantCluster};
use qdrant_client::qdrant::{
    GetPointsBuilder, NamedVectors, PointStruct, UpsertPointsBuilder, Vector, Vectors,
};
use serde_json::json;

use crate::world::{Servers, World, everything, of};

const POINTS: u64 = 600;
const DIMENSIONS: u64 = 8;

async fn cluster(nodes: usize) -> Servers {
    Servers::Several(QdrantCluster::start(nodes).await)
}

/// Three nodes with a replicated collection of every kind of vector, indexed, under an alias, and saved.
async fn saved() -> World {
    let world = World::over(cluster(3).await).await;
    let body = json!({
        "vectors": {
            "dense": {"size": DIMENSIONS, "distance": "Dot"},
            "multi": {"size": 2, "distance": "Dot", "multivector_config": {"comparator": "max_sim"}}
        },
        "sparse_vectors": {"sparse": {}},
        "shard_number": 6, "replication_factor": 2, "on_disk_payload": true,
        "hnsw_config": {"m": 24}, "optimizers_config": {"deleted_threshold": 0.3},
    });
    world.rest.create_collection("movies", &body).await.unwrap();
    let index = json!("integer");
    world
        .rest
        .create_payload_index("movies", "n", &index)
        .await
        .unwrap();
    let point = |id: u64| {
        let vectors = NamedVectors::default()
            .add_vector("dense", vec![id as f32; DIMENSIONS as usize])
            .add_vector("multi", Vector::new_multi(vec![vec![1.0, id as f32]; 2]))
            .add_vector("sparse", Vector::new_sparse(vec![id as u32], vec![0.5]));
        PointStruct::new(id, Vectors::from(vectors), [("n", (id as i64).into())])
    };
    let points: Vec<_> = (0..POINTS).map(point).collect();
    let upsert = UpsertPointsBuilder::new("movies", points).wait(true);
    world.servers.client().upsert_points(upsert).await.unwrap();
    world.alias("films", "movies").await;
    world.save(&["movies"]).await;
    world
}

/// Every replica is active, every node has every point, and nothing was lost of what a collection is.
async fn is_whole(world: &World, replicas: usize) {
    let shards = world.rest.shards("movies").await.unwrap();
    assert_eq!(shards.len(), 6);
    for shard in &shards {
        assert_eq!(shard.replicas.len(), replicas, "{shard:?}");
        assert!(
            shard
                .replicas
                .iter()
                .all(|replica| replica.state.is_active()),
            "{shard:?}"
        );
    }
    for node in world.rest.nodes() {
        let count = world.rest.count_on(node.peer, "films").await.unwrap();
        assert_eq!(count, POINTS, "{node:?}");
    }
    let info = world.rest.collection("movies").await.unwrap();
    assert_eq!(info.payload_schema["n"]["data_type"], "integer");
    assert_eq!(info.payload_schema["n"]["points"], POINTS);
    assert_eq!(info.config["hnsw_config"]["m"], 24);
    assert_eq!(info.config["optimizer_config"]["deleted_threshold"], 0.3);
    let get = GetPointsBuilder::new("movies", [7.into()])
        .with_vectors(true)
        .with_payload(true);
    let found = world
        .servers
        .client()
        .get_points(get)
        .await
        .unwrap()
        .result
        .remove(0);
    let told = format!("{:?}", found.vectors);
    for name in ["dense", "multi", "sparse"] {
        assert!(told.contains(name), "{told}");
    }
    assert_eq!(found.payload["n"].as_integer(), Some(7));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replicated_collection_comes_back_over_itself() {
    let world = saved().await;
    let mut request = of(&["movies"]);
    request.overwrite = true;
    world.ask(&request).await;
    world.run().await.exits(0);
    is_whole(&world, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn three_nodes_snapshot_comes_back_into_one_node() {
    let mut world = saved().await;
    world.turn_to(Servers::One(Qdrant::start().await)).await;
    world.ask(&everything()).await;
    world.run().await.exits(0);
    is_whole(&world, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn three_nodes_snapshot_comes_back_into_five() {
    let mut world = saved().await;
    world.turn_to(cluster(5).await).await;
    world.ask(&everything()).await;
    world.run().await.exits(0);
    is_whole(&world, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn shard_keys_come_back_with_their_points() {
    let world = World::over(cluster(3).await).await;
    let body = json!({
        "vectors": {"size": DIMENSIONS, "distance": "Dot"}, "sharding_method": "custom",
        "shard_number": 1, "replication_factor": 2
    });
    world.rest.create_collection("movies", &body).await.unwrap();
    for (key, shards) in [("de", 2), ("fr", 1)] {
        let body = json!({"shard_key": key, "shards_number": shards});
        world.rest.create_shard_key("movies", &body).await.unwrap();
        let first = if key == "de" { 0 } else { 1_000 };
        let points = (first..first + 50_u64)
            .map(|id| PointStruct::new(id, vec![0.5; DIMENSIONS as usize], [("key", key.into())]));
        let upsert = UpsertPointsBuilder::new("movies", points.collect::<Vec<_>>())
            .shard_key_selector(key.to_owned())
            .wait(true);
        world.servers.client().upsert_points(upsert).await.unwrap();
    }
    world.save(&["movies"]).await;
    world.drop("movies").await;
    world.ask(&everything()).await;
    world.run().await.exits(0);
    let client = world.servers.client();
    for (key, id) in [("de", 7), ("fr", 1_007)] {
        let get = GetPointsBuilder::new("movies", [id.into()])
            .with_payload(true)
            .shard_key_selector(key.to_owned());
        let found = client.get_points(get).await.unwrap().result;
        assert_eq!(found.len(), 1, "{key}");
    }
    assert_eq!(world.rest.count("movies").await.unwrap(), 100);
    // New writes find the old points: they hash to where they were.
    let again = PointStruct::new(7, vec![0.25; DIMENSIONS as usize], [("key", "de".into())]);
    let upsert = UpsertPointsBuilder::new("movies", vec![again])
        .shard_key_selector("de".to_owned())
        .wait(true);
    client.upsert_points(upsert).await.unwrap();
    assert_eq!(world.rest.count("movies").await.unwrap(), 100);
}
