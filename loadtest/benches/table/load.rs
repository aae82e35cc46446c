//! HTTP writers: as fast as they are answered, or at a rate.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use alioth_loadtest::{
    latencies::Latencies,
    writes::{Films, Payloads, Route, Shape, Template},
};
use tokio::{task::JoinSet, time::Instant};

use crate::wire::{self, Connection};

/// Bodies that differ, so that no cache is kinder than it would be.
const TEMPLATES: usize = 16;

/// Requests of one size, each with ids of its own.
#[derive(Clone)]
pub(crate) struct Requests {
    /// Head and body.
    templates: Arc<[(Vec<u8>, Template)]>,
    pub(crate) points_a_write: usize,
}

impl Requests {
    /// Of the Alioth route.
    pub(crate) fn new(collection: &str, points_a_write: usize, dimensions: usize) -> Self {
        let templates = (0..TEMPLATES as u64).map(|seed| {
            let shape = Shape::Dense(dimensions);
            let films = Films::new(points_a_write, shape, Payloads::Short, seed);
            let template = films.template(Route::Ingest, collection);
            let head = wire::head("POST", "/alioth/ingest", template.body_bytes());
            (head, template)
        });
        Self {
            templates: templates.collect(),
            points_a_write,
        }
    }

    pub(crate) fn body_bytes(&self) -> usize {
        self.templates[0].1.body_bytes()
    }

    fn write(&self, number: u64, request: &mut Vec<u8>) {
        let (head, template) = &self.templates[number as usize % TEMPLATES];
        request.clear();
        request.extend_from_slice(head);
        template.write(number * self.points_a_write as u64, request);
    }

    async fn send(&self, number: u64, connection: &mut Connection, request: &mut Vec<u8>) {
        self.write(number, request);
        let answer = connection.send(request).await.expect("an answer");
        assert_eq!(answer.status, 202, "{}", answer.body);
    }

    /// So many writers, each with a connection, each sending when it was answered; how long all of it took.
    pub(crate) async fn saturate(
        &self,
        address: SocketAddr,
        count: u64,
        writers: usize,
    ) -> Duration {
        let next = Arc::new(AtomicU64::new(0));
        let began = Instant::now();
        let mut tasks = JoinSet::new();
        for _ in 0..writers {
            let (requests, next) = (self.clone(), Arc::clone(&next));
            tasks.spawn(async move {
                let mut connection = Connection::open(address).await.expect("a connection");
                let mut request = Vec::new();
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count {
                        return;
                    }
                    requests.send(number, &mut connection, &mut request).await;
                }
            });
        }
        tasks.join_all().await;
        began.elapsed()
    }

    /// At a rate, however slow the answers are: a request that had to wait for a connection has waited.
    pub(crate) async fn at_rate(
        &self,
        address: SocketAddr,
        count: u64,
        rate: f64,
        connections: u64,
    ) -> Latencies {
        let began = Instant::now();
        let mut tasks = JoinSet::new();
        for mine in 0..connections {
            let requests = self.clone();
            tasks.spawn(async move {
                let mut connection = Connection::open(address).await.expect("a connection");
                let (mut request, mut latencies) = (Vec::new(), Latencies::default());
                for number in (mine..count).step_by(connections as usize) {
                    let due = began + Duration::from_secs_f64(number as f64 / rate);
                    // The timer's own lateness is not the server's.
                    let since = match due > Instant::now() {
                        true => {
                            tokio::time::sleep_until(due).await;
                            Instant::now()
                        }
                        false => due,
                    };
                    requests.send(number, &mut connection, &mut request).await;
                    latencies.add(since.elapsed());
                }
                latencies
            });
        }
        let mut all = Latencies::default();
        for latencies in tasks.join_all().await {
            all.extend(latencies);
        }
        all
    }
}
