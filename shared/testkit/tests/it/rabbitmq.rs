//! A node's life: start, kill, freeze, stop, start again on the same data and port.

use alioth_testkit::{Extra, RabbitMq, wait_until};
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const SOON: Duration = Duration::from_secs(60);

async fn greets(node: &RabbitMq) -> bool {
    let greeting = async {
        let mut stream = TcpStream::connect(node.amqp_address()).await?;
        stream.write_all(b"AMQP\x00\x00\x09\x01").await?;
        stream.read_u8().await
    };
    matches!(
        tokio::time::timeout(Duration::from_secs(1), greeting).await,
        Ok(Ok(1))
    )
}

#[tokio::test]
async fn comes_back_on_the_same_port_and_data_after_kill_and_stop() {
    let node = RabbitMq::start().await;
    let url = node.amqp_url();
    node.rabbitmqctl(&["add_vhost", "kept"]).await;
    node.kill().await;
    assert!(!greets(&node).await);
    node.start_again().await;
    assert!(greets(&node).await);
    node.stop().await;
    assert!(!greets(&node).await);
    node.start_again().await;
    assert_eq!(node.amqp_url(), url);
    let vhosts = node.rabbitmqctl(&["list_vhosts", "name"]).await;
    assert!(vhosts.lines().any(|line| line == "kept"), "{vhosts}");
}

#[tokio::test]
async fn frozen_node_accepts_and_says_nothing_until_thawed() {
    let node = RabbitMq::start_with(Extra::Management).await;
    assert!(node.management_url().is_some());
    node.freeze().await;
    assert!(!greets(&node).await);
    node.thaw();
    wait_until(SOON, || greets(&node)).await;
}

#[tokio::test]
async fn is_shared_within_a_test_process_and_gone_from_the_process_table_when_dropped() {
    let shared = RabbitMq::shared().await;
    assert_eq!(shared.amqp_url(), RabbitMq::shared().await.amqp_url());
    let node = RabbitMq::start().await;
    assert_ne!(node.amqp_url(), shared.amqp_url());
    let dir = node.dir().to_path_buf();
    let mentions = || {
        let processes = std::fs::read_dir("/proc")
            .expect("a process table")
            .flatten();
        let dir = dir.to_string_lossy();
        processes
            .filter(|process| {
                let line = std::fs::read(process.path().join("environ")).unwrap_or_default();
                String::from_utf8_lossy(&line).contains(&*dir)
            })
            .count()
    };
    assert!(mentions() > 0);
    drop(node);
    wait_until(SOON, || async { mentions() == 0 && !dir.exists() }).await;
}
