//! Finding the bucket, and who is let in.

use std::time::{Duration, Instant};

use alioth_config::Span;
use alioth_snapshot_store::{
    Credentials, FaultClass, ObjectKey, PutError, S3Config, SnapshotStore, StoreError,
};
use alioth_testkit::{Direction, Fault, FaultProxy, ReservedPort, S3, s3};
use tokio::process::Command;

use crate::{admin, chunks, config, payload, read, store_with};

fn credentials(id: &str, secret: &str) -> Credentials {
    Credentials::Static {
        access_key_id: id.to_owned(),
        secret_access_key: secret.into(),
    }
}

async fn refusal(config: &S3Config, credentials: Credentials) -> StoreError {
    SnapshotStore::connect_as(config, credentials)
        .await
        .unwrap_err()
}

#[tokio::test]
async fn wrong_credentials_are_denied_at_once_and_named() {
    let s3 = S3::shared().await;
    let config = config(&s3.bucket().await, s3.endpoint());
    let wrong = [
        (s3::ACCESS_KEY_ID, "hunter2", "SignatureDoesNotMatch"),
        ("AKIANOBODY", "hunter2", "InvalidAccessKeyId"),
    ];
    for (id, secret, code) in wrong {
        let error = refusal(&config, credentials(id, secret)).await;
        assert_eq!(error.class(), FaultClass::Denied);
        assert!(!error.is_transient());
        let message = error.to_string();
        assert!(
            message.contains(code) && message.contains(&config.bucket),
            "{message}"
        );
        assert!(!message.contains("hunter2"), "{message}");
    }
}

#[tokio::test]
async fn who_may_only_read_reads_and_is_denied_writing() {
    let s3 = S3::shared().await;
    let config = config(&s3.bucket().await, s3.endpoint());
    let key = ObjectKey::job("1");
    let written = store_with(&config).await;
    written
        .put_stream(&key, chunks(&payload(5, 0), 5))
        .await
        .unwrap();
    let reader = credentials(s3::READER_ACCESS_KEY_ID, s3::READER_SECRET_ACCESS_KEY);
    let store = SnapshotStore::connect_as(&config, reader).await.unwrap();
    assert!(read(store.get_stream(&key).await.unwrap()).await.unwrap() == payload(5, 0));
    let denied = store.put_stream(&key, chunks(&payload(5, 1), 5)).await;
    let Err(PutError::Store(error)) = denied else {
        panic!("{denied:?}")
    };
    assert_eq!(error.class(), FaultClass::Denied);
}

#[tokio::test]
async fn a_missing_bucket_is_named_or_created() {
    let s3 = S3::shared().await;
    let missing = config(&S3::bucket_name(), s3.endpoint());
    let error = refusal(&missing, admin()).await;
    assert_eq!(error.class(), FaultClass::MissingBucket);
    assert!(error.to_string().contains(&missing.bucket), "{error}");

    let create = S3Config {
        create_bucket: true,
        ..missing.clone()
    };
    let (first, second) = tokio::join!(
        SnapshotStore::connect_as(&create, admin()),
        SnapshotStore::connect_as(&create, admin())
    );
    first.unwrap();
    second.unwrap();
    store_with(&missing).await.put_job("1", "{}").await.unwrap();
}

#[tokio::test]
async fn who_may_not_create_a_bucket_is_told_so() {
    let s3 = S3::shared().await;
    let create = S3Config {
        create_bucket: true,
        ..config(&S3::bucket_name(), s3.endpoint())
    };
    let reader = credentials(s3::READER_ACCESS_KEY_ID, s3::READER_SECRET_ACCESS_KEY);
    let error = refusal(&create, reader).await;
    assert!(matches!(error, StoreError::CreateBucket { .. }), "{error}");
    assert_eq!(error.class(), FaultClass::Denied);
}

#[tokio::test]
async fn an_s3_that_is_away_or_silent_is_transient_in_time() {
    let port = ReservedPort::new();
    let away = config("bucket", format!("http://{}", port.address()));
    assert!(refusal(&away, admin()).await.is_transient());

    let proxy = FaultProxy::start(S3::shared().await.address()).await;
    proxy.set(Fault::BlackHole(Direction::Both)).await;
    let silent = S3Config {
        timeout: Span(Duration::from_millis(200)),
        attempts: 2,
        ..config("bucket", format!("http://{}", proxy.address()))
    };
    let asked = Instant::now();
    assert!(refusal(&silent, admin()).await.is_transient());
    assert!(asked.elapsed() >= Duration::from_millis(400));
    assert!(proxy.connections() >= 2);
}

/// What the child below is told, and that it is the child.
const BUCKET: &str = "STORE_TEST_BUCKET";
const ENDPOINT: &str = "STORE_TEST_ENDPOINT";

/// This very test in a process of its own, whose environment holds credentials or none.
#[tokio::test]
async fn credentials_come_from_the_environment_and_their_absence_is_denied() {
    if let (Ok(bucket), Ok(endpoint)) = (std::env::var(BUCKET), std::env::var(ENDPOINT)) {
        match SnapshotStore::connect(&config(&bucket, endpoint)).await {
            Ok(_) => println!("connected"),
            Err(error) => println!("{:?} {error}", error.class()),
        }
        return;
    }
    let s3 = S3::shared().await;
    let bucket = s3.bucket().await;
    let empty = tempfile::tempdir().unwrap();
    let connect = |environment: Vec<(&'static str, &'static str)>| {
        let mut child = Command::new(std::env::current_exe().unwrap());
        let name = "connect::credentials_come_from_the_environment_and_their_absence_is_denied";
        child.args(["--exact", name, "--nocapture"]);
        child
            .env_clear()
            .env("HOME", empty.path())
            .env("AWS_EC2_METADATA_DISABLED", "true");
        child
            .env(BUCKET, &bucket)
            .env(ENDPOINT, s3.endpoint())
            .envs(environment);
        async move { String::from_utf8(child.output().await.unwrap().stdout).unwrap() }
    };
    let known = connect(S3::environment().to_vec()).await;
    assert!(known.contains("connected"), "{known}");
    let unknown = connect(Vec::new()).await;
    assert!(unknown.contains("Denied use bucket"), "{unknown}");
}
