//! The S3's life, and the HTTP proxy in front of it.

use alioth_testkit::{HttpProxy, S3, wait_until};
use std::{net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const SOON: Duration = Duration::from_secs(60);

/// The first line of the answer to an unsigned request; empty when the connection ends without one.
async fn ask(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream
        .write_all(request.as_bytes())
        .await
        .expect("it reads");
    let mut answer = Vec::new();
    // A connection that is reset has said what it had to say.
    let _ = stream.read_to_end(&mut answer).await;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    answer.lines().next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn refuses_who_does_not_sign_and_comes_back_after_a_kill() {
    let s3 = S3::start().await;
    let first = s3.bucket().await;
    let path = format!("/{first}");
    assert_eq!(ask(s3.address(), &path).await, "HTTP/1.1 403 Forbidden");
    s3.kill().await;
    assert!(TcpStream::connect(s3.address()).await.is_err());
    s3.start_again().await;
    assert_eq!(ask(s3.address(), &path).await, "HTTP/1.1 403 Forbidden");
    assert_ne!(s3.bucket().await, first);
    let address = s3.address();
    drop(s3);
    wait_until(SOON, || async {
        TcpStream::connect(address).await.is_err()
    })
    .await;
}

#[tokio::test]
async fn http_proxy_refuses_as_often_as_told_and_loses_the_answer_it_is_told_to() {
    let s3 = S3::shared().await;
    let proxy = HttpProxy::start(s3.address()).await;
    assert_eq!(ask(proxy.address(), "/").await, "HTTP/1.1 403 Forbidden");
    proxy.refuse(2);
    for _ in 0..2 {
        assert_eq!(
            ask(proxy.address(), "/").await,
            "HTTP/1.1 503 Service Unavailable"
        );
    }
    assert_eq!(ask(proxy.address(), "/").await, "HTTP/1.1 403 Forbidden");
    assert_eq!(proxy.refused(), 2);

    proxy.lose_answer_to("GET /lost");
    assert_eq!(
        ask(proxy.address(), "/kept").await,
        "HTTP/1.1 403 Forbidden"
    );
    assert_eq!(ask(proxy.address(), "/lost").await, "");
    assert_eq!(
        ask(proxy.address(), "/lost").await,
        "HTTP/1.1 403 Forbidden"
    );
    assert_eq!(proxy.lost(), 1);
}
