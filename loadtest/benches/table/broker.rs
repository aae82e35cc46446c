//! RabbitMQ alone: what a megabyte costs by the size of messages, on a quorum queue and on a classic one.

use bytes::Bytes;
use futures_util::StreamExt as _;
use lapin::{
    options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions, QueueDeclareOptions},
    types::{AMQPValue, FieldTable},
};
use tokio::time::Instant;

use crate::{
    rabbit::Bare,
    table::{Budget, Row, Table},
    world::World,
};

const SIZES_KIB: [usize; 4] = [64, 256, 1024, 4096];
/// Published, then consumed, of each size.
const MIB: usize = 192;
/// As many bytes as accept has in flight, and not more messages.
const IN_FLIGHT_KIB: usize = 16 << 10;

pub(crate) async fn rows(world: &World, table: &mut Table) {
    for kib in SIZES_KIB {
        let (quorum, note) = measure(world, "quorum", kib).await;
        let (classic, _) = measure(world, "classic", kib).await;
        table.add(Row {
            figure: format!("RabbitMQ in and out, messages of {kib} KiB, quorum"),
            unit: "MB/s",
            rounds: vec![(quorum, Some(classic))],
            beside: "a classic queue, durable".to_owned(),
            budget: Budget::None,
            note,
        });
    }
}

/// MB/s in and out one after the other, and RabbitMQ's share of the cost.
async fn measure(world: &World, kind: &str, kib: usize) -> (f64, String) {
    let bare = world.bare().await;
    let queue = format!("size-{kind}-{kib}");
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString(kind.into()));
    let durable = QueueDeclareOptions {
        durable: true,
        ..QueueDeclareOptions::default()
    };
    bare.channel
        .queue_declare(queue.as_str().into(), durable, arguments)
        .await
        .expect("a new queue");
    let (count, megabytes) = (MIB * 1024 / kib, (MIB << 20) as f64 / 1e6);
    let message = Bytes::from(vec![b'x'; kib << 10]);
    let in_flight = (IN_FLIGHT_KIB / kib).min(64);

    let before = world.services_cpu().0;
    let messages = std::iter::repeat_n(message, count);
    let published = bare
        .publish(&queue, messages, in_flight)
        .await
        .as_secs_f64();
    let between = world.services_cpu().0;
    let consumed = consume(&bare, &queue, count, in_flight as u16).await;
    let after = world.services_cpu().0;
    bare.delete(&queue).await;
    bare.close().await;
    let note = format!(
        "in {:.0}, out {:.0} MB/s; RabbitMQ's CPU a MB: {:.2} ms in, {:.2} ms out",
        megabytes / published,
        megabytes / consumed,
        (between - before) * 1e3 / megabytes,
        (after - between) * 1e3 / megabytes
    );
    (megabytes / (published + consumed), note)
}

async fn consume(bare: &Bare, queue: &str, count: usize, prefetch: u16) -> f64 {
    bare.channel
        .basic_qos(prefetch, BasicQosOptions::default())
        .await
        .expect("an open channel");
    let options = BasicConsumeOptions::default();
    let began = Instant::now();
    let mut deliveries = bare
        .channel
        .basic_consume(queue.into(), "".into(), options, FieldTable::default())
        .await
        .expect("a consumer");
    for _ in 0..count {
        let delivery = deliveries.next().await.expect("an open channel");
        let delivery = delivery.expect("a delivery");
        let acked = delivery.ack(BasicAckOptions::default()).await;
        acked.expect("an open channel");
    }
    began.elapsed().as_secs_f64()
}
