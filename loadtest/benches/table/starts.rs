//! Cold starts: from the start of the process to the first thing done.

use std::time::Duration;

use alioth_loadtest::writes::{Films, Payloads, Shape, id};
use lapin::{Connection, ConnectionProperties};
use tokio::time::Instant;

use crate::{
    direct, rabbit,
    table::{Budget, Row, Table},
    wire::{self, Connection as Http},
    world::World,
};

const STARTS: usize = 20;
const DIMENSIONS: usize = 100;
const COLLECTION: &str = "starts";

pub(crate) async fn rows(world: &World, table: &mut Table) {
    direct::make(&world.client, COLLECTION, DIMENSIONS, direct::SHARDS).await;
    let queues = world.queues("starts").await;
    let bare = world.bare().await;
    let films = Films::new(1, Shape::Dense(DIMENSIONS), Payloads::Short, 9);
    let message = direct::message(COLLECTION, films.points(id(0)));
    let template = films.template(alioth_loadtest::writes::Route::Ingest, COLLECTION);
    let mut request = wire::head("POST", "/alioth/ingest", template.body_bytes());
    template.write(0, &mut request);

    let (mut consumes, mut accepts) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        let beside = connect(world).await;
        bare.publish(&queues.ingest(), [message.clone()], 1).await;
        let consume = world.start_consume(&queues);
        consume
            .process
            .until("the first message is settled", async || {
                let name = "alioth_consume_messages_total";
                consume.metric(name, r#"outcome="applied""#).await >= 1.0
            })
            .await;
        consumes.push((ms(consume.process.started.elapsed()), Some(ms(beside))));
        consume.process.stop().await;

        let accept = world.start_accept(&queues);
        accept
            .service
            .process
            .until("the first write is accepted", async || {
                let Ok(mut http) = Http::open(accept.http()).await else {
                    return false;
                };
                http.send(&request)
                    .await
                    .is_ok_and(|answer| answer.status == 202)
            })
            .await;
        accepts.push((ms(accept.service.process.started.elapsed()), None));
        accept.service.process.stop().await;
        bare.purge(&queues.ingest()).await;
    }
    table.add(Row {
        figure: "consume's cold start: exec → first message settled".to_owned(),
        unit: "ms",
        rounds: consumes,
        beside: "TCP + AMQP + gRPC connect, measured bare".to_owned(),
        budget: Budget::Above(30.0),
        note: format!("median of {STARTS}"),
    });
    table.add(Row {
        figure: "accept's cold start: exec → first 202".to_owned(),
        unit: "ms",
        rounds: accepts,
        beside: "Python Alioth: 3,100 ms".to_owned(),
        budget: Budget::AtMost(60.0),
        note: format!("median of {STARTS}"),
    });
    bare.close().await;
    world.delete(queues).await;
    direct::drop(&world.client, COLLECTION).await;
}

/// What any program must do before it can move a message: an AMQP channel, and an answer over gRPC.
async fn connect(world: &World) -> Duration {
    let began = Instant::now();
    let connection =
        Connection::connect(&world.rabbitmq.amqp_url(), ConnectionProperties::default())
            .await
            .expect("RabbitMQ takes connections");
    let channel = connection.create_channel().await.expect("a channel");
    world
        .qdrant
        .client()
        .health_check()
        .await
        .expect("Qdrant answers");
    let took = began.elapsed();
    drop(channel);
    // Not what was measured.
    rabbit::close(connection).await;
    took
}

fn ms(took: Duration) -> f64 {
    took.as_secs_f64() * 1e3
}
