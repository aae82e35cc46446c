//! `update_filter`: every condition there is, as Qdrant's own types have it.
use alioth_points::WriteError;
use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use proptest::prelude::*;
use qdrant_client::qdrant::condition::ConditionOneOf;
use qdrant_client::qdrant::r#match::MatchValue;
use qdrant_client::qdrant::point_id::PointIdOptions;
use qdrant_client::qdrant::{
    Condition, DatetimeRange, FieldCondition, Filter, GeoBoundingBox, GeoLineString, GeoPoint,
    GeoPolygon, GeoRadius, HasIdCondition, HasVectorCondition, IsEmptyCondition, IsNullCondition,
    MinShould, NestedCondition, PointId, Range, RepeatedIntegers, RepeatedStrings, Timestamp,
    ValuesCount,
};

use crate::{refused, upsert, upserted};

fn body(filter: &str) -> String {
    format!(r#"{{"update_filter": {filter}, "points": [{{"id": 1}}]}}"#)
}

fn filter(text: &str) -> Filter {
    upserted(&body(text)).update_filter.expect("a filter")
}

fn condition(text: &str) -> ConditionOneOf {
    let mut filter = filter(&format!(r#"{{"must": {text}}}"#));
    assert_eq!(filter.must.len(), 1);
    filter.must.remove(0).condition_one_of.expect("a kind")
}

fn field(text: &str) -> FieldCondition {
    match condition(&format!(r#"{{"key": "a.b[]", {text}}}"#)) {
        ConditionOneOf::Field(field) => {
            assert_eq!(field.key, "a.b[]");
            FieldCondition {
                key: String::new(),
                ..field
            }
        }
        other => panic!("{other:?}"),
    }
}

fn matching(text: &str) -> MatchValue {
    field(&format!(r#""match": {text}"#))
        .r#match
        .and_then(|m| m.match_value)
        .expect("a match")
}

fn strings(strings: &[&str]) -> RepeatedStrings {
    RepeatedStrings {
        strings: strings.iter().map(|&text| text.to_owned()).collect(),
    }
}

fn place(lon: f64, lat: f64) -> GeoPoint {
    GeoPoint { lon, lat }
}

#[test]
fn clauses_take_one_condition_or_a_list() {
    assert_eq!(filter("{}"), Filter::default());
    assert_eq!(
        filter(r#"{"must": null, "should": null, "must_not": [], "min_should": null}"#),
        Filter::default()
    );
    let is_empty = |key: &str| Condition {
        condition_one_of: Some(ConditionOneOf::IsEmpty(IsEmptyCondition {
            key: key.to_owned(),
        })),
    };
    let one = |key: &str| format!(r#"{{"is_empty": {{"key": "{key}"}}}}"#);
    let text = format!(
        r#"{{"must_not": {}, "min_should": {{"min_count": 1, "conditions": [{}, {}]}}, "should": [{}], "must": [{}, {}]}}"#,
        one("a"),
        one("b"),
        one("c"),
        one("d"),
        one("e"),
        one("f")
    );
    let expected = Filter {
        should: vec![is_empty("d")],
        must: vec![is_empty("e"), is_empty("f")],
        must_not: vec![is_empty("a")],
        min_should: Some(MinShould {
            conditions: vec![is_empty("b"), is_empty("c")],
            min_count: 1,
        }),
    };
    assert_eq!(filter(&text), expected);
}

#[test]
fn conditions_without_a_field_are_read() {
    assert_eq!(
        condition(r#"{"is_null": {"key": "\"a b\".c"}}"#),
        ConditionOneOf::IsNull(IsNullCondition {
            key: "\"a b\".c".to_owned()
        })
    );
    let ids = [
        PointIdOptions::Num(7),
        PointIdOptions::Uuid("936da01f-9abd-4d9d-80c7-02af85c822a8".to_owned()),
    ];
    let has_id = ids
        .map(|id| PointId {
            point_id_options: Some(id),
        })
        .to_vec();
    assert_eq!(
        condition(r#"{"has_id": [7, "936DA01F9ABD4d9d80C702AF85C822A8"]}"#),
        ConditionOneOf::HasId(HasIdCondition { has_id })
    );
    assert_eq!(
        condition(r#"{"has_vector": "v"}"#),
        ConditionOneOf::HasVector(HasVectorCondition {
            has_vector: "v".to_owned()
        })
    );
    assert_eq!(
        condition(r#"{"has_vector": ""}"#),
        ConditionOneOf::HasVector(HasVectorCondition::default())
    );
    assert_eq!(condition("{}"), ConditionOneOf::Filter(Filter::default()));
    let inner = filter(r#"{"must": [{"has_id": [1]}]}"#);
    assert_eq!(
        condition(r#"{"must": {"has_id": [1]}}"#),
        ConditionOneOf::Filter(inner.clone())
    );
    let nested = NestedCondition {
        key: "n".to_owned(),
        filter: Some(inner),
    };
    assert_eq!(
        condition(r#"{"nested": {"filter": {"must": [{"has_id": [1]}]}, "key": "n"}}"#),
        ConditionOneOf::Nested(nested)
    );
}

#[test]
fn matches_are_read() {
    assert_eq!(
        matching(r#"{"value": "x"}"#),
        MatchValue::Keyword("x".to_owned())
    );
    assert_eq!(
        matching(r#"{"value": ""}"#),
        MatchValue::Keyword(String::new())
    );
    assert_eq!(matching(r#"{"value": -3}"#), MatchValue::Integer(-3));
    assert_eq!(matching(r#"{"value": false}"#), MatchValue::Boolean(false));
    assert_eq!(
        matching(r#"{"text": "x y"}"#),
        MatchValue::Text("x y".to_owned())
    );
    assert_eq!(
        matching(r#"{"text_any": "x y"}"#),
        MatchValue::TextAny("x y".to_owned())
    );
    assert_eq!(
        matching(r#"{"phrase": "x y"}"#),
        MatchValue::Phrase("x y".to_owned())
    );
    assert_eq!(
        matching(r#"{"any": ["x", "", "y"]}"#),
        MatchValue::Keywords(strings(&["x", "", "y"]))
    );
    assert_eq!(
        matching(r#"{"any": [-1, 2]}"#),
        MatchValue::Integers(RepeatedIntegers {
            integers: vec![-1, 2]
        })
    );
    assert_eq!(
        matching(r#"{"any": []}"#),
        MatchValue::Keywords(strings(&[]))
    );
    assert_eq!(
        matching(r#"{"except": ["x"]}"#),
        MatchValue::ExceptKeywords(strings(&["x"]))
    );
    assert_eq!(
        matching(r#"{"except": [300]}"#),
        MatchValue::ExceptIntegers(RepeatedIntegers {
            integers: vec![300]
        })
    );
}

#[test]
fn ranges_and_counts_are_read() {
    let range = Range {
        lt: Some(1.5),
        gt: Some(-2.0),
        gte: None,
        lte: Some(0.0),
    };
    assert_eq!(
        field(r#""range": {"lte": 0, "gt": -2, "lt": 1.5, "gte": null, "x": 1}"#),
        FieldCondition {
            range: Some(range),
            ..Default::default()
        }
    );
    let time = |seconds, nanos| Some(Timestamp { seconds, nanos });
    let times = DatetimeRange {
        lt: time(0, 0),
        gt: time(-1, 500_000_000),
        gte: None,
        lte: time(1_583_024_523, 123_456_000),
    };
    let read = field(
        r#""range": {"lt": "1970-01-01T00:00:00Z", "gt": "1969-12-31 23:59:59.5", "gte": null, "lte": "2020-03-01T02:02:03.123456+01:00"}"#,
    );
    assert_eq!(
        read,
        FieldCondition {
            datetime_range: Some(times),
            ..Default::default()
        }
    );
    let count = ValuesCount {
        lt: Some(0),
        gt: Some(u64::MAX),
        gte: None,
        lte: Some(3),
    };
    assert_eq!(
        field(r#""values_count": {"lt": 0, "gt": 18446744073709551615, "lte": 3}"#),
        FieldCondition {
            values_count: Some(count),
            ..Default::default()
        }
    );
    let both = field(r#""is_empty": false, "is_null": true, "match": null, "range": {}"#);
    assert_eq!(
        both,
        FieldCondition {
            is_empty: Some(false),
            is_null: Some(true),
            range: Some(Range::default()),
            ..Default::default()
        }
    );
}

#[test]
fn places_are_read() {
    let bounding_box = GeoBoundingBox {
        top_left: Some(place(-10.5, 20.0)),
        bottom_right: Some(place(0.0, -90.0)),
    };
    assert_eq!(
        field(
            r#""geo_bounding_box": {"bottom_right": {"lat": -90, "lon": 0}, "top_left": {"lon": -10.5, "lat": 20}}"#
        ),
        FieldCondition {
            geo_bounding_box: Some(bounding_box),
            ..Default::default()
        }
    );
    let radius = GeoRadius {
        center: Some(place(180.0, 0.1)),
        radius: 1000.5,
    };
    assert_eq!(
        field(r#""geo_radius": {"center": {"lon": 180, "lat": 0.1}, "radius": 1000.5}"#),
        FieldCondition {
            geo_radius: Some(radius),
            ..Default::default()
        }
    );
    let line = |shift: f64| GeoLineString {
        points: vec![
            place(shift, 0.0),
            place(shift + 1.0, 0.0),
            place(shift, 1.0),
            place(shift, 0.0),
        ],
    };
    let text = |shift: u8| {
        format!(
            r#"{{"points": [{{"lon": {shift}, "lat": 0}}, {{"lon": {}, "lat": 0}}, {{"lon": {shift}, "lat": 1}}, {{"lon": {shift}, "lat": 0}}]}}"#,
            shift + 1
        )
    };
    let polygon = GeoPolygon {
        exterior: Some(line(0.0)),
        interiors: vec![line(2.0), line(5.0)],
    };
    assert_eq!(
        field(&format!(
            r#""geo_polygon": {{"interiors": [{}, {}], "exterior": {}}}"#,
            text(2),
            text(5),
            text(0)
        )),
        FieldCondition {
            geo_polygon: Some(polygon),
            ..Default::default()
        }
    );
    let alone = GeoPolygon {
        exterior: Some(line(1.0)),
        interiors: vec![],
    };
    assert_eq!(
        field(&format!(
            r#""geo_polygon": {{"exterior": {}, "interiors": null}}"#,
            text(1)
        )),
        FieldCondition {
            geo_polygon: Some(alone),
            ..Default::default()
        }
    );
}

#[test]
fn filters_that_are_none_are_refused_with_their_path() {
    for (filter, path) in [
        ("5", "update_filter"),
        (r#"{"must": 5}"#, "update_filter.must"),
        (r#"{"other": []}"#, "update_filter.other"),
        (r#"{"must": [{"x": 1}]}"#, "update_filter.must[0].x"),
        (
            r#"{"must": [{"key": "a", "match": {}}]}"#,
            "update_filter.must[0].match",
        ),
        (
            r#"{"must": {"key": "a", "match": {"value": 1.5}}}"#,
            "update_filter.must.match.value",
        ),
        (
            r#"{"must": {"key": "a", "match": {"any": ["x", 1]}}}"#,
            "update_filter.must.match.any[1]",
        ),
        (
            r#"{"must": {"key": "a", "match": {"any": [1, "x"]}}}"#,
            "update_filter.must.match.any[1]",
        ),
        (
            r#"{"must": {"key": 1, "is_null": true}}"#,
            "update_filter.must.key",
        ),
        (
            r#"{"must": {"key": "a", "is_null": 1}}"#,
            "update_filter.must.is_null",
        ),
        (
            r#"{"must": {"key": "a", "range": {"lt": true}}}"#,
            "update_filter.must.range.lt",
        ),
        (
            r#"{"must": {"key": "a", "range": {"lt": 1, "gt": "2020-01-01"}}}"#,
            "update_filter.must.range.lt",
        ),
        (
            r#"{"must": {"key": "a", "values_count": {"lt": -1}}}"#,
            "update_filter.must.values_count.lt",
        ),
        (
            r#"{"must": {"is_empty": {}}}"#,
            "update_filter.must.is_empty.key",
        ),
        (r#"{"must": {"has_id": 1}}"#, "update_filter.must.has_id"),
        (
            r#"{"must": {"nested": {"key": "a"}}}"#,
            "update_filter.must.nested.filter",
        ),
        (
            r#"{"min_should": {"conditions": []}}"#,
            "update_filter.min_should.min_count",
        ),
        (r#"{"must": [], "must": []}"#, "update_filter.must"),
    ] {
        match refused(&body(filter)) {
            WriteError::Type { path: found, .. } => assert_eq!(found, path, "{filter}"),
            other => panic!("{other:?}\n{filter}"),
        }
    }
}

#[test]
fn filters_qdrant_would_refuse_later_are_refused_now() {
    let line = r#"{"points": [{"lon": 1, "lat": 0}, {"lon": 2, "lat": 0}, {"lon": 1, "lat": 1}]}"#;
    let open = r#"{"points": [{"lon": 1, "lat": 0}, {"lon": 2, "lat": 0}, {"lon": 1, "lat": 1}, {"lon": 1, "lat": 0.5}]}"#;
    for (filter, field) in [
        (r#"{"must": {"key": "a"}}"#.to_owned(), "update_filter.must"),
        (r#"{"must": {"key": "a b", "is_null": true}}"#.to_owned(), "update_filter.must.key"),
        (r#"{"must": {"nested": {"key": "", "filter": {}}}}"#.to_owned(), "update_filter.must.nested.key"),
        (r#"{"must": {"has_id": [1, -1]}}"#.to_owned(), "update_filter.must.has_id[1]"),
        (r#"{"must": {"key": "a", "range": {"lt": "yesterday"}}}"#.to_owned(), "update_filter.must.range.lt"),
        (r#"{"must": {"key": "a", "geo_radius": {"center": {"lon": 181, "lat": 0}, "radius": 1}}}"#.to_owned(), "update_filter.must.geo_radius.center.lon"),
        (format!(r#"{{"must": {{"key": "a", "geo_polygon": {{"exterior": {line}}}}}}}"#), "update_filter.must.geo_polygon.exterior.points"),
        (format!(r#"{{"must": {{"key": "a", "geo_polygon": {{"exterior": {open}}}}}}}"#), "update_filter.must.geo_polygon.exterior.points"),
    ] {
        match refused(&body(&filter)) {
            WriteError::Invalid { point: None, field: found, .. } => assert_eq!(found, field, "{filter}"),
            other => panic!("{other:?}\n{filter}"),
        }
    }
}

/// Qdrant's own reading of a date and time, form after form.
fn qdrant_reads(text: &str) -> Option<DateTime<Utc>> {
    let zoned = DateTime::parse_from_rfc3339(text)
        .or_else(|_| text.parse::<DateTime<chrono::FixedOffset>>())
        .or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%#z"))
        .or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f%#z"));
    if let Ok(time) = zoned {
        return Some(time.to_utc());
    }
    let naive = NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f")
        .or_else(|_| NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f"))
        .or_else(|_| NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M"))
        .or_else(|_| NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M"))
        .or_else(|_| NaiveDate::parse_from_str(text, "%Y-%m-%d").map(Into::into));
    naive.ok().map(|time| time.and_utc())
}

fn we_read(text: &str) -> Option<Timestamp> {
    let filter = format!(r#"{{"must": {{"key": "a", "range": {{"lt": "{text}"}}}}}}"#);
    let message = upsert(&body(&filter)).ok()?.into_messages(usize::MAX);
    let condition = crate::decode(&message[0])
        .update_filter?
        .must
        .swap_remove(0)
        .condition_one_of?;
    match condition {
        ConditionOneOf::Field(field) => field.datetime_range?.lt,
        other => panic!("{other:?}"),
    }
}

proptest! {
    #[test]
    fn dates_and_times_are_read_as_qdrant_reads_them(
        text in "(19|20)[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])(([T ]([01][0-9]|2[0-3]):[0-5][0-9])(:[0-5][0-9](\\.[0-9]{1,12})?( ?(Z|z|[+-][01][0-9](:?[0-5][0-9])?))?)?)?"
    ) {
        let expected = qdrant_reads(&text).map(|time| Timestamp {
            seconds: time.timestamp(),
            nanos: time.timestamp_subsec_nanos().cast_signed(),
        });
        prop_assert_eq!(we_read(&text), expected, "{}", text);
    }
}

#[test]
fn times_that_are_none_are_refused() {
    for text in [
        "",
        "2020",
        "2020-13-01",
        "2020-02-30",
        "2019-02-29",
        "2020-01-01T24:00:00Z",
        "2020-01-01T00:60:00Z",
        "2020-01-01T00:00:00.Z",
        "2020-01-01T00:00:00BAD",
        "2020-01-01x",
        "20-01-01",
        "2020-01-01T00:00:00+1",
        "2020-01-01T00:00:00 +01:00:00",
        "9999-12-31T23:59:59-01:00",
    ] {
        assert_eq!(we_read(text), None, "{text}");
    }
    assert_eq!(
        we_read("2020-02-29"),
        Some(Timestamp {
            seconds: 1_582_934_400,
            nanos: 0
        })
    );
    assert_eq!(
        we_read("0001-01-01"),
        Some(Timestamp {
            seconds: -62_135_596_800,
            nanos: 0
        })
    );
    assert_eq!(
        we_read("1900-03-01T00:00:00Z"),
        Some(Timestamp {
            seconds: -2_203_891_200,
            nanos: 0
        })
    );
}
