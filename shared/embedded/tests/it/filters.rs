//! Every kind of condition, over gRPC: which of a handful of films it finds.

use qdrant_client::qdrant::{
    Condition, CountPointsBuilder, DatetimeRange, Distance, Filter, GeoBoundingBox, GeoLineString,
    GeoPoint, GeoPolygon, GeoRadius, IsEmptyCondition, IsNullCondition, MinShould, Range,
    ScrollPointsBuilder, Timestamp, ValuesCount, r#match::MatchValue,
};
use serde_json::json;
use tonic::Code;

use crate::setup::{Outcome, Plain, id_text, point, refusal};

#[tokio::test]
async fn each_condition_finds_the_films_it_means() -> Outcome {
    let plain = films().await?;
    let at = |lon: f64, lat: f64| GeoPoint { lon, lat };
    let europe = [
        at(-10.0, 35.0),
        at(30.0, 35.0),
        at(30.0, 60.0),
        at(-10.0, 60.0),
    ];
    let ring = GeoLineString {
        points: europe.iter().chain(&europe[..1]).copied().collect(),
    };
    let since_1950 = Timestamp::date(1950, 1, 1)?;
    let nested = Filter::must([
        Condition::matches("role", "director".to_owned()),
        Condition::matches("name", "Scott".to_owned()),
    ]);
    let two_of = MinShould {
        min_count: 2,
        conditions: vec![
            Condition::matches("colour", true),
            Condition::matches("title", "Alien".to_owned()),
            Condition::range(
                "year",
                Range {
                    gt: Some(1980.0),
                    ..Range::default()
                },
            ),
        ],
    };
    let cases: Vec<(&str, Filter, &[&str])> = vec![
        (
            "keyword",
            must(Condition::matches("title", "Alien".to_owned())),
            &["1"],
        ),
        ("integer", must(Condition::matches("year", 1954)), &["3"]),
        (
            "boolean",
            must(Condition::matches("colour", false)),
            &["2", "3"],
        ),
        (
            "any keyword",
            must(Condition::matches(
                "title",
                vec!["Alien".to_owned(), "Ran".to_owned()],
            )),
            &["1", "4"],
        ),
        (
            "any integer",
            must(Condition::matches("year", vec![1929, 1985])),
            &["2", "4"],
        ),
        (
            "except",
            must(Condition::matches(
                "title",
                MatchValue::ExceptKeywords(vec!["Alien".to_owned(), "Ran".to_owned()].into()),
            )),
            &["2", "3"],
        ),
        (
            "text",
            must(Condition::matches_text("plot", "samurai")),
            &["3"],
        ),
        (
            "range",
            must(Condition::range(
                "year",
                Range {
                    gte: Some(1954.0),
                    lt: Some(1985.0),
                    ..Range::default()
                },
            )),
            &["1", "3"],
        ),
        (
            "datetime range",
            must(Condition::datetime_range(
                "released",
                DatetimeRange {
                    gte: Some(since_1950),
                    ..DatetimeRange::default()
                },
            )),
            &["1", "3"],
        ),
        (
            "bounding box",
            must(Condition::geo_bounding_box(
                "shot_at",
                GeoBoundingBox {
                    top_left: Some(at(-10.0, 60.0)),
                    bottom_right: Some(at(30.0, 35.0)),
                },
            )),
            &["1", "2"],
        ),
        (
            "radius",
            must(Condition::geo_radius(
                "shot_at",
                GeoRadius {
                    center: Some(at(13.4, 52.5)),
                    radius: 10_000.0,
                },
            )),
            &["2"],
        ),
        (
            "polygon",
            must(Condition::geo_polygon(
                "shot_at",
                GeoPolygon {
                    exterior: Some(ring),
                    interiors: Vec::new(),
                },
            )),
            &["1", "2"],
        ),
        (
            "values count",
            must(Condition::values_count(
                "cast",
                ValuesCount {
                    gte: Some(2),
                    ..ValuesCount::default()
                },
            )),
            &["1"],
        ),
        (
            "is empty",
            must(
                IsEmptyCondition {
                    key: "cast".to_owned(),
                }
                .into(),
            ),
            &["3", "4"],
        ),
        (
            "is null",
            must(
                IsNullCondition {
                    key: "cast".to_owned(),
                }
                .into(),
            ),
            &["4"],
        ),
        ("has id", must(Condition::has_id([1, 3, 99])), &["1", "3"]),
        (
            "nested path",
            must(Condition::matches("studio.name", "Fox".to_owned())),
            &["1"],
        ),
        ("nested", must(Condition::nested("crew", nested)), &["1"]),
        (
            "any of a list",
            must(Condition::matches("cast", "Weaver".to_owned())),
            &["1"],
        ),
        (
            "should",
            Filter::should([
                Condition::matches("title", "Alien".to_owned()),
                Condition::matches("year", 1985),
            ]),
            &["1", "4"],
        ),
        (
            "must not",
            Filter::must_not([Condition::matches("colour", true)]),
            &["2", "3"],
        ),
        (
            "min should",
            Filter {
                min_should: Some(two_of),
                ..Filter::default()
            },
            &["1", "4"],
        ),
        (
            "a filter in a filter",
            must(Filter::must_not([Condition::has_id([1, 2])]).into()),
            &["3", "4"],
        ),
        ("nothing", Filter::default(), &["1", "2", "3", "4"]),
    ];
    for (kind, filter, expected) in cases {
        let count = CountPointsBuilder::new(&plain.collection).filter(filter.clone());
        let counted = plain.client.count(count).await?.result.expect("a count");
        let scroll = ScrollPointsBuilder::new(&plain.collection).filter(filter);
        let found = plain.client.scroll(scroll).await?.result.into_iter();
        let found: Vec<_> = found.map(|point| id_text(point.id)).collect();
        assert_eq!(found, expected, "{kind}");
        assert_eq!(counted.count, expected.len() as u64, "{kind}");
    }
    Ok(())
}

#[tokio::test]
async fn a_malformed_filter_is_an_invalid_argument() -> Outcome {
    let plain = films().await?;
    let outside = GeoRadius {
        center: Some(GeoPoint {
            lon: 999.0,
            lat: 0.0,
        }),
        radius: 1.0,
    };
    let malformed = [
        must(Condition::geo_radius("shot_at", outside)),
        must(Condition::default()),
        must(Condition::has_id(["no uuid".to_owned()])),
    ];
    for filter in malformed {
        let count = CountPointsBuilder::new(&plain.collection).filter(filter);
        let (code, message) = refusal(plain.client.count(count).await);
        assert_eq!(code, Code::InvalidArgument, "{message}");
    }
    Ok(())
}

fn must(condition: Condition) -> Filter {
    Filter::must([condition])
}

async fn films() -> anyhow::Result<Plain> {
    let plain = Plain::new(1, Distance::Dot).await?;
    let films = [
        json!({
            "title": "Alien", "year": 1979, "colour": true, "plot": "A crew in space",
            "released": "1979-05-25T00:00:00Z", "shot_at": {"lon": -0.4, "lat": 51.4},
            "cast": ["Weaver", "Holm"], "studio": {"name": "Fox"},
            "crew": [
                {"role": "director", "name": "Scott"},
                {"role": "writer", "name": "O'Bannon"},
            ],
        }),
        json!({
            "title": "Pandora", "year": 1929, "colour": false, "plot": "A dancer falls",
            "released": "1929-02-09T00:00:00Z", "shot_at": {"lon": 13.4, "lat": 52.5},
            "cast": ["Brooks"], "crew": [
                {"role": "director", "name": "Pabst"},
                {"role": "writer", "name": "Scott"},
            ],
        }),
        json!({
            "title": "Seven", "year": 1954, "colour": false, "plot": "Seven samurai defend",
            "released": "1954-04-26T00:00:00+09:00", "shot_at": {"lon": 139.7, "lat": 35.6},
            "cast": [],
        }),
        json!({"title": "Ran", "year": 1985, "colour": true, "plot": "A king divides", "cast": null}),
    ];
    let films = (1_u64..).zip(films);
    let points = films.map(|(id, film)| point(id, vec![1.0], film)).collect();
    plain.upsert(points).await?;
    Ok(plain)
}
