//! What a collection takes, as far as a write can be checked against it.
use std::collections::BTreeMap;

/// What a collection takes, as far as a write can be checked against it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CollectionSchema {
    /// Vector name → kind; the unnamed vector is `""`.
    pub vectors: BTreeMap<String, VectorKind>,
}

/// Kind of one of a collection's vectors; sizes in dimensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VectorKind {
    /// One vector a point.
    Dense {
        /// Dimensions.
        size: u64,
    },
    /// A matrix a point.
    MultiDense {
        /// Dimensions of a row.
        size: u64,
    },
    /// Indices and values.
    Sparse,
}
