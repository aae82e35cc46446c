//! The scenarios: what is written, how much at once, by how many.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use alioth_loadtest::writes::{Films, Payloads, Shape};
use clap::ValueEnum;

use crate::Arguments;

/// A kind of load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scenario {
    /// The Python Alioth's: 100 dimensions, writes of 100, 50 writers, 5 more a second
    Film,
    /// As fast as it goes: writes of 1,000
    Bulk,
    /// 1,000 writes at once on an idle system, then silence until they are applied
    Burst,
    /// One writer, ten single points a second
    Trickle,
    /// 1,536 dimensions, writes of 100
    Large,
    /// A sparse vector and a multi-vector a point, writes of 100
    Named,
    /// As film, and every hundredth write has a point of the wrong dimension
    Poison,
}

/// A scenario in numbers.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) collection: String,
    pub(crate) shape: Shape,
    pub(crate) batch: usize,
    pub(crate) users: usize,
    /// Users started a second.
    pub(crate) ramp: usize,
    pub(crate) length: Length,
    /// Between two writes of one user.
    pub(crate) pause: Duration,
    /// Every so-manieth write is bad; 0: none.
    pub(crate) poison_every: u64,
    next: AtomicU64,
    base: u64,
}

/// When it ends.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Length {
    Time(Duration),
    /// Writes of each user.
    Writes(usize),
}

/// One write's place among all.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Turn {
    /// Of its first point.
    pub(crate) first_point: u64,
    pub(crate) number: u64,
    pub(crate) is_poison: bool,
}

impl fmt::Display for Scenario {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.to_possible_value() {
            Some(value) => formatter.write_str(value.get_name()),
            None => Ok(()),
        }
    }
}

impl Scenario {
    pub(crate) fn plan(self) -> Plan {
        let film = Plan {
            collection: "movie_collection".to_owned(),
            shape: Shape::Dense(100),
            batch: 100,
            users: 50,
            ramp: 5,
            length: Length::Time(Duration::from_secs(60)),
            pause: Duration::ZERO,
            poison_every: 0,
            next: AtomicU64::new(0),
            base: base(),
        };
        match self {
            Self::Film => film,
            Self::Bulk => Plan {
                batch: 1_000,
                users: 16,
                ramp: 16,
                ..film
            },
            Self::Burst => Plan {
                ramp: 1_000,
                length: Length::Writes(20),
                ..film
            },
            Self::Trickle => Plan {
                batch: 1,
                users: 1,
                ramp: 1,
                pause: Duration::from_millis(100),
                ..film
            },
            Self::Large => Plan {
                collection: "movie_collection_large".to_owned(),
                shape: Shape::Dense(1_536),
                ..film
            },
            Self::Named => Plan {
                collection: "movie_collection_named".to_owned(),
                shape: Shape::SparseAndMulti,
                ..film
            },
            Self::Poison => Plan {
                poison_every: 100,
                ..film
            },
        }
    }
}

impl Plan {
    /// What the command line says otherwise.
    pub(crate) fn with(mut self, arguments: &Arguments) -> Arc<Self> {
        self.batch = arguments.batch.unwrap_or(self.batch).max(1);
        self.users = arguments.users.unwrap_or(self.users).max(1);
        self.ramp = arguments.ramp.unwrap_or(self.ramp).max(1);
        if let (Some(seconds), Length::Time(_)) = (arguments.seconds, self.length) {
            self.length = Length::Time(Duration::from_secs(seconds));
        }
        if let Some(collection) = &arguments.collection {
            self.collection.clone_from(collection);
        }
        Arc::new(self)
    }

    /// Bodies that differ; each user goes round them.
    pub(crate) fn films(&self) -> Vec<Films> {
        let films = |seed| Films::new(self.batch, self.shape, Payloads::Film, seed);
        (0..8).map(films).collect()
    }

    /// The next write of all. No point is written twice.
    pub(crate) fn turn(&self) -> Turn {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        Turn {
            first_point: self.base + number * self.batch as u64,
            number,
            is_poison: (number + 1).is_multiple_of(self.poison_every),
        }
    }

    /// The so-manieth point of the probes, which are none of the turns'.
    pub(crate) fn probe_point(&self, number: u64) -> u64 {
        self.base + 999_999_999 - number
    }
}

/// Where this run's ids begin, a billion for each second of some minutes, so that runs do not write each other's points.
fn base() -> u64 {
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    now.as_secs() % 800 * 1_000_000_000
}
