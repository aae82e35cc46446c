//! What goes wrong on the way of a REST call: nobody there, cut, silent, and answers that lie.

use std::{convert::Infallible, net::SocketAddr, time::Duration};

use alioth_cluster::rest::{Priority, QdrantRest, QdrantRestConfig, RestError, UploadError};
use alioth_config::Span;
use alioth_testkit::{Direction, Fault, FaultProxy, Qdrant, ReservedPort};
use axum::{
    Json, Router,
    body::Body,
    http::StatusCode,
    response::IntoResponse,
    routing::{get, post},
};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::json;
use tokio::net::TcpListener;

use crate::rest::config;

/// Two files of zeros, and the archive's end: as Qdrant's own, but without a point in it.
fn archive() -> Vec<u8> {
    let mut header = [0_u8; 512];
    header[..5].copy_from_slice(b"shard");
    header[124..136].copy_from_slice(b"00000010000\0");
    header[148..156].copy_from_slice(b"        ");
    header[156] = b'0';
    let sum: u64 = header.iter().map(|byte| u64::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let file = [&header[..], &[0; 4096]].concat();
    [file.clone(), file, vec![0; 1024]].concat()
}

/// A server that says it is a Qdrant, and answers with `body` when asked for a shard.
async fn scripted(body: fn() -> Body) -> SocketAddr {
    let root = json!({"title": "qdrant", "version": "1.18.3"});
    let cluster = json!({"result": {"status": "disabled"}, "status": "ok", "time": 0.0});
    let router = Router::new()
        .route("/", get(move || async move { Json(root) }))
        .route("/cluster", get(move || async move { Json(cluster) }))
        .route(
            "/collections/{name}/shards/{shard}/snapshot",
            get(move || async move { body() }),
        )
        .route(
            "/collections/{name}/shards/{shard}/snapshots/upload",
            // Reads nothing and says nothing.
            post(|body: Body| async move {
                let _unread = body;
                std::future::pending::<Json<()>>().await
            }),
        );
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("its address");
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

fn impatient(address: SocketAddr) -> QdrantRestConfig {
    QdrantRestConfig {
        idle_timeout: Span(Duration::from_millis(300)),
        timeout: Span(Duration::from_secs(5)),
        ..config(&format!("http://{address}"))
    }
}

async fn streamed(body: fn() -> Body) -> Result<Vec<Bytes>, RestError> {
    let address = scripted(body).await;
    let rest = QdrantRest::discover(&impatient(address)).await?;
    rest.stream_shard(0, "movies", 0).await?.try_collect().await
}

#[tokio::test]
async fn an_archive_that_ends_is_whole() {
    let pieces = streamed(|| Body::from(archive())).await.expect("whole");
    assert_eq!(pieces.concat(), archive());
}

#[tokio::test]
async fn an_answer_that_ends_in_good_order_before_its_archive_does_is_truncated() {
    // Among the zeros of the last file: nothing but their number tells.
    let cut = streamed(|| Body::from(archive()[..512 + 4096 + 512 + 1024].to_vec())).await;
    let error = cut.expect_err("half an archive");
    assert!(
        matches!(error, RestError::Truncated { bytes: 6144, .. }),
        "{error}"
    );
    assert!(error.is_transient());
}

#[tokio::test]
async fn an_answer_cut_off_is_no_answer() {
    let cut = streamed(|| {
        let pieces = [Ok(archive()[..600].to_vec()), Err("the disk is full")];
        Body::from_stream(stream::iter(pieces))
    });
    let error = cut.await.expect_err("cut off");
    assert!(matches!(error, RestError::NoAnswer { .. }), "{error}");
    assert!(error.is_transient());
}

#[tokio::test]
async fn a_stream_that_stands_still_is_given_up() {
    let stalled = streamed(|| {
        let first = stream::once(async { Ok::<_, Infallible>(archive()[..600].to_vec()) });
        Body::from_stream(first.chain(stream::pending()))
    });
    let error = stalled.await.expect_err("it stands still");
    assert!(matches!(error, RestError::Stalled { .. }), "{error}");
    assert!(error.is_transient());
}

#[tokio::test]
async fn an_error_page_is_no_snapshot() {
    let page = streamed(|| Body::from("<html>welcome</html>".repeat(100))).await;
    let error = page.expect_err("no archive");
    assert!(matches!(error, RestError::Malformed { .. }), "{error}");
}

/// Two nodes of one cluster, the first of which cuts the connection at every change. The second answers this.
async fn two_nodes(status: StatusCode, reason: String) -> QdrantRestConfig {
    let mut listeners = Vec::new();
    for _ in 0..2 {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        listeners.push((listener.local_addr().expect("its address"), listener));
    }
    // As the nodes are asked: by port.
    listeners.sort_by_key(|(address, _)| *address);
    let mut config = config("");
    config.url.clear();
    for (index, (address, listener)) in listeners.into_iter().enumerate() {
        let root = json!({"title": "qdrant", "version": "1.18.3"});
        let peers = json!({"1": {"uri": "http://q1:6335"}, "2": {"uri": "http://q2:6335"}});
        let cluster =
            json!({"result": {"status": "enabled", "peer_id": index + 1, "peers": peers}});
        let refusal = json!({"status": {"error": reason}, "time": 0.0});
        let answer = move || async move {
            match index {
                0 => {
                    let cut = stream::iter([Ok(vec![b'{']), Err("the node restarts")]);
                    Body::from_stream(cut).into_response()
                }
                _ => (status, Json(refusal)).into_response(),
            }
        };
        let router = Router::new()
            .route("/", get(move || async move { Json(root) }))
            .route("/cluster", get(move || async move { Json(cluster) }))
            .fallback(answer);
        tokio::spawn(async move { axum::serve(listener, router).await });
        config.url.push(format!("http://{address}"));
    }
    config
}

#[tokio::test]
async fn what_is_there_already_after_a_cut_may_be_the_cut_call_s_own_and_is_transient() {
    let said = "Wrong input: Collection `movies` already exists!";
    let config = two_nodes(StatusCode::CONFLICT, said.to_owned()).await;
    let rest = QdrantRest::discover(&config).await.unwrap();
    let created = rest.create_collection("movies", &json!({})).await;
    let error = created.expect_err("nobody knows");
    assert!(matches!(error, RestError::NoAnswer { .. }), "{error}");
    assert!(error.is_transient());

    let said = "Wrong input: Shard key \"a\" already exists for collection movies";
    let config = two_nodes(StatusCode::BAD_REQUEST, said.to_owned()).await;
    let rest = QdrantRest::discover(&config).await.unwrap();
    let made = rest.create_shard_key("movies", &json!({})).await;
    assert!(made.expect_err("nobody knows").is_transient());
    // Another refusal is the call's, whoever was asked first.
    let created = rest.create_collection("movies", &json!({})).await;
    let error = created.expect_err("it is bad");
    assert!(
        matches!(error, RestError::Refused { status: 400, .. }),
        "{error}"
    );
}

#[tokio::test]
async fn a_url_that_a_node_could_not_fetch_is_told_without_its_secrets() {
    let long = format!("https://s3/{}.snapshot", "a".repeat(2000));
    for (said, told) in [
        ("https://s3/a.snapshot?X-Sig=5EC", "https://s3/a.snapshot"),
        ("https://user:5EC@s3/a.snapshot", "https://s3/a.snapshot"),
        (&format!("{long}?X-Sig=5EC"), &long),
    ] {
        let reason = format!("Failed to download snapshot from {said}: status - 403");
        let config = two_nodes(StatusCode::BAD_REQUEST, reason).await;
        let rest = QdrantRest::discover(&config).await.unwrap();
        let recovered = rest.recover(2, "movies", "https://S3:443/", Priority::Snapshot);
        let error = recovered.await.expect_err("it could not").to_string();
        assert!(!error.contains("5EC"), "{error}");
        assert!(error.contains(&told[..told.len().min(900)]), "{error}");
    }
}

#[tokio::test]
async fn an_upload_nobody_reads_is_given_up() {
    let rest = QdrantRest::discover(&impatient(scripted(Body::empty).await))
        .await
        .unwrap();
    let endless = stream::repeat_with(|| Ok::<_, Infallible>(Bytes::from(vec![0; 65536])));
    let stalled = rest
        .upload_shard(0, "movies", 0, endless, None, None, Priority::Snapshot)
        .await
        .expect_err("nobody reads");
    let UploadError::Rest(error) = stalled;
    assert!(matches!(error, RestError::Stalled { .. }), "{error}");
}

#[tokio::test]
async fn nobody_there_is_unreached_and_transient() {
    let port = ReservedPort::new();
    let mut config = config(&format!("http://{}", port.address()));
    config
        .url
        .push("http://no-such-host.invalid:6333".to_owned());
    let error = QdrantRest::discover(&config).await.unwrap_err();
    assert!(
        matches!(error, RestError::Unreached { addresses: 2, .. }),
        "{error}"
    );
    assert!(error.is_transient());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_away_is_passed_over() {
    let qdrant = Qdrant::start().await;
    let port = ReservedPort::new();
    let mut config = config(&format!("http://{}", port.address()));
    config.url.push(qdrant.rest_url());
    let rest = QdrantRest::discover(&config).await.expect("one answers");
    assert_eq!(rest.nodes().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_that_know_nothing_of_each_other_are_no_cluster() {
    let (first, second) = (Qdrant::start().await, Qdrant::start().await);
    let mut config = config(&first.rest_url());
    config.url.push(second.rest_url());
    let error = QdrantRest::discover(&config).await.unwrap_err();
    assert!(matches!(error, RestError::NotOneCluster { .. }), "{error}");
    assert!(!error.is_transient());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_into_a_black_hole_ends_at_its_deadline() {
    let qdrant = Qdrant::start().await;
    let upstream = qdrant.rest_url().replace("http://", "").parse().unwrap();
    let proxy = FaultProxy::start(upstream).await;
    let mut config = impatient(proxy.address());
    config.timeout = Span(Duration::from_millis(500));
    let rest = QdrantRest::discover(&config).await.unwrap();
    proxy.set(Fault::BlackHole(Direction::Both)).await;
    let error = rest.collections().await.unwrap_err();
    assert!(error.is_transient(), "{error}");
}
