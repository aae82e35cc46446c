//! Vectors of each kind, and what vectors are inferred from.
use std::collections::HashMap;

use qdrant_client::qdrant::value::Kind;
use qdrant_client::qdrant::vector::Vector as Kinds;
use qdrant_client::qdrant::{DenseVector, Document, SparseVector, Value};

use super::{dense, named_of, no_vectors, point, vector_of};
use crate::upserted;

#[test]
fn a_point_without_vectors_has_none_of_them_named() {
    for vectors in [
        "",
        r#", "vector": null"#,
        r#", "vector": {}"#,
        r#", "vectors": {}"#,
    ] {
        assert_eq!(point(vectors).vectors, no_vectors(), "{vectors}");
    }
}

#[test]
fn vectors_of_each_kind_are_read() {
    assert_eq!(
        vector_of(point(r#", "vector": [0.5, -1, 2e1]"#)),
        dense(&[0.5, -1.0, 20.0])
    );
    assert_eq!(vector_of(point(r#", "vectors": [0.5]"#)), dense(&[0.5]));
    let Kinds::MultiDense(multi) = vector_of(point(r#", "vector": [[1, 2], [3.5, 4]]"#)) else {
        panic!("no matrix")
    };
    assert_eq!(
        multi.vectors,
        [
            DenseVector {
                data: vec![1.0, 2.0]
            },
            DenseVector {
                data: vec![3.5, 4.0]
            }
        ]
    );
    let named = named_of(point(
        r#", "vector": {"": [1], "title": [0.25, 1], "words": {"values": [0.5, 2], "other": {}, "indices": [7, 4294967295]}, "nothing": {"indices": [], "values": []}, "matrix": [[1]]}"#,
    ));
    assert_eq!(named[""], dense(&[1.0]));
    assert_eq!(named["title"], dense(&[0.25, 1.0]));
    assert_eq!(
        named["words"],
        Kinds::Sparse(SparseVector {
            values: vec![0.5, 2.0],
            indices: vec![7, u32::MAX]
        })
    );
    assert_eq!(named["nothing"], Kinds::Sparse(SparseVector::default()));
    assert!(matches!(named["matrix"], Kinds::MultiDense(_)));
}

#[test]
fn inference_objects_pass_through() {
    let text = r#"{"text": "hello", "model": "m", "options": {"k": 1.5}}"#;
    let document = Kinds::Document(Document {
        text: "hello".to_owned(),
        model: "m".to_owned(),
        options: HashMap::from([(
            "k".to_owned(),
            Value {
                kind: Some(Kind::DoubleValue(1.5)),
            },
        )]),
    });
    assert_eq!(
        vector_of(point(&format!(r#", "vector": {text}"#))),
        document
    );
    assert_eq!(
        named_of(point(&format!(r#", "vector": {{"title": {text}}}"#)))["title"],
        document
    );
    let Kinds::Image(image) = vector_of(point(r#", "vector": {"image": [1, "a"], "model": "m"}"#))
    else {
        panic!("no image")
    };
    assert!(matches!(
        image.image,
        Some(Value {
            kind: Some(Kind::ListValue(_))
        })
    ));
    assert_eq!((image.model.as_str(), image.options.len()), ("m", 0));
    let Kinds::Object(object) = named_of(point(
        r#", "vector": {"v": {"model": "m", "object": {"a": null}, "options": null}}"#,
    ))
    .remove("v")
    .expect("a vector") else {
        panic!("no object")
    };
    assert!(matches!(
        object.object,
        Some(Value {
            kind: Some(Kind::StructValue(_))
        })
    ));
}

#[test]
fn vectors_may_be_called_like_an_inference_objects_fields() {
    let named = named_of(point(
        r#", "vector": {"image": [1, 2], "text": [3], "model": [4], "options": [5], "object": [6]}"#,
    ));
    assert_eq!(named.len(), 5);
    assert_eq!(named["model"], dense(&[4.0]));
}

#[test]
fn white_space_is_allowed_wherever_json_allows_it() {
    let body = " \r\n\t{ \"points\" :\n[ { \"id\" : 1 , \"vector\" : [ 0.5 , -0.25\n,\t1 ] , \"payload\" : { \"a\" : [ 1 , 2 ] } } ] } \n";
    assert_eq!(
        vector_of(upserted(body).points.swap_remove(0)),
        dense(&[0.5, -0.25, 1.0])
    );
}

#[test]
fn long_vectors_of_mixed_writing_are_read_alike() {
    let numbers = [
        "0.123456789012345678",
        "-0.5",
        "1",
        "0.0",
        "-1.25e-3",
        "12.5",
        "0.00001234567890123456789",
        "3.4028234e38",
        "-0",
    ];
    let texts: Vec<&str> = numbers.iter().cycle().take(500).copied().collect();
    let values: Vec<f32> = texts
        .iter()
        .map(|text| text.parse::<f64>().expect("a number") as f32)
        .collect();
    for separator in [",", ", ", " ,", "\n,\n", ",  "] {
        let body = format!(
            r#"{{"points": [{{"id": 1, "vector": [{}]}}]}}{}"#,
            texts.join(separator),
            " ".repeat(64)
        );
        assert_eq!(
            vector_of(upserted(&body).points.swap_remove(0)),
            dense(&values)
        );
    }
}
