//! A nearest-neighbour query or a plain listing, whichever protocol asked.

use qdrant_edge::{
    Condition, Filter, HasIdCondition, NamedQuery, PointId, QueryEnum, QueryRequest, ScoredPoint,
    ScoringQuery, SearchParams, SparseVector, TypedMultiDenseVector, VectorInternal,
    WithPayloadInterface, WithVector, external::ordered_float::OrderedFloat,
};

use super::{
    collection::{Collection, schema::VectorRef},
    error::RequestError,
};

/// Answers when a request does not say how many it wants.
pub(crate) const DEFAULT_LIMIT: usize = 10;

/// Which points, how many and how much of each.
pub(crate) struct Query {
    pub(crate) target: Target,
    pub(crate) using: String,
    pub(crate) filter: Option<Filter>,
    pub(crate) params: Option<SearchParams>,
    pub(crate) score_threshold: Option<f32>,
    pub(crate) limit: usize,
    pub(crate) offset: usize,
    pub(crate) with_payload: WithPayloadInterface,
    pub(crate) with_vector: WithVector,
}

/// What the points are measured by.
pub(crate) enum Target {
    /// Nothing: in the order of their ids.
    Any,
    /// Their distance to this.
    Nearest(Example),
}

/// A vector, given or by the point that has it.
pub(crate) enum Example {
    Id(PointId),
    Dense(Vec<f32>),
    Multi(Vec<Vec<f32>>),
    Sparse(SparseVector),
}

impl Query {
    /// Carries the query out.
    ///
    /// # Errors
    /// When its vector does not fit the collection, or the point it names is not there.
    pub(crate) fn run(self, collection: &Collection) -> Result<Vec<ScoredPoint>, RequestError> {
        if self.limit == 0 {
            return Err(RequestError::no_limit());
        }
        let mut filter = self.filter;
        let query = match self.target {
            Target::Any => None,
            Target::Nearest(example) => {
                collection.schema().check_name(&self.using)?;
                if let Example::Id(id) = &example {
                    filter = Some(without(*id, filter));
                }
                let vector = example.resolve(&self.using, collection)?;
                let query = NamedQuery::new(vector, self.using);
                Some(ScoringQuery::Vector(QueryEnum::Nearest(query)))
            }
        };
        let request = QueryRequest {
            prefetches: Vec::new(),
            query,
            filter,
            score_threshold: self.score_threshold.map(OrderedFloat),
            limit: self.limit.saturating_add(self.offset),
            // Left to us: qdrant-edge skips points in a search, but not in a listing.
            offset: 0,
            params: self.params,
            with_vector: self.with_vector,
            with_payload: self.with_payload,
        };
        let mut points = collection.read(|shard| shard.query(request))?;
        points.drain(..self.offset.min(points.len()));
        Ok(points)
    }
}

impl Example {
    fn resolve(self, using: &str, collection: &Collection) -> Result<VectorInternal, RequestError> {
        let id = match self {
            Self::Id(id) => id,
            Self::Dense(vector) => {
                collection
                    .schema()
                    .check(using, VectorRef::Dense(&vector))?;
                return Ok(VectorInternal::Dense(vector));
            }
            Self::Multi(vectors) => {
                collection
                    .schema()
                    .check(using, VectorRef::Multi(&vectors))?;
                let multi = TypedMultiDenseVector::try_from_matrix(vectors)?;
                return Ok(VectorInternal::MultiDense(multi));
            }
            Self::Sparse(vector) => {
                collection
                    .schema()
                    .check(using, VectorRef::Sparse(&vector))?;
                return Ok(VectorInternal::Sparse(vector));
            }
        };
        let selected = WithVector::Selector(vec![using.to_owned()]);
        let found = collection.read(|shard| {
            shard.retrieve(
                &[id],
                Some(WithPayloadInterface::Bool(false)),
                Some(selected),
            )
        })?;
        let Some(point) = found.first() else {
            return Err(RequestError::PointMissing(format!(
                "No point with id {id} found"
            )));
        };
        match point.get_vector_by_name(using) {
            Some(vector) => Ok(vector.to_owned()),
            None => Err(RequestError::PointMissing(format!(
                "Vector with name {using:?} for point not found"
            ))),
        }
    }
}

/// The filter that also leaves out the point a query took its vector from.
fn without(id: PointId, filter: Option<Filter>) -> Filter {
    let own = Condition::HasId(HasIdCondition::from_iter([id]));
    Filter {
        must: filter.map(|filter| vec![Condition::Filter(filter)]),
        must_not: Some(vec![own]),
        ..Filter::default()
    }
}
