//! What a connection may do: both protocols on one port, keep-alive, and what happens to clients
//! that are slow, silent, too many, or told no while they are still sending.

use std::time::Duration;

use alioth_testkit::wait_until;
use axum::http::Version;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{DEADLINE, Http, World, collection, ingest_body, shared_qdrant};

async fn connect(world: &World) -> TcpStream {
    TcpStream::connect(world.http.address()).await.unwrap()
}

/// Reads until the other side closes.
async fn rest(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let read = tokio::time::timeout(DEADLINE, stream.read_to_end(&mut bytes)).await;
    read.unwrap().unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Reads one answer, up to the end of its body.
async fn one_answer(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    let mut bytes = [0; 4096];
    loop {
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.unwrap().parse().unwrap() {
                return text;
            }
        }
        let read = tokio::time::timeout(DEADLINE, stream.read(&mut bytes))
            .await
            .unwrap()
            .unwrap();
        assert!(read > 0, "closed after {text:?}");
        text += &String::from_utf8_lossy(&bytes[..read]);
    }
}

#[tokio::test]
async fn both_protocols_are_served_on_one_port() {
    let world = World::start().await;
    let name = collection(shared_qdrant().await, 4).await;
    let body = ingest_body(&name, 1, 4).to_string();
    let first = world.http.ingest(body.clone()).await;
    assert_eq!((first.status, first.version), (202, Version::HTTP_11));
    let http2 = Http::http2(world.http.address());
    let many: Vec<_> = (0..50).map(|_| http2.ingest(body.clone())).collect();
    for answer in futures_util::future::join_all(many).await {
        assert_eq!((answer.status, answer.version), (202, Version::HTTP_2));
    }
    assert_eq!(http2.get("/alioth/nothing").await.code(), (404, "no_route"));
}

#[tokio::test]
async fn one_connection_takes_many_requests() {
    let world = World::start().await;
    let mut stream = connect(&world).await;
    for _ in 0..5 {
        stream
            .write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
            .await
            .unwrap();
        assert!(one_answer(&mut stream).await.starts_with("HTTP/1.1 200"));
    }
    stream
        .write_all(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
        .await
        .unwrap();
    assert!(rest(&mut stream).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn slow_and_silent_clients_are_cut_off() {
    let settings = [
        ("ALIOTH_HTTP_HEADER_TIMEOUT", "300ms"),
        ("ALIOTH_HTTP_BODY_TIMEOUT", "300ms"),
    ];
    let world = World::start_with(&settings).await;
    let mut silent = connect(&world).await;
    let mut slow_head = connect(&world).await;
    slow_head
        .write_all(b"GET / HTTP/1.1\r\nhost: ")
        .await
        .unwrap();
    let mut slow_preface = connect(&world).await;
    slow_preface.write_all(b"PRI * HTTP/2.0\r\n").await.unwrap();
    for stream in [&mut silent, &mut slow_head, &mut slow_preface] {
        rest(stream).await;
    }
    let mut slow_body = connect(&world).await;
    let head = "POST /alioth/ingest HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{";
    slow_body.write_all(head.as_bytes()).await.unwrap();
    let answer = one_answer(&mut slow_body).await;
    assert!(
        answer.starts_with("HTTP/1.1 408") && answer.contains("body_too_slow"),
        "{answer}"
    );
    // An idle connection is none of these.
    let mut idle = connect(&world).await;
    idle.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        .await
        .unwrap();
    one_answer(&mut idle).await;
    let more = tokio::time::timeout(Duration::from_millis(900), idle.read_u8()).await;
    assert!(more.is_err(), "an idle connection was closed");
}

#[tokio::test]
async fn an_idle_connection_is_closed_in_the_end() {
    let world = World::start_with(&[("ALIOTH_HTTP_IDLE_TIMEOUT", "200ms")]).await;
    let mut stream = connect(&world).await;
    stream
        .write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        .await
        .unwrap();
    assert!(rest(&mut stream).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn connections_over_the_limit_wait_for_a_place() {
    let world = World::start_with(&[("ALIOTH_HTTP_CONNECTIONS", "3")]).await;
    // One is the client's that waited for the start.
    let mut held = vec![connect(&world).await, connect(&world).await];
    for stream in &mut held {
        stream
            .write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
            .await
            .unwrap();
        one_answer(stream).await;
    }
    let mut waiting = connect(&world).await;
    waiting
        .write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        .await
        .unwrap();
    let early = tokio::time::timeout(Duration::from_millis(300), waiting.read_u8()).await;
    assert!(early.is_err(), "a fourth connection was served");
    held.pop();
    assert!(one_answer(&mut waiting).await.contains("200 OK"));
}

/// As Python's `http.client` does: everything is sent before anything is read.
#[tokio::test]
async fn a_client_that_is_refused_while_it_sends_sees_why() {
    let world = World::start_with(&[("ALIOTH_API_KEYS", "secret")]).await;
    for (headers, length, code) in [
        ("api-key: secret\r\n", 40 << 20, "body_too_large"),
        ("", 4 << 20, "key_missing"),
        ("api-key: wrong\r\n", 4 << 20, "key_wrong"),
        (
            "api-key: secret\r\ncontent-encoding: br\r\n",
            4 << 20,
            "unsupported_encoding",
        ),
    ] {
        let mut stream = connect(&world).await;
        let head = format!(
            "POST /alioth/ingest HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n{headers}content-length: {length}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&vec![b' '; length]).await.unwrap();
        let answer = one_answer(&mut stream).await;
        assert!(answer.contains(code), "{code}: {answer}");
        // And the connection is good for another request.
        stream
            .write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
            .await
            .unwrap();
        assert!(one_answer(&mut stream).await.contains("200 OK"), "{code}");
    }
}

#[tokio::test]
async fn a_client_that_asks_first_is_told_before_it_sends() {
    let world = World::start().await;
    let mut stream = connect(&world).await;
    let head = "POST /alioth/ingest HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\nexpect: 100-continue\r\ncontent-length: 99999999\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let answer = one_answer(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");

    let body = "{}";
    let mut stream = connect(&world).await;
    let head = format!(
        "POST /alioth/ingest HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\nexpect: 100-continue\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut interim = vec![0; "HTTP/1.1 100 Continue\r\n\r\n".len()];
    tokio::time::timeout(DEADLINE, stream.read_exact(&mut interim))
        .await
        .unwrap()
        .unwrap();
    assert!(interim.starts_with(b"HTTP/1.1 100"));
    stream.write_all(body.as_bytes()).await.unwrap();
    assert!(one_answer(&mut stream).await.starts_with("HTTP/1.1 400"));
}

#[tokio::test]
async fn connections_are_counted() {
    let world = World::start().await;
    let before = world.metric("alioth_accept_connections").await;
    let stream = connect(&world).await;
    wait_until(DEADLINE, || async {
        world.metric("alioth_accept_connections").await == before + 1.0
    })
    .await;
    drop(stream);
    wait_until(DEADLINE, || async {
        world.metric("alioth_accept_connections").await == before
    })
    .await;
}
