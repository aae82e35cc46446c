//! What is applied and what is set aside, on both brokers.

use alioth_broker::{HeaderValue, Queue};
use alioth_testkit::{Qdrant, unique_collection, wait_until};
use qdrant_client::qdrant::PointStruct;

use crate::{
    DEADLINE,
    world::{Queues, Running, collection, count, message, point, quick, version, writes},
};

/// Runs a test on both brokers.
macro_rules! on_both_brokers {
    ($($name:ident)*) => {
        mod rabbitmq {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(super::Queues::rabbitmq().await).await;
            })*
        }
        mod embedded {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(super::Queues::embedded().await).await;
            })*
        }
    };
}

on_both_brokers! {
    poison_point_is_dead_lettered_and_its_batch_applied
    poison_in_a_message_of_several_writes_costs_only_its_own_write
    messages_nobody_can_read_are_dead_lettered
    writes_to_an_unknown_collection_are_dead_lettered
    of_an_id_written_twice_the_later_write_wins
    many_small_writes_become_few_upserts
    a_dead_letter_can_be_published_again
}

async fn poison_point_is_dead_lettered_and_its_batch_applied(queues: Queues) {
    let qdrant = Qdrant::start().await;
    let films = collection(&qdrant).await;
    let mut points: Vec<_> = (0..100).map(|id| point(id, 1)).collect();
    points.push(PointStruct::new(666, vec![0.5; 3], [("bad", true.into())]));
    points.swap(37, 100);
    queues.publish(vec![message(&films, points)]).await;
    let running = Running::start(&queues, &qdrant.grpc_url());
    let letters = queues.dead_letters(1).await;
    running.wait_settled().await;
    assert_eq!(count(&qdrant, &films).await, 100);
    let letter = &letters[0];
    assert_eq!(letter.headers["alioth-dead-point-ids"], "666");
    assert_eq!(letter.headers["alioth-dead-points"], "1");
    assert_eq!(letter.headers["alioth-dead-code"], "invalid_argument");
    assert!(
        letter.headers["alioth-dead-reason"].contains("dim"),
        "{letter:?}"
    );
    assert!(letter.headers.contains_key("alioth-accepted-at-ms"));
    assert_eq!(letter.message_id, "write-1");
    let upsert = letter.upsert.as_ref().expect("an upsert");
    assert_eq!(
        (upsert.collection_name.as_str(), upsert.points.len()),
        (films.as_str(), 1)
    );
    running.stop().await;
    assert_eq!(queues.ready(Queue::Ingest).await, 0);
}

async fn poison_in_a_message_of_several_writes_costs_only_its_own_write(queues: Queues) {
    let qdrant = Qdrant::start().await;
    let films = collection(&qdrant).await;
    // As accept makes them of small writes: the second of three holds 30 points and this one.
    let mut points: Vec<_> = (0..100).map(|id| point(id, 1)).collect();
    points.insert(
        50,
        PointStruct::new(666, vec![0.5; 3], [("bad", true.into())]),
    );
    let mut shared = message(&films, points);
    let list = "first:40,second:31,third:30".to_owned();
    let header = ("alioth-writes".to_owned(), HeaderValue::Text(list));
    shared.headers.push(header);
    queues.publish(vec![shared]).await;
    let running = Running::start(&queues, &qdrant.grpc_url());
    let letters = queues.dead_letters(1).await;
    running.wait_settled().await;
    assert_eq!(count(&qdrant, &films).await, 100);
    let letter = &letters[0];
    assert_eq!(letter.message_id, "second");
    assert_eq!(letter.headers["alioth-dead-point-ids"], "666");
    assert!(!letter.headers.contains_key("alioth-writes"), "{letter:?}");
    running.stop().await;
    assert_eq!(queues.ready(Queue::Ingest).await, 0);
}

async fn messages_nobody_can_read_are_dead_lettered(queues: Queues) {
    let qdrant = Qdrant::start().await;
    let films = collection(&qdrant).await;
    let mut garbage = message(&films, vec![]);
    garbage.body = b"\xff\xff\xff\xff".as_slice().into();
    let mut unknown = message(&films, vec![point(1, 1)]);
    unknown.kind = "qdrant.NoSuchThing".to_owned();
    let mut json = message(&films, vec![point(2, 1)]);
    json.content_type = "application/json".to_owned();
    queues
        .publish(vec![
            garbage,
            unknown,
            json,
            message(&films, vec![point(3, 1)]),
        ])
        .await;
    let running = Running::start(&queues, &qdrant.grpc_url());
    let letters = queues.dead_letters(3).await;
    let mut causes: Vec<_> = letters
        .iter()
        .map(|l| l.headers["alioth-dead-cause"].as_str())
        .collect();
    causes.sort_unstable();
    assert_eq!(causes, ["undecodable", "unknown_type", "unknown_type"]);
    running.wait_applied(1).await;
    running.stop().await;
    assert_eq!(count(&qdrant, &films).await, 1);
    assert_eq!(queues.ready(Queue::Ingest).await, 0);
}

async fn writes_to_an_unknown_collection_are_dead_lettered(queues: Queues) {
    let qdrant = Qdrant::start().await;
    let films = collection(&qdrant).await;
    let gone = unique_collection("gone");
    let many = (0..500).map(|id| point(id, 1)).collect();
    queues
        .publish(vec![
            message(&gone, many),
            message(&films, vec![point(1, 1)]),
        ])
        .await;
    let running = Running::start(&queues, &qdrant.grpc_url());
    let letters = queues.dead_letters(1).await;
    assert_eq!(
        letters[0].headers["alioth-dead-cause"],
        "missing_collection"
    );
    assert_eq!(letters[0].headers["alioth-dead-points"], "500");
    assert_eq!(
        letters[0].upsert.as_ref().map(|upsert| upsert.points.len()),
        Some(500)
    );
    running.wait_applied(1).await;
    let rejected = running.metric("alioth_consume_upserts_total", "rejected");
    assert!(
        rejected <= 2.0,
        "{rejected} upserts for one missing collection"
    );
    running.stop().await;
}

async fn of_an_id_written_twice_the_later_write_wins(queues: Queues) {
    let qdrant = Qdrant::start().await;
    let films = collection(&qdrant).await;
    // Eight ids written again and again, in upserts small enough that several are in flight.
    let writes =
        (0..400).map(|n| message(&films, vec![point(n % 8, n as i64), point(1_000 + n, 0)]));
    queues.publish(writes.collect()).await;
    let mut config = quick();
    config.consume.upsert_points = 10;
    let running = Running::start_with(&queues, config, &crate::world::qdrant(&qdrant.grpc_url()));
    running.wait_applied(800).await;
    for id in 0..8 {
        assert_eq!(version(&qdrant, &films, id).await, Some(392 + id as i64));
    }
    assert_eq!(count(&qdrant, &films).await, 408);
    running.stop().await;
}

async fn many_small_writes_become_few_upserts(queues: Queues) {
    let qdrant = Qdrant::start().await;
    let films = collection(&qdrant).await;
    queues.publish(writes(&films, 0..2_000)).await;
    let running = Running::start(&queues, &qdrant.grpc_url());
    running.wait_applied(2_000).await;
    let upserts = running.metric("alioth_consume_upserts_total", "completed");
    assert!(upserts <= 400.0, "{upserts} upserts for 2,000 writes");
    assert_eq!(count(&qdrant, &films).await, 2_000);
    running.stop().await;
}

async fn a_dead_letter_can_be_published_again(queues: Queues) {
    let qdrant = Qdrant::start().await;
    let books = unique_collection("books");
    queues
        .publish(vec![message(&books, vec![point(1, 1), point(2, 1)])])
        .await;
    let running = Running::start(&queues, &qdrant.grpc_url());
    let letters = queues.dead_letters(1).await;
    let films = collection(&qdrant).await;
    let mut upsert = letters
        .into_iter()
        .next()
        .and_then(|l| l.upsert)
        .expect("an upsert");
    upsert.collection_name = films.clone();
    queues.publish(vec![message(&films, upsert.points)]).await;
    wait_until(DEADLINE, || async { count(&qdrant, &films).await == 2 }).await;
    running.stop().await;
}
