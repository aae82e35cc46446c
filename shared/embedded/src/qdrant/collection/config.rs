//! A collection's configuration, in the words of Qdrant's REST API: what clients send, what is
//! kept on disk, what is answered. It never says how a shard stores anything; [`edge`] does.

use std::{
    collections::BTreeMap,
    num::{NonZeroU32, NonZeroU64},
};

use qdrant_edge::{
    Distance, HnswIndexConfig, Modifier, MultiVectorConfig, QuantizationConfig,
    VectorStorageDatatype,
};
use serde::{Deserialize, Serialize};

use crate::qdrant::error::RequestError;

mod edge;

/// Qdrant's own bound of a dense vector's size.
const VECTOR_SIZE: u64 = 65_536;
/// Characters no collection or vector name may have, as in Qdrant.
const FORBIDDEN_IN_NAMES: [char; 11] =
    ['<', '>', ':', '"', '/', '\\', '|', '?', '*', '\0', '\u{1F}'];
/// The longest collection name, in characters, and vector name, in bytes.
const NAME_LENGTH: usize = 255;
const VECTOR_NAME_LENGTH: usize = 200;

/// The body of a create request, over either protocol.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct CreateCollection {
    pub(crate) vectors: VectorsConfig,
    pub(crate) sparse_vectors: Option<BTreeMap<String, SparseVectorParams>>,
    pub(crate) shard_number: Option<NonZeroU32>,
    pub(crate) sharding_method: Option<ShardingMethod>,
    pub(crate) replication_factor: Option<NonZeroU32>,
    pub(crate) write_consistency_factor: Option<NonZeroU32>,
    pub(crate) on_disk_payload: Option<bool>,
    pub(crate) hnsw_config: Option<HnswDiff>,
    pub(crate) wal_config: Option<WalDiff>,
    pub(crate) optimizers_config: Option<OptimizersConfig>,
    pub(crate) quantization_config: Option<QuantizationConfig>,
    pub(crate) metadata: Option<serde_json::Map<String, serde_json::Value>>,
}

/// A collection's configuration with every default filled in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct CollectionConfig {
    pub(crate) params: CollectionParams,
    pub(crate) hnsw_config: HnswIndexConfig,
    pub(crate) optimizer_config: OptimizersConfig,
    pub(crate) wal_config: WalConfig,
    #[serde(default)]
    pub(crate) quantization_config: Option<QuantizationConfig>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) metadata: Option<serde_json::Map<String, serde_json::Value>>,
}

/// What a collection holds and how it would be spread. The spread is kept and answered; the
/// node has one shard.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct CollectionParams {
    pub(crate) vectors: VectorsConfig,
    pub(crate) shard_number: NonZeroU32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sharding_method: Option<ShardingMethod>,
    pub(crate) replication_factor: NonZeroU32,
    pub(crate) write_consistency_factor: NonZeroU32,
    pub(crate) on_disk_payload: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sparse_vectors: Option<BTreeMap<String, SparseVectorParams>>,
}

/// One unnamed vector, or any number of named ones.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum VectorsConfig {
    Single(VectorParams),
    Named(BTreeMap<String, VectorParams>),
}

impl Default for VectorsConfig {
    fn default() -> Self {
        Self::Named(BTreeMap::new())
    }
}

impl VectorsConfig {
    /// Every dense vector with its name; the unnamed one's is empty.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &VectorParams)> {
        let (single, named) = match self {
            Self::Single(params) => (Some(("", params)), None),
            Self::Named(named) => (None, Some(named)),
        };
        let named = named.into_iter().flatten();
        single
            .into_iter()
            .chain(named.map(|(name, params)| (name.as_str(), params)))
    }
}

/// A dense vector.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct VectorParams {
    pub(crate) size: NonZeroU64,
    pub(crate) distance: Distance,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) hnsw_config: Option<HnswDiff>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) quantization_config: Option<QuantizationConfig>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) on_disk: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) datatype: Option<VectorStorageDatatype>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) multivector_config: Option<MultiVectorConfig>,
}

impl VectorParams {
    /// The size, which is within bounds that fit any machine.
    pub(crate) fn dimensions(&self) -> usize {
        usize::try_from(self.size.get()).unwrap_or(usize::MAX)
    }
}

/// A sparse vector.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct SparseVectorParams {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) index: Option<SparseIndexParams>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) modifier: Option<Modifier>,
}

/// The index of a sparse vector.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct SparseIndexParams {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) full_scan_threshold: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) on_disk: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) datatype: Option<VectorStorageDatatype>,
}

/// How points would be spread over shards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ShardingMethod {
    Auto,
    Custom,
}

/// What a request changes of an HNSW configuration.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct HnswDiff {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) m: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ef_construct: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) full_scan_threshold: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) max_indexing_threads: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) on_disk: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) payload_m: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) inline_storage: Option<bool>,
}

impl HnswDiff {
    fn over(self, base: HnswIndexConfig) -> HnswIndexConfig {
        HnswIndexConfig {
            m: self.m.unwrap_or(base.m),
            ef_construct: self.ef_construct.unwrap_or(base.ef_construct),
            full_scan_threshold: self.full_scan_threshold.unwrap_or(base.full_scan_threshold),
            max_indexing_threads: self
                .max_indexing_threads
                .unwrap_or(base.max_indexing_threads),
            on_disk: self.on_disk.or(base.on_disk),
            payload_m: self.payload_m.or(base.payload_m),
            inline_storage: self.inline_storage.or(base.inline_storage),
        }
    }
}

/// When segments are merged, cleaned and indexed. A default is Qdrant's.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct OptimizersConfig {
    pub(crate) deleted_threshold: Option<f64>,
    pub(crate) vacuum_min_vector_number: Option<usize>,
    pub(crate) default_segment_number: Option<usize>,
    pub(crate) max_segment_size: Option<usize>,
    pub(crate) memmap_threshold: Option<usize>,
    pub(crate) indexing_threshold: Option<usize>,
    pub(crate) flush_interval_sec: Option<u64>,
    pub(crate) max_optimization_threads: Option<usize>,
}

impl Default for OptimizersConfig {
    fn default() -> Self {
        Self {
            deleted_threshold: Some(0.2),
            vacuum_min_vector_number: Some(1000),
            default_segment_number: Some(0),
            max_segment_size: None,
            memmap_threshold: None,
            indexing_threshold: Some(10_000),
            flush_interval_sec: Some(5),
            max_optimization_threads: None,
        }
    }
}

/// What a request changes of the log's configuration.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(default)]
pub(crate) struct WalDiff {
    pub(crate) wal_capacity_mb: Option<usize>,
    pub(crate) wal_segments_ahead: Option<usize>,
    pub(crate) wal_retain_closed: Option<usize>,
}

/// Kept and answered; the node's own logs are sized by the node.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct WalConfig {
    pub(crate) wal_capacity_mb: usize,
    pub(crate) wal_segments_ahead: usize,
    pub(crate) wal_retain_closed: usize,
}

impl CreateCollection {
    /// The configuration with its defaults, if every rule holds.
    ///
    /// # Errors
    /// Names the field that breaks a rule.
    pub(crate) fn complete(self) -> Result<CollectionConfig, RequestError> {
        let hnsw_config = self
            .hnsw_config
            .unwrap_or_default()
            .over(HnswIndexConfig::default());
        let wal = self.wal_config.unwrap_or_default();
        let config = CollectionConfig {
            params: CollectionParams {
                vectors: self.vectors,
                shard_number: self.shard_number.unwrap_or(NonZeroU32::MIN),
                sharding_method: self.sharding_method,
                replication_factor: self.replication_factor.unwrap_or(NonZeroU32::MIN),
                write_consistency_factor: self.write_consistency_factor.unwrap_or(NonZeroU32::MIN),
                on_disk_payload: self.on_disk_payload.unwrap_or(true),
                sparse_vectors: self.sparse_vectors,
            },
            hnsw_config,
            optimizer_config: self.optimizers_config.unwrap_or_default(),
            wal_config: WalConfig {
                wal_capacity_mb: wal.wal_capacity_mb.unwrap_or(32),
                wal_segments_ahead: wal.wal_segments_ahead.unwrap_or(0),
                wal_retain_closed: wal.wal_retain_closed.unwrap_or(1),
            },
            quantization_config: self.quantization_config,
            metadata: self.metadata,
        };
        config.check()?;
        Ok(config)
    }
}

impl CollectionConfig {
    /// # Errors
    /// Names the field that breaks a rule.
    pub(crate) fn check(&self) -> Result<(), RequestError> {
        let sparse = self.params.sparse_vectors.iter().flatten();
        for (name, params) in self.params.vectors.iter() {
            check_vector_name(name)?;
            if params.size.get() > VECTOR_SIZE {
                let field = if name.is_empty() { "vectors" } else { name };
                return Err(wrong_size(field, params.size.get()));
            }
        }
        for (name, _) in sparse {
            check_vector_name(name)?;
            if self.params.vectors.iter().any(|(dense, _)| dense == name) {
                return Err(RequestError::WrongInput(format!(
                    "Dense and sparse vector names must be unique - duplicate found with '{name}'"
                )));
            }
        }
        if self.hnsw_config.ef_construct < 4 {
            let value = self.hnsw_config.ef_construct;
            return Err(RequestError::Invalid(format!(
                "hnsw_config.ef_construct: value {value} invalid, must be 4 or larger"
            )));
        }
        Ok(())
    }
}

/// Whether a collection may have this name.
pub(crate) fn check_collection_name(name: &str) -> Result<(), RequestError> {
    let length = name.chars().count();
    if !(1..=NAME_LENGTH).contains(&length) {
        return Err(RequestError::Invalid(format!(
            "collection_name: value {name:?} invalid, must be from 1 to {NAME_LENGTH} characters"
        )));
    }
    check_characters("collection_name: collection name", name)
}

/// A dense vector of no size, or of more than Qdrant has.
pub(crate) fn wrong_size(field: &str, size: u64) -> RequestError {
    RequestError::Invalid(format!(
        "{field}.size: value {size} invalid, must be from 1 to {VECTOR_SIZE}"
    ))
}

fn check_vector_name(name: &str) -> Result<(), RequestError> {
    if name.len() > VECTOR_NAME_LENGTH {
        return Err(RequestError::Invalid(format!(
            "vector name must be at most {VECTOR_NAME_LENGTH} bytes long"
        )));
    }
    check_characters("vector name", name)
}

fn check_characters(what: &str, name: &str) -> Result<(), RequestError> {
    match name.chars().find(|c| FORBIDDEN_IN_NAMES.contains(c)) {
        Some(c) => Err(RequestError::Invalid(format!(
            "{what} cannot contain {c:?} char"
        ))),
        None => Ok(()),
    }
}
