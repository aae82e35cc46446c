//! The format, against its golden file, against any content, and against malice.

use proptest::prelude::*;
use serde_json::json;

use super::*;

const GOLDEN: &[u8] = include_bytes!("../../tests/golden/manifest-v1.json");

/// What is written since it is said whether all was asked for.
const GOLDEN_WHOLE: &[u8] = include_bytes!("../../tests/golden/manifest-v1-whole.json");

fn golden() -> Manifest {
    Manifest::from_json(GOLDEN).unwrap()
}

fn golden_value() -> Value {
    serde_json::from_slice(GOLDEN).unwrap()
}

/// The refusal of the golden manifest with one value changed.
fn refusal(pointer: &str, value: Value) -> String {
    let mut manifest = golden_value();
    *manifest.pointer_mut(pointer).unwrap() = value;
    let json = serde_json::to_vec(&manifest).unwrap();
    let error = Manifest::from_json(&json).unwrap_err();
    match std::error::Error::source(&error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

#[test]
fn version_1_is_read_and_written_as_ever() {
    let manifest = golden();
    assert_eq!(manifest.id.as_str(), "20261122T121500Z-1f0c9ab2");
    assert_eq!(manifest.collections.len(), 2);
    assert_eq!(manifest.shards().count(), 3);
    assert_eq!(manifest.bytes(), 5_242_880 + 1 + 4096);
    let movies = manifest.collection("movies").unwrap();
    assert_eq!(movies.aliases, ["films"]);
    let custom = manifest.collection("Füße/50%").unwrap();
    assert_eq!(custom.shards[0].shard_key, Some(json!("eu")));
    let written = String::from_utf8(manifest.to_json().unwrap()).unwrap();
    assert_eq!(written, std::str::from_utf8(GOLDEN).unwrap());
}

#[test]
fn a_manifest_that_does_not_say_so_is_not_of_the_whole_cluster() {
    assert!(!golden().is_whole());
    let whole = Manifest::from_json(GOLDEN_WHOLE).unwrap();
    assert!(whole.is_whole());
    let written = String::from_utf8(whole.to_json().unwrap()).unwrap();
    assert_eq!(written, std::str::from_utf8(GOLDEN_WHOLE).unwrap());
    let some = Manifest {
        whole: Some(false),
        ..whole
    };
    assert!(!some.is_whole());
}

#[test]
fn fields_of_tomorrow_are_ignored_and_versions_of_tomorrow_refused() {
    let mut manifest = golden_value();
    manifest["added_in_1_1"] = json!({"a": 1});
    manifest["collections"][0]["shards"][0]["added"] = json!(true);
    assert_eq!(
        Manifest::from_json(&serde_json::to_vec(&manifest).unwrap()).unwrap(),
        golden()
    );

    assert_eq!(
        refusal("/format_version", json!(2)),
        "manifest version 2 is unknown; this Alioth reads up to 1"
    );
    assert!(refusal("/format_version", json!(0)).contains("version 0 is unknown"));
    assert!(refusal("/format_version", json!("1")).contains("decode the manifest"));
    let later = br#"{"format_version": 7, "everything": "else differs"}"#;
    assert!(matches!(
        Manifest::from_json(later),
        Err(ManifestError::Version { found: 7 })
    ));
}

#[test]
fn a_key_outside_its_snapshot_is_refused() {
    let key = "/collections/0/shards/0/key";
    for outside in [
        "snapshots/default/20261122T121500Z-00000000/collections/movies/shard-0.snapshot",
        "snapshots/other/20261122T121500Z-1f0c9ab2/collections/movies/shard-0.snapshot",
        "snapshots/default/20261122T121500Z-1f0c9ab2/manifest.json",
        "storage/node/full.snapshot",
        "movies",
    ] {
        let refused = refusal(key, json!(outside));
        assert_eq!(
            refused,
            "collections[0].shards[0].key: lies outside its snapshot"
        );
    }
    let prefix = "snapshots/default/20261122T121500Z-1f0c9ab2/collections";
    for climbing in [
        format!("{prefix}/../../../../secret"),
        format!("{prefix}/./movies"),
        format!("{prefix}//movies"),
        format!("/{prefix}/movies"),
        format!("{prefix}/movies/"),
        String::new(),
    ] {
        assert!(
            refusal(key, json!(climbing)).contains("is no key"),
            "{climbing}"
        );
    }
}

#[test]
fn what_may_be_there_once_is_refused_twice() {
    let mut manifest = golden();
    manifest.collections[0].shards[1].shard = 0;
    assert_refused(&manifest, "collections[0].shards[1].shard: is there twice");

    let mut manifest = golden();
    manifest.collections[1].shards[0].key = manifest.collections[0].shards[0].key.clone();
    assert_refused(&manifest, "collections[1].shards[0].key: is there twice");

    let mut manifest = golden();
    manifest.collections[1].name = "movies".to_owned();
    assert_refused(&manifest, "collections[1].name: is there twice");

    let mut manifest = golden();
    manifest.collections[1].aliases = vec!["films".to_owned()];
    assert_refused(&manifest, "collections[1].aliases[0]: is there twice");
}

fn assert_refused(manifest: &Manifest, refusal: &str) {
    assert_eq!(manifest.to_json().unwrap_err().to_string(), refusal);
    let json = serde_json::to_vec(manifest).unwrap();
    assert_eq!(Manifest::from_json(&json).unwrap_err().to_string(), refusal);
}

#[test]
fn hashes_and_lengths_that_cannot_be_are_refused() {
    let hash = "/collections/0/shards/0/sha256";
    for bad in [
        String::new(),
        "0".repeat(63),
        "0".repeat(65),
        "A".repeat(64),
        "g".repeat(64),
    ] {
        assert!(refusal(hash, json!(bad)).contains("64 lower-case"), "{bad}");
    }
    let bytes = "/collections/0/shards/0/bytes";
    for bad in [json!(-1), json!(1.5), json!("1"), json!(null)] {
        assert!(refusal(bytes, bad.clone()).contains("decode"), "{bad}");
    }
    assert!(refusal(bytes, json!(u64::MAX)).contains("more than S3 holds"));
    assert!(refusal(bytes, json!(i64::MAX)).contains("more than S3 holds"));
}

#[test]
fn what_is_no_manifest_is_refused() {
    for bad in [
        "",
        "[]",
        "{}",
        "null",
        "{\"format_version\": 1}",
        "<Error/>",
    ] {
        let error = Manifest::from_json(bad.as_bytes()).unwrap_err();
        assert!(matches!(error, ManifestError::Json(_)), "{bad}: {error}");
    }
    let truncated = &GOLDEN[..GOLDEN.len() - 3];
    assert!(matches!(
        Manifest::from_json(truncated),
        Err(ManifestError::Json(_))
    ));
    let mut long = GOLDEN.to_vec();
    long.resize(LONGEST_MANIFEST_BYTES as usize + 1, b' ');
    assert!(matches!(
        Manifest::from_json(&long),
        Err(ManifestError::TooLong)
    ));
    assert!(refusal("/id", json!("20261122T121500Z")).contains("snapshot id"));
    assert!(refusal("/collections/0/name", json!("")).contains("collections[0].name: is empty"));
}

fn any_collection() -> impl Strategy<Value = (String, Vec<(u32, u64, [u8; 32])>)> {
    let shards =
        prop::collection::btree_map(any::<u32>(), (0_u64..1 << 40, any::<[u8; 32]>()), 0..5);
    let name = any::<String>().prop_filter("Qdrant has no such name", |name| !name.is_empty());
    let flat = |shards: std::collections::BTreeMap<u32, (u64, [u8; 32])>| {
        shards
            .into_iter()
            .map(|(n, (bytes, hash))| (n, bytes, hash))
            .collect()
    };
    (name, shards.prop_map(flat))
}

proptest! {
    #[test]
    fn any_manifest_comes_back(
        seconds in 0_i64..4_000_000_000,
        random in any::<u32>(),
        cluster in any::<String>(),
        collections in prop::collection::btree_map(any::<String>(), any_collection(), 0..4),
        peer in any::<u64>(),
    ) {
        let id = SnapshotId::new(Timestamp::from_second(seconds).unwrap(), random);
        let mut manifest = Manifest { id, cluster, collections: Vec::new(), ..golden() };
        for (name, (suffix, shards)) in collections {
            let name = format!("{name}{suffix}");
            let shards = shards.into_iter().map(|(shard, bytes, hash)| Shard {
                shard,
                shard_key: None,
                key: ObjectKey::shard(&manifest.cluster, &manifest.id, &name, shard),
                bytes,
                sha256: hash.iter().map(|byte| format!("{byte:02x}")).collect(),
                source_peer: peer,
                source_host: name.clone(),
            }).collect();
            if manifest.collection(&name).is_some() {
                continue;
            }
            manifest.collections.push(Collection {
                config: json!({"name": name, "peer": peer}),
                aliases: Vec::new(),
                name,
                shards,
                ..golden().collections[0].clone()
            });
        }
        // A key too long for S3 is refused when it is read, and by S3 when it is written.
        prop_assume!(manifest.shards().all(|shard| shard.key.as_str().len() <= 1024));
        let json = manifest.to_json().unwrap();
        prop_assert_eq!(Manifest::from_json(&json).unwrap(), manifest);
    }
}
