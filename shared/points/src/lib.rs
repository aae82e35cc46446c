//! Qdrant's writes as they stand on the queue.
use bytes::Bytes;

/// What a collection takes, as far as a write can be checked against it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CollectionSchema {
    /// Vector name → kind; the unnamed vector is `""`.
    pub vectors: std::collections::BTreeMap<String, VectorKind>,
}
/// Kind of one of a collection's vectors; sizes in dimensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VectorKind {
    /// One vector a point.
    Dense { /** Dimensions. */ size: u64 },
    /// A matrix a point, rows of `size`.
    MultiDense { /** Dimensions of a row. */ size: u64 },
    /// Indices and values.
    Sparse,
}
/// Why a body is no write.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// Not JSON (400). Line and column are 1-based, offset 0-based bytes.
    #[error("{message} at line {line} column {column}")]
    Syntax { /** 1-based. */ line: usize, /** 1-based, bytes. */ column: usize, /** 0-based, bytes. */ offset: usize, /** What. */ message: String },
    /// JSON of the wrong type, a field missing or unknown (400); `path` as in `batch.ids[3]`.
    #[error("{path}: {message} at line {line} column {column}")]
    Type { /** 1-based. */ line: usize, /** 1-based, bytes. */ column: usize, /** Where in the document. */ path: String, /** What. */ message: String },
    /// A well-formed body that cannot be written (422).
    #[error("{}{field}: {message}", point.as_ref().map(|p| format!("{p}: ")).unwrap_or_default())]
    Invalid { /** Which point, when it is one's fault. */ point: Option<PointRef>, /** As in `vector.title`. */ field: String, /** What. */ message: String },
}
/// Names a point of a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PointRef {
    /// 0-based position in the write.
    pub index: usize,
    /// Its id as text, when it could be read.
    pub id: Option<String>,
}
impl std::fmt::Display for PointRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.id { Some(id) => write!(f, "point {} (id {id})", self.index), None => write!(f, "point {}", self.index) }
    }
}
/// Write ordering, as in the REST query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "skeleton")]
pub enum Ordering { Weak, Medium, Strong }
/// The query's part of an upsert.
#[derive(Debug, Clone, Copy, Default)]
pub struct UpsertQuery { /** `ordering`. */ pub ordering: Option<Ordering>, /** `timeout`, seconds. */ pub timeout_s: Option<u64> }

/// One client request, encoded.
#[derive(Debug)]
pub struct Write { _p: () }
impl Write {
    /// Reads the Python Alioth's body.
    pub fn parse_ingest(_body: &[u8]) -> Result<Write, WriteError> { todo!() }
    /// Reads Qdrant's REST upsert body.
    pub fn parse_upsert(_collection: &str, _query: UpsertQuery, _body: &[u8]) -> Result<Write, WriteError> { todo!() }
    /// Collection written to.
    pub fn collection_name(&self) -> &str { todo!() }
    /// Number of points, at least 1.
    pub fn points(&self) -> usize { todo!() }
    /// Checks every point's vectors against the collection's.
    pub fn check(&self, _schema: &CollectionSchema) -> Result<(), WriteError> { todo!() }
    /// Whole `qdrant.UpsertPoints` messages of at most `limit` bytes, unless one point alone is larger.
    pub fn into_messages(self, _limit: usize) -> Vec<Bytes> { todo!() }
}

/// A point's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "skeleton")]
pub enum PointId { Num(u64), Uuid(u128) }
impl std::fmt::Display for PointId {
    fn fmt(&self, _f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { todo!() }
}
/// Bytes that are no `qdrant.UpsertPoints`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("undecodable at byte {offset}: {message}")]
pub struct ScanError { /** Byte. */ pub offset: usize, /** What. */ pub message: String }
/// Messages of equal keys merge: collection and every option but `wait`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MergeKey(Bytes);
/// One message of the queue, its points located but not decoded.
#[derive(Debug, Clone)]
pub struct UpsertMessage { _p: () }
impl UpsertMessage {
    /// Locates options and points; O(points), nothing of a point but its id is looked at.
    pub fn scan(_body: Bytes) -> Result<UpsertMessage, ScanError> { todo!() }
    /// Collection.
    pub fn collection_name(&self) -> &str { todo!() }
    /// What it merges with.
    pub fn merge_key(&self) -> &MergeKey { todo!() }
    /// Number of points.
    pub fn points(&self) -> usize { todo!() }
    /// Bytes of its points as they go into an upsert.
    pub fn point_bytes(&self) -> usize { todo!() }
    /// Ids in order; `None` where a foreign producer wrote none Qdrant would take.
    pub fn ids(&self) -> impl ExactSizeIterator<Item = Option<PointId>> + '_ { std::iter::empty() }
    /// Whether which of two writes of one id comes first decides more than the survivor
    /// (`insert_only`, `update_filter`): such messages may share an upsert only when no id repeats.
    pub fn order_matters(&self) -> bool { todo!() }
    /// The points of `range` as a message of their own (bisection, dead letters).
    pub fn slice(&self, _range: std::ops::Range<usize>) -> UpsertMessage { todo!() }
    /// A whole message body again: options and points (what a dead letter carries).
    pub fn to_bytes(&self) -> Bytes { todo!() }
}
/// Body of one upsert in pieces, to be written one after another: no copy of the points is made.
#[derive(Debug, Clone)]
pub struct UpsertBody {
    /// Pieces in wire order; together one `qdrant.UpsertPoints` with `wait = true`.
    pub pieces: Vec<Bytes>,
    /// Points in it after duplicates are dropped.
    pub points: usize,
}
/// Concatenates messages of one merge key, in this order; of an id that occurs twice the later point stays.
pub fn merge(_messages: &[&UpsertMessage]) -> UpsertBody { todo!() }
