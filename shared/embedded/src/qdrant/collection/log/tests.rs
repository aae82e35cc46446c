use std::collections::HashMap;

use qdrant_edge::{
    ConditionalInsertOperation, CreateIndex, FieldIndexOperations, Filter, JsonPath, Payload,
    PayloadFieldSchema, PayloadSchemaType, PointId, PointInsertOperations, PointOperations,
    PointStructPersisted, SparseVector, UpdateMode, VectorPersisted, VectorStructPersisted,
    external::uuid::Uuid,
};
use serde_json::json;

use super::*;

fn path(text: &str) -> JsonPath {
    JsonPath::try_from(text).expect("a path")
}

fn payload(value: serde_json::Value) -> Option<Payload> {
    serde_json::from_value(value).expect("an object")
}

fn points() -> Vec<PointStructPersisted> {
    let sparse = SparseVector {
        indices: vec![1, u32::MAX],
        values: vec![0.5, f32::MIN_POSITIVE],
    };
    let named = HashMap::from([
        ("dense".to_owned(), VectorPersisted::Dense(vec![1.0, 2.0])),
        (
            "multi".to_owned(),
            VectorPersisted::MultiDense(vec![vec![1.0], vec![2.0]]),
        ),
        ("sparse".to_owned(), VectorPersisted::Sparse(sparse)),
        (String::new(), VectorPersisted::Dense(vec![0.0])),
    ]);
    vec![
        PointStructPersisted {
            id: PointId::NumId(u64::MAX),
            vector: VectorStructPersisted::Single(vec![0.1, -2.5e-7, f32::MAX, 3.0]),
            payload: payload(json!({
                "low": i64::MIN, "high": u64::MAX, "third": 0.1, "tiny": 5e-324,
                "list": [null, true, "ü", {"": 1.5}],
            })),
        },
        PointStructPersisted {
            id: PointId::Uuid(Uuid::from_u128(0x550e_8400_e29b_41d4_a716_4466_5544_0000)),
            vector: VectorStructPersisted::MultiDense(vec![vec![1.0, 2.0], vec![3.0, 4.0]]),
            payload: None,
        },
        PointStructPersisted {
            id: PointId::NumId(0),
            vector: VectorStructPersisted::Named(named),
            payload: payload(json!({})),
        },
        PointStructPersisted {
            id: PointId::NumId(1),
            vector: VectorStructPersisted::Named(HashMap::new()),
            payload: None,
        },
    ]
}

fn filter() -> Filter {
    serde_json::from_value(json!({
        "must": [
            {"key": "year", "range": {"gte": 1950, "lt": 1980.5}},
            {"key": "released", "range": {"gte": "1979-05-25T00:00:00Z"}},
            {"key": "title", "match": {"any": ["Alien", "Ran"]}},
            {"key": "at", "geo_radius": {"center": {"lon": 13.4, "lat": 52.5}, "radius": 1000.0}},
            {"has_id": [1, "550e8400-e29b-41d4-a716-446655440000"]},
            {"nested": {"key": "crew", "filter": {"must_not": [{"is_null": {"key": "name"}}]}}},
        ],
        "should": [{"key": "cast", "values_count": {"gt": 1}}, {"is_empty": {"key": "cast"}}],
        "min_should": {"conditions": [{"has_vector": "dense"}], "min_count": 1},
    }))
    .expect("a filter")
}

/// One of every update the node writes.
fn updates() -> Vec<UpdateOperation> {
    let list = || PointInsertOperations::PointsList(points());
    let index = |field_schema| CreateIndex {
        field_name: path("studio.name"),
        field_schema: Some(field_schema),
    };
    let text = json!({"type": "text", "tokenizer": "word", "lowercase": true});
    let text = serde_json::from_value(text).expect("an index");
    let points = [
        PointOperations::UpsertPoints(list()),
        PointOperations::UpsertPointsConditional(ConditionalInsertOperation {
            points_op: list(),
            condition: filter(),
            update_mode: Some(UpdateMode::UpdateOnly),
        }),
        PointOperations::UpsertPointsConditional(ConditionalInsertOperation {
            points_op: list(),
            condition: Filter::default(),
            update_mode: Some(UpdateMode::InsertOnly),
        }),
        PointOperations::DeletePoints {
            ids: points().into_iter().map(|point| point.id).collect(),
        },
        PointOperations::DeletePointsByFilter(filter()),
        PointOperations::DeletePointsByFilter(Filter::default()),
    ];
    let keyword = PayloadFieldSchema::FieldType(PayloadSchemaType::Keyword);
    let indexes = [
        FieldIndexOperations::CreateIndex(index(keyword)),
        FieldIndexOperations::CreateIndex(index(text)),
        FieldIndexOperations::DeleteIndex(path("a[].b")),
    ];
    points
        .map(UpdateOperation::PointOperation)
        .into_iter()
        .chain(indexes.map(UpdateOperation::FieldIndexOperation))
        .collect()
}

fn read(path: &Path) -> Vec<UpdateOperation> {
    let mut read = Vec::new();
    UpdateLog::open(path, |update| read.push(update)).expect("the log opens");
    read
}

fn write(log: &mut UpdateLog, update: &UpdateOperation) -> Appended {
    let record = Record::encode(update).expect("it encodes");
    log.append(record).expect("it is appended")
}

#[test]
fn every_update_is_read_back_as_it_was_written() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("log");
    let mut log = UpdateLog::open(&path, |_| panic!("a new log has no updates")).expect("opens");
    for update in updates() {
        write(&mut log, &update);
    }
    assert_eq!(read(&path), updates());
}

#[test]
fn a_log_goes_on_where_it_was_left() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("log");
    for update in updates() {
        let mut log = UpdateLog::open(&path, |_| ()).expect("opens");
        write(&mut log, &update);
    }
    assert_eq!(read(&path), updates());
}

#[test]
fn a_cleared_log_is_empty_and_a_rolled_back_update_gone() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("log");
    let mut log = UpdateLog::open(&path, |_| ()).expect("opens");
    let [first, second, third, ..] = &updates()[..] else {
        panic!("there are more");
    };
    write(&mut log, first);
    log.clear().expect("clears");
    assert_eq!(log.length(), 0);
    write(&mut log, second);
    let taken_back = write(&mut log, first);
    log.roll_back(taken_back).expect("rolls back");
    write(&mut log, third);
    assert_eq!(read(&path), [second.clone(), third.clone()]);
}

#[test]
fn a_log_cut_anywhere_yields_the_updates_before_the_cut() {
    let directory = tempfile::tempdir().expect("a directory");
    let whole = directory.path().join("whole");
    let mut log = UpdateLog::open(&whole, |_| ()).expect("opens");
    let mut ends = Vec::new();
    for update in updates() {
        write(&mut log, &update);
        ends.push(log.length() as usize);
    }
    let bytes = std::fs::read(&whole).expect("the log");
    let cut = directory.path().join("cut");
    for length in (0..bytes.len()).step_by(7) {
        std::fs::write(&cut, &bytes[..length]).expect("written");
        let before = ends.iter().filter(|end| **end <= length).count();
        assert_eq!(read(&cut), updates()[..before], "cut at {length}");
        let left = std::fs::metadata(&cut).expect("still there").len();
        assert_eq!(left, ends[..before].last().copied().unwrap_or(0) as u64);
    }
}

#[test]
fn a_changed_byte_ends_the_log_before_its_record() {
    let directory = tempfile::tempdir().expect("a directory");
    let whole = directory.path().join("whole");
    let mut log = UpdateLog::open(&whole, |_| ()).expect("opens");
    let mut ends = vec![0];
    for update in updates() {
        write(&mut log, &update);
        ends.push(log.length() as usize);
    }
    let bytes = std::fs::read(&whole).expect("the log");
    let changed = directory.path().join("changed");
    for position in (0..bytes.len()).step_by(11) {
        let mut damaged = bytes.clone();
        damaged[position] ^= 0x40;
        std::fs::write(&changed, &damaged).expect("written");
        let before = ends.iter().filter(|end| **end <= position).count() - 1;
        assert_eq!(read(&changed), updates()[..before], "changed at {position}");
    }
}

#[test]
fn records_of_an_older_log_are_not_read_after_newer_ones() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("log");
    let mut log = UpdateLog::open(&path, |_| ()).expect("opens");
    let update = &updates()[3];
    for _ in 0..3 {
        write(&mut log, update);
    }
    let old = std::fs::read(&path).expect("the log");
    log.clear().expect("clears");
    write(&mut log, update);
    // As after a power failure that kept the new record but not the new length.
    let length = log.length() as usize;
    let mut mixed = std::fs::read(&path).expect("the log");
    mixed.extend_from_slice(&old[length..]);
    std::fs::write(&path, mixed).expect("written");
    assert_eq!(read(&path).len(), 1);
}
