//! ingest-accept alone: how much it takes, how long its answers take, what memory.

use alioth_loadtest::writes::{Films, Payloads, Shape, id};
use alioth_testkit::usage::mib;
use bytes::Bytes;

use crate::{
    direct,
    load::Requests,
    table::{Budget, Row, Table},
    world::World,
};

const POINTS: usize = 100;
const DIMENSIONS: usize = 100;
/// As many as are published at once by the bare publisher.
const WRITERS: usize = 64;
/// 260 MB on the queue, whose bound is 4 GiB.
const REQUESTS: u64 = 6_000;
const COLLECTION: &str = "accept";

/// Messages a second of the probe: enough for a p99, too few to be a load.
const PROBES: f64 = 100.0;

/// Requests a second at saturation, beside lapin alone; then the p99 at half of that, beside RabbitMQ's confirms, those
/// it gives lapin alone and those it gives a probe at the same time.
pub(crate) async fn rows(world: &World, rounds: usize, table: &mut Table) {
    direct::make(&world.client, COLLECTION, DIMENSIONS, direct::SHARDS).await;
    let requests = Requests::new(COLLECTION, POINTS, DIMENSIONS);
    let message = message();
    let queues = world.queues("accept").await;
    let accept = world.start_accept(&queues);
    accept.service.until_ready().await;
    let bare = world.bare().await;
    let queue = queues.ingest();

    // Connections, buffers and the schema are there from here on.
    requests
        .saturate(accept.http(), REQUESTS / 20, WRITERS)
        .await;
    bare.purge(&queue).await;
    let (mut saturations, mut p99s) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let messages = std::iter::repeat_n(message.clone(), REQUESTS as usize);
        let reference =
            REQUESTS as f64 / bare.publish(&queue, messages, WRITERS).await.as_secs_f64();
        bare.purge(&queue).await;
        let took = requests.saturate(accept.http(), REQUESTS, WRITERS).await;
        bare.purge(&queue).await;
        saturations.push((REQUESTS as f64 / took.as_secs_f64(), Some(reference)));
    }
    let peak = accept.service.process.usage().peak_resident_bytes();

    let half = alioth_loadtest::latencies::median(saturations.iter().map(|(rate, _)| *rate)) / 2.0;
    // Eight seconds, unless the queue would fill.
    let count = ((half * 8.0) as u64).min(REQUESTS * 2);
    let (mut middle, mut middle_beside, mut middle_probe) = (Vec::new(), Vec::new(), Vec::new());
    let mut probed = Vec::new();
    for _ in 0..rounds {
        let mut reference = bare.publish_at(&queue, &message, count as u32, half).await;
        bare.purge(&queue).await;
        let probes = (count as f64 / half * PROBES) as u32;
        let (mut answers, mut probe) = tokio::join!(
            requests.at_rate(accept.http(), count, half, WRITERS as u64),
            bare.publish_at(&queue, &message, probes, PROBES),
        );
        bare.purge(&queue).await;
        let [beside_p50, beside_p99] = reference.quantiles([0.5, 0.99]);
        let [probe_p50, probe_p99] = probe.quantiles([0.5, 0.99]);
        let [p50, p99] = answers.quantiles([0.5, 0.99]);
        let ms = |took: std::time::Duration| took.as_secs_f64() * 1e3;
        p99s.push((ms(p99), Some(ms(beside_p99))));
        probed.push((ms(p99), Some(ms(probe_p99))));
        middle.push(ms(p50));
        middle_beside.push(ms(beside_p50));
        middle_probe.push(ms(probe_p50));
    }
    table.add(Row {
        figure: format!("accept at saturation, {POINTS} × {DIMENSIONS}-d JSON"),
        unit: "requests/s",
        rounds: saturations,
        beside: format!("lapin alone, confirmed, {WRITERS} in flight, the same messages"),
        budget: Budget::Times(0.5),
        note: format!(
            "{WRITERS} writers, bodies of {} KB, messages of {} KB",
            requests.body_bytes() / 1000,
            message.len() / 1000
        ),
    });
    let median = alioth_loadtest::latencies::median;
    table.add(Row {
        figure: "accept p99 at half of saturation".to_owned(),
        unit: "ms",
        rounds: p99s,
        beside: "RabbitMQ's confirm p99 at that rate, lapin alone".to_owned(),
        budget: Budget::Above(2.0),
        note: format!(
            "{half:.0}/s; p50 {:.2} beside {:.2} ms",
            median(middle.clone()),
            median(middle_beside)
        ),
    });
    table.add(Row {
        figure: "accept p99 at half of saturation, the same moments".to_owned(),
        unit: "ms",
        rounds: probed,
        beside: format!(
            "RabbitMQ's confirm p99 for lapin meanwhile, {PROBES}/s into the same queue"
        ),
        budget: Budget::None,
        note: format!(
            "p50 {:.2} beside {:.2} ms",
            median(middle),
            median(middle_probe)
        ),
    });
    table.add(Row {
        figure: "accept's peak memory at saturation".to_owned(),
        unit: "MiB",
        rounds: vec![(mib(peak), None)],
        beside: "—".to_owned(),
        budget: Budget::AtMost(64.0),
        note: String::new(),
    });
    accept.service.process.stop().await;
    // The queues stay, empty: RabbitMQ 3.10 answered the deletion of one just purged with an internal error.
    bare.close().await;
    direct::drop(&world.client, COLLECTION).await;
}

/// What accept makes of such a request.
fn message() -> Bytes {
    let films = Films::new(POINTS, Shape::Dense(DIMENSIONS), Payloads::Short, 1);
    direct::message(COLLECTION, films.points(id(0)))
}
