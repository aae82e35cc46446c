//! Of points with one id the last one stays: that is what Qdrant makes of them in one upsert.
use std::cmp::Reverse;
use std::collections::HashSet;
use std::hash::{BuildHasher, Hasher, RandomState};

use crate::PointId;

/// Points from which on they are sorted: that takes longer than a table of them, but a tenth of its memory.
const MANY: usize = 1 << 16;

/// Indices of the last of each id, ascending; `id` tells that of each of `count` points. What has no id stays.
pub(crate) fn last_of_each(count: usize, id: impl Fn(usize) -> Option<PointId>) -> Vec<usize> {
    match count < MANY {
        true => last_by_table(count, id),
        false => last_by_order(count, id),
    }
}

fn last_by_table(count: usize, id: impl Fn(usize) -> Option<PointId>) -> Vec<usize> {
    let mut seen = HashSet::with_capacity_and_hasher(count, Seed::new());
    let mut kept: Vec<usize> = Vec::with_capacity(count);
    for index in (0..count).rev() {
        if id(index).is_none_or(|id| seen.insert(id)) {
            kept.push(index);
        }
    }
    kept.reverse();
    kept
}

fn last_by_order(count: usize, id: impl Fn(usize) -> Option<PointId>) -> Vec<usize> {
    let mut kept: Vec<usize> = (0..count).collect();
    kept.sort_unstable_by_key(|&index| (id(index), Reverse(index)));
    kept.dedup_by(|later, first| id(*first).is_some() && id(*first) == id(*later));
    kept.sort_unstable();
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ids() -> impl Strategy<Value = Vec<Option<PointId>>> {
        let id = prop_oneof![
            (0..20_u64).prop_map(PointId::Num),
            (0..20_u128).prop_map(PointId::Uuid)
        ];
        prop::collection::vec(prop::option::weighted(0.9, id), 0..100)
    }

    proptest! {
        #[test]
        fn the_last_of_each_id_stays_by_table_and_by_order(ids in ids()) {
            let stays = |index: &usize| ids[*index].is_none() || !ids[index + 1..].contains(&ids[*index]);
            let expected: Vec<usize> = (0..ids.len()).filter(stays).collect();
            prop_assert_eq!(&last_by_table(ids.len(), |index| ids[index]), &expected);
            prop_assert_eq!(&last_by_order(ids.len(), |index| ids[index]), &expected);
        }
    }
}
