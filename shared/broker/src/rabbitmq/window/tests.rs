//! On a real RabbitMQ: what lapin makes of returned messages is its own affair, and RabbitMQ's.

use std::future::poll_fn;

use alioth_config::Secret;
use alioth_testkit::RabbitMq;
use lapin::{
    options::{ConfirmSelectOptions, QueueDeclareOptions},
    types::FieldTable,
};
use prometheus::Registry;

use super::*;
use crate::{config::AmqpConfig, message::OutgoingMessage, rabbitmq::link::Link, shares::Shares};

/// Enough for lapin to hand returns to the wrong confirms: of 5,714 it did so with 11 once, and on a busy machine with 991
/// on a busy one (2026-11-22, two cores, RabbitMQ 3.10).
const PUBLISHES: usize = 40_000;
const IN_FLIGHT: usize = 128;

fn message() -> OutgoingMessage {
    OutgoingMessage {
        body: bytes::Bytes::from_static(b"body"),
        content_type: String::new(),
        kind: String::new(),
        message_id: String::new(),
        headers: Vec::new(),
    }
}

/// Every seventh publish is to a queue that does not exist, the others are to one that does.
fn queue_of(number: usize) -> Queue {
    match number % 7 {
        0 => Queue::Backup,
        _ => Queue::Ingest,
    }
}

/// A window on a channel where of all queues `ingest` alone exists.
async fn window(settings: &Settings, link: &Link) -> Window {
    let channel = link.channel().await.expect("a channel");
    let name = settings.names.of(Queue::Ingest);
    let only_here = QueueDeclareOptions {
        exclusive: true,
        ..QueueDeclareOptions::default()
    };
    let declared = channel.queue_declare(name.into(), only_here, FieldTable::default());
    declared.await.expect("a new queue");
    let confirms = channel.confirm_select(ConfirmSelectOptions::default());
    confirms.await.expect("confirms");
    Window::new(channel, settings)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_returned_message_passes_for_confirmed_and_no_other_for_returned() {
    let config = AmqpConfig {
        url: Secret::from(RabbitMq::shared().await.amqp_url()),
        queue_prefix: format!("window-{}.", std::process::id()),
        ..AmqpConfig::default()
    };
    let settings = Settings::new(&config, "window test", None).expect("a good URL");
    let link = Link::open(&settings, "test").await.expect("a connection");
    let window = window(&settings, &link).await;
    let answers = publish(window, &settings).await;
    let (mut confirmed_though_returned, mut returned_though_queued) = (0, 0);
    for (number, answer) in answers.into_iter().enumerate() {
        match (queue_of(number), answer) {
            (Queue::Ingest, Ok(())) | (Queue::Backup, Err(PublishError::Unroutable { .. })) => {}
            (Queue::Backup, Ok(())) => confirmed_though_returned += 1,
            (Queue::Ingest, Err(PublishError::Unroutable { .. })) => returned_though_queued += 1,
            (queue, answer) => panic!("{queue:?}: {answer:?}"),
        }
    }
    assert_eq!(
        (confirmed_though_returned, returned_though_queued),
        (0, 0),
        "of {PUBLISHES} publishes"
    );
    link.close().await;
}

/// Publishes, as many in flight as may be, and gives the answers in the order of the publishes.
async fn publish(mut window: Window, settings: &Settings) -> Vec<Result<(), PublishError>> {
    let metrics = BrokerMetrics::register(&Registry::new()).expect("a new registry");
    let shares = Shares::new(IN_FLIGHT, 1 << 20, metrics.clone());
    let mut answers = Vec::with_capacity(PUBLISHES);
    while answers.len() < PUBLISHES || !window.is_empty() {
        while answers.len() < PUBLISHES
            && let Some(share) = shares.try_take(1)
        {
            let (answer, answered) = oneshot::channel();
            window.publish(Submission {
                queue: queue_of(answers.len()),
                message: message(),
                share,
                answer,
            });
            answers.push(answered);
        }
        poll_fn(|cx| window.poll_oldest(cx)).await;
        window.settle(settings, &metrics);
    }
    let answers = answers.into_iter();
    answers
        .map(|mut answered| answered.try_recv().expect("all are answered"))
        .collect()
}
