use super::*;
use alioth_jobs::{JobId, RestoreFrom};
use alioth_snapshot_store::{
    ObjectKey, SnapshotId,
    manifest::{Peer, Shard},
};
use serde_json::{Value, json};

fn id() -> SnapshotId {
    "20261122T121500Z-1f0c9ab2".parse().unwrap()
}

fn saved(name: &str, aliases: &[&str]) -> Collection {
    let shard = Shard {
        shard: 0,
        shard_key: None,
        key: ObjectKey::shard("c", &id(), name, 0),
        bytes: 7,
        sha256: "0".repeat(64),
        source_peer: 0,
        source_host: "q1".to_owned(),
    };
    Collection {
        name: name.to_owned(),
        config: json!({"params": {"vectors": {"size": 4, "distance": "Dot"}, "shard_number": 1}}),
        payload_schema: json!({"year": {"data_type": "integer", "points": 7}}),
        shard_keys: Vec::new(),
        aliases: aliases.iter().map(|alias| (*alias).to_owned()).collect(),
        points_before: 7,
        points_after: 7,
        shards: vec![shard],
    }
}

fn manifest(collections: Vec<Collection>) -> Manifest {
    let time = "2026-11-22T12:15:00Z".parse().unwrap();
    Manifest {
        format_version: 1,
        id: id(),
        job_id: "job".to_owned(),
        cluster: "c".to_owned(),
        started: time,
        finished: time,
        alioth_version: "0.1.0".to_owned(),
        qdrant_version: "1.18.3".to_owned(),
        peers: Vec::new(),
        whole: None,
        collections,
    }
}

fn request(what: RestoreWhat) -> RestoreRequest {
    RestoreRequest {
        job_id: JobId::new(),
        what,
        from: RestoreFrom::Latest,
        rename_to: None,
        overwrite: false,
        host: None,
    }
}

fn movies() -> RestoreRequest {
    request(RestoreWhat::Collections(vec!["movies".to_owned()]))
}

fn standing(collections: &[&str], aliases: &[(&str, &str)]) -> Standing {
    let alias = |(alias, collection): &(&str, &str)| Alias {
        alias: (*alias).to_owned(),
        collection: (*collection).to_owned(),
    };
    Standing {
        version: Version::new(1, 18, 3),
        collections: collections.iter().map(|name| (*name).to_owned()).collect(),
        aliases: aliases.iter().map(alias).collect(),
    }
}

fn decide<'m>(
    manifest: &'m Manifest,
    request: &RestoreRequest,
    standing: &Standing,
) -> Result<Vec<Planned<'m>>, Refusal> {
    plan(manifest, request, standing, &Noted::default())
}

#[test]
fn everything_in_a_snapshot_is_restored_into_an_empty_cluster() {
    let manifest = manifest(vec![saved("logs", &[]), saved("movies", &["films"])]);
    let all = decide(
        &manifest,
        &request(RestoreWhat::Cluster),
        &standing(&[], &[]),
    )
    .unwrap();
    let targets: Vec<(&str, Fate)> = all.iter().map(|p| (p.target.as_str(), p.fate)).collect();
    assert_eq!(targets, [("logs", Fate::Absent), ("movies", Fate::Absent)]);
    assert_eq!(all[1].indexes, [("year".to_owned(), json!("integer"))]);
    let one = decide(&manifest, &movies(), &standing(&["logs"], &[])).unwrap();
    assert_eq!(one.len(), 1, "what was not asked for may be there");
}

#[test]
fn an_empty_snapshot_of_an_empty_cluster_restores_to_nothing() {
    let manifest = manifest(Vec::new());
    let none = decide(
        &manifest,
        &request(RestoreWhat::Cluster),
        &standing(&["a"], &[]),
    );
    assert_eq!(none, Ok(Vec::new()));
}

#[test]
fn a_name_is_exact_and_has_to_be_in_the_snapshot() {
    let manifest = manifest(vec![saved("movies-2", &[])]);
    let refused = decide(&manifest, &movies(), &standing(&[], &[])).unwrap_err();
    let said = "collections: snapshot 20261122T121500Z-1f0c9ab2 has no collection \"movies\"; it has movies-2";
    assert_eq!(refused.to_string(), said);
}

#[test]
fn what_exists_is_replaced_only_when_told_to_or_this_job_s_own() {
    let manifest = manifest(vec![saved("movies", &[])]);
    let there = standing(&["movies"], &[]);
    let refused = decide(&manifest, &movies(), &there).unwrap_err();
    assert!(matches!(refused, Refusal::Exists { .. }), "{refused}");
    let mut told = movies();
    told.overwrite = true;
    assert_eq!(
        decide(&manifest, &told, &there).unwrap()[0].fate,
        Fate::Replaced
    );

    let mut noted = Noted::default();
    noted.begun.insert("movies".to_owned());
    let again = plan(&manifest, &movies(), &there, &noted).unwrap();
    assert_eq!(again[0].fate, Fate::Remade);
    noted.restored.insert("movies".to_owned());
    let again = plan(&manifest, &movies(), &there, &noted).unwrap();
    assert_eq!(again[0].fate, Fate::Kept);
    let gone = plan(&manifest, &movies(), &standing(&[], &[]), &noted).unwrap();
    assert_eq!(gone[0].fate, Fate::Absent, "somebody dropped it meanwhile");
}

#[test]
fn an_older_version_is_refused_be_it_by_its_patch_and_a_later_one_is_not() {
    let manifest = manifest(vec![saved("movies", &[])]);
    let on = |major, minor, patch| {
        let mut standing = standing(&[], &[]);
        standing.version = Version::new(major, minor, patch);
        decide(&manifest, &movies(), &standing).map(|planned| planned.len())
    };
    let refused = on(1, 17, 9).unwrap_err().to_string();
    assert!(
        refused.contains("1.17.9") && refused.contains("1.18.3"),
        "{refused}"
    );
    assert!(on(0, 30, 0).is_err());
    assert!(on(1, 18, 2).is_err());
    for (minor, patch) in [(18, 3), (18, 4), (19, 0)] {
        assert_eq!(on(1, minor, patch), Ok(1), "1.{minor}.{patch}");
    }
}

/// The manifest's own version is the lowest, and a shard may be of the node with the highest.
#[test]
fn a_snapshot_taken_in_the_middle_of_an_upgrade_is_of_its_newest_node() {
    let mut manifest = manifest(vec![saved("movies", &[])]);
    manifest.qdrant_version = "1.18.0".to_owned();
    manifest.peers = vec![peer("1.18.0"), peer("1.19.0")];
    let refused = decide(&manifest, &movies(), &standing(&[], &[])).unwrap_err();
    let said = refused.to_string();
    assert!(said.contains("1.19.0") && said.contains("1.18.3"), "{said}");
    manifest.peers[1] = peer("1.18.3");
    assert!(decide(&manifest, &movies(), &standing(&[], &[])).is_ok());
    manifest.peers[1] = peer("latest");
    let refused = decide(&manifest, &movies(), &standing(&[], &[])).unwrap_err();
    assert!(matches!(refused, Refusal::SnapshotVersion { .. }));
}

fn peer(version: &str) -> Peer {
    Peer {
        id: 0,
        host: "q1".to_owned(),
        version: version.to_owned(),
    }
}

#[test]
fn a_manifest_without_a_version_is_refused() {
    let mut manifest = manifest(vec![saved("movies", &[])]);
    manifest.qdrant_version = "latest".to_owned();
    let refused = decide(&manifest, &movies(), &standing(&[], &[])).unwrap_err();
    assert!(matches!(refused, Refusal::SnapshotVersion { .. }));
}

#[test]
fn names_and_aliases_do_not_meet() {
    let manifest = manifest(vec![saved("movies", &["films"])]);
    let taken = standing(&["other"], &[("movies", "other")]);
    let refused = decide(&manifest, &movies(), &taken).unwrap_err();
    assert!(matches!(refused, Refusal::NameIsAlias { .. }), "{refused}");
    let refused = decide(&manifest, &movies(), &standing(&["films"], &[])).unwrap_err();
    assert!(matches!(refused, Refusal::AliasIsName { .. }), "{refused}");
    let mut renamed = movies();
    renamed.rename_to = Some("films".to_owned());
    let refused = decide(&manifest, &renamed, &standing(&[], &[])).unwrap_err();
    assert!(matches!(refused, Refusal::AliasIsName { .. }), "{refused}");
}

#[test]
fn under_a_new_name_the_old_collection_may_be_there_and_its_aliases_move() {
    let manifest = manifest(vec![saved("movies", &["films"])]);
    let mut renamed = movies();
    renamed.rename_to = Some("movies-2".to_owned());
    let there = standing(&["movies"], &[("films", "movies")]);
    let planned = decide(&manifest, &renamed, &there).unwrap();
    assert_eq!(
        (planned[0].target.as_str(), planned[0].fate),
        ("movies-2", Fate::Absent)
    );
    assert_eq!(endangered_aliases(&planned, &there), BTreeMap::new());
    let moved = AliasAction::Create(Alias {
        alias: "films".to_owned(),
        collection: "movies-2".to_owned(),
    });
    assert_eq!(alias_actions(&planned, &Noted::default()), [moved]);
}

#[test]
fn aliases_that_go_with_a_replaced_collection_come_back() {
    let manifest = manifest(vec![saved("movies", &["films"])]);
    let mut told = movies();
    told.overwrite = true;
    let there = standing(
        &["logs", "movies"],
        &[("cinema", "movies"), ("log", "logs")],
    );
    let planned = decide(&manifest, &told, &there).unwrap();
    let kept_aliases = endangered_aliases(&planned, &there);
    let expected = [("cinema".to_owned(), "movies".to_owned())];
    assert_eq!(kept_aliases, expected.into());
    let noted = Noted {
        kept_aliases,
        ..Noted::default()
    };
    let set: Vec<AliasAction> = ["cinema", "films"]
        .map(|alias| {
            AliasAction::Create(Alias {
                alias: alias.to_owned(),
                collection: "movies".to_owned(),
            })
        })
        .into();
    assert_eq!(alias_actions(&planned, &noted), set);
}

#[test]
fn a_collection_that_cannot_be_made_again_is_refused() {
    let mut broken = saved("movies", &[]);
    broken.config = json!({});
    let refused = decide(&manifest(vec![broken]), &movies(), &standing(&[], &[])).unwrap_err();
    assert!(matches!(refused, Refusal::Unusable { .. }), "{refused}");

    let mut custom = saved("movies", &[]);
    custom.config["params"]["sharding_method"] = json!("custom");
    custom.shards[0].shard_key = Some(json!("a"));
    custom.shards.push(Shard {
        shard: 9,
        ..custom.shards[0].clone()
    });
    custom.shard_keys = vec![Value::from("a")];
    let refused = decide(&manifest(vec![custom]), &movies(), &standing(&[], &[])).unwrap_err();
    assert!(refused.to_string().contains("10135"), "{refused}");
}

#[test]
fn a_thousand_names_are_not_all_told() {
    let names: Vec<String> = (0..12).map(|number| format!("c{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    assert_eq!(
        list(&names),
        "c0, c1, c2, c3, c4, c5, c6, c7, c8, c9 and 2 more"
    );
    assert_eq!(list(&[]), "none");
}
