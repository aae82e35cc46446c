//! Filters from protobuf: written as REST writes them, and read by qdrant-edge, which then
//! decides for both protocols what a filter may say.

use qdrant_client::qdrant::{
    Condition, DatetimeRange, FieldCondition, Filter, GeoLineString, GeoPoint, Match, PointId,
    Range, ValuesCount, condition::ConditionOneOf, r#match::MatchValue,
};
use serde_json::{Map, Value as Json, json};

use super::write;
use crate::qdrant::error::RequestError;

/// # Errors
/// When a condition lacks its content, or is one qdrant-edge does not know.
pub(super) fn filter(filter: Filter) -> Result<qdrant_edge::Filter, RequestError> {
    let filter = filter_json(filter)?;
    serde_json::from_value(filter)
        .map_err(|error| RequestError::Malformed(format!("Malformed filter: {error}")))
}

fn filter_json(filter: Filter) -> Result<Json, RequestError> {
    let mut clauses = Map::new();
    let lists = [
        ("should", filter.should),
        ("must", filter.must),
        ("must_not", filter.must_not),
    ];
    for (clause, conditions) in lists {
        if !conditions.is_empty() {
            clauses.insert(clause.to_owned(), conditions_json(conditions)?);
        }
    }
    if let Some(least) = filter.min_should {
        let conditions = conditions_json(least.conditions)?;
        let least = json!({"conditions": conditions, "min_count": least.min_count});
        clauses.insert("min_should".to_owned(), least);
    }
    Ok(Json::Object(clauses))
}

fn conditions_json(conditions: Vec<Condition>) -> Result<Json, RequestError> {
    conditions.into_iter().map(condition_json).collect()
}

fn condition_json(condition: Condition) -> Result<Json, RequestError> {
    let condition = condition
        .condition_one_of
        .ok_or_else(|| missing("condition"))?;
    Ok(match condition {
        ConditionOneOf::Field(field) => field_json(field)?,
        ConditionOneOf::IsEmpty(field) => json!({"is_empty": {"key": field.key}}),
        ConditionOneOf::IsNull(field) => json!({"is_null": {"key": field.key}}),
        ConditionOneOf::HasId(ids) => {
            let ids = ids.has_id.into_iter().map(id_json);
            json!({"has_id": ids.collect::<Result<Json, _>>()?})
        }
        ConditionOneOf::HasVector(vector) => json!({"has_vector": vector.has_vector}),
        ConditionOneOf::Filter(filter) => filter_json(filter)?,
        ConditionOneOf::Nested(nested) => {
            let filter = nested.filter.ok_or_else(|| missing("nested filter"))?;
            json!({"nested": {"key": nested.key, "filter": filter_json(filter)?}})
        }
        ConditionOneOf::Slice(_) => return Err(RequestError::Unsupported("a slice condition")),
    })
}

fn id_json(id: PointId) -> Result<Json, RequestError> {
    Ok(json!(write::point_id(id)?))
}

fn field_json(field: FieldCondition) -> Result<Json, RequestError> {
    let mut condition = Map::new();
    let mut set = |name: &str, value: Json| condition.insert(name.to_owned(), value);
    set("key", Json::String(field.key));
    if let Some(given) = field.r#match {
        set("match", match_json(given)?);
    }
    if let Some(Range { lt, gt, gte, lte }) = field.range {
        set("range", json!({"lt": lt, "gt": gt, "gte": gte, "lte": lte}));
    }
    if let Some(range) = field.datetime_range {
        set("range", datetime_range_json(range)?);
    }
    if let Some(given) = field.geo_bounding_box {
        let corner = |point: Option<GeoPoint>| point.map(geo_json);
        let (top_left, bottom_right) = (corner(given.top_left), corner(given.bottom_right));
        set(
            "geo_bounding_box",
            json!({"top_left": top_left, "bottom_right": bottom_right}),
        );
    }
    if let Some(given) = field.geo_radius {
        let center = given.center.map(geo_json);
        set(
            "geo_radius",
            json!({"center": center, "radius": given.radius}),
        );
    }
    if let Some(given) = field.geo_polygon {
        let exterior = given.exterior.map(line_json);
        let interiors: Vec<_> = given.interiors.into_iter().map(line_json).collect();
        set(
            "geo_polygon",
            json!({"exterior": exterior, "interiors": interiors}),
        );
    }
    if let Some(ValuesCount { lt, gt, gte, lte }) = field.values_count {
        set(
            "values_count",
            json!({"lt": lt, "gt": gt, "gte": gte, "lte": lte}),
        );
    }
    if let Some(given) = field.is_empty {
        set("is_empty", json!(given));
    }
    if let Some(given) = field.is_null {
        set("is_null", json!(given));
    }
    Ok(Json::Object(condition))
}

fn match_json(given: Match) -> Result<Json, RequestError> {
    Ok(
        match given.match_value.ok_or_else(|| missing("match value"))? {
            MatchValue::Keyword(value) => json!({"value": value}),
            MatchValue::Integer(value) => json!({"value": value}),
            MatchValue::Boolean(value) => json!({"value": value}),
            MatchValue::Text(text) => json!({"text": text}),
            MatchValue::TextAny(text) => json!({"text_any": text}),
            MatchValue::Phrase(phrase) => json!({"phrase": phrase}),
            MatchValue::Keywords(any) => json!({"any": any.strings}),
            MatchValue::Integers(any) => json!({"any": any.integers}),
            MatchValue::ExceptKeywords(except) => json!({"except": except.strings}),
            MatchValue::ExceptIntegers(except) => json!({"except": except.integers}),
            MatchValue::Prefix(_) | MatchValue::Substring(_) => {
                return Err(RequestError::Unsupported("a prefix or substring match"));
            }
        },
    )
}

fn datetime_range_json(range: DatetimeRange) -> Result<Json, RequestError> {
    let DatetimeRange { lt, gt, gte, lte } = range;
    let mut bounds = Map::new();
    for (name, bound) in [("lt", lt), ("gt", gt), ("gte", gte), ("lte", lte)] {
        if let Some(bound) = bound {
            // The timestamp's own text is RFC 3339.
            bounds.insert(name.to_owned(), Json::String(bound.to_string()));
        }
    }
    Ok(Json::Object(bounds))
}

fn geo_json(point: GeoPoint) -> Json {
    json!({"lon": point.lon, "lat": point.lat})
}

fn line_json(line: GeoLineString) -> Json {
    let points: Vec<_> = line.points.into_iter().map(geo_json).collect();
    json!({"points": points})
}

fn missing(what: &str) -> RequestError {
    RequestError::Malformed(format!("Malformed filter: {what} is missing"))
}
