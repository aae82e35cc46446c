//! Requests that read points, from protobuf to the terms of qdrant-edge.

use qdrant_client::qdrant::{
    self as proto, QueryPoints, ScrollPoints, WithPayloadSelector, WithVectorsSelector,
    query::Variant, start_from, vector_input, with_payload_selector, with_vectors_selector,
};
use qdrant_edge::{
    AcornSearchParams, Direction, JsonPath, OrderBy, OrderByInterface, PayloadSelector,
    PayloadSelectorExclude, PayloadSelectorInclude, QuantizationSearchParams, ScrollRequest,
    SearchParams, SparseVector, StartFrom, WithPayloadInterface, WithVector,
};

use super::{
    filter::filter,
    write::{malformed, point_id},
};
use crate::qdrant::{
    error::RequestError,
    query::{DEFAULT_LIMIT, Example, Query, Target},
};

/// # Errors
/// When it asks for more than a listing or the nearest points.
pub(super) fn query(request: QueryPoints) -> Result<Query, RequestError> {
    if !request.prefetch.is_empty() {
        return Err(RequestError::Unsupported("a query with prefetches"));
    }
    if request.lookup_from.is_some() {
        return Err(RequestError::Unsupported("lookup in another collection"));
    }
    Ok(Query {
        target: match request.query {
            None => Target::Any,
            Some(query) => target(query)?,
        },
        using: request.using.unwrap_or_default(),
        filter: request.filter.map(filter).transpose()?,
        params: request.params.map(params),
        score_threshold: request.score_threshold,
        limit: size(request.limit, DEFAULT_LIMIT),
        offset: size(request.offset, 0),
        with_payload: with_payload(request.with_payload)?.unwrap_or_default(),
        with_vector: with_vector(request.with_vectors),
    })
}

/// # Errors
/// When an id, a filter or a key in it is malformed.
pub(super) fn scroll(request: ScrollPoints) -> Result<ScrollRequest, RequestError> {
    Ok(ScrollRequest {
        offset: request.offset.map(point_id).transpose()?,
        limit: request.limit.map(|limit| limit as usize),
        filter: request.filter.map(filter).transpose()?,
        with_payload: with_payload(request.with_payload)?,
        with_vector: with_vector(request.with_vectors),
        order_by: request.order_by.map(order_by).transpose()?,
    })
}

/// How much of the payload to answer; `None` when the request does not say.
pub(super) fn with_payload(
    selector: Option<WithPayloadSelector>,
) -> Result<Option<WithPayloadInterface>, RequestError> {
    use with_payload_selector::SelectorOptions;
    let Some(options) = selector.and_then(|selector| selector.selector_options) else {
        return Ok(None);
    };
    Ok(Some(match options {
        SelectorOptions::Enable(enable) => WithPayloadInterface::Bool(enable),
        SelectorOptions::Include(include) => {
            let include = paths(&include.fields)?;
            let include = PayloadSelectorInclude { include };
            WithPayloadInterface::Selector(PayloadSelector::Include(include))
        }
        SelectorOptions::Exclude(exclude) => {
            let exclude = paths(&exclude.fields)?;
            let exclude = PayloadSelectorExclude { exclude };
            WithPayloadInterface::Selector(PayloadSelector::Exclude(exclude))
        }
    }))
}

/// Which vectors to answer; none unless the request says so.
pub(super) fn with_vector(selector: Option<WithVectorsSelector>) -> WithVector {
    use with_vectors_selector::SelectorOptions;
    match selector.and_then(|selector| selector.selector_options) {
        None => WithVector::Bool(false),
        Some(SelectorOptions::Enable(enable)) => WithVector::Bool(enable),
        Some(SelectorOptions::Include(include)) => WithVector::Selector(include.names),
    }
}

/// # Errors
/// When the text is no path into a payload.
pub(super) fn path(key: &str) -> Result<JsonPath, RequestError> {
    JsonPath::try_from(key).map_err(|()| malformed(&format!("Invalid json path: '{key}'")))
}

fn paths(keys: &[String]) -> Result<Vec<JsonPath>, RequestError> {
    keys.iter().map(|key| path(key)).collect()
}

fn target(query: proto::Query) -> Result<Target, RequestError> {
    match query.variant {
        Some(Variant::Nearest(input)) => Ok(Target::Nearest(example(input)?)),
        Some(
            Variant::Recommend(_)
            | Variant::Discover(_)
            | Variant::Context(_)
            | Variant::OrderBy(_)
            | Variant::Fusion(_)
            | Variant::Sample(_)
            | Variant::Formula(_)
            | Variant::NearestWithMmr(_)
            | Variant::Rrf(_)
            | Variant::RelevanceFeedback(_)
            | Variant::Text(_),
        ) => Err(RequestError::Unsupported("a query other than nearest")),
        None => Err(malformed("Query variant is missing")),
    }
}

fn example(input: proto::VectorInput) -> Result<Example, RequestError> {
    use vector_input::Variant;
    match input.variant {
        Some(Variant::Id(id)) => Ok(Example::Id(point_id(id)?)),
        Some(Variant::Dense(vector)) => Ok(Example::Dense(vector.data)),
        Some(Variant::Sparse(vector)) => Ok(Example::Sparse(SparseVector {
            indices: vector.indices,
            values: vector.values,
        })),
        Some(Variant::MultiDense(multi)) => {
            let vectors = multi.vectors.into_iter();
            Ok(Example::Multi(vectors.map(|vector| vector.data).collect()))
        }
        Some(Variant::Document(_) | Variant::Image(_) | Variant::Object(_)) => {
            Err(RequestError::no_inference())
        }
        None => Err(malformed("VectorInput variant is missing")),
    }
}

fn params(params: proto::SearchParams) -> SearchParams {
    let positive = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
    SearchParams {
        hnsw_ef: params.hnsw_ef.map(positive),
        exact: params.exact.unwrap_or_default(),
        quantization: params.quantization.map(|given| QuantizationSearchParams {
            ignore: given.ignore.unwrap_or_default(),
            rescore: given.rescore,
            oversampling: given.oversampling,
        }),
        indexed_only: params.indexed_only.unwrap_or_default(),
        acorn: params.acorn.map(|given| AcornSearchParams {
            enable: given.enable.unwrap_or_default(),
            max_selectivity: given.max_selectivity.map(Into::into),
        }),
    }
}

fn order_by(given: proto::OrderBy) -> Result<OrderByInterface, RequestError> {
    let direction = match given.direction.unwrap_or_default().try_into() {
        Ok(proto::Direction::Desc) => Direction::Desc,
        Ok(proto::Direction::Asc) | Err(_) => Direction::Asc,
    };
    Ok(OrderByInterface::Struct(OrderBy {
        key: path(&given.key)?,
        direction: Some(direction),
        start_from: match given.start_from.and_then(|start| start.value) {
            Some(start) => Some(start_from(start)?),
            None => None,
        },
    }))
}

fn start_from(value: start_from::Value) -> Result<StartFrom, RequestError> {
    use start_from::Value;
    let datetime = |text: String| {
        serde_json::from_value(text.into())
            .map(StartFrom::Datetime)
            .map_err(|error| malformed(&format!("Malformed start_from: {error}")))
    };
    match value {
        Value::Float(value) => Ok(StartFrom::Float(value)),
        Value::Integer(value) => Ok(StartFrom::Integer(value)),
        Value::Timestamp(value) => datetime(value.to_string()),
        Value::Datetime(text) => datetime(text),
    }
}

fn size(given: Option<u64>, default: usize) -> usize {
    given.map_or(default, |given| {
        usize::try_from(given).unwrap_or(usize::MAX)
    })
}
