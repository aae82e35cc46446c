//! What bodies become, rule by rule.
mod batches;
mod ids;
mod options;
mod payloads;
mod vectors;

use std::collections::HashMap;

use qdrant_client::qdrant::vector::Vector as Kinds;
use qdrant_client::qdrant::vectors::VectorsOptions;
use qdrant_client::qdrant::{DenseVector, NamedVectors, PointStruct, Vectors};

use crate::upserted;

fn point(members: &str) -> PointStruct {
    upserted(&format!(r#"{{"points": [{{"id": 1{members}}}]}}"#))
        .points
        .swap_remove(0)
}

fn vector_of(point: PointStruct) -> Kinds {
    match point.vectors.and_then(|vectors| vectors.vectors_options) {
        Some(VectorsOptions::Vector(vector)) => vector.vector.expect("a kind"),
        other => panic!("no vector: {other:?}"),
    }
}

fn named_of(point: PointStruct) -> HashMap<String, Kinds> {
    match point.vectors.and_then(|vectors| vectors.vectors_options) {
        Some(VectorsOptions::Vectors(NamedVectors { vectors })) => vectors
            .into_iter()
            .map(|(name, vector)| (name, vector.vector.expect("a kind")))
            .collect(),
        other => panic!("no named vectors: {other:?}"),
    }
}

fn dense(data: &[f32]) -> Kinds {
    Kinds::Dense(DenseVector {
        data: data.to_vec(),
    })
}

fn no_vectors() -> Option<Vectors> {
    Some(Vectors {
        vectors_options: Some(VectorsOptions::Vectors(NamedVectors::default())),
    })
}
