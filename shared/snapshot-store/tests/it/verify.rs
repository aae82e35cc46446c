//! Finding what is not as the manifest says.

use alioth_snapshot_store::{Depth, ObjectFault, StoreError};
use futures_util::StreamExt;
use jiff::Timestamp;

use crate::{PART, chunks, payload, read, read_error, snapshots::snapshot, store};

#[tokio::test]
async fn a_whole_snapshot_has_no_fault() {
    let store = store().await;
    let manifest = snapshot(&store, Timestamp::now(), PART + 1).await;
    for depth in [Depth::Lengths, Depth::Contents] {
        let found = store.verify(&manifest.id, depth).await.unwrap();
        assert_eq!((found.objects, found.bytes), (3, 3 * (PART as u64 + 1)));
        assert_eq!(found.faults, []);
    }
    for (number, shard) in manifest.shards().enumerate() {
        let got = read(store.get_shard(shard).await.unwrap()).await.unwrap();
        assert!(got == payload(PART + 1, number as u64));
    }
}

#[tokio::test]
async fn missing_truncated_and_altered_objects_are_told_apart() {
    let store = store().await;
    let manifest = snapshot(&store, Timestamp::now(), 1000).await;
    let shards = &manifest.collections[0].shards;
    let altered = payload(1000, 99);
    store
        .put_stream(&shards[0].key, chunks(&altered, 1000))
        .await
        .unwrap();
    store
        .put_stream(&shards[1].key, chunks(&payload(999, 1), 1000))
        .await
        .unwrap();
    let never = store.shard_key(&manifest.id, "movies", 7);
    let mut manifest = manifest.clone();
    manifest.collections[0].shards[2].key = never;
    store.put_manifest(&manifest).await.unwrap();
    let shards = &manifest.collections[0].shards;

    let length = ObjectFault::Differs {
        what: "length",
        expected: "1000".to_owned(),
        found: "999".to_owned(),
    };
    let quick = store.verify(&manifest.id, Depth::Lengths).await.unwrap();
    let key = |shard: usize| shards[shard].key.to_string();
    assert_eq!(
        quick.faults,
        [(key(1), length.clone()), (key(2), ObjectFault::Missing)]
    );

    let deep = store.verify(&manifest.id, Depth::Contents).await.unwrap();
    assert_eq!(deep.faults.len(), 3);
    assert_eq!(deep.faults[1..], quick.faults);
    let (altered, fault) = &deep.faults[0];
    assert_eq!(*altered, key(0));
    assert!(
        matches!(fault, ObjectFault::Differs { what: "SHA-256", expected, .. } if *expected == shards[0].sha256),
        "{fault}"
    );
}

#[tokio::test]
async fn a_shard_that_differs_is_an_integrity_error_by_its_last_item() {
    let store = store().await;
    let manifest = snapshot(&store, Timestamp::now(), PART + 1).await;
    let shards = &manifest.collections[0].shards;
    let mut altered = payload(PART + 1, 0).to_vec();
    altered[PART] ^= 1;
    let altered = altered.into();
    store
        .put_stream(&shards[0].key, chunks(&altered, 65_536))
        .await
        .unwrap();
    let error = read_error(store.get_shard(&shards[0]).await.unwrap()).await;
    assert!(
        matches!(
            error,
            StoreError::Integrity {
                what: "SHA-256",
                ..
            }
        ),
        "{error}"
    );
    assert!(error.is_integrity() && !error.is_transient());

    store
        .put_stream(&shards[1].key, chunks(&payload(10, 1), 10))
        .await
        .unwrap();
    let error = store.get_shard(&shards[1]).await.unwrap_err();
    assert!(
        matches!(error, StoreError::Integrity { what: "length", .. }),
        "{error}"
    );

    let mut good = store.get_shard(&shards[2]).await.unwrap();
    while let Some(chunk) = good.next().await {
        chunk.unwrap();
    }
}
