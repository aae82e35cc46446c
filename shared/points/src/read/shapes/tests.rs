use proptest::prelude::*;

use super::*;

fn shape() -> impl Strategy<Value = Shape> {
    prop_oneof![
        (1..4_usize).prop_map(Shape::Dense),
        (1..4_usize).prop_map(Shape::Multi),
        Just(Shape::Sparse),
        Just(Shape::Inference),
    ]
}

fn kind() -> impl Strategy<Value = VectorKind> {
    prop_oneof![
        (1..4_u64).prop_map(|size| VectorKind::Dense { size }),
        (1..4_u64).prop_map(|size| VectorKind::MultiDense { size }),
        Just(VectorKind::Sparse),
    ]
}

/// Notes a vector `v` of each shape, one a point from `first` on.
fn note(shapes: &mut Shapes, first: usize, noted: &[Shape]) {
    for (index, shape) in noted.iter().enumerate() {
        let name = shapes.name(b"v").expect("few names");
        shapes.note(name, first + index, *shape);
    }
}

fn noted(all: &[Shape]) -> Shapes {
    let mut shapes = Shapes::default();
    note(&mut shapes, 0, all);
    shapes
}

/// The first point at fault in a collection with such a vector `v`.
fn fault(shapes: &Shapes, kind: VectorKind) -> Option<usize> {
    let schema = CollectionSchema {
        vectors: [("v".to_owned(), kind)].into_iter().collect(),
    };
    match shapes.check(&schema, &[], "vector") {
        Ok(()) => None,
        Err(WriteError::Invalid { point, .. }) => point.map(|point| point.index),
        Err(other) => panic!("{other:?}"),
    }
}

proptest! {
    #[test]
    fn the_first_fault_is_that_of_the_points_one_by_one(
        all in prop::collection::vec(shape(), 1..30),
        kind in kind(),
    ) {
        let first = all.iter().position(|shape| fault(&noted(&[*shape]), kind).is_some());
        prop_assert_eq!(fault(&noted(&all), kind), first);
    }

    #[test]
    fn what_is_taken_back_was_never_noted(
        before in prop::collection::vec(shape(), 0..5),
        taken_back in prop::collection::vec(shape(), 0..5),
        after in prop::collection::vec(shape(), 0..5),
        kind in kind(),
    ) {
        let mut shapes = noted(&before);
        let mark = shapes.mark();
        note(&mut shapes, before.len(), &taken_back);
        shapes.back_to(mark);
        note(&mut shapes, before.len(), &after);
        let all = [before, after].concat();
        prop_assert_eq!(fault(&shapes, kind), fault(&noted(&all), kind));
    }
}

#[test]
fn shapes_that_change_with_every_point_are_noted_a_few_times() {
    let changing: Vec<Shape> = (0..10_000).map(Shape::Dense).collect();
    assert_eq!(noted(&changing).changes.len(), MAX_SHAPES);
}

#[test]
fn names_are_numbered_as_they_come() {
    let mut shapes = Shapes::default();
    let names: [&[u8]; 8] = [b"a", b"b", b"a", b"b", b"b", b"c", b"a", b""];
    let numbers = names.map(|name| shapes.name(name).expect("few names"));
    assert_eq!(numbers, [0, 1, 0, 1, 1, 2, 0, 3]);
}
