//! RabbitMQ without Alioth: lapin alone, publishing with confirms.

use std::time::Duration;

use alioth_loadtest::latencies::Latencies;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream::FuturesUnordered};
use lapin::{
    BasicProperties, Channel, Confirmation, Connection, ConnectionProperties,
    options::{BasicPublishOptions, ConfirmSelectOptions, QueueDeleteOptions, QueuePurgeOptions},
    types::{AMQPValue, FieldTable},
};
use tokio::{task::JoinSet, time::Instant};

/// One channel with confirms.
pub(crate) struct Bare {
    connection: Connection,
    pub(crate) channel: Channel,
}

impl Bare {
    pub(crate) async fn connect(url: &str) -> Self {
        let connection = Connection::connect(url, ConnectionProperties::default())
            .await
            .expect("RabbitMQ takes connections");
        let channel = connection.create_channel().await.expect("a channel");
        channel
            .confirm_select(ConfirmSelectOptions::default())
            .await
            .expect("confirms");
        Self {
            connection,
            channel,
        }
    }

    /// Publishes all of them, so many unconfirmed at most, and waits for every confirm.
    pub(crate) async fn publish(
        &self,
        queue: &str,
        messages: impl IntoIterator<Item = Bytes>,
        in_flight: usize,
    ) -> Duration {
        let began = Instant::now();
        let mut confirms = FuturesUnordered::new();
        for message in messages {
            confirms.push(self.send(queue, message).await);
            if confirms.len() >= in_flight
                && let Some(confirm) = confirms.next().await
            {
                assert_confirmed(confirm);
            }
        }
        while let Some(confirm) = confirms.next().await {
            assert_confirmed(confirm);
        }
        began.elapsed()
    }

    /// Publishes copies of one message at a rate, so many in all, and tells how long each confirm took.
    pub(crate) async fn publish_at(
        &self,
        queue: &str,
        message: &Bytes,
        count: u32,
        rate: f64,
    ) -> Latencies {
        let (began, mut waiting, mut latencies) =
            (Instant::now(), JoinSet::new(), Latencies::default());
        for number in 0..count {
            tokio::time::sleep_until(began + Duration::from_secs_f64(f64::from(number) / rate))
                .await;
            let sent = Instant::now();
            let confirm = self.send(queue, message.clone()).await;
            waiting.spawn(async move {
                assert_confirmed(confirm.await);
                sent.elapsed()
            });
            while let Some(took) = waiting.try_join_next() {
                latencies.add(took.expect("no panic"));
            }
        }
        for took in waiting.join_all().await {
            latencies.add(took);
        }
        latencies
    }

    /// Publishes a request for a job.
    pub(crate) async fn request(&self, queue: &str, kind: &str, body: Vec<u8>) {
        let properties = BasicProperties::default()
            .with_delivery_mode(2)
            .with_content_type("application/json".into())
            .with_type(kind.into())
            .with_message_id("bench".into());
        let options = BasicPublishOptions {
            mandatory: true,
            immediate: false,
        };
        let sent = self
            .channel
            .basic_publish("".into(), queue.into(), options, &body, properties);
        assert_confirmed(sent.await.expect("an open channel").await);
    }

    async fn send(
        &self,
        queue: &str,
        message: Bytes,
    ) -> impl Future<Output = lapin::Result<Confirmation>> + use<> {
        let options = BasicPublishOptions {
            mandatory: true,
            immediate: false,
        };
        let sent =
            self.channel
                .basic_publish("".into(), queue.into(), options, &message, properties());
        sent.await.expect("an open channel")
    }

    pub(crate) async fn purge(&self, queue: &str) {
        let purged = self
            .channel
            .queue_purge(queue.into(), QueuePurgeOptions::default());
        purged.await.expect("the queue is there");
    }

    pub(crate) async fn delete(&self, queue: &str) {
        let deleted = self
            .channel
            .queue_delete(queue.into(), QueueDeleteOptions::default());
        deleted.await.expect("an open channel");
    }

    pub(crate) async fn close(self) {
        // Everything published was confirmed.
        close(self.connection).await;
    }
}

/// Says goodbye: a courtesy, and not waited for long, since lapin 4 was seen to wait forever for an answer when its
/// socket was gone first.
pub(crate) async fn close(connection: Connection) {
    let goodbye = connection.close(200, "OK".into());
    tokio::time::timeout(Duration::from_secs(1), goodbye)
        .await
        .ok();
}

/// As Alioth's messages have them.
fn properties() -> BasicProperties {
    let mut headers = FieldTable::default();
    headers.insert(
        "alioth-accepted-at-ms".into(),
        AMQPValue::LongLongInt(1_764_000_000_000),
    );
    headers.insert("alioth-chunk".into(), AMQPValue::LongString("1/1".into()));
    BasicProperties::default()
        .with_delivery_mode(2)
        .with_content_type("application/x-protobuf".into())
        .with_type("qdrant.UpsertPoints".into())
        .with_message_id("019ab3f0-0000-7000-8000-000000000001".into())
        .with_headers(headers)
}

fn assert_confirmed(confirm: lapin::Result<Confirmation>) {
    match confirm {
        Ok(Confirmation::Ack(None)) => (),
        other => panic!("a publish was not confirmed: {other:?}"),
    }
}
