use super::*;
use serde_json::{Value, json};

const ID: &str = "019e0f5c-1f3a-7cc2-b6f0-1d2e3f405162";

fn id() -> JobId {
    ID.parse().unwrap()
}

fn restore(from: RestoreFrom) -> RestoreRequest {
    RestoreRequest {
        job_id: id(),
        what: RestoreWhat::Collections(vec!["movies".to_owned()]),
        from,
        rename_to: None,
        overwrite: false,
        host: None,
    }
}

/// Messages outlive the process that wrote them: each must stay as it stands here, and readable.
#[track_caller]
fn stands_as<R: Request + PartialEq + std::fmt::Debug>(request: &R, wire: &Value) {
    let written: Value = serde_json::from_slice(&request.encode()).unwrap();
    assert_eq!(written, *wire);
    assert_eq!(R::decode(wire.to_string().as_bytes()).as_ref(), Ok(request));
    assert_eq!(request.job_id().as_str(), ID);
}

#[test]
fn backup_requests_stand_on_the_queue_as_they_always_did() {
    let collections = BackupRequest::Collections {
        job_id: id(),
        collections: vec!["movies".to_owned(), "log-*".to_owned()],
    };
    let wire = json!({"job_id": ID, "what": "collections", "collections": ["movies", "log-*"]});
    stands_as(&collections, &wire);
    let everything = BackupRequest::Collections {
        job_id: id(),
        collections: Vec::new(),
    };
    stands_as(&everything, &json!({"job_id": ID, "what": "collections"}));
    let storage = BackupRequest::Storage {
        job_id: id(),
        hosts: vec![Host {
            port: Some(6333),
            ..Host::named("q1")
        }],
    };
    let wire = json!({"job_id": ID, "what": "storage", "hosts": [{"host": "q1", "port": 6333}]});
    stands_as(&storage, &wire);
}

#[test]
fn restore_requests_stand_on_the_queue_as_they_always_did() {
    let what = json!({"collections": ["movies"]});
    let time = "2026-11-22T12:15:00Z";
    for (from, wire) in [
        (RestoreFrom::Latest, json!("latest")),
        (RestoreFrom::Id("x-1".to_owned()), json!({"id": "x-1"})),
        (
            RestoreFrom::Before(time.parse().unwrap()),
            json!({"before": time}),
        ),
        (
            RestoreFrom::Url("https://s3/movies.snapshot".to_owned()),
            json!({"url": "https://s3/movies.snapshot"}),
        ),
        (
            RestoreFrom::PythonLatest {
                host: "q1".to_owned(),
            },
            json!({"python_latest": {"host": "q1"}}),
        ),
    ] {
        let wire = json!({
            "job_id": ID, "what": what, "from": wire, "rename_to": null, "overwrite": false, "host": null
        });
        stands_as(&restore(from), &wire);
    }
    let cluster = RestoreRequest {
        what: RestoreWhat::Cluster,
        overwrite: true,
        ..restore(RestoreFrom::Latest)
    };
    let least = json!({"job_id": ID, "what": "cluster", "from": "latest", "overwrite": true});
    assert_eq!(
        RestoreRequest::decode(least.to_string().as_bytes()),
        Ok(cluster)
    );
}

#[track_caller]
fn refused<R: Request + std::fmt::Debug>(body: &str) -> String {
    R::decode(body.as_bytes()).unwrap_err().to_string()
}

#[test]
fn an_error_names_the_field() {
    let backup = |rest: &str| refused::<BackupRequest>(&format!(r#"{{"job_id": "{ID}", {rest}}}"#));
    for (body, begins) in [
        (
            r#""what": "everything""#,
            "what: unknown variant `everything`",
        ),
        (
            r#""what": "collections", "collections": ["a", 7]"#,
            "collections[1]: invalid type: integer `7`, expected a string at line 1 column",
        ),
        (
            r#""what": "collections", "collections": ["a", ""]"#,
            "collections[1]: is empty",
        ),
        (
            r#""what": "storage", "hosts": [{"host": "q1", "port": "x"}]"#,
            "hosts[0].port: invalid value: string \"x\", expected a port",
        ),
        (
            r#""what": "storage", "hosts": [{"host": "../q"}]"#,
            "hosts[0].host: is no host name or address",
        ),
        (
            r#""what": "storage", "host": []"#,
            "host: unknown field `host`",
        ),
    ] {
        let error = backup(body);
        assert!(error.starts_with(begins), "{body}: {error}");
    }
    let error = refused::<BackupRequest>(r#"{"job_id": "7", "what": "storage"}"#);
    assert!(error.starts_with("job_id: is no UUID"), "{error}");
    assert!(
        refused::<BackupRequest>("{").starts_with("EOF"),
        "truncated"
    );
    assert!(refused::<BackupRequest>("").starts_with("EOF"), "empty");
    assert!(refused::<BackupRequest>("{} {}").contains("missing field"));
}

#[test]
fn a_restore_that_cannot_be_meant_is_refused() {
    let several = RestoreWhat::Collections(vec!["a".to_owned(), "b".to_owned()]);
    let check = |request: RestoreRequest| request.check().unwrap_err().to_string();
    let renamed = RestoreRequest {
        what: several.clone(),
        rename_to: Some("c".to_owned()),
        ..restore(RestoreFrom::Latest)
    };
    assert_eq!(
        check(renamed),
        "rename_to: goes with exactly one collection"
    );
    let of_a_url = RestoreRequest {
        what: several,
        ..restore(RestoreFrom::Url("https://s3/a".to_owned()))
    };
    assert_eq!(
        check(of_a_url),
        "from.url: goes with exactly one collection"
    );
    let of_nothing = RestoreRequest {
        what: RestoreWhat::Collections(Vec::new()),
        ..restore(RestoreFrom::Latest)
    };
    assert_eq!(check(of_nothing), "what.collections: is empty");
    for url in [
        "file:///etc/passwd",
        "ftp://x/y",
        "https://",
        "s3:///key",
        "https://a b",
    ] {
        let error = check(restore(RestoreFrom::Url(url.to_owned())));
        assert!(error.starts_with("from.url: "), "{url}: {error}");
    }
}
