use super::*;
use crate::ClusterBody;

fn id() -> JobId {
    "019e0f5c-1f3a-7cc2-b6f0-1d2e3f405162".parse().unwrap()
}

#[test]
fn bodies_of_python_clients_become_requests() {
    let backup = CollectionsBody::read(br#"{"collections": ["a", "b"], "retries": 3}"#, id());
    let collections = vec!["a".to_owned(), "b".to_owned()];
    assert_eq!(
        backup,
        Ok(BackupRequest::Collections {
            job_id: id(),
            collections
        })
    );
    let body = br#"{"hosts": [{"host": "q1", "port": "6333", "grpc_port": 6334, "prefer_grpc": "True", "x": 1}, {"host": "q2"}]}"#;
    let first = Host {
        host: "q1".to_owned(),
        port: Some(6333),
        grpc_port: Some(6334),
        prefer_grpc: Some(true),
    };
    let hosts = vec![first.clone(), Host::named("q2")];
    let storage = BackupRequest::Storage {
        job_id: id(),
        hosts,
    };
    assert_eq!(HostsBody::read(body, id()), Ok(storage));

    let body = br#"{"collection_name": "a", "host": {"host": "q1", "port": 6333, "grpc_port": "6334", "prefer_grpc": true}, "snapshot_url": null}"#;
    let restore = RestoreBody::read(body, id()).unwrap();
    assert_eq!(restore.host, Some(first));
    let host = "q1".to_owned();
    assert_eq!(restore.from, RestoreFrom::PythonLatest { host });
    assert!(restore.overwrite, "as Python's did");
}

#[test]
fn a_restore_by_url_goes_to_the_named_node() {
    let body = br#"{"collection_name": "a", "host": {"host": "q1"}, "snapshot_url": "https://s3/a.snapshot"}"#;
    let restore = RestoreBody::read(body, id()).unwrap();
    let url = "https://s3/a.snapshot".to_owned();
    assert_eq!(restore.from, RestoreFrom::Url(url));
    assert_eq!(restore.host, Some(Host::named("q1")));
}

#[test]
fn our_own_fields_say_more() {
    let read = |body: &str| RestoreBody::read(body.as_bytes(), id()).unwrap();
    let renamed = read(r#"{"collection_name": "a", "as": "b"}"#);
    assert_eq!(renamed.rename_to.as_deref(), Some("b"));
    assert_eq!(renamed.from, RestoreFrom::Latest);
    assert!(
        !renamed.overwrite,
        "a new name is not to be taken from anybody"
    );
    let kept = read(r#"{"collection_name": "a", "overwrite": "false", "from": "x-1"}"#);
    assert!(!kept.overwrite);
    assert_eq!(kept.from, RestoreFrom::Id("x-1".to_owned()));
    let older = read(r#"{"collection_name": "a", "before": "2026-11-22T12:15:00Z"}"#);
    let time = "2026-11-22T12:15:00Z".parse().unwrap();
    assert_eq!(older.from, RestoreFrom::Before(time));
}

#[test]
fn a_cluster_is_restored_over_nothing_unless_told_to() {
    let read = |body: &str| ClusterBody::read(body.as_bytes(), id());
    let least = read("{}").unwrap();
    assert_eq!(least.what, RestoreWhat::Cluster);
    assert_eq!(least.from, RestoreFrom::Latest);
    assert!(!least.overwrite);
    assert!(
        read(r#"{"from": "latest", "overwrite": true}"#)
            .unwrap()
            .overwrite
    );
    let both = read(r#"{"from": "x-1", "before": "2026-11-22T12:15:00Z"}"#);
    let error = "before: does not go with a snapshot's id";
    assert_eq!(both.unwrap_err().to_string(), error);
}

#[test]
fn an_error_names_the_field() {
    let restore = |body: &str| {
        RestoreBody::read(body.as_bytes(), id())
            .unwrap_err()
            .to_string()
    };
    for (body, begins) in [
        (
            r#"{"collection_name": 7}"#,
            "collection_name: invalid type: integer `7`",
        ),
        (r#"{"collection_name": ""}"#, "collection_name: is empty"),
        (
            r#"{"collection_name": "a", "snapshot_ulr": "x"}"#,
            "snapshot_ulr: unknown field",
        ),
        (
            r#"{"collection_name": "a", "snapshot_url": "file:///a"}"#,
            "snapshot_url: must begin",
        ),
        (r#"{"collection_name": "a", "before": "noon"}"#, "before: "),
        (
            r#"{"collection_name": "a", "overwrite": "maybe"}"#,
            "overwrite: invalid value",
        ),
        (r#"{"collection_name": "a", "as": ""}"#, "as: is empty"),
        (
            r#"{"collection_name": "a", "host": {"host": ""}}"#,
            "host.host: is empty",
        ),
        (
            r#"{"collection_name": "a", "host": {"host": "q", "port": 65536}}"#,
            "host.port: ",
        ),
        (
            r#"{"host": {"host": "q"}}"#,
            ".: missing field `collection_name`",
        ),
    ] {
        let error = restore(body);
        assert!(error.starts_with(begins), "{body}: {error}");
    }
    let missing = CollectionsBody::read(b"{}", id()).unwrap_err();
    assert!(matches!(missing, RequestError::Type { .. }), "{missing}");
    let broken = CollectionsBody::read(b"{\"collections\": [", id()).unwrap_err();
    assert!(matches!(broken, RequestError::Syntax { .. }), "{broken}");
}
