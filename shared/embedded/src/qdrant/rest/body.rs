//! What REST requests carry, and how it becomes a request of the node. Points, filters and
//! selectors are read by qdrant-edge itself.

use std::{collections::HashMap, fmt::Display};

use axum::{body::Bytes, extract::rejection::BytesRejection, http::StatusCode};
use qdrant_edge::{
    Filter, Payload, PayloadFieldSchema, PointId, PointStructPersisted, SearchParams, SparseVector,
    UpdateMode, VectorPersisted, VectorStructPersisted, WithPayloadInterface, WithVector,
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value as Json;

use super::BODY_BYTES;
use crate::qdrant::{
    collection::{Deletion, Upsert},
    error::RequestError,
    query::{DEFAULT_LIMIT, Example, Query, Target},
};

/// Query parameters of a change. What else may be asked means nothing to one node.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct UpdateParameters {
    pub(super) wait: bool,
}

/// # Errors
/// When the body cannot be read, is too long or is not the JSON of a `T`.
pub(super) fn parse<T: DeserializeOwned>(
    body: Result<Bytes, BytesRejection>,
) -> Result<T, RequestError> {
    let body = body.map_err(|error| {
        RequestError::Malformed(match error.status() {
            StatusCode::PAYLOAD_TOO_LARGE => {
                format!("JSON payload is larger than allowed (limit: {BODY_BYTES} bytes).")
            }
            _ => error.body_text(),
        })
    })?;
    serde_json::from_slice(&body).map_err(format_error)
}

fn format_error(error: impl Display) -> RequestError {
    RequestError::Malformed(format!("Format error in JSON body: {error}"))
}

/// Points to upsert, as a list or in columns.
#[derive(Deserialize)]
pub(super) struct UpsertBody {
    points: Option<Vec<PointStructPersisted>>,
    batch: Option<Batch>,
    update_filter: Option<Filter>,
    update_mode: Option<UpdateMode>,
}

#[derive(Deserialize)]
struct Batch {
    ids: Vec<PointId>,
    vectors: BatchVectors,
    payloads: Option<Vec<Option<Payload>>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum BatchVectors {
    Dense(Vec<Vec<f32>>),
    Multi(Vec<Vec<Vec<f32>>>),
    Named(HashMap<String, Vec<VectorPersisted>>),
}

impl UpsertBody {
    /// # Errors
    /// When it holds no points in either form, or columns of different length.
    pub(super) fn into_upsert(self) -> Result<Upsert, RequestError> {
        let points = match (self.points, self.batch) {
            (Some(points), _) => points,
            (None, Some(batch)) => batch.into_points()?,
            (None, None) => {
                return Err(format_error("Invalid PointInsertOperations format"));
            }
        };
        Ok(Upsert {
            points,
            filter: self.update_filter,
            mode: self.update_mode.unwrap_or_default(),
        })
    }
}

impl Batch {
    fn into_points(self) -> Result<Vec<PointStructPersisted>, RequestError> {
        let length = self.ids.len();
        let vectors = self.vectors.into_rows(length)?;
        let payloads = match self.payloads {
            Some(payloads) => same_length(length, payloads, "payloads")?,
            None => vec![None; length],
        };
        let rows = self.ids.into_iter().zip(vectors).zip(payloads);
        Ok(rows
            .map(|((id, vector), payload)| PointStructPersisted {
                id,
                vector,
                payload,
            })
            .collect())
    }
}

impl BatchVectors {
    fn into_rows(self, length: usize) -> Result<Vec<VectorStructPersisted>, RequestError> {
        match self {
            Self::Dense(vectors) => {
                let vectors = same_length(length, vectors, "vectors")?.into_iter();
                Ok(vectors.map(VectorStructPersisted::Single).collect())
            }
            Self::Multi(vectors) => {
                let vectors = same_length(length, vectors, "vectors")?.into_iter();
                Ok(vectors.map(VectorStructPersisted::MultiDense).collect())
            }
            Self::Named(named) => {
                let mut rows = vec![HashMap::new(); length];
                for (name, vectors) in named {
                    let vectors = same_length(length, vectors, "vectors")?;
                    for (row, vector) in rows.iter_mut().zip(vectors) {
                        row.insert(name.clone(), vector);
                    }
                }
                Ok(rows.into_iter().map(VectorStructPersisted::Named).collect())
            }
        }
    }
}

fn same_length<T>(ids: usize, column: Vec<T>, name: &str) -> Result<Vec<T>, RequestError> {
    if column.len() == ids {
        return Ok(column);
    }
    let length = column.len();
    Err(RequestError::Invalid(format!(
        "batch: number of ids and {name} must be equal ({ids} != {length})"
    )))
}

/// Which points to delete.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum DeleteBody {
    Points { points: Vec<PointId> },
    Filter { filter: Filter },
}

impl From<DeleteBody> for Deletion {
    fn from(body: DeleteBody) -> Self {
        match body {
            DeleteBody::Points { points } => Self::Points(points),
            DeleteBody::Filter { filter } => Self::Filter(filter),
        }
    }
}

/// Which points to read.
#[derive(Deserialize)]
pub(super) struct RetrieveBody {
    pub(super) ids: Vec<PointId>,
    pub(super) with_payload: Option<WithPayloadInterface>,
    #[serde(alias = "with_vectors")]
    pub(super) with_vector: Option<WithVector>,
}

/// A payload index to create.
#[derive(Deserialize)]
pub(super) struct IndexBody {
    pub(super) field_name: qdrant_edge::JsonPath,
    #[serde(alias = "field_type")]
    pub(super) field_schema: Option<PayloadFieldSchema>,
}

/// Several queries at once.
#[derive(Deserialize)]
pub(super) struct QueryBatchBody {
    pub(super) searches: Vec<QueryBody>,
}

/// A query.
#[derive(Deserialize)]
pub(super) struct QueryBody {
    query: Option<QueryInput>,
    using: Option<String>,
    filter: Option<Filter>,
    params: Option<SearchParams>,
    score_threshold: Option<f32>,
    limit: Option<usize>,
    offset: Option<usize>,
    with_payload: Option<WithPayloadInterface>,
    #[serde(alias = "with_vectors")]
    with_vector: Option<WithVector>,
    prefetch: Option<Json>,
    lookup_from: Option<Json>,
}

#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "Expected some form of vector or id; the embedded node knows no other query"
)]
enum QueryInput {
    Nearest {
        nearest: VectorInput,
        mmr: Option<Json>,
    },
    Vector(VectorInput),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum VectorInput {
    Dense(Vec<f32>),
    Multi(Vec<Vec<f32>>),
    Sparse(SparseVector),
    Id(PointId),
}

impl QueryBody {
    /// # Errors
    /// When it asks for more than a listing or the nearest points.
    pub(super) fn into_query(self) -> Result<Query, RequestError> {
        if self.prefetch.is_some() {
            return Err(RequestError::Unsupported("a query with prefetches"));
        }
        if self.lookup_from.is_some() {
            return Err(RequestError::Unsupported("lookup in another collection"));
        }
        let target = match self.query {
            None => Target::Any,
            Some(QueryInput::Nearest { mmr: Some(_), .. }) => {
                return Err(RequestError::Unsupported("a query with MMR"));
            }
            Some(
                QueryInput::Nearest {
                    nearest: vector, ..
                }
                | QueryInput::Vector(vector),
            ) => Target::Nearest(vector.into_example()),
        };
        Ok(Query {
            target,
            using: self.using.unwrap_or_default(),
            filter: self.filter,
            params: self.params,
            score_threshold: self.score_threshold,
            limit: self.limit.unwrap_or(DEFAULT_LIMIT),
            offset: self.offset.unwrap_or(0),
            with_payload: self.with_payload.unwrap_or_default(),
            with_vector: self.with_vector.unwrap_or_default(),
        })
    }
}

impl VectorInput {
    fn into_example(self) -> Example {
        match self {
            Self::Dense(vector) => Example::Dense(vector),
            Self::Multi(vectors) => Example::Multi(vectors),
            Self::Sparse(vector) => Example::Sparse(vector),
            Self::Id(id) => Example::Id(id),
        }
    }
}
