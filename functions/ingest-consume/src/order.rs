//! Which messages must wait for which: those that write an id an earlier one, still unsettled, writes.
//!
//! Two writes of one id by one client arrive in order, and with several upserts in flight, retries and
//! bisection, only waiting keeps it. Ids are kept as 64-bit hashes; a collision makes a message wait
//! for nothing, and costs no more than that.

use std::{
    collections::{HashMap, HashSet},
    hash::{BuildHasher, Hasher},
};

use alioth_points::{PointId, UpsertMessage};

/// Number of a message in order of arrival, within one process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Ticket(pub(crate) u64);

/// The last unsettled writer of every id.
#[derive(Debug)]
pub(crate) struct WriteOrder {
    writers: HashMap<u64, Ticket, Prehashed>,
    unsettled: HashSet<Ticket>,
    /// Differs by process, so that nobody can choose ids that collide.
    seed: u64,
    next: u64,
}

impl WriteOrder {
    pub(crate) fn new() -> Self {
        Self::with_seed(fastrand::u64(..))
    }

    fn with_seed(seed: u64) -> Self {
        Self {
            writers: HashMap::with_hasher(Prehashed),
            unsettled: HashSet::new(),
            seed,
            next: 0,
        }
    }

    /// The number the next message will get.
    pub(crate) fn upcoming(&self) -> Ticket {
        Ticket(self.next)
    }

    /// Numbers a message that writes no ids anybody can read.
    pub(crate) fn enter_unread(&mut self) -> Ticket {
        let ticket = Ticket(self.next);
        self.next += 1;
        self.unsettled.insert(ticket);
        ticket
    }

    /// Numbers a message, and names the unsettled ones it must come after, each once.
    pub(crate) fn enter(&mut self, message: &UpsertMessage) -> (Ticket, Vec<Ticket>) {
        let ticket = self.enter_unread();
        let collection = self.collection_hash(message);
        let mut after = Vec::new();
        for id in message.ids().flatten() {
            let earlier = self.writers.insert(id_hash(collection, id), ticket);
            if let Some(earlier) = earlier
                && earlier != ticket
                && after.last() != Some(&earlier)
            {
                after.push(earlier);
            }
        }
        after.sort_unstable();
        after.dedup();
        (ticket, after)
    }

    /// Takes a message out: settled, or handed back to the queue.
    pub(crate) fn leave(&mut self, ticket: Ticket, message: Option<&UpsertMessage>) {
        self.unsettled.remove(&ticket);
        let Some(message) = message else { return };
        let collection = self.collection_hash(message);
        for id in message.ids().flatten() {
            let key = id_hash(collection, id);
            // A later message may have taken the id over.
            if self.writers.get(&key) == Some(&ticket) {
                self.writers.remove(&key);
            }
        }
    }

    /// Whether a message is still to be waited for.
    pub(crate) fn is_unsettled(&self, ticket: Ticket) -> bool {
        self.unsettled.contains(&ticket)
    }

    fn collection_hash(&self, message: &UpsertMessage) -> u64 {
        let name = message.collection_name().as_bytes();
        name.chunks(8).fold(self.seed, |hash, chunk| {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            mix(hash, u64::from_le_bytes(word) ^ chunk.len() as u64)
        })
    }
}

fn id_hash(collection: u64, id: PointId) -> u64 {
    match id {
        PointId::Num(number) => mix(collection, number),
        PointId::Uuid(uuid) => mix(mix(collection ^ 1, (uuid >> 64) as u64), uuid as u64),
    }
}

/// Folded multiplication, as in wyhash: every bit of the result depends on every bit of both.
fn mix(a: u64, b: u64) -> u64 {
    let product = u128::from(a ^ 0x9e37_79b9_7f4a_7c15) * u128::from(b ^ 0xe703_7ed1_a0b4_28db);
    (product >> 64) as u64 ^ product as u64
}

/// The keys are hashes.
#[derive(Debug, Clone, Copy)]
struct Prehashed;

impl BuildHasher for Prehashed {
    type Hasher = Identity;

    fn build_hasher(&self) -> Identity {
        Identity(0)
    }
}

struct Identity(u64);

impl Hasher for Identity {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn write(&mut self, bytes: &[u8]) {
        // Not reached: u64 keys come through write_u64.
        self.0 = bytes
            .iter()
            .fold(self.0, |hash, byte| mix(hash, u64::from(*byte)));
    }
}

#[cfg(test)]
mod tests;
