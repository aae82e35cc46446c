//! Environments that are frozen between invocations.

use alioth_testkit::{RabbitMq, wait_until};

use crate::support::{DEADLINE, World, collection, ingest_body, shared_qdrant};

/// Whether the broker has a connection in this vhost.
async fn is_connected(rabbitmq: &RabbitMq, vhost: &str) -> bool {
    let listed = rabbitmq.rabbitmqctl(&["list_connections", "vhost"]).await;
    listed.lines().any(|line| line.trim() == vhost)
}

#[tokio::test]
async fn a_connection_lost_while_frozen_is_replaced_before_the_write() {
    let rabbitmq = RabbitMq::shared().await;
    rabbitmq.rabbitmqctl(&["add_vhost", "frozen"]).await;
    let all = ["set_permissions", "-p", "frozen", "guest", ".*", ".*", ".*"];
    rabbitmq.rabbitmqctl(&all).await;
    let url = rabbitmq.amqp_url().replace("%2f", "frozen");
    let qdrant = shared_qdrant().await;
    let name = collection(qdrant, 4).await;
    let heartbeat = [("ALIOTH_AMQP_HEARTBEAT", "1s")];
    let world = World::over(&url, &url, qdrant, &heartbeat).await;
    world.until_ready().await;
    let body = ingest_body(&name, 1, 4).to_string();
    for round in 1..=3 {
        let answer = world.http.ingest(body.clone()).await;
        assert_eq!(answer.status, 202, "{}", answer.text);
        assert!(is_connected(rabbitmq, "frozen").await);
        world.process.signal("STOP");
        // The broker misses heartbeats, and closes; the process learns of it when it goes on.
        wait_until(DEADLINE, || async {
            !is_connected(rabbitmq, "frozen").await
        })
        .await;
        world.process.signal("CONT");
        let answer = world.http.ingest(body.clone()).await;
        assert_eq!(answer.status, 202, "round {round}: {}", answer.text);
    }
    assert_eq!(world.drain_queue().await.len(), 6);
}

#[tokio::test]
async fn readiness_is_as_of_now_after_a_freeze() {
    let rabbitmq = RabbitMq::start().await;
    let url = rabbitmq.amqp_url();
    let world = World::over(&url, &url, shared_qdrant().await, &[]).await;
    world.until_ready().await;
    world.process.signal("STOP");
    rabbitmq.stop().await;
    world.process.signal("CONT");
    assert_eq!(world.http.get("/readyz").await.status, 503);
    rabbitmq.start_again().await;
    world.until_ready().await;
}
