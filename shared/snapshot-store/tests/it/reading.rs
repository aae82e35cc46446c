//! What becomes of a download when the way to S3 fails, or the object is not what it was.

use std::time::Duration;

use alioth_config::Span;
use alioth_snapshot_store::{FaultClass, ObjectKey, S3Config, SnapshotStore};
use alioth_testkit::{Direction, Fault, FaultProxy, S3, wait_until};
use futures_util::StreamExt;

use crate::{DEADLINE, chunks, config, payload, read, read_error, store_with};

/// Longer than what the sockets on the way hold.
const LENGTH: usize = 32 * 1024 * 1024;

fn key() -> ObjectKey {
    ObjectKey::storage("node", "full")
}

/// A store through a proxy, the same without it, and the proxy.
async fn world() -> (SnapshotStore, SnapshotStore, FaultProxy) {
    let s3 = S3::shared().await;
    let direct = config(&s3.bucket().await, s3.endpoint());
    let proxy = FaultProxy::start(s3.address()).await;
    let proxied = S3Config {
        endpoint: format!("http://{}", proxy.address()),
        ..direct.clone()
    };
    (store_with(&proxied).await, store_with(&direct).await, proxy)
}

#[tokio::test]
async fn a_cut_connection_goes_on_where_it_was() {
    let (store, direct, proxy) = world().await;
    let sent = payload(LENGTH, 0);
    direct
        .put_stream(&key(), chunks(&sent, 65_536))
        .await
        .unwrap();
    for octets in [200, 1 << 20, LENGTH - 1] {
        let before = proxy.connections();
        proxy.cut_once_after(octets as u64);
        let got = read(store.get_stream(&key()).await.unwrap()).await.unwrap();
        assert!(got == sent, "cut after {octets}");
        assert!(proxy.has_cut() && proxy.connections() > before);
    }
}

#[tokio::test]
async fn a_body_that_stalls_is_asked_for_again() {
    let s3 = S3::shared().await;
    let direct = config(&s3.bucket().await, s3.endpoint());
    let proxy = FaultProxy::start(s3.address()).await;
    let impatient = S3Config {
        endpoint: format!("http://{}", proxy.address()),
        idle_timeout: Span(Duration::from_millis(500)),
        timeout: Span(Duration::from_secs(2)),
        attempts: 20,
        ..direct.clone()
    };
    let (store, direct) = (store_with(&impatient).await, store_with(&direct).await);
    let sent = payload(LENGTH, 1);
    direct
        .put_stream(&key(), chunks(&sent, 65_536))
        .await
        .unwrap();
    let mut stream = store.get_stream(&key()).await.unwrap();
    let first = stream.next().await.unwrap().unwrap();
    let before = proxy.connections();
    proxy.set(Fault::BlackHole(Direction::ToClient)).await;
    let resumed = async {
        wait_until(DEADLINE, || async { proxy.connections() > before }).await;
        proxy.set(Fault::Pass).await;
    };
    let rest = async {
        let mut rest = first.to_vec();
        while let Some(chunk) = stream.next().await {
            rest.extend_from_slice(&chunk.unwrap());
        }
        rest
    };
    let (got, ()) = tokio::join!(rest, resumed);
    assert!(got == sent);
}

#[tokio::test]
async fn cuts_without_a_byte_between_them_are_a_transient_error() {
    let (store, direct, proxy) = world().await;
    direct
        .put_stream(&key(), chunks(&payload(LENGTH, 2), 65_536))
        .await
        .unwrap();
    let mut stream = store.get_stream(&key()).await.unwrap();
    stream.next().await.unwrap().unwrap();
    proxy.set(Fault::Cut).await;
    let error = read_error(stream).await;
    assert!(error.is_transient(), "{error}");
}

#[tokio::test]
async fn an_object_replaced_while_it_is_read_is_never_mixed() {
    let (store, direct, proxy) = world().await;
    direct
        .put_stream(&key(), chunks(&payload(LENGTH, 3), 65_536))
        .await
        .unwrap();
    let mut stream = store.get_stream(&key()).await.unwrap();
    stream.next().await.unwrap().unwrap();
    direct
        .put_stream(&key(), chunks(&payload(LENGTH, 4), 65_536))
        .await
        .unwrap();
    proxy.cut_connections().await;
    let error = read_error(stream).await;
    assert_eq!(error.class(), FaultClass::Other);
    assert!(error.to_string().contains("412"), "{error}");
}
