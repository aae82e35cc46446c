//! Collections: created, described, listed, deleted; over gRPC unless REST says more.

use alioth_testkit::{Qdrant, unique_collection};
use qdrant_client::qdrant::{
    CollectionStatus, CreateCollectionBuilder, CreateFieldIndexCollectionBuilder, Datatype,
    DeleteFieldIndexCollectionBuilder, Distance, FieldType, HnswConfigDiffBuilder,
    IntegerIndexParamsBuilder, Modifier, MultiVectorComparator, MultiVectorConfigBuilder,
    OptimizersConfigDiffBuilder, PayloadSchemaType, ScalarQuantizationBuilder,
    SparseIndexConfigBuilder, SparseVectorParamsBuilder, SparseVectorsConfigBuilder,
    TextIndexParamsBuilder, TokenizerType, VectorParamsBuilder, VectorsConfigBuilder,
    payload_index_params::IndexParams, vectors_config::Config,
};
use serde_json::json;
use tonic::Code;

use crate::{
    http::Rest,
    setup::{Outcome, Plain, no_payload, numbered, point, refusal},
};

#[tokio::test]
async fn a_collection_exists_from_create_to_delete() -> Outcome {
    let qdrant = Qdrant::start().await;
    let client = qdrant.client();
    let name = unique_collection("films ü 1");
    assert!(!client.collection_exists(&name).await?);

    let vectors = VectorParamsBuilder::new(4, Distance::Cosine);
    let create = CreateCollectionBuilder::new(&name).vectors_config(vectors);
    assert!(client.create_collection(create).await?.result);
    assert!(client.collection_exists(&name).await?);
    let listed = client.list_collections().await?.collections;
    assert!(listed.iter().any(|collection| collection.name == name));

    assert!(client.delete_collection(&name).await?.result);
    assert!(!client.collection_exists(&name).await?);
    assert!(!client.delete_collection(&name).await?.result);
    Ok(())
}

#[tokio::test]
async fn a_deleted_collection_comes_back_empty() -> Outcome {
    let plain = Plain::new(4, Distance::Dot).await?;
    for round in 1..=3 {
        plain
            .upsert(vec![point(round, numbered(round, 4), no_payload())])
            .await?;
        assert_eq!(plain.count().await?, 1);
        plain.client.delete_collection(&plain.collection).await?;
        let vectors = VectorParamsBuilder::new(4, Distance::Dot);
        let create = CreateCollectionBuilder::new(&plain.collection).vectors_config(vectors);
        plain.client.create_collection(create).await?;
        assert_eq!(plain.count().await?, 0);
    }
    Ok(())
}

#[tokio::test]
async fn a_fresh_collection_is_green_and_empty_with_qdrants_defaults() -> Outcome {
    let plain = Plain::new(4, Distance::Euclid).await?;
    let answer = plain
        .client
        .collection_info(&plain.collection)
        .await?
        .result;
    let info = answer.expect("information of the collection");
    assert_eq!(info.status(), CollectionStatus::Green);
    assert_eq!(info.points_count, Some(0));
    assert_eq!(info.indexed_vectors_count, Some(0));
    let config = info.config.expect("its configuration");
    let params = config.params.expect("its parameters");
    assert_eq!(params.shard_number, 1);
    assert_eq!(params.replication_factor, Some(1));
    assert_eq!(params.write_consistency_factor, Some(1));
    let hnsw = config.hnsw_config.expect("its index");
    assert_eq!((hnsw.m, hnsw.ef_construct), (Some(16), Some(100)));
    let optimizers = config.optimizer_config.expect("its optimizers");
    assert_eq!(optimizers.indexing_threshold, Some(10_000));
    Ok(())
}

#[tokio::test]
async fn every_kind_of_vector_is_described_as_it_was_created() -> Outcome {
    let qdrant = Qdrant::start().await;
    let client = qdrant.client();
    let name = unique_collection("kinds");
    let multi = MultiVectorConfigBuilder::new(MultiVectorComparator::MaxSim);
    let mut vectors = VectorsConfigBuilder::default();
    vectors
        .add_named_vector_params(
            "cosine",
            VectorParamsBuilder::new(4, Distance::Cosine)
                .on_disk(true)
                .hnsw_config(HnswConfigDiffBuilder::default().m(24))
                .quantization_config(ScalarQuantizationBuilder::default().quantile(0.9)),
        )
        .add_named_vector_params(
            "euclid",
            VectorParamsBuilder::new(3, Distance::Euclid).datatype(Datatype::Float16),
        )
        .add_named_vector_params(
            "manhattan",
            VectorParamsBuilder::new(2, Distance::Manhattan).multivector_config(multi),
        );
    let mut sparse = SparseVectorsConfigBuilder::default();
    let index = SparseIndexConfigBuilder::default().on_disk(true);
    sparse.add_named_vector_params(
        "words",
        SparseVectorParamsBuilder::default()
            .index(index)
            .modifier(Modifier::Idf),
    );
    let create = CreateCollectionBuilder::new(&name)
        .vectors_config(vectors)
        .sparse_vectors_config(sparse)
        .shard_number(3)
        .replication_factor(2)
        .write_consistency_factor(2)
        .on_disk_payload(false)
        .hnsw_config(HnswConfigDiffBuilder::default().m(8).ef_construct(64))
        .optimizers_config(OptimizersConfigDiffBuilder::default().indexing_threshold(5000))
        .quantization_config(ScalarQuantizationBuilder::default());
    client.create_collection(create).await?;

    let rest = Rest::at(qdrant.rest_url());
    let (_, info) = rest.get(&format!("/collections/{name}")).await?;
    let config = &info["result"]["config"];
    assert_eq!(
        config["params"],
        json!({
            "vectors": {
                "cosine": {
                    "size": 4,
                    "distance": "Cosine",
                    "on_disk": true,
                    "hnsw_config": {"m": 24},
                    "quantization_config": {
                        "scalar": config["params"]["vectors"]["cosine"]["quantization_config"]["scalar"],
                    },
                },
                "euclid": {"size": 3, "distance": "Euclid", "datatype": "float16"},
                "manhattan": {
                    "size": 2,
                    "distance": "Manhattan",
                    "multivector_config": {"comparator": "max_sim"},
                },
            },
            "shard_number": 3,
            "replication_factor": 2,
            "write_consistency_factor": 2,
            "on_disk_payload": false,
            "sparse_vectors": {"words": {"index": {"on_disk": true}, "modifier": "idf"}},
        })
    );
    let quantile = &config["params"]["vectors"]["cosine"]["quantization_config"]["scalar"];
    assert_eq!(quantile["type"], "int8");
    assert_eq!(config["hnsw_config"]["m"], 8);
    assert_eq!(config["hnsw_config"]["ef_construct"], 64);
    assert_eq!(config["optimizer_config"]["indexing_threshold"], 5000);

    let info = client
        .collection_info(&name)
        .await?
        .result
        .expect("information");
    let params = info
        .config
        .and_then(|config| config.params)
        .expect("parameters");
    let vectors = params.vectors_config.and_then(|vectors| vectors.config);
    let Some(Config::ParamsMap(vectors)) = vectors else {
        panic!("not named vectors: {vectors:?}");
    };
    assert_eq!(vectors.map.len(), 3);
    assert_eq!(vectors.map["euclid"].datatype(), Datatype::Float16);
    assert_eq!(vectors.map["cosine"].distance(), Distance::Cosine);
    assert!(vectors.map["manhattan"].multivector_config.is_some());
    let sparse = params.sparse_vectors_config.expect("sparse vectors");
    assert_eq!(sparse.map["words"].modifier(), Modifier::Idf);
    Ok(())
}

#[tokio::test]
async fn payload_indexes_are_described_until_dropped() -> Outcome {
    let plain = Plain::new(2, Distance::Dot).await?;
    let (client, collection) = (&plain.client, &plain.collection);
    let index = |field: &str, kind: FieldType| {
        CreateFieldIndexCollectionBuilder::new(collection, field, kind).wait(true)
    };
    client
        .create_field_index(index("title", FieldType::Keyword))
        .await?;
    let year = IntegerIndexParamsBuilder::new(true, true);
    let year = index("year", FieldType::Integer).field_index_params(year);
    client.create_field_index(year).await?;
    let plot = TextIndexParamsBuilder::new(TokenizerType::Word).lowercase(true);
    let plot = index("plot", FieldType::Text).field_index_params(plot);
    client.create_field_index(plot).await?;
    let film = json!({"title": "Alien", "year": 1979, "plot": "In space"});
    plain.upsert(vec![point(1, vec![1.0, 2.0], film)]).await?;

    let info = client
        .collection_info(collection)
        .await?
        .result
        .expect("information");
    let mut schema = info.payload_schema;
    assert_eq!(schema.len(), 3);
    let title = schema.remove("title").expect("the index of the title");
    assert_eq!(title.data_type(), PayloadSchemaType::Keyword);
    assert_eq!(title.points, Some(1));
    let year = schema.remove("year").expect("the index of the year");
    let Some(IndexParams::IntegerIndexParams(params)) =
        year.params.and_then(|params| params.index_params)
    else {
        panic!("no integer parameters");
    };
    assert_eq!((params.lookup, params.range), (Some(true), Some(true)));

    let drop = DeleteFieldIndexCollectionBuilder::new(collection, "title").wait(true);
    client.delete_field_index(drop).await?;
    let unknown = DeleteFieldIndexCollectionBuilder::new(collection, "nothing").wait(true);
    client.delete_field_index(unknown).await?;
    let info = client
        .collection_info(collection)
        .await?
        .result
        .expect("information");
    assert_eq!(info.payload_schema.len(), 2);
    Ok(())
}

#[tokio::test]
async fn a_collection_is_one_active_shard_of_its_node() -> Outcome {
    let plain = Plain::new(2, Distance::Dot).await?;
    plain
        .upsert(vec![point(1, vec![1.0, 2.0], no_payload())])
        .await?;
    let rest = Rest::at(plain.qdrant.rest_url());
    let path = format!("/collections/{}/cluster", plain.collection);
    let (_, answer) = rest.get(&path).await?;
    let cluster = &answer["result"];
    assert_eq!(cluster["shard_count"], 1);
    let shard = json!([{"shard_id": 0, "points_count": 1, "state": "Active"}]);
    assert_eq!(cluster["local_shards"], shard);
    assert_eq!(cluster["remote_shards"], json!([]));
    let (_, answer) = rest.get("/cluster").await?;
    assert_eq!(answer["result"], json!({"status": "disabled"}));
    Ok(())
}

#[tokio::test]
async fn a_second_create_is_already_exists() -> Outcome {
    let plain = Plain::new(4, Distance::Dot).await?;
    let vectors = VectorParamsBuilder::new(8, Distance::Dot);
    let again = CreateCollectionBuilder::new(&plain.collection).vectors_config(vectors);
    let (code, message) = refusal(plain.client.create_collection(again).await);
    assert_eq!(code, Code::AlreadyExists);
    let expected = format!(
        "Wrong input: Collection `{}` already exists!",
        plain.collection
    );
    assert_eq!(message, expected);
    Ok(())
}

#[tokio::test]
async fn impossible_collections_are_refused() -> Outcome {
    let qdrant = Qdrant::start().await;
    let client = qdrant.client();
    let of_size = |size| VectorParamsBuilder::new(size, Distance::Dot);
    let impossible = [
        CreateCollectionBuilder::new("zero").vectors_config(of_size(0)),
        CreateCollectionBuilder::new("vast").vectors_config(of_size(65_537)),
        CreateCollectionBuilder::new("a/b").vectors_config(of_size(4)),
        CreateCollectionBuilder::new("").vectors_config(of_size(4)),
        CreateCollectionBuilder::new("x".repeat(256)).vectors_config(of_size(4)),
        CreateCollectionBuilder::new("unknown")
            .vectors_config(VectorParamsBuilder::new(4, Distance::UnknownDistance)),
        CreateCollectionBuilder::new("shardless")
            .vectors_config(of_size(4))
            .shard_number(0),
        CreateCollectionBuilder::new("hnsw")
            .vectors_config(of_size(4))
            .hnsw_config(HnswConfigDiffBuilder::default().ef_construct(1)),
    ];
    for create in impossible {
        let (code, message) = refusal(client.create_collection(create).await);
        assert_eq!(code, Code::InvalidArgument, "{message}");
    }
    assert_eq!(client.list_collections().await?.collections, []);
    Ok(())
}
