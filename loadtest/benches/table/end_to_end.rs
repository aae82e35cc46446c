//! All parts at once on this machine: from the first request to the last point applied.

use alioth_loadtest::writes::{Films, Payloads, Shape};
use alioth_testkit::ProcessUsage;
use tokio::time::Instant;

use crate::{
    consume::BEST_DIRECT,
    cpu::Foreign,
    direct,
    load::Requests,
    table::{Budget, Row, Table, number},
    world::World,
};

const DIMENSIONS: usize = 100;
const WRITERS: usize = 50;
/// Of bodies of megabytes: accept holds 64 MiB of them at once.
const WRITERS_OF_LARGE: usize = 4;

/// One run.
struct Run {
    points_a_second: f64,
    accept_us: f64,
    consume_us: f64,
    message_bytes: f64,
    points_a_message: f64,
    points_an_upsert: f64,
    points: f64,
    /// Cores used: accept, consume, RabbitMQ, Qdrant, the writers.
    cores: [f64; 5],
    /// By everything on the machine, the kernel's own work included.
    all_cores: f64,
}

/// Writes of 100, of 10 and of 1.
pub(crate) async fn rows(world: &World, rounds: usize, table: &mut Table) {
    let films = Films::new(1_000, Shape::Dense(DIMENSIONS), Payloads::Short, 5);
    let (mut rates, mut costs, mut last) = (Vec::new(), Vec::new(), None);
    for _ in 0..rounds {
        let total = 200_000;
        let writes = direct::writes(&films, BEST_DIRECT.0, total);
        let beside = direct::rate(&world.client, DIMENSIONS, writes, BEST_DIRECT.1).await;
        let run = run(world, DIMENSIONS, 100, total as u64, WRITERS).await;
        rates.push((run.points_a_second, Some(beside)));
        costs.push((run.accept_us + run.consume_us, None));
        last = Some(run);
    }
    let (split, cores) = last.map_or(Default::default(), |run| (run.split(), run.parts()));
    table.add(Row {
        figure: "own CPU a point, accept (JSON) + consume, 100-d, writes of 100".to_owned(),
        unit: "µs",
        rounds: costs,
        beside: "Python Alioth: 646 µs (another day, the same kind of machine)".to_owned(),
        budget: Budget::AtMost(6.5),
        note: split,
    });
    table.add(Row {
        figure: "end to end, writes of 100".to_owned(),
        unit: "points/s",
        rounds: rates,
        beside: "best direct, as above; Python Alioth: 1,553".to_owned(),
        budget: Budget::Times(0.7),
        note: cores,
    });
    for (size, total) in [(10, 200_000), (1, 50_000)] {
        let (mut rates, mut last) = (Vec::new(), None);
        for _ in 0..rounds {
            let writes = direct::writes(&films, size, total);
            let beside = direct::rate(&world.client, DIMENSIONS, writes, WRITERS).await;
            let run = run(world, DIMENSIONS, size, total as u64, WRITERS).await;
            rates.push((run.points_a_second, Some(beside)));
            last = Some(run);
        }
        let note = last.map_or(String::new(), |run| run.parts());
        table.add(Row {
            figure: format!("end to end, writes of {size}, {WRITERS} writers"),
            unit: "points/s",
            rounds: rates,
            beside: "the same writers direct, qdrant-client, wait=true".to_owned(),
            budget: Budget::Times(3.0),
            note,
        });
    }
}

/// What a byte costs, by the size of vectors.
pub(crate) async fn growth_by_dimensions(world: &World, table: &mut Table) {
    let mut first = None;
    for dimensions in [64, 256, 1024, 4096] {
        // Some 80 MB of messages each.
        let total = 80_000_000 / (dimensions * 4 + 60) / 100 * 100;
        let run = run(world, dimensions, 100, total as u64, WRITERS_OF_LARGE).await;
        let nanoseconds = (run.accept_us + run.consume_us) * 1e3 * total as f64 / run.message_bytes;
        let beside = *first.get_or_insert(nanoseconds);
        table.add(Row {
            figure: format!("own CPU a byte, {dimensions}-d, writes of 100"),
            unit: "ns",
            rounds: vec![(nanoseconds, Some(beside))],
            beside: "at 64-d".to_owned(),
            budget: Budget::AtMostTimes(1.15),
            note: format!(
                "{} MB/s of messages, {} points/s; {}",
                number(run.points_a_second * run.message_bytes / total as f64 / 1e6),
                number(run.points_a_second),
                run.split()
            ),
        });
    }
}

async fn run(
    world: &World,
    dimensions: usize,
    points_a_write: usize,
    total: u64,
    writers: usize,
) -> Run {
    // accept believes a schema for a while: a name for each.
    let collection = format!("end-to-end-{dimensions}");
    direct::make(&world.client, &collection, dimensions, direct::SHARDS).await;
    let queues = world.queues("end-to-end").await;
    let (accept, consume) = (world.start_accept(&queues), world.start_consume(&queues));
    accept.service.until_ready().await;
    consume.until_ready().await;
    let mut gauge = consume.gauge().await;
    let requests = Requests::new(&collection, points_a_write, dimensions);

    let own = || {
        [
            accept.service.process.usage().cpu_time().as_secs_f64(),
            consume.process.usage().cpu_time().as_secs_f64(),
            ProcessUsage(std::process::id()).cpu_time().as_secs_f64(),
        ]
    };
    let ((rabbitmq, qdrant), before) = (world.services_cpu(), own());
    let (began, machine) = (Instant::now(), Foreign::start());
    requests
        .saturate(accept.http(), total / points_a_write as u64, writers)
        .await;
    consume
        .process
        .until("every point is applied", async || {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            gauge.read("alioth_consume_points_applied_total").await >= total as f64
        })
        .await;
    let (took, all_cores) = (began.elapsed().as_secs_f64(), machine.all_cores());
    let ((rabbitmq_after, qdrant_after), after) = (world.services_cpu(), own());
    assert_eq!(direct::count(&world.client, &collection).await, total);

    let [accepted, consumed, wrote] = [0, 1, 2].map(|part| after[part] - before[part]);
    let message_bytes = accept
        .service
        .metric("alioth_accept_message_bytes_total", "")
        .await;
    let messages = accept
        .service
        .metric("alioth_accept_messages_total", "")
        .await;
    let run = Run {
        points_a_second: total as f64 / took,
        accept_us: accepted * 1e6 / total as f64,
        consume_us: consumed * 1e6 / total as f64,
        message_bytes,
        points: total as f64,
        points_a_message: total as f64 / messages,
        points_an_upsert: total as f64 / gauge.read("alioth_consume_upserts_total").await,
        cores: [
            accepted,
            consumed,
            rabbitmq_after - rabbitmq,
            qdrant_after - qdrant,
            wrote,
        ]
        .map(|seconds| seconds / took),
        all_cores,
    };
    drop(gauge);
    accept.service.process.stop().await;
    consume.process.stop().await;
    world.delete(queues).await;
    direct::drop(&world.client, &collection).await;
    run
}

impl Run {
    fn split(&self) -> String {
        format!(
            "accept {:.2} µs, consume {:.2} µs a point",
            self.accept_us, self.consume_us
        )
    }

    /// Which part the machine's time went to.
    fn parts(&self) -> String {
        let [accept, consume, rabbitmq, qdrant, writers] =
            self.cores.map(|cores| cores * 1e6 / self.points_a_second);
        format!(
            "CPU a point: accept {accept:.2}, consume {consume:.2}, RabbitMQ {rabbitmq:.2}, Qdrant {qdrant:.2}, \
             the writers {writers:.2} µs, all {:.2} cores; {:.0} bytes a point, {:.1} points a message, {:.0} an upsert",
            self.all_cores,
            self.message_bytes / self.points,
            self.points_a_message,
            self.points_an_upsert
        )
    }
}
