//! Points and results, from the terms of qdrant-edge to protobuf.

use std::time::Instant;

use qdrant_client::qdrant::{
    DenseVector, MultiDenseVector, NamedVectorsOutput, OrderValue, PointId,
    PointsOperationResponse, RetrievedPoint, ScoredPoint, SparseVector, UpdateResult, UpdateStatus,
    VectorOutput, VectorsOutput, order_value, point_id::PointIdOptions, vector_output,
    vectors_output::VectorsOptions,
};
use qdrant_edge::{Payload, Record, VectorInternal, VectorStructInternal};
use tonic::Response;

use super::payload::fields;

/// The answer to a change that has been applied; only who waited is told so.
pub(super) fn updated(
    operation_id: u64,
    wait: Option<bool>,
    started: Instant,
) -> Response<PointsOperationResponse> {
    let status = match wait {
        Some(true) => UpdateStatus::Completed,
        Some(false) | None => UpdateStatus::Acknowledged,
    };
    Response::new(PointsOperationResponse {
        result: Some(UpdateResult {
            operation_id: Some(operation_id),
            status: status.into(),
        }),
        time: seconds(started),
        usage: None,
    })
}

pub(super) fn seconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64()
}

pub(super) fn retrieved(record: Record) -> RetrievedPoint {
    RetrievedPoint {
        id: Some(id(record.id)),
        payload: payload(record.payload),
        vectors: record.vector.map(vectors),
        shard_key: None,
        order_value: record.order_value.map(order_value),
    }
}

pub(super) fn scored(point: qdrant_edge::ScoredPoint) -> ScoredPoint {
    ScoredPoint {
        id: Some(id(point.id)),
        payload: payload(point.payload),
        score: point.score,
        version: point.version,
        vectors: point.vector.map(vectors),
        shard_key: None,
        order_value: point.order_value.map(order_value),
    }
}

pub(super) fn id(id: qdrant_edge::PointId) -> PointId {
    let option = match id {
        qdrant_edge::PointId::NumId(number) => PointIdOptions::Num(number),
        qdrant_edge::PointId::Uuid(uuid) => PointIdOptions::Uuid(uuid.to_string()),
    };
    PointId {
        point_id_options: Some(option),
    }
}

fn payload(
    payload: Option<Payload>,
) -> std::collections::HashMap<String, qdrant_client::qdrant::Value> {
    payload
        .map(|Payload(object)| fields(object))
        .unwrap_or_default()
}

fn vectors(vectors: VectorStructInternal) -> VectorsOutput {
    let options = match vectors {
        VectorStructInternal::Single(vector) => {
            VectorsOptions::Vector(output(VectorInternal::Dense(vector)))
        }
        VectorStructInternal::MultiDense(vector) => {
            VectorsOptions::Vector(output(VectorInternal::MultiDense(vector)))
        }
        VectorStructInternal::Named(named) => {
            let named = named
                .into_iter()
                .map(|(name, vector)| (name, output(vector)));
            VectorsOptions::Vectors(NamedVectorsOutput {
                vectors: named.collect(),
            })
        }
    };
    VectorsOutput {
        vectors_options: Some(options),
    }
}

fn output(vector: VectorInternal) -> VectorOutput {
    let vector = match vector {
        VectorInternal::Dense(data) => vector_output::Vector::Dense(DenseVector { data }),
        VectorInternal::Sparse(vector) => vector_output::Vector::Sparse(SparseVector {
            indices: vector.indices,
            values: vector.values,
        }),
        VectorInternal::MultiDense(multi) => {
            let vectors = multi.into_multi_vectors().into_iter();
            vector_output::Vector::MultiDense(MultiDenseVector {
                vectors: vectors.map(|data| DenseVector { data }).collect(),
            })
        }
    };
    VectorOutput {
        vector: Some(vector),
        ..VectorOutput::default()
    }
}

fn order_value(value: qdrant_edge::OrderValue) -> OrderValue {
    let variant = match value {
        qdrant_edge::OrderValue::Int(value) => order_value::Variant::Int(value),
        qdrant_edge::OrderValue::Float(value) => order_value::Variant::Float(value),
    };
    OrderValue {
        variant: Some(variant),
    }
}
