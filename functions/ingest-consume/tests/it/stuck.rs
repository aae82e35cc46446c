//! One collection that is away while another is not, on both brokers.

use alioth_broker::Queue;
use alioth_testkit::{
    ScriptedQdrant,
    scripted_qdrant::{Answer, Code},
    wait_until,
};
use qdrant_client::qdrant::UpdateStatus;

use crate::{
    DEADLINE,
    world::{Queues, Running, message, point, qdrant, quick},
};

const PREFETCH: u16 = 32;
/// Many times the prefetch, of each collection.
const WRITES: u64 = 600;

/// Writes of both collections in turn, far more of the stuck one than the prefetch: the other's are applied, and
/// its own once it is back.
async fn does_not_hold_up_the_other(queues: &Queues) {
    let applied = || Answer::Applied(UpdateStatus::Completed);
    let server =
        ScriptedQdrant::start(
            move |arrived| match arrived.upsert.collection_name == "stuck" {
                true => Answer::Status(Code::Unavailable, "no replica of the shard", vec![]),
                false => applied(),
            },
        )
        .await;
    let mut config = quick();
    config.consume.prefetch = PREFETCH;
    let running = Running::start_with(queues, config, &qdrant(&server.grpc_url()));
    for first in (0..WRITES).step_by(100) {
        let both = (first..first + 100).flat_map(|id| {
            ["stuck", "films"].map(|collection| message(collection, vec![point(id, 1)]))
        });
        queues.publish(both.collect()).await;
    }
    running.wait_applied(WRITES).await;
    let held = || running.metric("alioth_consume_held_messages", "");
    wait_until(DEADLINE, || async { held() == WRITES as f64 }).await;
    assert_eq!(arrived(&server, "films"), WRITES as usize);
    let tries = running.metric("alioth_consume_upserts_total", "unavailable");
    assert!(tries < 200.0, "{tries} tries");

    server.answer_by(move |_| applied());
    running.wait_applied(2 * WRITES).await;
    running.wait_settled().await;
    let requeued = running.metric("alioth_consume_messages_total", "requeued");
    assert_eq!(requeued, 0.0);
    running.stop().await;
    assert_eq!(queues.ready(Queue::Ingest).await, 0);
    assert_eq!(queues.ready(Queue::IngestDead).await, 0);
}

/// Points of a collection that arrived in upserts.
fn arrived(server: &ScriptedQdrant, collection: &str) -> usize {
    let upserts = server.arrived().into_iter().map(|arrived| arrived.upsert);
    let of = upserts.filter(|upsert| upsert.collection_name == collection);
    of.map(|upsert| upsert.points.len()).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stuck_collection_does_not_hold_up_another_on_rabbitmq() {
    does_not_hold_up_the_other(&Queues::rabbitmq().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stuck_collection_does_not_hold_up_another_on_the_embedded_broker() {
    does_not_hold_up_the_other(&Queues::embedded().await).await;
}
