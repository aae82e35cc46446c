//! Probes and metrics.

use std::net::{Ipv4Addr, SocketAddr};

use alioth_telemetry::{AdminConfig, AdminEndpoint, Readiness, TelemetryError, registry};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const FREE_PORT: AdminConfig = AdminConfig {
    listen: SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0),
};

async fn get(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: admin\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

async fn start(readiness: Readiness) -> AdminEndpoint {
    let registry = registry("ingest-test", "1.2.3").unwrap();
    let endpoint = AdminEndpoint::start(FREE_PORT, registry, readiness).await;
    endpoint.unwrap()
}

#[tokio::test]
async fn probes_and_metrics_follow_the_conditions() {
    let readiness = Readiness::new();
    let broker = readiness.condition("rabbitmq");
    let endpoint = start(readiness).await;
    let address = endpoint.address();

    assert!(get(address, "/livez").await.starts_with("HTTP/1.1 200"));
    assert!(get(address, "/healthz").await.starts_with("HTTP/1.1 200"));
    let unready = get(address, "/readyz").await;
    assert!(unready.starts_with("HTTP/1.1 503") && unready.contains("not ready: rabbitmq"));
    assert!(
        get(address, "/metrics")
            .await
            .contains("alioth_ready{condition=\"rabbitmq\"} 0")
    );

    broker.set(true);
    assert!(get(address, "/readyz").await.starts_with("HTTP/1.1 200"));
    let metrics = get(address, "/metrics").await;
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
    endpoint.stop().await.unwrap();
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn metrics_are_there_without_any_condition() {
    let endpoint = start(Readiness::new()).await;
    let metrics = get(endpoint.address(), "/metrics").await;
    assert!(metrics.contains("alioth_build_info"));
    let ready = get(endpoint.address(), "/readyz").await;
    assert!(ready.starts_with("HTTP/1.1 200"));
    endpoint.stop().await.unwrap();
}

#[tokio::test]
async fn a_port_in_use_is_an_error_that_names_it() {
    let endpoint = start(Readiness::new()).await;
    let taken = endpoint.address();
    let registry = registry("ingest-test", "1.2.3").unwrap();
    let config = AdminConfig { listen: taken };
    let error = AdminEndpoint::start(config, registry, Readiness::new())
        .await
        .unwrap_err();
    assert!(matches!(error, TelemetryError::Listen { address, .. } if address == taken));
    assert_eq!(error.to_string(), format!("listen on {taken}"));
    endpoint.stop().await.unwrap();
}
