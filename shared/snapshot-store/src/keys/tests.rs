//! The layout, against its golden file and against any name.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

const GOLDEN: &str = include_str!("../../tests/golden/keys.txt");

fn id() -> SnapshotId {
    "20261122T121500Z-1f0c9ab2".parse().unwrap()
}

/// Names worth looking at: every one that has bitten a key layout.
const NAMES: [&str; 16] = [
    "movies",
    "movies2",
    "Movies_v1.2-final",
    "a/b",
    "a%2Fb",
    "50% off",
    "",
    ".",
    "..",
    "../../etc/passwd",
    ".hidden",
    "a..b",
    "tab\tnew\nline\0nul",
    "Füße",
    "漢字🎬",
    "nbsp\u{a0}\u{85}\u{fffe}\u{1fffe}",
];

#[test]
fn layout_is_the_golden_one() {
    let mut found = String::new();
    for name in NAMES {
        found += &format!("{}\n", ObjectKey::shard("default", &id(), name, 3));
    }
    let others = [
        ObjectKey::shard("eu/prod", &id(), "movies", u32::MAX),
        ObjectKey::manifest("default", &id()),
        ObjectKey::manifest("..", &id()),
        ObjectKey::storage("qdrant-0.qdrant:6333", "full-snapshot-2026-11-22.snapshot"),
        ObjectKey::storage("::1", "full"),
        ObjectKey::job("0193f3a1-7c11-7d7e-a5b0-2f4c5a7f1e10"),
        ObjectKey::job("../a"),
    ];
    for key in others {
        found += &format!("{key}\n");
    }
    assert_eq!(found, GOLDEN, "keys of old snapshots would not be found");
}

#[test]
fn what_others_wrote_lies_outside_the_prefix() {
    let ours = ObjectKey::job("1").in_bucket("backups/");
    let theirs = ObjectKey::at_root("collection/a/movies/x.snapshot").unwrap();
    assert_eq!(ours, "backups/jobs/1.json");
    assert_eq!(
        theirs.in_bucket("backups/"),
        "collection/a/movies/x.snapshot"
    );
}

#[test]
fn keys_that_climb_are_none() {
    for bad in [
        "", "/", "a//b", "/a", "a/", "../a", "a/../b", "a/./b", "a/..", "a\nb",
    ] {
        assert!(bad.parse::<ObjectKey>().is_err(), "{bad:?}");
        assert!(ObjectKey::at_root(bad).is_err(), "{bad:?}");
    }
    assert!("a".repeat(1025).parse::<ObjectKey>().is_err());
    assert!("a/..b/c..".parse::<ObjectKey>().is_ok());
}

#[test]
fn python_s_prefix_is_that_of_the_exact_collection() {
    assert_eq!(
        python_prefix("node", "movies").as_deref(),
        Some("collection/node/movies/")
    );
    for (host, collection) in [("", "m"), ("h", ""), ("h", "a/b"), ("..", "m"), ("h", ".")] {
        assert_eq!(
            python_prefix(host, collection),
            None,
            "{host:?} {collection:?}"
        );
    }
    assert!(is_python_snapshot("movies-1.snapshot"));
    for bad in [
        ".snapshot",
        "deeper/movies-1.snapshot",
        "movies-1.snapshot.checksum",
    ] {
        assert!(!is_python_snapshot(bad), "{bad:?}");
    }
}

fn names() -> impl Strategy<Value = String> {
    let hostile = prop::collection::vec(
        prop::sample::select(vec![
            "/", "%", ".", "..", "2F", "é", "\0", "a", " ", "\u{fffe}",
        ]),
        0..8,
    );
    prop_oneof![any::<String>(), hostile.prop_map(|parts| parts.concat())]
}

proptest! {
    #[test]
    fn a_segment_is_safe_and_leads_back_to_its_name(name in names()) {
        let segment = encode(&name);
        prop_assert!(check(&segment).is_ok() || segment.len() > LONGEST_KEY_BYTES, "{segment:?}");
        prop_assert!(!segment.contains('/') && segment != "." && segment != "..");
        prop_assert_eq!(decode(&segment), Some(name));
    }

    #[test]
    fn distinct_names_have_distinct_keys(names in prop::collection::btree_set(names(), 1..12)) {
        let keys: BTreeSet<_> = names.iter().map(|name| ObjectKey::shard("c", &id(), name, 0)).collect();
        prop_assert_eq!(keys.len(), names.len());
    }

    #[test]
    fn storage_names_come_back(host in names(), name in names()) {
        let key = ObjectKey::storage(&host, &name);
        let below = key.as_str().strip_prefix(STORAGE_PREFIX).unwrap();
        let name = name.strip_suffix(SNAPSHOT_SUFFIX).unwrap_or(&name);
        prop_assert_eq!(storage_parts(below), Some((host, format!("{name}.snapshot"))));
    }

    #[test]
    fn nothing_but_what_was_encoded_is_decoded(segment in any::<String>()) {
        if let Some(name) = decode(&segment) {
            prop_assert_eq!(encode(&name), segment);
        }
    }
}
