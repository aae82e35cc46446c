//! Which replica of which shard is read next, and when enough was tried. Pure: no clock, nobody is asked.

use std::collections::{BTreeMap, BTreeSet};

use alioth_cluster::rest::{Replica, Shard};

/// Which shard: its place in the schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TaskId(usize);

/// A shard to be read now, and from whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Assignment {
    pub(crate) task: TaskId,
    pub(crate) collection: String,
    pub(crate) shard: u32,
    pub(crate) peer: u64,
}

/// What is to be done about a shard that could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Look where it lies now, after as many pauses as given, then try again.
    LookAgain {
        /// 1 after the first failure.
        failures: u32,
    },
    /// Enough was tried.
    GiveUp,
}

/// A shard that is not in the snapshot, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// Its collection.
    pub collection: String,
    /// Its number.
    pub shard: u32,
    /// The last attempt's error; `None` when it was still to be read when the run ended.
    pub reason: Option<String>,
}

/// Every shard of a run: each is read once, at most `concurrency` at a time, at most one of a node.
#[derive(Debug)]
pub(crate) struct Schedule {
    tasks: Vec<Task>,
    reachable: BTreeSet<u64>,
    busy: BTreeSet<u64>,
    /// Shards read of each node, so that the load is spread.
    read: BTreeMap<u64, u32>,
    concurrency: usize,
    attempts: u32,
}

#[derive(Debug)]
struct Task {
    collection: String,
    shard: u32,
    replicas: Vec<Replica>,
    state: State,
    /// Attempts that failed, by peer; a shard nobody could be asked for counts under none.
    failures: u32,
    failed_on: BTreeMap<u64, u32>,
    last_error: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Waiting,
    Reading { peer: u64 },
    LookingAgain,
    Done,
    GivenUp,
}

impl Schedule {
    pub(crate) fn new(
        reachable: impl IntoIterator<Item = u64>,
        concurrency: usize,
        attempts: u32,
    ) -> Self {
        Self {
            tasks: Vec::new(),
            reachable: reachable.into_iter().collect(),
            busy: BTreeSet::new(),
            read: BTreeMap::new(),
            concurrency,
            attempts,
        }
    }

    /// Adds a shard.
    pub(crate) fn add(&mut self, collection: &str, shard: &Shard) -> TaskId {
        self.tasks.push(Task {
            collection: collection.to_owned(),
            shard: shard.id,
            replicas: shard.replicas.clone(),
            state: State::Waiting,
            failures: 0,
            failed_on: BTreeMap::new(),
            last_error: None,
        });
        TaskId(self.tasks.len() - 1)
    }

    /// The next shard to read, in the order they were added as far as free nodes allow, and from the
    /// node it failed on least, then the one least read from. `None` while there is nothing to start.
    pub(crate) fn next(&mut self) -> Option<Assignment> {
        if self.busy.len() >= self.concurrency {
            return None;
        }
        let waiting = self.tasks.iter().enumerate();
        let mut waiting = waiting.filter(|(_, task)| task.state == State::Waiting);
        let (index, peer) =
            waiting.find_map(|(index, task)| Some((index, self.source_of(task)?)))?;
        self.busy.insert(peer);
        let task = &mut self.tasks[index];
        task.state = State::Reading { peer };
        Some(Assignment {
            task: TaskId(index),
            collection: task.collection.clone(),
            shard: task.shard,
            peer,
        })
    }

    /// A waiting shard that no reachable node holds an active replica of: it is to be failed, since
    /// no assignment will ever come of it.
    pub(crate) fn unreachable(&self) -> Option<TaskId> {
        let mut tasks = self.tasks.iter();
        let found = tasks
            .position(|task| task.state == State::Waiting && self.sources(task).next().is_none());
        found.map(TaskId)
    }

    /// Says why nobody can be asked for a shard.
    pub(crate) fn unreachable_reason(&self, task: TaskId) -> String {
        let replicas = &self.tasks[task.0].replicas;
        let states: Vec<String> = replicas
            .iter()
            .map(|replica| match self.reachable.contains(&replica.peer) {
                true => format!("{:?} on peer {}", replica.state, replica.peer),
                false => format!("peer {} is not reached", replica.peer),
            })
            .collect();
        match states.as_slice() {
            [] => "it has no replica".to_owned(),
            states => format!("it has no active replica: {}", states.join(", ")),
        }
    }

    /// A shard was read whole.
    pub(crate) fn done(&mut self, task: TaskId) {
        if let State::Reading { peer } = self.tasks[task.0].state {
            *self.read.entry(peer).or_default() += 1;
        }
        self.settle(task, State::Done);
    }

    /// A shard could not be read, or nobody could be asked for it.
    pub(crate) fn failed(&mut self, task: TaskId, reason: String) -> Verdict {
        let entry = &mut self.tasks[task.0];
        if let State::Reading { peer } = entry.state {
            *entry.failed_on.entry(peer).or_default() += 1;
        }
        entry.failures += 1;
        entry.last_error = Some(reason);
        let failures = entry.failures;
        if failures >= self.attempts {
            self.settle(task, State::GivenUp);
            return Verdict::GiveUp;
        }
        self.settle(task, State::LookingAgain);
        Verdict::LookAgain { failures }
    }

    /// Where the shard lies now; it is waiting again. `None`: that could not be learnt.
    pub(crate) fn looked_again(&mut self, task: TaskId, replicas: Option<Vec<Replica>>) {
        if let Some(replicas) = replicas {
            self.tasks[task.0].replicas = replicas;
        }
        self.tasks[task.0].state = State::Waiting;
    }

    /// Whether every shard of a collection has been read.
    pub(crate) fn is_complete(&self, collection: &str) -> bool {
        let mut tasks = self.tasks.iter();
        tasks.all(|task| task.collection != collection || task.state == State::Done)
    }

    /// The collection and number of a shard.
    pub(crate) fn shard(&self, task: TaskId) -> (&str, u32) {
        let task = &self.tasks[task.0];
        (&task.collection, task.shard)
    }

    /// How many shards there are.
    pub(crate) fn len(&self) -> usize {
        self.tasks.len()
    }

    /// Attempts that failed, all shards together.
    pub(crate) fn failures(&self) -> u64 {
        self.tasks.iter().map(|task| u64::from(task.failures)).sum()
    }

    /// What has not been read.
    pub(crate) fn missing(&self) -> Vec<Missing> {
        let missing = self.tasks.iter().filter(|task| task.state != State::Done);
        let missing = missing.map(|task| Missing {
            collection: task.collection.clone(),
            shard: task.shard,
            reason: task.last_error.clone(),
        });
        missing.collect()
    }

    fn settle(&mut self, task: TaskId, state: State) {
        let task = &mut self.tasks[task.0];
        if let State::Reading { peer } = task.state {
            self.busy.remove(&peer);
        }
        task.state = state;
    }

    /// Who could be asked for a shard if they were free.
    fn sources<'a>(&'a self, task: &'a Task) -> impl Iterator<Item = u64> + 'a {
        let active = task.replicas.iter().filter(|r| r.state.is_active());
        let peers = active.map(|replica| replica.peer);
        peers.filter(|peer| self.reachable.contains(peer))
    }

    fn source_of(&self, task: &Task) -> Option<u64> {
        let free = self.sources(task).filter(|peer| !self.busy.contains(peer));
        free.min_by_key(|peer| {
            let failed = task.failed_on.get(peer).copied().unwrap_or_default();
            let read = self.read.get(peer).copied().unwrap_or_default();
            (failed, read, *peer)
        })
    }
}
