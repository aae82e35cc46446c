//! Streams up and down, of every length that matters.

use std::time::Duration;

use alioth_snapshot_store::{ObjectKey, S3Config, Sse};
use alioth_testkit::S3;
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{PART, chunks, config, leftovers, payload, read, store, store_with};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn every_length_around_a_part_comes_back_with_its_hash() {
    let store = store().await;
    let id = store.id(Timestamp::now());
    let lengths = [0, 1, PART - 1, PART, PART + 1, 3 * PART, 3 * PART + 7];
    for (shard, length) in lengths.into_iter().enumerate() {
        let sent = payload(length, shard as u64);
        let key = store.shard_key(&id, "movies", u32::try_from(shard).unwrap());
        // 64 KiB, and what neither a part nor the other is a multiple of.
        let size = [65_536, 99_991][shard % 2];
        let stored = store.put_stream(&key, chunks(&sent, size)).await.unwrap();
        assert_eq!(stored.bytes, length as u64);
        assert_eq!(stored.sha256, hex(&Sha256::digest(&sent)), "{length} bytes");
        let got = read(store.get_stream(&key).await.unwrap()).await.unwrap();
        assert!(got == sent, "{length} bytes came back as others");
    }
    assert_eq!(leftovers(&store).await, 0);
    let listed = store.list().await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].bytes, lengths.iter().sum::<usize>() as u64);
    assert_eq!(listed[0].objects, lengths.len() as u64);
}

#[tokio::test]
async fn a_chunk_longer_than_several_parts_is_cut() {
    let store = store().await;
    let sent = payload(3 * PART + 1, 0);
    let key = ObjectKey::storage("node", "full");
    store
        .put_stream(&key, chunks(&sent, sent.len()))
        .await
        .unwrap();
    let got = read(store.get_stream(&key).await.unwrap()).await.unwrap();
    assert!(got == sent);
}

#[tokio::test]
async fn any_collection_s_name_is_a_key_that_s3_takes_and_lists() {
    let store = store().await;
    let id = store.id(Timestamp::now());
    let names = [
        "a/b",
        "50% off",
        "..",
        "../x",
        "Füße",
        "漢字🎬",
        "tab\t",
        " a+b=c&d?e#f ",
        "a%2Fb",
    ];
    for name in names {
        let key = store.shard_key(&id, name, 0);
        let sent = payload(10, 0);
        store.put_stream(&key, chunks(&sent, 10)).await.unwrap();
        let got = read(store.get_stream(&key).await.unwrap()).await.unwrap();
        assert!(got == sent, "{name:?}");
    }
    let listed = store.list().await.unwrap();
    assert_eq!(listed[0].objects, names.len() as u64);
    assert_eq!(store.remove(&id).await.unwrap(), names.len() as u64);
    assert_eq!(store.list().await.unwrap(), []);
}

#[tokio::test]
async fn encrypted_objects_of_a_storage_class_come_back() {
    let s3 = S3::shared().await;
    let store = store_with(&S3Config {
        sse: Sse::Aes256,
        storage_class: "STANDARD_IA".to_owned(),
        ..config(&s3.bucket().await, s3.endpoint())
    })
    .await;
    for length in [10, PART + 10] {
        let sent = payload(length, 0);
        let key = ObjectKey::storage("node", &length.to_string());
        store.put_stream(&key, chunks(&sent, 65_536)).await.unwrap();
        let got = read(store.get_stream(&key).await.unwrap()).await.unwrap();
        assert!(got == sent, "{length} bytes came back as others");
        let head = get(store
            .presigned_get(&key, Duration::from_secs(60))
            .await
            .unwrap()
            .expose())
        .await
        .to_ascii_lowercase();
        assert!(
            head.contains("x-amz-server-side-encryption: aes256"),
            "{head}"
        );
        assert!(head.contains("x-amz-storage-class: standard_ia"), "{head}");
    }
}

/// The head of the answer to a request without credentials.
async fn get(url: &str) -> String {
    let rest = url.strip_prefix("http://").unwrap();
    let (host, path) = rest.split_once('/').unwrap();
    let mut stream = TcpStream::connect(host).await.unwrap();
    let request = format!("GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let end = answer
        .windows(4)
        .position(|end| end == b"\r\n\r\n")
        .unwrap();
    String::from_utf8_lossy(&answer[..end]).into_owned()
}

#[tokio::test]
async fn a_presigned_url_reads_its_object_and_nothing_else() {
    let store = store().await;
    let key = ObjectKey::storage("node", "full");
    store
        .put_stream(&key, chunks(&payload(10, 0), 10))
        .await
        .unwrap();
    let url = store
        .presigned_get(&key, Duration::from_secs(60))
        .await
        .unwrap();
    assert!(get(url.expose()).await.starts_with("HTTP/1.1 200"));
    let other = url.expose().replace("full", "other");
    assert!(get(&other).await.starts_with("HTTP/1.1 403"));
    let week = Duration::from_secs(8 * 86_400);
    assert!(store.presigned_get(&key, week).await.is_err());
}
