//! Messages of any producer: scanned, sliced, merged.
use std::collections::BTreeMap;

use alioth_points::{PointId, UpsertMessage, UpsertQuery, Write, merge};
use bytes::Bytes;
use proptest::prelude::*;
use prost::Message;
use qdrant_client::qdrant::point_id::PointIdOptions;
use qdrant_client::qdrant::{
    Filter, PointId as QdrantId, PointStruct, ShardKeySelector, UpdateMode, UpsertPoints,
    WriteOrdering,
};

use crate::generate::{layout, point, points};
use crate::{decode, upsert};

fn scan(message: &UpsertPoints) -> UpsertMessage {
    UpsertMessage::scan(message.encode_to_vec().into()).expect("a message scans")
}

fn numbered(ids: &[u64]) -> UpsertPoints {
    let points = ids.iter().map(|&id| PointStruct {
        id: Some(QdrantId::from(id)),
        ..Default::default()
    });
    UpsertPoints {
        collection_name: "c".to_owned(),
        points: points.collect(),
        ..Default::default()
    }
}

fn whole(body: &alioth_points::UpsertBody) -> UpsertPoints {
    decode(&Bytes::from(body.pieces.concat()))
}

fn ids(message: &UpsertPoints) -> Vec<u64> {
    let id = |point: &PointStruct| match point
        .id
        .as_ref()
        .and_then(|id| id.point_id_options.as_ref())
    {
        Some(PointIdOptions::Num(num)) => *num,
        other => panic!("{other:?}"),
    };
    message.points.iter().map(id).collect()
}

#[test]
fn a_message_tells_its_collection_options_and_ids() {
    let uuid = "936DA01F9ABD4d9d80C702AF85C822A8";
    let mut message = numbered(&[7, u64::MAX]);
    for id in [Some(uuid), Some("none"), None] {
        message.points.push(PointStruct {
            id: id.map(QdrantId::from),
            ..Default::default()
        });
    }
    message.points.push(PointStruct {
        id: Some(QdrantId::default()),
        ..Default::default()
    });
    let scanned = scan(&message);
    assert_eq!((scanned.collection_name(), scanned.points()), ("c", 6));
    let ids: Vec<Option<PointId>> = scanned.ids().collect();
    let uuid = Some(PointId::Uuid(0x936d_a01f_9abd_4d9d_80c7_02af_85c8_22a8));
    assert_eq!(
        ids,
        [
            Some(PointId::Num(7)),
            Some(PointId::Num(u64::MAX)),
            uuid,
            None,
            None,
            None
        ]
    );
    assert_eq!(
        ids[2].map(|id| id.to_string()).as_deref(),
        Some("936da01f-9abd-4d9d-80c7-02af85c822a8")
    );
    assert_eq!(scanned.to_bytes(), message.encode_to_vec());
    assert_eq!(scanned.point_bytes(), message.encode_to_vec().len() - 3);
    assert!(!scanned.order_matters());
}

#[test]
fn own_messages_have_equal_keys_whatever_the_chunk() {
    let body = r#"{"points": [{"id": 1}, {"id": 2}], "shard_key": ["a", 1], "update_mode": "insert_only", "update_filter": {"must": []}}"#;
    let messages = upsert(body).expect("a good body").into_messages(1);
    let scanned: Vec<UpsertMessage> = messages
        .iter()
        .map(|message| UpsertMessage::scan(message.clone()).expect("own bytes"))
        .collect();
    assert_eq!(scanned.len(), 2);
    assert_eq!(scanned[0].merge_key(), scanned[1].merge_key());
    assert_eq!(scanned[0].to_bytes(), messages[0]);
    assert!(scanned[0].order_matters());
}

#[test]
fn keys_differ_by_every_option_but_wait() {
    let plain = numbered(&[1]);
    let key = |message: &UpsertPoints| scan(message).merge_key().clone();
    for same in [
        UpsertPoints {
            wait: Some(true),
            ..plain.clone()
        },
        UpsertPoints {
            wait: Some(false),
            ..plain.clone()
        },
        UpsertPoints {
            ordering: Some(WriteOrdering { r#type: 0 }),
            ..plain.clone()
        },
        UpsertPoints {
            update_mode: Some(UpdateMode::Upsert.into()),
            ..plain.clone()
        },
        numbered(&[2, 3]),
        numbered(&[]),
    ] {
        assert_eq!(key(&same), key(&plain), "{same:?}");
    }
    let others = [
        plain.clone(),
        UpsertPoints {
            collection_name: "d".to_owned(),
            ..plain.clone()
        },
        UpsertPoints {
            ordering: Some(WriteOrdering { r#type: 1 }),
            ..plain.clone()
        },
        UpsertPoints {
            shard_key_selector: Some(ShardKeySelector::default()),
            ..plain.clone()
        },
        UpsertPoints {
            update_filter: Some(Filter::default()),
            ..plain.clone()
        },
        UpsertPoints {
            timeout: Some(0),
            ..plain.clone()
        },
        UpsertPoints {
            timeout: Some(1),
            ..plain.clone()
        },
        UpsertPoints {
            update_mode: Some(UpdateMode::InsertOnly.into()),
            ..plain.clone()
        },
        UpsertPoints {
            update_mode: Some(UpdateMode::UpdateOnly.into()),
            ..plain
        },
    ];
    for (index, message) in others.iter().enumerate() {
        for other in &others[..index] {
            assert_ne!(key(message), key(other), "{message:?}");
        }
    }
}

#[test]
fn order_matters_where_an_earlier_point_decides_on_a_later() {
    let plain = numbered(&[1]);
    let matters = |message: UpsertPoints| scan(&message).order_matters();
    assert!(!matters(UpsertPoints {
        update_mode: Some(UpdateMode::UpdateOnly.into()),
        ..plain.clone()
    }));
    assert!(matters(UpsertPoints {
        update_mode: Some(UpdateMode::InsertOnly.into()),
        ..plain.clone()
    }));
    assert!(matters(UpsertPoints {
        update_filter: Some(Filter::default()),
        ..plain
    }));
}

#[test]
fn fields_may_come_in_any_order_and_more_than_once() {
    let encoded = |message: UpsertPoints| message.encode_to_vec();
    let point = |id: u64| {
        encoded(UpsertPoints {
            collection_name: String::new(),
            ..numbered(&[id])
        })
    };
    let selector = |key: &str| {
        encoded(UpsertPoints {
            shard_key_selector: Some(ShardKeySelector {
                shard_keys: vec![key.into()],
                fallback: None,
            }),
            ..Default::default()
        })
    };
    let timeout = |timeout| {
        encoded(UpsertPoints {
            timeout: Some(timeout),
            ..Default::default()
        })
    };
    let unknown = [0x98, 0x06, 0x05].to_vec(); // field 99
    let body = [
        point(1),
        timeout(5),
        selector("a"),
        encoded(numbered(&[])),
        point(2),
        unknown.clone(),
        timeout(6),
        selector("b"),
        encoded(UpsertPoints {
            wait: Some(true),
            ..Default::default()
        }),
        point(3),
    ]
    .concat();
    let scanned = UpsertMessage::scan(body.clone().into()).expect("a message scans");
    let expected = UpsertPoints {
        timeout: Some(6),
        shard_key_selector: Some(ShardKeySelector {
            shard_keys: vec!["a".into(), "b".into()],
            fallback: None,
        }),
        ..numbered(&[1, 2, 3])
    };
    assert_eq!(decode(&scanned.to_bytes()), expected);
    assert_eq!(
        UpsertPoints {
            wait: None,
            ..decode(&body.into())
        },
        expected
    );
    assert!(
        scanned
            .to_bytes()
            .windows(3)
            .any(|window| window == unknown),
        "unknown options are kept"
    );
    assert_ne!(scanned.merge_key(), scan(&expected).merge_key());
    let merged = merge(&[&scanned]);
    assert_eq!(
        whole(&merged),
        UpsertPoints {
            wait: Some(true),
            ..expected
        }
    );
}

#[test]
fn a_points_id_is_found_wherever_it_stands() {
    let payload = [0x1a, 0x02, 0x0a, 0x00];
    let number = |number: u8| [0x0a, 0x02, 0x08, number];
    let scanned = |content: &[u8]| {
        let body = [
            &[0x1a, u8::try_from(content.len()).expect("a short point")],
            content,
        ]
        .concat();
        UpsertMessage::scan(body.into())
            .expect("a message scans")
            .ids()
            .next()
            .expect("a point")
    };
    assert_eq!(
        scanned(&[&payload[..], &number(5)].concat()),
        Some(PointId::Num(5))
    );
    assert_eq!(
        scanned(&[&number(5)[..], &payload, &number(6)].concat()),
        Some(PointId::Num(6))
    );
    assert_eq!(
        scanned(&[0x0a, 0x04, 0x08, 0x05, 0x08, 0x07]),
        Some(PointId::Num(7))
    );
    assert_eq!(
        scanned(&[&number(5)[..], &[0x0a, 0x00]].concat()),
        Some(PointId::Num(5))
    );
    assert_eq!(scanned(&payload), None);
}

#[test]
fn bytes_that_are_no_upsert_are_refused() {
    for (bytes, offset) in [
        (&b"\x0a"[..], 1),
        (b"\x0a\x05c", 2),
        (b"\x0a\x01\xff", 2),
        (b"\x00", 0),
        (b"\x0b", 0),
        (b"\x0f\x00", 0),
        (b"\x08\x01", 0),
        (b"\x1a\x02\x0a\x05", 4),
        (b"\x1a\x02\x08\x05", 2),
        (b"\x1a\x04\x0a\x02\x0a\x00", 4),
        (b"\x1a\x03\x18\x80\x80", 3),
        (b"\x38\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 1),
        (b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 0),
        (b"{\"points\": []}", 0),
    ] {
        let error = UpsertMessage::scan(Bytes::from_static(bytes)).expect_err("no message");
        assert_eq!(error.offset, offset, "{bytes:x?}: {error}");
        assert!(!error.is_transient());
        UpsertPoints::decode(bytes).expect_err("no message to prost either");
    }
    let empty = UpsertMessage::scan(Bytes::new()).expect("nothing is a message");
    assert_eq!((empty.points(), empty.collection_name()), (0, ""));
}

#[test]
fn slices_are_messages_of_their_own() {
    let message = UpsertPoints {
        timeout: Some(2),
        wait: Some(true),
        ..numbered(&[0, 1, 2, 3, 4, 5, 6, 7])
    };
    let scanned = scan(&message);
    let slice = scanned.slice(2..6);
    assert_eq!((slice.points(), slice.collection_name()), (4, "c"));
    assert_eq!(ids(&decode(&slice.to_bytes())), [2, 3, 4, 5]);
    let inner = slice.slice(1..3);
    assert_eq!(ids(&decode(&inner.to_bytes())), [3, 4]);
    assert_eq!(inner.merge_key(), scanned.merge_key());
    assert_eq!(
        ids(&whole(&merge(&[&inner, &scanned.slice(0..1)]))),
        [3, 4, 0]
    );
    assert_eq!(slice.slice(3..9).points(), 1);
    assert_eq!(slice.slice(9..10).points(), 0);
    #[expect(
        clippy::reversed_empty_ranges,
        reason = "a caller's mistake must not panic"
    )]
    let backwards = slice.slice(3..1);
    assert_eq!(backwards.points(), 0);
}

#[test]
fn of_an_id_that_repeats_the_last_stays_and_the_rest_is_few_pieces() {
    let first = scan(&numbered(&[1, 2, 3, 4]));
    let second = scan(&numbered(&[5, 2, 6, 5]));
    let merged = merge(&[&first, &second]);
    assert_eq!(ids(&whole(&merged)), [1, 3, 4, 2, 6, 5]);
    assert_eq!(merged.points, 6);
    // Options, [1], [3, 4], [2, 6, 5], wait.
    assert_eq!(merged.pieces.len(), 5);
    assert_eq!(whole(&merged).wait, Some(true));
    assert_eq!(merge(&[&scan(&numbered(&[1, 2, 3]))]).pieces.len(), 3);
    assert!(merge(&[]).pieces.is_empty());
}

#[test]
fn points_without_an_id_are_not_told_apart() {
    let mut message = numbered(&[1]);
    message
        .points
        .extend([PointStruct::default(), PointStruct::default()]);
    let scanned = scan(&message);
    assert_eq!(merge(&[&scanned, &scanned]).points, 5);
}

/// What stays of points that are written one after another.
fn survivors<'a>(
    points: impl IntoIterator<Item = &'a PointStruct>,
) -> BTreeMap<String, PointStruct> {
    points
        .into_iter()
        .map(|point| (format!("{:?}", point.id), point.clone()))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn however_a_write_is_chunked_and_merged_the_same_points_stay(
        points in points(),
        layout in layout(),
        limit in 1..4000_usize,
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let body = layout.object(&[("points", layout.point_list(&points))]);
        let expected = survivors(&crate::upserted(&body).points);
        let messages = upsert(&body).expect("a good body").into_messages(limit);
        let scanned: Vec<UpsertMessage> =
            messages.iter().map(|message| UpsertMessage::scan(message.clone()).expect("own bytes")).collect();
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(scanned.len() + 1)).collect();
        cuts.extend([0, scanned.len()]);
        cuts.sort_unstable();
        let mut stay = BTreeMap::new();
        for group in cuts.windows(2) {
            let group: Vec<&UpsertMessage> = scanned[group[0]..group[1]].iter().collect();
            if group.is_empty() {
                continue;
            }
            let merged = merge(&group);
            let upsert = whole(&merged);
            prop_assert_eq!(upsert.wait, Some(true));
            prop_assert_eq!(upsert.points.len(), merged.points);
            let distinct = survivors(&upsert.points);
            prop_assert_eq!(distinct.len(), merged.points, "no id twice in one upsert");
            stay.extend(distinct);
        }
        prop_assert_eq!(stay, expected);
    }

    #[test]
    fn slices_put_together_are_the_message(points in prop::collection::vec(point(), 1..12), cut in any::<prop::sample::Index>()) {
        let layout = crate::generate::Layout { blank: "", reversed: false };
        let body = layout.object(&[("points", layout.point_list(&points))]);
        let write = Write::parse_upsert("c", UpsertQuery::default(), body.as_bytes()).expect("a good body");
        let message = write.into_messages(usize::MAX).swap_remove(0);
        let scanned = UpsertMessage::scan(message.clone()).expect("own bytes");
        let cut = cut.index(points.len() + 1);
        let (left, right) = (scanned.slice(0..cut), scanned.slice(cut..points.len()));
        let mut joined = decode(&left.to_bytes());
        joined.points.extend(decode(&right.to_bytes()).points);
        prop_assert_eq!(joined, decode(&message));
        prop_assert_eq!(left.point_bytes() + right.point_bytes(), scanned.point_bytes());
    }
}
