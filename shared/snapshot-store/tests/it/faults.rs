//! What becomes of an upload when S3, the way to it, or its source fails.

use std::{io, time::Duration};

use alioth_snapshot_store::{FaultClass, ObjectKey, PutError, SnapshotStore, StoreError};
use alioth_testkit::{FaultProxy, HttpProxy, S3, wait_until};
use futures_util::{StreamExt, stream};

use crate::{DEADLINE, PART, chunks, config, leftovers, payload, read, store, store_with};

/// A store that talks through a proxy, and the same bucket without it.
async fn through(address: std::net::SocketAddr) -> (SnapshotStore, SnapshotStore) {
    let s3 = S3::shared().await;
    let direct = config(&s3.bucket().await, s3.endpoint());
    let proxied = config(&direct.bucket, format!("http://{address}"));
    (store_with(&proxied).await, store_with(&direct).await)
}

fn key() -> ObjectKey {
    ObjectKey::storage("node", "full")
}

async fn assert_nothing_is_there(store: &SnapshotStore) {
    let error = store.get_stream(&key()).await.unwrap_err();
    assert_eq!(error.class(), FaultClass::MissingKey);
}

#[tokio::test]
async fn a_storm_of_503_is_waited_out() {
    let proxy = HttpProxy::start(S3::shared().await.address()).await;
    let (store, direct) = through(proxy.address()).await;
    for length in [100, 2 * PART + 1] {
        proxy.refuse(4);
        let before = proxy.refused();
        let sent = payload(length, 1);
        store
            .put_stream(&key(), chunks(&sent, 65_536))
            .await
            .unwrap();
        assert_eq!(proxy.refused() - before, 4);
        proxy.refuse(4);
        assert!(read(store.get_stream(&key()).await.unwrap()).await.unwrap() == sent);
        assert!(
            read(direct.get_stream(&key()).await.unwrap())
                .await
                .unwrap()
                == sent
        );
    }
    assert_eq!(leftovers(&direct).await, 0);
}

#[tokio::test]
async fn a_storm_that_does_not_end_is_a_transient_error_and_its_leftovers_are_found() {
    let proxy = HttpProxy::start(S3::shared().await.address()).await;
    let (store, direct) = through(proxy.address()).await;
    // The storm begins once the upload has begun.
    let sent = payload(2 * PART, 1);
    let stormy = chunks(&sent, PART / 2).enumerate().map(|(index, chunk)| {
        if index == 3 {
            proxy.refuse(u64::MAX);
        }
        chunk
    });
    let failed = store.put_stream(&key(), stormy).await;
    let Err(PutError::Store(error)) = failed else {
        panic!("{failed:?}")
    };
    assert!(error.is_transient(), "{error}");
    assert!(error.to_string().contains("503 SlowDown"), "{error}");
    assert_nothing_is_there(&direct).await;
    // The abort was refused as well. What is young may be somebody's at work.
    let day = Duration::from_secs(86_400);
    assert_eq!(direct.abort_leftovers(day).await.unwrap(), 0);
    assert_eq!(leftovers(&direct).await, 1);
    assert_eq!(leftovers(&direct).await, 0);
}

#[tokio::test]
async fn a_connection_cut_in_mid_part_is_made_good() {
    let proxy = FaultProxy::start(S3::shared().await.address()).await;
    let (store, direct) = through(proxy.address()).await;
    let sent = payload(3 * PART, 2);
    for octets in [PART / 2, PART + PART / 2, 3 * PART - 1] {
        proxy.cut_once_after(octets as u64);
        store
            .put_stream(&key(), chunks(&sent, 65_536))
            .await
            .unwrap();
        assert!(proxy.has_cut());
        assert!(
            read(direct.get_stream(&key()).await.unwrap())
                .await
                .unwrap()
                == sent
        );
    }
    assert_eq!(leftovers(&direct).await, 0);
}

#[tokio::test]
async fn a_lost_answer_to_the_last_call_is_no_failure() {
    let proxy = HttpProxy::start(S3::shared().await.address()).await;
    let (store, direct) = through(proxy.address()).await;
    let sent = payload(2 * PART, 3);
    // The call that completes the upload; those for parts name the part before.
    proxy.lose_answer_to("?uploadId=");
    store
        .put_stream(&key(), chunks(&sent, 65_536))
        .await
        .unwrap();
    assert_eq!(proxy.lost(), 1);
    assert!(
        read(direct.get_stream(&key()).await.unwrap())
            .await
            .unwrap()
            == sent
    );
}

#[tokio::test]
async fn a_source_that_fails_midway_leaves_nothing() {
    let store = store().await;
    for good in [0, PART / 2, 2 * PART + 1] {
        let sent = payload(good, 4);
        let chunks = chunks(&sent, 65_536).map(|chunk| chunk.map_err(io::Error::other));
        let broken = chunks.chain(stream::iter([Err(io::Error::other("the node is gone"))]));
        let failed = store.put_stream(&key(), broken).await;
        let Err(PutError::Source { source, .. }) = failed else {
            panic!("{failed:?}")
        };
        assert_eq!(source.to_string(), "the node is gone");
        assert_nothing_is_there(&store).await;
        assert_eq!(leftovers(&store).await, 0, "after {good} bytes");
    }
}

#[tokio::test]
async fn a_dropped_upload_is_aborted_before_the_store_is_closed() {
    let proxy = FaultProxy::start(S3::shared().await.address()).await;
    let (store, direct) = through(proxy.address()).await;
    proxy.cut_once_after(PART as u64 + 1000);
    let sent = payload(2 * PART + 1, 5);
    let endless = chunks(&sent, 65_536).chain(stream::pending());
    let key = key();
    let upload = Box::pin(store.put_stream(&key, endless));
    // A part is under way: the upload has begun.
    let begun = wait_until(DEADLINE, || async { proxy.has_cut() });
    tokio::select! {
        stored = upload => panic!("{stored:?}"),
        () = begun => {}
    }
    store.close().await;
    assert_eq!(leftovers(&direct).await, 0);
    assert_nothing_is_there(&direct).await;
}

#[tokio::test]
async fn an_s3_that_dies_under_an_upload_takes_the_same_one_when_it_is_back() {
    let s3 = S3::start().await;
    let store = store_with(&config(&s3.bucket().await, s3.endpoint())).await;
    let sent = payload(2 * PART, 7);
    store.put_job("before", "{}").await.unwrap();
    let s3 = &s3;
    let dying = chunks(&sent, PART / 2)
        .enumerate()
        .then(|(index, chunk)| async move {
            if index == 3 {
                s3.kill().await;
            }
            chunk
        });
    let failed = store.put_stream(&key(), Box::pin(dying)).await;
    let Err(PutError::Store(error)) = failed else {
        panic!("{failed:?}")
    };
    assert!(error.is_transient(), "{error}");
    assert!(matches!(error, StoreError::Put { .. }), "{error}");
    s3.start_again().await;
    assert_nothing_is_there(&store).await;
    store
        .put_stream(&key(), chunks(&sent, 65_536))
        .await
        .unwrap();
    assert!(read(store.get_stream(&key()).await.unwrap()).await.unwrap() == sent);
    assert_eq!(store.list_jobs().await.unwrap()[0].id, "before");
}
