//! Collection schemas as a Qdrant describes them.

use std::collections::BTreeMap;

use alioth_cluster::{SchemaCache, SchemaLookup};
use alioth_points::VectorKind;
use alioth_testkit::{Qdrant, unique_collection};
use qdrant_client::qdrant::{
    CreateAliasBuilder, CreateCollectionBuilder, Distance, MultiVectorComparator,
    MultiVectorConfigBuilder, SparseVectorParamsBuilder, SparseVectorsConfigBuilder,
    VectorParamsBuilder, VectorsConfigBuilder,
};

use crate::{cluster, config, create};

fn cache(qdrant: &Qdrant) -> SchemaCache {
    SchemaCache::new(&cluster(&qdrant.grpc_url()), &config(&[qdrant.grpc_url()]))
}

fn vectors(lookup: SchemaLookup) -> BTreeMap<String, VectorKind> {
    match lookup {
        SchemaLookup::Found(schema) => schema.vectors.clone(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unnamed_vector_is_found_under_the_empty_name() {
    let qdrant = Qdrant::start().await;
    let films = unique_collection("films");
    create(&qdrant, &films, 4).await;
    let found = vectors(cache(&qdrant).get(&films).await);
    assert_eq!(
        found,
        BTreeMap::from([(String::new(), VectorKind::Dense { size: 4 })])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn named_multi_and_sparse_vectors_are_found() {
    let qdrant = Qdrant::start().await;
    let films = unique_collection("films");
    let mut named = VectorsConfigBuilder::default();
    named.add_named_vector_params("title", VectorParamsBuilder::new(4, Distance::Dot));
    let multi = MultiVectorConfigBuilder::new(MultiVectorComparator::MaxSim);
    let tokens = VectorParamsBuilder::new(8, Distance::Dot).multivector_config(multi);
    named.add_named_vector_params("tokens", tokens);
    let mut sparse = SparseVectorsConfigBuilder::default();
    sparse.add_named_vector_params("terms", SparseVectorParamsBuilder::default());
    let request = CreateCollectionBuilder::new(&films)
        .vectors_config(named)
        .sparse_vectors_config(sparse);
    qdrant.client().create_collection(request).await.unwrap();
    assert_eq!(
        vectors(cache(&qdrant).get(&films).await),
        BTreeMap::from([
            ("terms".to_owned(), VectorKind::Sparse),
            ("title".to_owned(), VectorKind::Dense { size: 4 }),
            ("tokens".to_owned(), VectorKind::MultiDense { size: 8 }),
        ])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collection_made_a_moment_ago_is_found_by_a_refresh() {
    let qdrant = Qdrant::start().await;
    let films = unique_collection("films");
    let cache = cache(&qdrant);
    assert_eq!(cache.get(&films).await, SchemaLookup::Missing);
    create(&qdrant, &films, 4).await;
    assert_eq!(cache.get(&films).await, SchemaLookup::Missing);
    vectors(cache.refresh(&films).await);
    vectors(cache.get(&films).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_no_collection_can_have_is_missing() {
    let qdrant = Qdrant::start().await;
    for name in ["", "a/b", "\u{1}"] {
        assert_eq!(
            cache(&qdrant).get(name).await,
            SchemaLookup::Missing,
            "{name:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alias_is_the_collection_it_stands_for() {
    let qdrant = Qdrant::start().await;
    let films = unique_collection("films");
    let alias = unique_collection("alias");
    create(&qdrant, &films, 4).await;
    let made = qdrant
        .client()
        .create_alias(CreateAliasBuilder::new(&films, &alias))
        .await;
    match made {
        Ok(_) => assert_eq!(vectors(cache(&qdrant).get(&alias).await).len(), 1),
        // The embedded node has no aliases.
        Err(error) => assert!(qdrant.is_embedded(), "{error}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_qdrant_is_unavailable_and_its_schemas_are_still_known() {
    let mut qdrant = Qdrant::start().await;
    let films = unique_collection("films");
    create(&qdrant, &films, 4).await;
    let mut config = config(&[qdrant.grpc_url()]);
    config.schema_ttl = alioth_config::Span::default();
    let cache = SchemaCache::new(&cluster(&qdrant.grpc_url()), &config);
    vectors(cache.get(&films).await);
    qdrant.stop().await;
    vectors(cache.get(&films).await);
    assert_eq!(cache.get("books").await, SchemaLookup::Unavailable);
    assert_eq!(cache.refresh(&films).await, SchemaLookup::Unavailable);
}
