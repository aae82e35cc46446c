//! Small writes that share messages, on a real RabbitMQ whose confirms come late.

use std::{collections::HashSet, time::Duration};

use alioth_testkit::{Fault, RabbitMq};
use tokio::task::JoinSet;

use crate::support::{Message, World, collection, ingest_body, shared_qdrant};

const WRITERS: usize = 40;
/// Within which all writers have sent theirs, even where two cores are busy.
const CONFIRMS_AFTER: Duration = Duration::from_millis(500);

/// One write of two points by each of so many writers at once; the messages that came of them.
async fn write_at_once(settings: &[(&str, &str)]) -> (World, Vec<Message>) {
    let rabbitmq = RabbitMq::shared().await;
    let name = collection(shared_qdrant().await, 4).await;
    let (world, proxy) = World::behind_proxy(rabbitmq, settings).await;
    proxy.set(Fault::Delay(CONFIRMS_AFTER)).await;
    let mut writers = JoinSet::new();
    for _ in 0..WRITERS {
        let (http, body) = (world.http.clone(), ingest_body(&name, 2, 4).to_string());
        writers.spawn(async move { http.ingest(body).await });
    }
    let answers = writers.join_all().await;
    let mut accepted = HashSet::new();
    for answer in answers {
        assert_eq!(answer.status, 202, "{}", answer.text);
        assert_eq!(answer.body["points"], 2);
        accepted.insert(answer.body["ingest_id"].as_str().unwrap().to_owned());
    }
    assert_eq!(accepted.len(), WRITERS);
    let messages = world.drain_queue().await;
    let queued: Vec<String> = messages.iter().flat_map(Message::writes).collect();
    assert_eq!(queued.len(), WRITERS);
    assert_eq!(queued.into_iter().collect::<HashSet<_>>(), accepted);
    (world, messages)
}

#[tokio::test]
async fn writes_that_wait_share_messages_and_each_is_told_its_own_id() {
    let (world, messages) = write_at_once(&[]).await;
    let points: usize = messages.iter().map(|message| message.upsert.points()).sum();
    assert_eq!(points, 2 * WRITERS);
    assert!(messages.len() < WRITERS, "{}", messages.len());
    world
        .assert_metric("alioth_accept_messages_total", |all| {
            all == messages.len() as f64
        })
        .await;
    let alone = messages
        .iter()
        .filter(|message| message.writes().len() == 1)
        .count();
    world
        .assert_metric("alioth_accept_combined_writes_total", |shared| {
            shared == (WRITERS - alone) as f64
        })
        .await;
}

#[tokio::test]
async fn with_a_limit_of_zero_every_write_has_a_message() {
    let (_, messages) = write_at_once(&[("ALIOTH_ACCEPT_COMBINE_LIMIT", "0")]).await;
    assert_eq!(messages.len(), WRITERS);
}
