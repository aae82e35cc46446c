//! The configuration of a shard, from that of its collection.

use qdrant_edge::{
    EdgeConfig, EdgeOptimizersConfig, EdgeSparseVectorParams, EdgeVectorParams, WalOptions,
};

use super::{CollectionConfig, SparseVectorParams, VectorParams};

/// The shard's own log is written, never read back and trimmed by us: small files trim finely.
const WAL_SEGMENT_BYTES: usize = 16 * 1024 * 1024;

impl CollectionConfig {
    /// What qdrant-edge is told. Shards, replicas and the log's size are not its concern.
    pub(crate) fn edge(&self) -> EdgeConfig {
        let optimizers = &self.optimizer_config;
        EdgeConfig {
            on_disk_payload: self.params.on_disk_payload,
            vectors: self
                .params
                .vectors
                .iter()
                .map(|(name, params)| (name.to_owned(), self.dense(params)))
                .collect(),
            sparse_vectors: self
                .params
                .sparse_vectors
                .iter()
                .flatten()
                .map(|(name, params)| (name.clone(), sparse(params)))
                .collect(),
            hnsw_config: self.hnsw_config,
            quantization_config: self.quantization_config.clone(),
            optimizers: EdgeOptimizersConfig {
                deleted_threshold: optimizers.deleted_threshold,
                vacuum_min_vector_number: optimizers.vacuum_min_vector_number,
                default_segment_number: optimizers.default_segment_number,
                max_segment_size: optimizers.max_segment_size,
                indexing_threshold: optimizers.indexing_threshold,
                prevent_unoptimized: None,
            },
            wal_options: Some(WalOptions {
                segment_capacity: WAL_SEGMENT_BYTES,
                ..WalOptions::default()
            }),
        }
    }

    fn dense(&self, params: &VectorParams) -> EdgeVectorParams {
        EdgeVectorParams {
            size: params.dimensions(),
            distance: params.distance,
            on_disk: params.on_disk,
            multivector_config: params.multivector_config,
            datatype: params.datatype,
            quantization_config: params.quantization_config.clone(),
            hnsw_config: params.hnsw_config.map(|diff| diff.over(self.hnsw_config)),
        }
    }
}

fn sparse(params: &SparseVectorParams) -> EdgeSparseVectorParams {
    let index = params.index.clone().unwrap_or_default();
    EdgeSparseVectorParams {
        full_scan_threshold: index.full_scan_threshold,
        on_disk: index.on_disk,
        modifier: params.modifier,
        datatype: index.datatype,
    }
}
