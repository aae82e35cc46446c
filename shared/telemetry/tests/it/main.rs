//! The admin endpoint over a real connection.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use alioth_telemetry::{AdminConfig, LogConfig, Readiness, admin_router, registry, serve_admin};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_util::sync::CancellationToken;

async fn get(addr: std::net::SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: admin\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn probes_and_metrics_follow_the_conditions() {
    let readiness = Readiness::new();
    let broker = readiness.condition("rabbitmq");
    let registry = registry("ingest-test", "1.2.3").unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let token = CancellationToken::new();
    let server = tokio::spawn(serve_admin(
        listener,
        admin_router(registry, readiness),
        token.clone(),
    ));

    assert!(get(addr, "/livez").await.starts_with("HTTP/1.1 200"));
    assert!(get(addr, "/healthz").await.starts_with("HTTP/1.1 200"));
    let unready = get(addr, "/readyz").await;
    assert!(unready.starts_with("HTTP/1.1 503") && unready.contains("not ready: rabbitmq"));
    assert!(
        get(addr, "/metrics")
            .await
            .contains("alioth_ready{condition=\"rabbitmq\"} 0")
    );

    broker.set(true);
    assert!(get(addr, "/readyz").await.starts_with("HTTP/1.1 200"));
    let metrics = get(addr, "/metrics").await;
    for expected in [
        "content-type: text/plain; version=0.0.4",
        "alioth_ready{condition=\"rabbitmq\"} 1",
        "alioth_build_info{function=\"ingest-test\",version=\"1.2.3\"} 1",
        "process_resident_memory_bytes",
    ] {
        assert!(
            metrics.contains(expected),
            "{expected} is missing in {metrics}"
        );
    }

    token.cancel();
    server.await.unwrap().unwrap();
}

#[tokio::test]
async fn metrics_are_there_without_any_condition() {
    let registry = registry("ingest-test", "1.2.3").unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let router = admin_router(registry, Readiness::new());
    let server = tokio::spawn(serve_admin(listener, router, CancellationToken::new()));
    assert!(get(addr, "/metrics").await.contains("alioth_build_info"));
    assert!(get(addr, "/readyz").await.starts_with("HTTP/1.1 200"));
    server.abort();
}

#[test]
fn every_variable_is_in_the_readme() {
    let readme = include_str!("../../README.md");
    let mut missing = alioth_config::undocumented::<LogConfig>(readme);
    missing.extend(alioth_config::undocumented::<AdminConfig>(readme));
    assert!(missing.is_empty(), "{missing:?}");
}
