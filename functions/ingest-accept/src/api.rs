//! The bodies that requests may have, for the OpenAPI document only: requests are read by
//! `alioth-points`, in one pass and without these types.

use std::collections::HashMap;

use serde::Serialize;
use utoipa::ToSchema;

/// Points for one collection, column by column: as many vectors and payloads as ids.
#[derive(Debug, Serialize, ToSchema)]
pub struct IngestBody {
    /// The collection to write to.
    #[schema(min_length = 1, max_length = 255)]
    pub collection_name: String,
    /// The points.
    pub batch: IngestBatch,
}

/// The columns of an [`IngestBody`].
#[derive(Debug, Serialize, ToSchema)]
pub struct IngestBatch {
    /// One id a point.
    #[schema(min_items = 1)]
    pub ids: Vec<PointId>,
    /// One vector a point; or, by name, a column of one vector a point.
    pub vectors: VectorColumns,
    /// One payload a point, null for none.
    pub payloads: Option<Vec<Option<Payload>>>,
}

/// A point's id.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum PointId {
    /// An unsigned 64-bit integer.
    Number(u64),
    /// A UUID in any of its textual forms.
    Uuid(String),
}

/// A payload: any JSON object. Numbers keep their exactness.
#[derive(Debug, Serialize, ToSchema)]
pub struct Payload(pub HashMap<String, serde_json::Value>);

/// The vectors of a batch.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum VectorColumns {
    /// The unnamed vector of each point: dense, multi-dense, or to be inferred by Qdrant.
    Unnamed(Vec<UnnamedVector>),
    /// Per vector name, the vectors of all points.
    Named(HashMap<String, Vec<NamedVector>>),
}

/// A vector without a name.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum UnnamedVector {
    /// Dense.
    Dense(Vec<f32>),
    /// A matrix, its rows of equal length.
    MultiDense(Vec<Vec<f32>>),
    /// To be inferred by Qdrant.
    Inferred(Inferred),
}

/// A vector under a name.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum NamedVector {
    /// Dense.
    Dense(Vec<f32>),
    /// A matrix, its rows of equal length.
    MultiDense(Vec<Vec<f32>>),
    /// Sparse.
    Sparse(SparseVector),
    /// To be inferred by Qdrant.
    Inferred(Inferred),
}

/// A sparse vector: as many values as indices, no index twice.
#[derive(Debug, Serialize, ToSchema)]
pub struct SparseVector {
    /// Where the vector is not zero.
    pub indices: Vec<u32>,
    /// What it is there.
    pub values: Vec<f32>,
}

/// What Qdrant makes a vector of; goes through Alioth as it is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum Inferred {
    /// A text.
    Document(Document),
    /// An image.
    Image(Image),
    /// Anything else.
    Object(InferredObject),
}

/// A text to be made a vector of.
#[derive(Debug, Serialize, ToSchema)]
pub struct Document {
    /// The text.
    pub text: String,
    /// The model to use.
    pub model: String,
    /// Options of the model.
    pub options: Option<Payload>,
}

/// An image to be made a vector of.
#[derive(Debug, Serialize, ToSchema)]
pub struct Image {
    /// The image as base64, or where it is.
    pub image: String,
    /// The model to use.
    pub model: String,
    /// Options of the model.
    pub options: Option<Payload>,
}

/// Anything else to be made a vector of.
#[derive(Debug, Serialize, ToSchema)]
pub struct InferredObject {
    /// The thing itself.
    pub object: serde_json::Value,
    /// The model to use.
    pub model: String,
    /// Options of the model.
    pub options: Option<Payload>,
}

/// Qdrant's upsert: points one by one, or column by column.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum UpsertBody {
    /// One by one.
    Points(PointsList),
    /// Column by column.
    Batch(PointsBatch),
}

/// Points one by one.
#[derive(Debug, Serialize, ToSchema)]
pub struct PointsList {
    /// The points.
    #[schema(min_items = 1)]
    pub points: Vec<Point>,
    /// Where user-defined sharding puts them.
    pub shard_key: Option<ShardKeySelector>,
    /// Points that exist are overwritten only if they match; goes through Alioth as it is.
    pub update_filter: Option<Payload>,
    /// What becomes of points that exist, and of those that do not.
    pub update_mode: Option<UpdateMode>,
}

/// Points column by column.
#[derive(Debug, Serialize, ToSchema)]
pub struct PointsBatch {
    /// The columns.
    pub batch: PointColumns,
    /// Where user-defined sharding puts them.
    pub shard_key: Option<ShardKeySelector>,
    /// Points that exist are overwritten only if they match; goes through Alioth as it is.
    pub update_filter: Option<Payload>,
    /// What becomes of points that exist, and of those that do not.
    pub update_mode: Option<UpdateMode>,
}

/// The columns of a [`PointsBatch`].
#[derive(Debug, Serialize, ToSchema)]
pub struct PointColumns {
    /// One id a point.
    #[schema(min_items = 1)]
    pub ids: Vec<PointId>,
    /// One vector a point; or, by name, a column of one vector a point.
    pub vectors: VectorColumns,
    /// One payload a point, null for none.
    pub payloads: Option<Vec<Option<Payload>>>,
}

/// A point.
#[derive(Debug, Serialize, ToSchema)]
pub struct Point {
    /// Its id.
    pub id: PointId,
    /// Its vector, or its vectors by name.
    pub vector: PointVectors,
    /// Its payload.
    pub payload: Option<Payload>,
}

/// The vectors of a point.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum PointVectors {
    /// One, without a name.
    Unnamed(UnnamedVector),
    /// Any number, by name.
    Named(HashMap<String, NamedVector>),
}

/// One shard key, or several.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum ShardKeySelector {
    /// One.
    One(ShardKey),
    /// Several.
    Several(Vec<ShardKey>),
}

/// A shard key.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum ShardKey {
    /// A word.
    Keyword(String),
    /// A number.
    Number(u64),
}

/// What becomes of points that exist, and of those that do not.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum UpdateMode {
    /// Insert what is new, overwrite what exists. The default.
    Upsert,
    /// Leave what exists.
    InsertOnly,
    /// Leave out what is new.
    UpdateOnly,
}
