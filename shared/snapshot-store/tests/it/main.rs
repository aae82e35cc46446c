//! On a real S3 (SeaweedFS), with proxies that misbehave in front of it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod connect;
mod faults;
mod memory;
mod python;
mod reading;
mod snapshots;
mod streams;
mod verify;

use std::{convert::Infallible, time::Duration};

use alioth_config::{ByteSize, Span};
use alioth_snapshot_store::{Credentials, ObjectStream, S3Config, SnapshotStore, StoreError};
use alioth_testkit::{S3, s3};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, TryStreamExt, stream};

/// Nothing here takes that long unless it is broken.
const DEADLINE: Duration = Duration::from_secs(60);
/// The least that S3 takes.
const PART: usize = 5 * 1024 * 1024;

fn config(bucket: &str, endpoint: String) -> S3Config {
    S3Config {
        bucket: bucket.to_owned(),
        endpoint,
        part_size: ByteSize(PART as u64),
        timeout: Span(Duration::from_secs(20)),
        attempts: 5,
        retry_backoff: Span(Duration::from_millis(10)),
        ..S3Config::default()
    }
}

fn admin() -> Credentials {
    Credentials::Static {
        access_key_id: s3::ACCESS_KEY_ID.to_owned(),
        secret_access_key: s3::SECRET_ACCESS_KEY.into(),
    }
}

async fn store_with(config: &S3Config) -> SnapshotStore {
    SnapshotStore::connect_as(config, admin()).await.unwrap()
}

/// A store over a bucket of the test's own.
async fn store() -> SnapshotStore {
    let s3 = S3::shared().await;
    store_with(&config(&s3.bucket().await, s3.endpoint())).await
}

/// Bytes that no two offsets or seeds have in common.
fn payload(length: usize, seed: u64) -> Bytes {
    let mut bytes = vec![0; length];
    fastrand::Rng::with_seed(seed).fill(&mut bytes);
    bytes.into()
}

fn chunks(
    payload: &Bytes,
    size: usize,
) -> impl Stream<Item = Result<Bytes, Infallible>> + Send + Unpin + 'static + use<> {
    let payload = payload.clone();
    let starts = (0..payload.len()).step_by(size);
    stream::iter(starts.map(move |start| Ok(payload.slice(start..payload.len().min(start + size)))))
}

async fn read(chunks: ObjectStream) -> Result<Vec<u8>, StoreError> {
    let length = chunks.length();
    let whole = chunks.try_fold(Vec::new(), |mut whole, chunk| async move {
        whole.extend_from_slice(&chunk);
        Ok(whole)
    });
    let whole = whole.await?;
    assert_eq!(whole.len() as u64, length);
    Ok(whole)
}

/// Reads to the error at the end.
async fn read_error(mut chunks: ObjectStream) -> StoreError {
    loop {
        match chunks.next().await {
            Some(Ok(_)) => {}
            Some(Err(error)) => return error,
            None => panic!("the stream ended without an error"),
        }
    }
}

/// Uploads that were begun and not ended, aborted now.
async fn leftovers(store: &SnapshotStore) -> u64 {
    store.abort_leftovers(Duration::ZERO).await.unwrap()
}
