//! A collection's configuration between protobuf and the node's own terms.

#![expect(deprecated, reason = "clients of any age are served")]

use std::{
    collections::{BTreeMap, HashMap},
    num::{NonZeroU32, NonZeroU64},
};

use qdrant_client::qdrant::{
    self as proto, HnswConfigDiff, OptimizersConfigDiff, SparseVectorConfig, VectorParamsMap,
    WalConfigDiff, vectors_config::Config,
};
use qdrant_edge::{
    Distance, HnswIndexConfig, Modifier, MultiVectorComparator, MultiVectorConfig,
    VectorStorageDatatype,
};

use super::{payload, write::malformed};
use crate::qdrant::{
    collection::config::{
        CollectionConfig, CreateCollection, HnswDiff, OptimizersConfig, ShardingMethod,
        SparseIndexParams, SparseVectorParams, VectorParams, VectorsConfig, WalDiff, wrong_size,
    },
    error::RequestError,
};

mod quantization;

/// # Errors
/// When a value is none of its enumeration.
pub(super) fn create(request: proto::CreateCollection) -> Result<CreateCollection, RequestError> {
    let vectors = request.vectors_config.and_then(|vectors| vectors.config);
    let sparse = request.sparse_vectors_config.map(|sparse| sparse.map);
    Ok(CreateCollection {
        vectors: match vectors {
            None => VectorsConfig::default(),
            Some(Config::Params(params)) => VectorsConfig::Single(dense(params)?),
            Some(Config::ParamsMap(named)) => VectorsConfig::Named(each(named.map, dense)?),
        },
        sparse_vectors: sparse.map(|named| each(named, sparse_params)).transpose()?,
        shard_number: positive(request.shard_number, "shard_number")?,
        sharding_method: match request.sharding_method.map(proto::ShardingMethod::try_from) {
            None => None,
            Some(Ok(proto::ShardingMethod::Auto)) => Some(ShardingMethod::Auto),
            Some(Ok(proto::ShardingMethod::Custom)) => Some(ShardingMethod::Custom),
            Some(Err(_)) => return Err(malformed("unknown sharding method")),
        },
        replication_factor: positive(request.replication_factor, "replication_factor")?,
        write_consistency_factor: positive(
            request.write_consistency_factor,
            "write_consistency_factor",
        )?,
        on_disk_payload: request.on_disk_payload,
        hnsw_config: request.hnsw_config.map(hnsw),
        wal_config: request.wal_config.map(|wal| WalDiff {
            wal_capacity_mb: wal.wal_capacity_mb.map(size),
            wal_segments_ahead: wal.wal_segments_ahead.map(size),
            wal_retain_closed: wal.wal_retain_closed.map(size),
        }),
        optimizers_config: request.optimizers_config.map(optimizers),
        quantization_config: quantization::read(request.quantization_config)?,
        metadata: match request.metadata.is_empty() {
            true => None,
            false => Some(payload::object(request.metadata)?),
        },
    })
}

/// The configuration as a collection's information tells it.
pub(super) fn answer(config: &CollectionConfig) -> proto::CollectionConfig {
    let params = &config.params;
    let vectors = match &params.vectors {
        VectorsConfig::Single(params) => Config::Params(dense_answer(params)),
        VectorsConfig::Named(named) => {
            let named = named.iter();
            Config::ParamsMap(VectorParamsMap {
                map: named
                    .map(|(name, params)| (name.clone(), dense_answer(params)))
                    .collect(),
            })
        }
    };
    let sparse = params.sparse_vectors.as_ref().map(|named| {
        let named = named.iter();
        SparseVectorConfig {
            map: named
                .map(|(name, params)| (name.clone(), sparse_answer(params)))
                .collect(),
        }
    });
    let sharding_method = params.sharding_method.map(|method| match method {
        ShardingMethod::Auto => proto::ShardingMethod::Auto.into(),
        ShardingMethod::Custom => proto::ShardingMethod::Custom.into(),
    });
    proto::CollectionConfig {
        params: Some(proto::CollectionParams {
            shard_number: params.shard_number.get(),
            on_disk_payload: params.on_disk_payload,
            vectors_config: Some(proto::VectorsConfig {
                config: Some(vectors),
            }),
            replication_factor: Some(params.replication_factor.get()),
            write_consistency_factor: Some(params.write_consistency_factor.get()),
            sharding_method,
            sparse_vectors_config: sparse,
            ..proto::CollectionParams::default()
        }),
        hnsw_config: Some(hnsw_answer(&config.hnsw_config)),
        optimizer_config: Some(optimizers_answer(&config.optimizer_config)),
        wal_config: Some(WalConfigDiff {
            wal_capacity_mb: Some(config.wal_config.wal_capacity_mb as u64),
            wal_segments_ahead: Some(config.wal_config.wal_segments_ahead as u64),
            wal_retain_closed: Some(config.wal_config.wal_retain_closed as u64),
        }),
        quantization_config: config
            .quantization_config
            .as_ref()
            .map(quantization::answer),
        metadata: payload::fields(config.metadata.clone().unwrap_or_default()),
        ..proto::CollectionConfig::default()
    }
}

fn dense(params: proto::VectorParams) -> Result<VectorParams, RequestError> {
    let distance = match proto::Distance::try_from(params.distance) {
        Ok(proto::Distance::Cosine) => Distance::Cosine,
        Ok(proto::Distance::Euclid) => Distance::Euclid,
        Ok(proto::Distance::Dot) => Distance::Dot,
        Ok(proto::Distance::Manhattan) => Distance::Manhattan,
        Ok(proto::Distance::UnknownDistance) | Err(_) => {
            return Err(malformed("Unknown distance"));
        }
    };
    let multivector_config = match params.multivector_config {
        None => None,
        Some(config) => match proto::MultiVectorComparator::try_from(config.comparator) {
            Ok(proto::MultiVectorComparator::MaxSim) => Some(MultiVectorConfig {
                comparator: MultiVectorComparator::MaxSim,
            }),
            Err(_) => return Err(malformed("Unknown multi vector comparator")),
        },
    };
    let size = NonZeroU64::new(params.size).ok_or_else(|| wrong_size("vectors", params.size))?;
    Ok(VectorParams {
        size,
        distance,
        hnsw_config: params.hnsw_config.map(hnsw),
        quantization_config: quantization::read(params.quantization_config)?,
        on_disk: params.on_disk,
        datatype: datatype(params.datatype)?,
        multivector_config,
    })
}

fn dense_answer(params: &VectorParams) -> proto::VectorParams {
    let distance = match params.distance {
        Distance::Cosine => proto::Distance::Cosine,
        Distance::Euclid => proto::Distance::Euclid,
        Distance::Dot => proto::Distance::Dot,
        Distance::Manhattan => proto::Distance::Manhattan,
    };
    let multi = params
        .multivector_config
        .map(|config| match config.comparator {
            MultiVectorComparator::MaxSim => proto::MultiVectorConfig {
                comparator: proto::MultiVectorComparator::MaxSim.into(),
            },
        });
    proto::VectorParams {
        size: params.size.get(),
        distance: distance.into(),
        hnsw_config: params.hnsw_config.map(hnsw_diff_answer),
        quantization_config: params
            .quantization_config
            .as_ref()
            .map(quantization::answer),
        on_disk: params.on_disk,
        datatype: params.datatype.map(datatype_answer),
        multivector_config: multi,
        ..proto::VectorParams::default()
    }
}

fn sparse_params(params: proto::SparseVectorParams) -> Result<SparseVectorParams, RequestError> {
    let modifier = match params.modifier.map(proto::Modifier::try_from) {
        None => None,
        Some(Ok(proto::Modifier::None)) => Some(Modifier::None),
        Some(Ok(proto::Modifier::Idf)) => Some(Modifier::Idf),
        Some(Err(_)) => return Err(malformed("Unknown modifier")),
    };
    let index = match params.index {
        None => None,
        Some(index) => Some(SparseIndexParams {
            full_scan_threshold: index.full_scan_threshold.map(size),
            on_disk: index.on_disk,
            datatype: datatype(index.datatype)?,
        }),
    };
    Ok(SparseVectorParams { index, modifier })
}

fn sparse_answer(params: &SparseVectorParams) -> proto::SparseVectorParams {
    let modifier = params.modifier.as_ref().map(|modifier| match modifier {
        Modifier::None => proto::Modifier::None.into(),
        Modifier::Idf => proto::Modifier::Idf.into(),
    });
    let index = params.index.as_ref().map(|index| proto::SparseIndexConfig {
        full_scan_threshold: index.full_scan_threshold.map(|value| value as u64),
        on_disk: index.on_disk,
        datatype: index.datatype.map(datatype_answer),
        ..proto::SparseIndexConfig::default()
    });
    proto::SparseVectorParams { index, modifier }
}

fn datatype(given: Option<i32>) -> Result<Option<VectorStorageDatatype>, RequestError> {
    use proto::Datatype;
    match given.map(Datatype::try_from) {
        None | Some(Ok(Datatype::Default)) => Ok(None),
        Some(Ok(Datatype::Float32)) => Ok(Some(VectorStorageDatatype::Float32)),
        Some(Ok(Datatype::Float16)) => Ok(Some(VectorStorageDatatype::Float16)),
        Some(Ok(Datatype::Uint8)) => Ok(Some(VectorStorageDatatype::Uint8)),
        Some(Ok(Datatype::Turbo4 | Datatype::Turbo8 | Datatype::Turbo16) | Err(_)) => {
            Err(RequestError::Unsupported("this vector datatype"))
        }
    }
}

fn datatype_answer(datatype: VectorStorageDatatype) -> i32 {
    match datatype {
        VectorStorageDatatype::Float32 => proto::Datatype::Float32.into(),
        VectorStorageDatatype::Float16 => proto::Datatype::Float16.into(),
        VectorStorageDatatype::Uint8 => proto::Datatype::Uint8.into(),
    }
}

fn hnsw(given: HnswConfigDiff) -> HnswDiff {
    HnswDiff {
        m: given.m.map(size),
        ef_construct: given.ef_construct.map(size),
        full_scan_threshold: given.full_scan_threshold.map(size),
        max_indexing_threads: given.max_indexing_threads.map(size),
        on_disk: given.on_disk,
        payload_m: given.payload_m.map(size),
        inline_storage: given.inline_storage,
    }
}

fn hnsw_diff_answer(diff: HnswDiff) -> HnswConfigDiff {
    let count = |value: usize| value as u64;
    HnswConfigDiff {
        m: diff.m.map(count),
        ef_construct: diff.ef_construct.map(count),
        full_scan_threshold: diff.full_scan_threshold.map(count),
        max_indexing_threads: diff.max_indexing_threads.map(count),
        on_disk: diff.on_disk,
        payload_m: diff.payload_m.map(count),
        inline_storage: diff.inline_storage,
        ..HnswConfigDiff::default()
    }
}

fn hnsw_answer(config: &HnswIndexConfig) -> HnswConfigDiff {
    hnsw_diff_answer(HnswDiff {
        m: Some(config.m),
        ef_construct: Some(config.ef_construct),
        full_scan_threshold: Some(config.full_scan_threshold),
        max_indexing_threads: Some(config.max_indexing_threads),
        on_disk: config.on_disk,
        payload_m: config.payload_m,
        inline_storage: config.inline_storage,
    })
}

fn optimizers(given: OptimizersConfigDiff) -> OptimizersConfig {
    let base = OptimizersConfig::default();
    OptimizersConfig {
        deleted_threshold: given.deleted_threshold.or(base.deleted_threshold),
        vacuum_min_vector_number: given
            .vacuum_min_vector_number
            .map(size)
            .or(base.vacuum_min_vector_number),
        default_segment_number: given
            .default_segment_number
            .map(size)
            .or(base.default_segment_number),
        max_segment_size: given.max_segment_size.map(size),
        memmap_threshold: given.memmap_threshold.map(size),
        indexing_threshold: given
            .indexing_threshold
            .map(size)
            .or(base.indexing_threshold),
        flush_interval_sec: given.flush_interval_sec.or(base.flush_interval_sec),
        max_optimization_threads: given.deprecated_max_optimization_threads.map(size),
    }
}

fn optimizers_answer(config: &OptimizersConfig) -> OptimizersConfigDiff {
    let count = |value: usize| value as u64;
    OptimizersConfigDiff {
        deleted_threshold: config.deleted_threshold,
        vacuum_min_vector_number: config.vacuum_min_vector_number.map(count),
        default_segment_number: config.default_segment_number.map(count),
        max_segment_size: config.max_segment_size.map(count),
        memmap_threshold: config.memmap_threshold.map(count),
        indexing_threshold: config.indexing_threshold.map(count),
        flush_interval_sec: config.flush_interval_sec,
        deprecated_max_optimization_threads: config.max_optimization_threads.map(count),
        ..OptimizersConfigDiff::default()
    }
}

fn each<T, U>(
    named: HashMap<String, T>,
    convert: impl Fn(T) -> Result<U, RequestError>,
) -> Result<BTreeMap<String, U>, RequestError> {
    let named = named.into_iter();
    named
        .map(|(name, params)| Ok((name, convert(params)?)))
        .collect()
}

fn positive(given: Option<u32>, field: &str) -> Result<Option<NonZeroU32>, RequestError> {
    match given.map(NonZeroU32::new) {
        None => Ok(None),
        Some(Some(value)) => Ok(Some(value)),
        Some(None) => Err(RequestError::Invalid(format!(
            "{field}: value 0 invalid, must be 1 or larger"
        ))),
    }
}

fn size(value: u64) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}
