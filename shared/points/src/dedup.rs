//! Of points with one id the last one stays: that is what Qdrant makes of them in one upsert.
use std::collections::HashSet;
use std::hash::{BuildHasher, Hasher, RandomState};

use crate::PointId;

/// Indices of the last of each id, ascending. What has no id stays.
pub(crate) fn last_of_each(
    ids: impl ExactSizeIterator<Item = Option<PointId>> + DoubleEndedIterator,
) -> Vec<usize> {
    let mut seen = HashSet::with_capacity_and_hasher(ids.len(), Seed::new());
    let mut kept: Vec<usize> = Vec::with_capacity(ids.len());
    for (index, id) in ids.enumerate().rev() {
        if id.is_none_or(|id| seen.insert(id)) {
            kept.push(index);
        }
    }
    kept.reverse();
    kept
}

/// A seed per use: ids are the clients' choice, so where they fall in a table must not be theirs to know.
#[derive(Debug, Clone, Copy)]
struct Seed(u64, u64);

impl Seed {
    fn new() -> Seed {
        let random = RandomState::new();
        Seed(random.hash_one(1_u8), random.hash_one(2_u8) | 1)
    }
}

impl BuildHasher for Seed {
    type Hasher = Folded;

    fn build_hasher(&self) -> Folded {
        Folded {
            state: self.0,
            factor: self.1,
        }
    }
}

/// Multiplies what it is given with the seed and folds the product: a few cycles an id, where the standard
/// hasher takes thirty.
#[derive(Debug)]
struct Folded {
    state: u64,
    factor: u64,
}

impl Folded {
    #[inline]
    fn mix(&mut self, word: u64) {
        let product = u128::from(self.state ^ word) * u128::from(self.factor);
        self.state = product as u64 ^ (product >> 64) as u64;
        self.factor = self.factor.rotate_left(23) | 1;
    }
}

impl Hasher for Folded {
    #[inline]
    fn finish(&self) -> u64 {
        self.state
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.mix(u64::from_le_bytes(word));
        }
    }

    #[inline]
    fn write_u64(&mut self, word: u64) {
        self.mix(word);
    }

    #[inline]
    fn write_u128(&mut self, word: u128) {
        self.mix(word as u64);
        self.mix((word >> 64) as u64);
    }

    #[inline]
    fn write_isize(&mut self, word: isize) {
        self.mix(word as u64);
    }
}
