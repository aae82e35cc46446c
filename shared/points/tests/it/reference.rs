//! Any valid body becomes what Qdrant's own types make of it.
use alioth_points::{UpsertQuery, Write};
use proptest::prelude::*;
use qdrant_client::qdrant::UpsertPoints;

use crate::generate::{Layout, Point, layout, point_struct, points};
use crate::{only_message, upsert};

fn reference(points: &[Point]) -> UpsertPoints {
    UpsertPoints {
        collection_name: "c".to_owned(),
        points: points.iter().map(point_struct).collect(),
        ..Default::default()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn a_list_of_points_is_encoded_as_by_the_reference(points in points(), layout in layout()) {
        let body = layout.object(&[("points", layout.point_list(&points))]);
        prop_assert_eq!(only_message(upsert(&body).expect("a good body")), reference(&points), "{}", body);
    }

    #[test]
    fn a_batch_is_encoded_as_by_the_reference(points in points(), layout in layout()) {
        let body = layout.object(&[("batch", layout.batch(&points))]);
        prop_assert_eq!(only_message(upsert(&body).expect("a good body")), reference(&points), "{}", body);
    }

    #[test]
    fn an_ingest_body_is_encoded_as_by_the_reference(points in points(), layout in layout()) {
        let body = layout.object(&[("collection_name", "\"c\"".to_owned()), ("batch", layout.batch(&points))]);
        let write = Write::parse_ingest(body.as_bytes()).expect("a good body");
        prop_assert_eq!(only_message(write), reference(&points), "{}", body);
    }

    #[test]
    fn one_name_for_a_batch_is_the_same_by_rows_and_by_columns(points in points(), layout in layout()) {
        let Layout { .. } = layout;
        let rows: Vec<String> = points.iter().map(|point| layout.object(&[("v", vector_of(point, layout))])).collect();
        let column: Vec<String> = points.iter().map(|point| vector_of(point, layout)).collect();
        let ids: Vec<String> = points.iter().map(|point| point.id.0.clone()).collect();
        let body = |vectors: String| format!(r#"{{"batch": {{"ids": [{}], "vectors": {vectors}}}}}"#, ids.join(","));
        let by_rows = upsert(&body(format!("[{}]", rows.join(",")))).expect("a good body");
        let by_columns = upsert(&body(format!(r#"{{"v": [{}]}}"#, column.join(",")))).expect("a good body");
        prop_assert_eq!(by_rows.into_messages(usize::MAX), by_columns.into_messages(usize::MAX));
    }

    #[test]
    fn the_query_changes_nothing_but_the_options(points in points(), timeout_s in any::<u64>()) {
        let layout = Layout { blank: "", reversed: false };
        let body = layout.object(&[("points", layout.point_list(&points))]);
        let query = UpsertQuery { ordering: None, timeout_s: Some(timeout_s) };
        let write = Write::parse_upsert("c", query, body.as_bytes()).expect("a good body");
        let expected = UpsertPoints { timeout: Some(timeout_s), ..reference(&points) };
        prop_assert_eq!(only_message(write), expected);
    }
}

/// One of a point's vectors, or one made up.
fn vector_of(point: &Point, layout: Layout) -> String {
    match &point.vectors {
        crate::generate::Points::None => "[1, 2.5]".to_owned(),
        crate::generate::Points::One(numbers) => layout.numbers(numbers),
        crate::generate::Points::Named(named) => named
            .values()
            .next()
            .map_or("[0]".to_owned(), |numbers| layout.numbers(numbers)),
    }
}
