//! What each fault does to a connection, seen from both ends.

use alioth_testkit::{Direction, Fault, FaultProxy, ReservedPort, wait_until};
use std::time::{Duration, Instant};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

const SOON: Duration = Duration::from_secs(10);

/// A proxied connection: the client's end and the server's end.
async fn pair(proxy: &FaultProxy, server: &TcpListener) -> (TcpStream, TcpStream) {
    let client = TcpStream::connect(proxy.address())
        .await
        .expect("the proxy accepts");
    let (served, _) = server.accept().await.expect("the proxy connects on");
    (client, served)
}

async fn server() -> TcpListener {
    TcpListener::bind(("127.0.0.1", 0))
        .await
        .expect("a free port")
}

async fn say(stream: &mut TcpStream, word: &[u8]) {
    stream.write_all(word).await.expect("the octets are taken");
}

/// Reads exactly `word`.
async fn hear(stream: &mut TcpStream, word: &[u8]) {
    let mut heard = vec![0; word.len()];
    tokio::time::timeout(SOON, stream.read_exact(&mut heard))
        .await
        .expect("in time")
        .expect("read");
    assert_eq!(heard, word);
}

async fn hears_the_end(stream: &mut TcpStream) {
    let ended = tokio::time::timeout(SOON, stream.read(&mut [0; 1]))
        .await
        .expect("in time");
    assert!(matches!(ended, Ok(0) | Err(_)), "{ended:?}");
}

#[tokio::test]
async fn passes_both_ways_and_counts() {
    let server = server().await;
    let proxy = FaultProxy::start(server.local_addr().expect("bound")).await;
    let (mut client, mut served) = pair(&proxy, &server).await;
    say(&mut client, b"ping").await;
    hear(&mut served, b"ping").await;
    say(&mut served, b"pong").await;
    hear(&mut client, b"pong").await;
    drop(client);
    hears_the_end(&mut served).await;
    let (_client, _served) = pair(&proxy, &server).await;
    assert_eq!(proxy.connections(), 2);
}

#[tokio::test]
async fn cut_closes_and_refuses_until_passed_again() {
    let server = server().await;
    let proxy = FaultProxy::start(server.local_addr().expect("bound")).await;
    let (mut client, mut served) = pair(&proxy, &server).await;
    proxy.set(Fault::Cut).await;
    hears_the_end(&mut client).await;
    hears_the_end(&mut served).await;
    assert!(TcpStream::connect(proxy.address()).await.is_err());
    proxy.set(Fault::Pass).await;
    let (mut client, mut served) = pair(&proxy, &server).await;
    say(&mut client, b"again").await;
    hear(&mut served, b"again").await;
}

#[tokio::test]
async fn black_hole_swallows_one_direction_and_ends_the_connection_when_over() {
    let server = server().await;
    let proxy = FaultProxy::start(server.local_addr().expect("bound")).await;
    let (mut client, mut served) = pair(&proxy, &server).await;
    proxy.set(Fault::BlackHole(Direction::ToServer)).await;
    say(&mut client, b"lost").await;
    say(&mut served, b"heard").await;
    hear(&mut client, b"heard").await;
    let mut octet = [0; 1];
    assert!(
        tokio::time::timeout(Duration::from_millis(50), served.read(&mut octet))
            .await
            .is_err()
    );
    proxy.set(Fault::Pass).await;
    hears_the_end(&mut served).await;
}

#[tokio::test]
async fn black_hole_hides_the_servers_end_and_accepts_without_a_server() {
    let port = ReservedPort::new();
    let proxy = FaultProxy::start(port.address()).await;
    proxy.set(Fault::BlackHole(Direction::Both)).await;
    let mut client = TcpStream::connect(proxy.address())
        .await
        .expect("a hole accepts");
    say(&mut client, b"anyone?").await;
    wait_until(SOON, || async { proxy.connections() == 1 }).await;
    assert!(
        tokio::time::timeout(Duration::from_millis(50), client.read(&mut [0; 1]))
            .await
            .is_err()
    );
    proxy.set(Fault::Pass).await;
    hears_the_end(&mut client).await;
}

#[tokio::test]
async fn delay_holds_octets_back() {
    let server = server().await;
    let proxy = FaultProxy::start(server.local_addr().expect("bound")).await;
    let (mut client, mut served) = pair(&proxy, &server).await;
    let delay = Duration::from_millis(80);
    proxy.set(Fault::Delay(delay)).await;
    let said = Instant::now();
    say(&mut client, b"slow").await;
    hear(&mut served, b"slow").await;
    assert!(said.elapsed() >= delay);
}

#[tokio::test]
async fn cutting_connections_lets_new_ones_in() {
    let server = server().await;
    let proxy = FaultProxy::start(server.local_addr().expect("bound")).await;
    let (mut client, _served) = pair(&proxy, &server).await;
    proxy.cut_connections().await;
    hears_the_end(&mut client).await;
    let (mut client, mut served) = pair(&proxy, &server).await;
    say(&mut client, b"new").await;
    hear(&mut served, b"new").await;
}

#[tokio::test]
async fn cutting_once_closes_the_connection_that_carries_too_much_and_no_other() {
    let server = server().await;
    let proxy = FaultProxy::start(server.local_addr().expect("bound")).await;
    let (mut client, mut served) = pair(&proxy, &server).await;
    let (mut other, mut other_served) = pair(&proxy, &server).await;
    proxy.cut_once_after(8);
    say(&mut client, b"ping").await;
    hear(&mut served, b"ping").await;
    say(&mut served, b"pong").await;
    hear(&mut client, b"pong").await;
    assert!(!proxy.has_cut());
    say(&mut client, b"x").await;
    hears_the_end(&mut served).await;
    hears_the_end(&mut client).await;
    assert!(proxy.has_cut());
    say(&mut other, b"a long word, and no budget").await;
    hear(&mut other_served, b"a long word, and no budget").await;
}
