//! ingest-consume alone: how fast it empties a queue that is full already.

use alioth_loadtest::{
    latencies::median,
    writes::{Films, Payloads, Shape},
};
use alioth_testkit::usage::mib;
use bytes::Bytes;
use tokio::time::Instant;

use crate::{
    cpu::Foreign,
    direct,
    function::{Gauge, Service},
    table::{Budget, Row, Table, number},
    world::World,
};

const DIMENSIONS: usize = 100;
const POINTS_A_MESSAGE: usize = 100;
const TOTAL: usize = 200_000;
/// Bulk writes of the size that clients use; the fastest of the numbers of writers tried on Qdrant 1.18.3.
pub(crate) const BEST_DIRECT: (usize, usize) = (1_000, 2);
/// Of the size that consume makes them.
const DIRECT_ALIKE: (usize, usize) = (2_000, 2);
const COLLECTION: &str = "drain";
const IN_FLIGHT: usize = 64;
/// Messages queued; a queue takes a million by default.
const DEPTHS: [usize; 3] = [1_000, 100_000, 990_000];
const APPLIED: &str = "alioth_consume_points_applied_total";

/// What a drain took.
struct Drain {
    points_a_second: f64,
    cores: Cores,
    peak: u64,
    points_an_upsert: f64,
}

/// Cores used in a stretch of time.
struct Cores {
    consumers: f64,
    rabbitmq: f64,
    qdrant: f64,
    /// By everything on the machine.
    all: f64,
}

/// A stretch of time that is being measured, from before the consumers start.
struct Stretch {
    began: Instant,
    machine: Foreign,
    /// CPU seconds of RabbitMQ and of Qdrant at its beginning.
    services: (f64, f64),
}

/// Beside the best that a client does directly.
pub(crate) async fn rows(world: &World, rounds: usize, table: &mut Table) {
    let films = films(POINTS_A_MESSAGE);
    let messages = messages(&films, POINTS_A_MESSAGE, TOTAL);
    let (mut rates, mut alike, mut peak, mut last) = (Vec::new(), Vec::new(), 0, None);
    let direct = async |(size, writers)| {
        let writes = direct::writes(&films, size, TOTAL);
        direct::rate(&world.client, DIMENSIONS, writes, writers).await
    };
    for _ in 0..rounds {
        let (beside, beside_alike) = (direct(BEST_DIRECT).await, direct(DIRECT_ALIKE).await);
        let drained = drain(world, &messages, TOTAL, 1).await;
        rates.push((drained.points_a_second, Some(beside)));
        alike.push((drained.points_a_second, Some(beside_alike)));
        peak = peak.max(drained.peak);
        last = Some(drained);
    }
    let cores = last.map_or(String::new(), |last| last.cores());
    table.add(Row {
        figure: format!(
            "drain of {} points, {POINTS_A_MESSAGE} a message",
            number(TOTAL as f64)
        ),
        unit: "points/s",
        rounds: rates,
        beside: format!(
            "best direct: qdrant-client, writes of {} × {}, wait=true",
            BEST_DIRECT.0, BEST_DIRECT.1
        ),
        budget: Budget::Times(1.0),
        note: cores,
    });
    table.add(Row {
        figure: "drain, the same run".to_owned(),
        unit: "points/s",
        rounds: alike,
        beside: format!(
            "direct, writes of {} × {}: as large as the upserts that consume makes of its messages",
            DIRECT_ALIKE.0, DIRECT_ALIKE.1
        ),
        budget: Budget::None,
        note: String::new(),
    });
    table.add(Row {
        figure: "consume's peak memory at saturation".to_owned(),
        unit: "MiB",
        rounds: vec![(mib(peak), None)],
        beside: "—".to_owned(),
        budget: Budget::AtMost(64.0),
        note: String::new(),
    });
    growth_by_consumers(world, &messages, rounds, table).await;
}

/// Two and four consumers beside one.
async fn growth_by_consumers(world: &World, messages: &[Bytes], rounds: usize, table: &mut Table) {
    let mut alone = Vec::new();
    for consumers in [1, 2, 4] {
        let mut drains = Vec::new();
        for _ in 0..rounds {
            drains.push(drain(world, messages, TOTAL, consumers).await);
        }
        let rates = drains.iter().map(|drain| drain.points_a_second);
        if consumers == 1 {
            alone = rates.collect();
            continue;
        }
        let rounds: Vec<_> = rates.zip(alone.iter().copied().map(Some)).collect();
        let ratio = median(
            rounds
                .iter()
                .map(|(rate, beside)| rate / beside.unwrap_or(f64::NAN)),
        );
        let cores = std::thread::available_parallelism().map_or(1, usize::from) as f64;
        let used = median(drains.iter().map(|drain| drain.cores.all));
        let holds = ratio >= 0.8 * consumers as f64 || used >= 0.85 * cores;
        table.add(Row {
            figure: format!("drain by {consumers} consumers"),
            unit: "points/s",
            rounds,
            beside: "one consumer".to_owned(),
            budget: Budget::Holds(holds, "scales, or the cores are full"),
            note: drains.last().map_or(String::new(), Drain::cores),
        });
    }
}

/// Messages of one point: how fast the first fifty thousand of them go when so many are queued.
pub(crate) async fn growth_by_depth(world: &World, table: &mut Table) {
    let films = films(1_000);
    let mut first = None;
    for depth in DEPTHS {
        let measured = depth.min(50_000);
        direct::make(&world.client, COLLECTION, DIMENSIONS, direct::SHARDS).await;
        let queues = world.queues("depth").await;
        let bare = world.bare().await;
        // Small ones: what is on the way is bounded by their number.
        let messages = (0..depth.div_ceil(1_000)).flat_map(|thousand| {
            let points = films.points(alioth_loadtest::writes::id(thousand as u64 * 1_000));
            points
                .into_iter()
                .map(|point| direct::message(COLLECTION, vec![point]))
        });
        let published = bare
            .publish(&queues.ingest(), messages.take(depth), 1_024)
            .await;
        let stretch = Stretch::begin(world);
        let consume = world.start_consume(&queues);
        consume.until_ready().await;
        let mut gauge = consume.gauge().await;
        let applied = until_applied(&consume, &mut gauge, measured as f64).await;
        // Its start included: of a thousand messages that is the most of it.
        let (took, cores) = stretch.end(world, std::slice::from_ref(&consume));
        let rate = applied / took;
        let beside = (depth > 1_000).then(|| *first.get_or_insert(rate));
        table.add(Row {
            figure: format!(
                "drain with {} messages of one point queued",
                number(depth as f64)
            ),
            unit: "points/s",
            rounds: vec![(rate, beside)],
            beside: match beside {
                Some(_) => "with 100,000 queued".to_owned(),
                None => "—".to_owned(),
            },
            budget: match beside {
                Some(_) => Budget::Times(0.8),
                None => Budget::None,
            },
            note: format!(
                "published at {}/s by lapin alone; {cores}",
                number(depth as f64 / published.as_secs_f64())
            ),
        });
        drop(gauge);
        consume.process.stop().await;
        bare.close().await;
        world.delete(queues).await;
        direct::drop(&world.client, COLLECTION).await;
    }
}

/// Fills a queue, and has so many consumers empty it.
async fn drain(world: &World, messages: &[Bytes], total: usize, consumers: usize) -> Drain {
    direct::make(&world.client, COLLECTION, DIMENSIONS, direct::SHARDS).await;
    let queues = world.queues("drain").await;
    let bare = world.bare().await;
    bare.publish(&queues.ingest(), messages.iter().cloned(), IN_FLIGHT)
        .await;

    let stretch = Stretch::begin(world);
    let services: Vec<_> = (0..consumers)
        .map(|_| world.start_consume(&queues))
        .collect();
    let mut gauges = Vec::new();
    for service in &services {
        service.until_ready().await;
        gauges.push(service.gauge().await);
    }
    services[0]
        .process
        .until("the queue is empty", async || {
            // Every look costs the consumer a page of metrics.
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            let mut applied = 0.0;
            for gauge in &mut gauges {
                applied += gauge.read(APPLIED).await;
            }
            applied >= total as f64
        })
        .await;
    let (took, cores) = stretch.end(world, &services);
    let mut upserts = 0.0;
    for gauge in &mut gauges {
        upserts += gauge.read("alioth_consume_upserts_total").await;
    }
    let peaks = services
        .iter()
        .map(|service| service.process.usage().peak_resident_bytes());
    let drain = Drain {
        points_a_second: total as f64 / took,
        cores,
        peak: peaks.max().unwrap_or_default(),
        points_an_upsert: total as f64 / upserts,
    };
    drop(gauges);
    for service in services {
        service.process.stop().await;
    }
    assert_eq!(direct::count(&world.client, COLLECTION).await, total as u64);
    bare.close().await;
    world.delete(queues).await;
    direct::drop(&world.client, COLLECTION).await;
    drain
}

async fn until_applied(consume: &Service, gauge: &mut Gauge, points: f64) -> f64 {
    let mut applied = 0.0;
    consume
        .process
        .until("points are applied", async || {
            applied = gauge.read(APPLIED).await;
            applied >= points
        })
        .await;
    applied
}

impl Stretch {
    fn begin(world: &World) -> Self {
        Self {
            services: world.services_cpu(),
            machine: Foreign::start(),
            began: Instant::now(),
        }
    }

    /// Its seconds, and who used the cores in them; the consumers were all started in it.
    fn end(self, world: &World, consumers: &[Service]) -> (f64, Cores) {
        let (took, all) = (self.began.elapsed().as_secs_f64(), self.machine.all_cores());
        let (rabbitmq, qdrant) = world.services_cpu();
        let cpu = consumers.iter().map(|consumer| {
            let usage = consumer.process.usage();
            usage.cpu_time().as_secs_f64()
        });
        let cores = Cores {
            consumers: cpu.sum::<f64>() / took,
            rabbitmq: (rabbitmq - self.services.0) / took,
            qdrant: (qdrant - self.services.1) / took,
            all,
        };
        (took, cores)
    }
}

impl Drain {
    fn cores(&self) -> String {
        format!(
            "{}; {:.0} points an upsert",
            self.cores, self.points_an_upsert
        )
    }
}

impl std::fmt::Display for Cores {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "cores used: Qdrant {:.2}, RabbitMQ {:.2}, consume {:.2}, all {:.2}",
            self.qdrant, self.rabbitmq, self.consumers, self.all
        )
    }
}

fn films(count: usize) -> Films {
    Films::new(count, Shape::Dense(DIMENSIONS), Payloads::Short, 3)
}

fn messages(films: &Films, points_a_message: usize, total: usize) -> Vec<Bytes> {
    let writes = direct::writes(films, points_a_message, total);
    let messages = writes
        .into_iter()
        .map(|points| direct::message(COLLECTION, points));
    messages.collect()
}
