//! The batch form and the Python Alioth's body.
use alioth_points::Write;
use qdrant_client::qdrant::value::Kind;
use qdrant_client::qdrant::vector::Vector as Kinds;

use super::{dense, named_of, no_vectors, vector_of};
use crate::{only_message, upserted};

#[test]
fn a_batch_is_read_in_any_order_of_its_columns() {
    let columns = [
        r#""ids": [1, "936da01f9abd4d9d80c702af85c822a8"]"#,
        r#""vectors": [[1, 2], [3, 4]]"#,
        r#""payloads": [{"a": 1}, null]"#,
    ];
    for order in [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
    ] {
        let body = format!(
            r#"{{"batch": {{{}}}}}"#,
            order.map(|column| columns[column]).join(",")
        );
        let points = upserted(&body).points;
        assert_eq!(points.len(), 2);
        assert_eq!(points[0].payload["a"].kind, Some(Kind::IntegerValue(1)));
        assert!(points[1].payload.is_empty());
        assert_eq!(vector_of(points[1].clone()), dense(&[3.0, 4.0]));
    }
}

#[test]
fn a_batchs_vectors_may_be_rows_of_any_kind_or_columns_by_name() {
    let points = |vectors: &str| {
        upserted(&format!(
            r#"{{"batch": {{"ids": [1, 2], "vectors": {vectors}}}}}"#
        ))
        .points
    };
    assert_eq!(points("null")[1].vectors, no_vectors());
    assert_eq!(points("{}")[1].vectors, no_vectors());
    assert_eq!(points("[null, {}]")[0].vectors, no_vectors());
    assert!(matches!(
        vector_of(points("[[[1]], [[2]]]").swap_remove(1)),
        Kinds::MultiDense(_)
    ));
    assert!(matches!(
        vector_of(points(r#"[{"text": "a", "model": "m"}, [1]]"#).swap_remove(0)),
        Kinds::Document(_)
    ));
    assert_eq!(
        named_of(points(r#"[{"a": [1]}, {"b": [2], "a": [3]}]"#).swap_remove(1)).len(),
        2
    );
    let columns = points(r#"{"a": [[1], [2]], "b": [{"indices": [1], "values": [2]}, [[3]]]}"#);
    assert_eq!(named_of(columns[0].clone())["a"], dense(&[1.0]));
    assert!(matches!(
        named_of(columns[0].clone())["b"],
        Kinds::Sparse(_)
    ));
    assert!(matches!(
        named_of(columns[1].clone())["b"],
        Kinds::MultiDense(_)
    ));
    let none = upserted(r#"{"batch": {"ids": [1, 2]}}"#);
    assert_eq!(none.points[0].vectors, no_vectors());
}

#[test]
fn an_ingest_body_names_its_collection() {
    let body = br#"{"batch": {"vectors": [[0.5]], "ids": [7], "payloads": [{"a": "b"}]}, "x": 1, "collection_name": "movies"}"#;
    let write = Write::parse_ingest(body).expect("a good body");
    assert_eq!((write.collection_name(), write.points()), ("movies", 1));
    let message = only_message(write);
    assert_eq!(message.collection_name, "movies");
    assert_eq!(message.points.len(), 1);
    assert_eq!(
        (
            message.wait,
            message.ordering,
            message.timeout,
            message.update_mode
        ),
        (None, None, None, None)
    );
}
