//! Checks points against a collection before anything is written: qdrant-edge applies a batch
//! point by point and leaves the first half of a bad one behind, this node applies all or none.

use std::collections::HashMap;

use qdrant_edge::{PointStructPersisted, SparseVector, VectorPersisted, VectorStructPersisted};

use super::config::CollectionConfig;
use crate::qdrant::error::RequestError;

/// Qdrant's bound of a multi vector, all its vectors together.
const MULTI_VECTOR_LENGTH: usize = 1024 * 1024;

/// What each vector of a collection must look like.
#[derive(Debug, Clone)]
pub(crate) struct Schema {
    vectors: HashMap<String, Kind>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Dense { size: usize },
    Multi { size: usize },
    Sparse,
}

/// A vector as a request carries it.
#[derive(Clone, Copy)]
pub(crate) enum VectorRef<'a> {
    Dense(&'a [f32]),
    Multi(&'a [Vec<f32>]),
    Sparse(&'a SparseVector),
}

/// How a vector does not fit, in Qdrant's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Misfit {
    /// Wrong in itself, whatever the collection.
    #[error("{0}")]
    Shape(String),
    #[error("Not existing vector name error: {0}")]
    Name(String),
    #[error("Vector dimension error: expected dim: {expected}, got {found}")]
    Dimension { expected: usize, found: usize },
    #[error("Conversion between sparse and regular vectors failed")]
    Sparse,
    #[error("Conversion between multi and regular vectors failed")]
    Multi,
}

impl From<Misfit> for RequestError {
    fn from(misfit: Misfit) -> Self {
        match misfit {
            Misfit::Shape(rule) => Self::Invalid(rule),
            Misfit::Name(_) | Misfit::Dimension { .. } | Misfit::Sparse | Misfit::Multi => {
                Self::WrongInput(misfit.to_string())
            }
        }
    }
}

impl Schema {
    pub(crate) fn of(config: &CollectionConfig) -> Self {
        let dense = config.params.vectors.iter().map(|(name, params)| {
            let size = params.dimensions();
            let kind = match params.multivector_config {
                Some(_) => Kind::Multi { size },
                None => Kind::Dense { size },
            };
            (name.to_owned(), kind)
        });
        let sparse = config.params.sparse_vectors.iter().flatten();
        Self {
            vectors: dense
                .chain(sparse.map(|(name, _)| (name.clone(), Kind::Sparse)))
                .collect(),
        }
    }

    /// Whether every vector of every point fits.
    ///
    /// # Errors
    /// The first that does not.
    pub(crate) fn check_points(&self, points: &[PointStructPersisted]) -> Result<(), RequestError> {
        for point in points {
            match &point.vector {
                VectorStructPersisted::Single(vector) => {
                    self.check("", VectorRef::Dense(vector))?;
                }
                VectorStructPersisted::MultiDense(vectors) => {
                    self.check("", VectorRef::Multi(vectors))?;
                }
                VectorStructPersisted::Named(vectors) => self.check_named(vectors)?,
            }
        }
        Ok(())
    }

    /// Whether a vector fits its name.
    ///
    /// # Errors
    /// How it does not.
    pub(crate) fn check(&self, name: &str, vector: VectorRef<'_>) -> Result<(), Misfit> {
        vector.check()?;
        match (self.kind(name)?, vector) {
            (Kind::Dense { size } | Kind::Multi { size }, VectorRef::Dense(vector)) => {
                check_size(size, vector.len())
            }
            (Kind::Multi { size }, VectorRef::Multi(vectors)) => vectors
                .iter()
                .try_for_each(|vector| check_size(size, vector.len())),
            (Kind::Sparse, VectorRef::Sparse(_)) => Ok(()),
            (Kind::Dense { .. } | Kind::Multi { .. }, VectorRef::Sparse(_))
            | (Kind::Sparse, VectorRef::Dense(_)) => Err(Misfit::Sparse),
            (Kind::Dense { .. } | Kind::Sparse, VectorRef::Multi(_)) => Err(Misfit::Multi),
        }
    }

    /// Whether there is a vector of this name.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn check_name(&self, name: &str) -> Result<(), Misfit> {
        self.kind(name).map(drop)
    }

    fn check_named(&self, vectors: &HashMap<String, VectorPersisted>) -> Result<(), RequestError> {
        for (name, vector) in vectors {
            match self.check(name, vector.into()) {
                Ok(()) => (),
                // In a write Qdrant says of which vector.
                Err(misfit @ Misfit::Dimension { .. }) => {
                    let message = format!("{misfit} for vector '{name}'");
                    return Err(RequestError::WrongInput(message));
                }
                Err(misfit) => return Err(misfit.into()),
            }
        }
        Ok(())
    }

    fn kind(&self, name: &str) -> Result<Kind, Misfit> {
        let kind = self.vectors.get(name).copied();
        kind.ok_or_else(|| Misfit::Name(name.to_owned()))
    }
}

impl VectorRef<'_> {
    /// The rules a vector must keep whatever the collection.
    fn check(self) -> Result<(), Misfit> {
        match self {
            Self::Dense([]) => wrong("dense vector must not be empty"),
            Self::Dense(_) => Ok(()),
            Self::Multi(vectors) => check_multi(vectors),
            Self::Sparse(vector) => check_sparse(vector),
        }
    }
}

impl<'a> From<&'a VectorPersisted> for VectorRef<'a> {
    fn from(vector: &'a VectorPersisted) -> Self {
        match vector {
            VectorPersisted::Dense(vector) => Self::Dense(vector),
            VectorPersisted::MultiDense(vectors) => Self::Multi(vectors),
            VectorPersisted::Sparse(vector) => Self::Sparse(vector),
        }
    }
}

fn check_size(expected: usize, found: usize) -> Result<(), Misfit> {
    if expected == found {
        return Ok(());
    }
    Err(Misfit::Dimension { expected, found })
}

fn check_multi(vectors: &[Vec<f32>]) -> Result<(), Misfit> {
    let Some(first) = vectors.first() else {
        return wrong("multi vector must not be empty");
    };
    if vectors.iter().any(Vec::is_empty) {
        return wrong("all vectors must be non-empty");
    }
    if vectors.iter().map(Vec::len).sum::<usize>() >= MULTI_VECTOR_LENGTH {
        return wrong("multi vector is too large");
    }
    match vectors.iter().find(|vector| vector.len() != first.len()) {
        Some(other) => wrong(&format!(
            "all vectors must have the same dimension, found vector with dimension {}",
            other.len()
        )),
        None => Ok(()),
    }
}

fn check_sparse(vector: &SparseVector) -> Result<(), Misfit> {
    if vector.indices.len() != vector.values.len() {
        return wrong("values: must be the same length as indices");
    }
    let mut indices = vector.indices.clone();
    indices.sort_unstable();
    if indices.windows(2).any(|pair| pair[0] == pair[1]) {
        return wrong("indices: must be unique");
    }
    Ok(())
}

fn wrong(rule: &str) -> Result<(), Misfit> {
    Err(Misfit::Shape(rule.to_owned()))
}

#[cfg(test)]
mod tests;
