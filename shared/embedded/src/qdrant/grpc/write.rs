//! Requests that change points, from protobuf to the terms of qdrant-edge. Vectors are moved,
//! never copied.

use std::collections::HashMap;

use qdrant_client::qdrant::{
    self as proto, DeletePoints, PointId, PointStruct, UpsertPoints, Vector, Vectors,
    point_id::PointIdOptions, points_selector::PointsSelectorOneOf, vector,
    vectors::VectorsOptions,
};
use qdrant_edge::{
    PointStructPersisted, SparseVector, UpdateMode, VectorPersisted, VectorStructPersisted,
    external::uuid::Uuid,
};

use super::{filter::filter, payload::payload};
use crate::qdrant::{
    collection::{Deletion, Upsert},
    error::RequestError,
};

/// # Errors
/// At the first point that is none.
pub(super) fn upsert(request: UpsertPoints) -> Result<Upsert, RequestError> {
    let mode = match request.update_mode.unwrap_or_default().try_into() {
        Ok(proto::UpdateMode::InsertOnly) => UpdateMode::InsertOnly,
        Ok(proto::UpdateMode::UpdateOnly) => UpdateMode::UpdateOnly,
        // An unknown mode is read as the default, as a Qdrant server does.
        Ok(proto::UpdateMode::Upsert) | Err(_) => UpdateMode::Upsert,
    };
    Ok(Upsert {
        points: request
            .points
            .into_iter()
            .map(point)
            .collect::<Result<_, _>>()?,
        filter: request.update_filter.map(filter).transpose()?,
        mode,
    })
}

/// # Errors
/// When it does not say which points.
pub(super) fn delete(request: DeletePoints) -> Result<Deletion, RequestError> {
    let points = request
        .points
        .ok_or_else(|| malformed("PointSelector is missing"))?;
    match points.points_selector_one_of {
        Some(PointsSelectorOneOf::Points(list)) => {
            let ids = list.ids.into_iter().map(point_id);
            Ok(Deletion::Points(ids.collect::<Result<_, _>>()?))
        }
        Some(PointsSelectorOneOf::Filter(given)) => Ok(Deletion::Filter(filter(given)?)),
        None => Err(malformed("Malformed PointsSelector type")),
    }
}

/// # Errors
/// When it is neither a number nor a UUID in any of its textual forms.
pub(super) fn point_id(id: PointId) -> Result<qdrant_edge::PointId, RequestError> {
    match id.point_id_options {
        Some(PointIdOptions::Num(number)) => Ok(qdrant_edge::PointId::NumId(number)),
        Some(PointIdOptions::Uuid(text)) => Uuid::parse_str(&text)
            .map(qdrant_edge::PointId::Uuid)
            .map_err(|_| malformed(&format!("Unable to parse UUID: {text}"))),
        None => Err(malformed("No ID options provided")),
    }
}

fn point(point: PointStruct) -> Result<PointStructPersisted, RequestError> {
    let vectors = point
        .vectors
        .ok_or_else(|| malformed("Expected some vectors"))?;
    let id = point
        .id
        .ok_or_else(|| malformed("Empty ID is not allowed"))?;
    Ok(PointStructPersisted {
        id: point_id(id)?,
        vector: vector_struct(vectors)?,
        payload: payload(point.payload)?,
    })
}

fn vector_struct(vectors: Vectors) -> Result<VectorStructPersisted, RequestError> {
    match vectors.vectors_options {
        None => Err(malformed("No Vector Provided")),
        Some(VectorsOptions::Vector(vector)) => match any_vector(vector)? {
            VectorPersisted::Dense(vector) => Ok(VectorStructPersisted::Single(vector)),
            VectorPersisted::MultiDense(vectors) => Ok(VectorStructPersisted::MultiDense(vectors)),
            VectorPersisted::Sparse(_) => Err(malformed("Sparse vector must be named")),
        },
        Some(VectorsOptions::Vectors(named)) => {
            let mut vectors = HashMap::with_capacity(named.vectors.len());
            for (name, vector) in named.vectors {
                vectors.insert(name, any_vector(vector)?);
            }
            Ok(VectorStructPersisted::Named(vectors))
        }
    }
}

fn any_vector(vector: Vector) -> Result<VectorPersisted, RequestError> {
    match vector.vector {
        Some(vector::Vector::Dense(vector)) => Ok(VectorPersisted::Dense(vector.data)),
        Some(vector::Vector::Sparse(vector)) => Ok(VectorPersisted::Sparse(SparseVector {
            indices: vector.indices,
            values: vector.values,
        })),
        Some(vector::Vector::MultiDense(multi)) => {
            let vectors = multi.vectors.into_iter();
            Ok(VectorPersisted::MultiDense(
                vectors.map(|vector| vector.data).collect(),
            ))
        }
        Some(
            vector::Vector::Document(_) | vector::Vector::Image(_) | vector::Vector::Object(_),
        ) => Err(RequestError::no_inference()),
        None => flat_vector(vector),
    }
}

/// A vector as clients before 1.16 send it: flat, its kind told by what else is set.
#[expect(deprecated, reason = "older clients send these fields")]
fn flat_vector(vector: Vector) -> Result<VectorPersisted, RequestError> {
    let Vector {
        data,
        indices,
        vectors_count,
        vector: _,
    } = vector;
    if let Some(indices) = indices {
        return Ok(VectorPersisted::Sparse(SparseVector {
            indices: indices.data,
            values: data,
        }));
    }
    let Some(count) = vectors_count else {
        return Ok(VectorPersisted::Dense(data));
    };
    let count = count as usize;
    if count == 0 || data.is_empty() || data.len() % count != 0 {
        return Err(malformed(
            "Unable to convert to multi-dense vector: data length is not divisible by vectors count",
        ));
    }
    let vectors = data.chunks(data.len() / count).map(<[f32]>::to_vec);
    Ok(VectorPersisted::MultiDense(vectors.collect()))
}

pub(super) fn malformed(message: &str) -> RequestError {
    RequestError::Malformed(message.to_owned())
}
