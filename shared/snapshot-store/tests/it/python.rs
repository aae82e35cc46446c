//! A bucket that the Python Alioth wrote.

use alioth_snapshot_store::{ObjectKey, S3Config};
use alioth_testkit::{S3, wait_until};
use bytes::Bytes;

use crate::{DEADLINE, chunks, config, read, store_with};

#[tokio::test]
async fn the_newest_of_exactly_that_collection_and_host_is_found() {
    let s3 = S3::shared().await;
    let config = config(&s3.bucket().await, s3.endpoint());
    // Its objects lie at the root, whatever prefix ours have.
    let store = &store_with(&S3Config {
        prefix: "backups".to_owned(),
        ..config
    })
    .await;
    let put = |key: &'static str| async move {
        let key = ObjectKey::at_root(key).unwrap();
        let name = Bytes::from(key.to_string());
        store.put_stream(&key, chunks(&name, 100)).await.unwrap();
    };
    for key in [
        "collection/node/movies/movies-1-b.snapshot",
        "collection/node/movies/movies-1-b.snapshot.checksum",
        "collection/node/movies/deeper/z.snapshot",
        "collection/node2/movies/z.snapshot",
    ] {
        put(key).await;
    }
    // A name that sorts before, written later; and the collection whose name ours is the beginning of, later still.
    let newest = "collection/node/movies/movies-1-a.snapshot";
    Box::pin(wait_until(DEADLINE, || async {
        put(newest).await;
        let found = store
            .python_latest("node", "movies")
            .await
            .unwrap()
            .unwrap();
        found.as_str() == newest
    }))
    .await;
    put("collection/node/movies2/movies2-1-z.snapshot").await;
    let found = store
        .python_latest("node", "movies")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(found.as_str(), newest);
    let got = read(store.get_stream(&found).await.unwrap()).await.unwrap();
    assert_eq!(got, newest.as_bytes());
    for (host, collection) in [
        ("node", "movie"),
        ("nod", "movies"),
        ("node", "movies/deeper"),
        ("..", "movies"),
    ] {
        assert_eq!(store.python_latest(host, collection).await.unwrap(), None);
    }
}
