use serde_json::json;

use super::*;
use crate::qdrant::collection::config::CreateCollection;

fn schema() -> Schema {
    let create = json!({
        "vectors": {
            "dense": {"size": 3, "distance": "Cosine"},
            "multi": {
                "size": 2, "distance": "Dot", "multivector_config": {"comparator": "max_sim"},
            },
        },
        "sparse_vectors": {"sparse": {}},
    });
    let create: CreateCollection = serde_json::from_value(create).expect("a collection");
    Schema::of(&create.complete().expect("within the rules"))
}

fn sparse(indices: &[u32], values: &[f32]) -> VectorPersisted {
    VectorPersisted::Sparse(SparseVector {
        indices: indices.to_vec(),
        values: values.to_vec(),
    })
}

fn check(name: &str, vector: &VectorPersisted) -> Result<(), String> {
    let checked = schema().check(name, vector.into());
    checked.map_err(|misfit| RequestError::from(misfit).to_string())
}

#[test]
fn vectors_that_fit_are_taken() {
    let fitting = [
        ("dense", VectorPersisted::Dense(vec![1.0; 3])),
        ("multi", VectorPersisted::MultiDense(vec![vec![1.0; 2]; 5])),
        // One vector is a multi vector of one.
        ("multi", VectorPersisted::Dense(vec![1.0; 2])),
        ("sparse", sparse(&[7, 1], &[0.5, 0.1])),
        ("sparse", sparse(&[], &[])),
    ];
    for (name, vector) in fitting {
        assert_eq!(check(name, &vector), Ok(()), "{name}: {vector:?}");
    }
}

#[test]
fn vectors_that_do_not_fit_are_refused_in_qdrants_words() {
    let dense = |length| VectorPersisted::Dense(vec![1.0; length]);
    let cases = [
        (
            "dense",
            dense(2),
            "Wrong input: Vector dimension error: expected dim: 3, got 2",
        ),
        (
            "multi",
            dense(3),
            "Wrong input: Vector dimension error: expected dim: 2, got 3",
        ),
        (
            "multi",
            VectorPersisted::MultiDense(vec![vec![1.0; 3]; 2]),
            "Wrong input: Vector dimension error: expected dim: 2, got 3",
        ),
        (
            "dense",
            VectorPersisted::MultiDense(vec![vec![1.0; 3]]),
            "Wrong input: Conversion between multi and regular vectors failed",
        ),
        (
            "dense",
            sparse(&[1], &[1.0]),
            "Wrong input: Conversion between sparse and regular vectors failed",
        ),
        (
            "sparse",
            dense(3),
            "Wrong input: Conversion between sparse and regular vectors failed",
        ),
        (
            "nobody",
            dense(3),
            "Wrong input: Not existing vector name error: nobody",
        ),
        (
            "",
            dense(3),
            "Wrong input: Not existing vector name error: ",
        ),
        (
            "dense",
            dense(0),
            "Validation error in body: [dense vector must not be empty]",
        ),
        (
            "sparse",
            sparse(&[1, 2], &[1.0]),
            "Validation error in body: [values: must be the same length as indices]",
        ),
        (
            "sparse",
            sparse(&[2, 1, 2], &[1.0, 2.0, 3.0]),
            "Validation error in body: [indices: must be unique]",
        ),
        (
            "multi",
            VectorPersisted::MultiDense(Vec::new()),
            "Validation error in body: [multi vector must not be empty]",
        ),
        (
            "multi",
            VectorPersisted::MultiDense(vec![vec![1.0; 2], Vec::new()]),
            "Validation error in body: [all vectors must be non-empty]",
        ),
        (
            "multi",
            VectorPersisted::MultiDense(vec![vec![1.0; 2], vec![1.0; 3]]),
            "Validation error in body: [all vectors must have the same dimension, found vector with dimension 3]",
        ),
    ];
    for (name, vector, expected) in cases {
        assert_eq!(
            check(name, &vector),
            Err(expected.to_owned()),
            "{name}: {vector:?}"
        );
    }
}

#[test]
fn a_written_point_names_the_vector_of_the_wrong_dimension() {
    let named = HashMap::from([("dense".to_owned(), VectorPersisted::Dense(vec![1.0]))]);
    let point = PointStructPersisted {
        id: qdrant_edge::PointId::NumId(1),
        vector: VectorStructPersisted::Named(named),
        payload: None,
    };
    let error = schema()
        .check_points(&[point])
        .expect_err("it does not fit");
    let expected = "Wrong input: Vector dimension error: expected dim: 3, got 1 for vector 'dense'";
    assert_eq!(error.to_string(), expected);
}
