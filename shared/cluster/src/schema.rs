//! A collection's vectors, from Qdrant's description of it.

use std::collections::BTreeMap;

use alioth_points::{CollectionSchema, VectorKind};
use qdrant_client::qdrant::{CollectionInfo, VectorParams, vectors_config};

/// Converts; `None` when the description lacks the parameters, which no server leaves out.
pub(crate) fn schema(info: CollectionInfo) -> Option<CollectionSchema> {
    let params = info.config?.params?;
    let mut vectors = BTreeMap::new();
    match params.vectors_config.and_then(|vectors| vectors.config) {
        Some(vectors_config::Config::Params(unnamed)) => {
            vectors.insert(String::new(), kind(&unnamed));
        }
        Some(vectors_config::Config::ParamsMap(named)) => {
            vectors.extend(
                named
                    .map
                    .into_iter()
                    .map(|(name, params)| (name, kind(&params))),
            );
        }
        // A collection of sparse vectors only, or of none.
        None => {}
    }
    if let Some(sparse) = params.sparse_vectors_config {
        vectors.extend(
            sparse
                .map
                .into_keys()
                .map(|name| (name, VectorKind::Sparse)),
        );
    }
    Some(CollectionSchema { vectors })
}

fn kind(params: &VectorParams) -> VectorKind {
    let size = params.size;
    match params.multivector_config {
        Some(_) => VectorKind::MultiDense { size },
        None => VectorKind::Dense { size },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use qdrant_client::qdrant::{
        CollectionConfig, CollectionParams, MultiVectorConfig, SparseVectorConfig,
        SparseVectorParams, VectorParamsMap, VectorsConfig,
    };

    fn info(
        vectors: Option<vectors_config::Config>,
        sparse: Option<SparseVectorConfig>,
    ) -> CollectionInfo {
        CollectionInfo {
            config: Some(CollectionConfig {
                params: Some(CollectionParams {
                    vectors_config: Some(VectorsConfig { config: vectors }),
                    sparse_vectors_config: sparse,
                    ..Default::default()
                }),
                ..Default::default()
            }),
            ..Default::default()
        }
    }

    fn dense(size: u64) -> VectorParams {
        VectorParams {
            size,
            ..Default::default()
        }
    }

    #[test]
    fn the_unnamed_vector_has_the_empty_name() {
        let schema = schema(info(Some(vectors_config::Config::Params(dense(4))), None)).unwrap();
        assert_eq!(
            schema.vectors,
            BTreeMap::from([(String::new(), VectorKind::Dense { size: 4 })])
        );
    }

    #[test]
    fn named_multi_and_sparse_vectors_stand_side_by_side() {
        let mut multi = dense(8);
        multi.multivector_config = Some(MultiVectorConfig::default());
        let named = VectorParamsMap {
            map: [("title".to_owned(), dense(4)), ("tokens".to_owned(), multi)].into(),
        };
        let sparse = SparseVectorConfig {
            map: [("terms".to_owned(), SparseVectorParams::default())].into(),
        };
        let schema = schema(info(
            Some(vectors_config::Config::ParamsMap(named)),
            Some(sparse),
        ))
        .unwrap();
        assert_eq!(
            schema.vectors,
            BTreeMap::from([
                ("terms".to_owned(), VectorKind::Sparse),
                ("title".to_owned(), VectorKind::Dense { size: 4 }),
                ("tokens".to_owned(), VectorKind::MultiDense { size: 8 }),
            ])
        );
    }

    #[test]
    fn a_collection_may_have_no_vectors_and_must_have_parameters() {
        assert_eq!(schema(info(None, None)), Some(CollectionSchema::default()));
        assert_eq!(schema(CollectionInfo::default()), None);
    }
}
