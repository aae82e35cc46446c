//! Shards and the keys they belong to: whether a new collection gets the numbers of the saved one. Pure.
//!
//! Within a key, points are spread over its shards by the shards' numbers, so these have to come out the same. Qdrant
//! numbers a new key's shards on from the highest there is, the first being 1; which numbers a collection has whose
//! keys came and went cannot be asked for.
//! Source: qdrant 1.18.3 `lib/collection/src/collection/sharding_keys.rs`, `create_shard_key`.

use alioth_cluster::rest::Shard as Placed;
use alioth_snapshot_store::manifest::{Collection, Shard as Saved};
use serde_json::{Value, json};

use crate::create_body;

/// A shard key and its saved shards, by number.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct KeyShards {
    pub(crate) key: Value,
    pub(crate) numbers: Vec<u32>,
}

impl KeyShards {
    /// Body of `PUT /collections/{c}/shards`.
    pub(crate) fn body(&self) -> Value {
        json!({"shard_key": self.key, "shards_number": self.numbers.len()})
    }
}

/// The keys in the order in which they have to be made.
///
/// # Errors
/// Why they cannot be made so that every point is found again.
pub(crate) fn recreate(saved: &Collection) -> Result<Vec<KeyShards>, String> {
    let mut keys: Vec<KeyShards> = Vec::new();
    let mut shards: Vec<&Saved> = saved.shards.iter().collect();
    shards.sort_unstable_by_key(|shard| shard.shard);
    for shard in shards {
        let Some(key) = &shard.shard_key else {
            return Err(format!("shard {} has no key", shard.shard));
        };
        match keys.iter_mut().find(|known| known.key == *key) {
            Some(known) => known.numbers.push(shard.shard),
            None => keys.push(KeyShards {
                key: key.clone(),
                numbers: vec![shard.shard],
            }),
        }
    }
    for key in &saved.shard_keys {
        if !keys.iter().any(|known| known.key == *key) {
            return Err(format!("key {key} has no shard in the snapshot"));
        }
    }
    let mut next = 1;
    for key in &keys {
        let count = u32::try_from(key.numbers.len()).unwrap_or(u32::MAX);
        let new: Vec<u32> = (next..next + count).collect();
        if count > 1 && new != key.numbers {
            return Err(format!(
                "the shards {:?} of key {} would be numbered {new:?}",
                key.numbers, key.key
            ));
        }
        next += count;
    }
    Ok(keys)
}

/// Without keys, shards are numbered from 0 and all there.
///
/// # Errors
/// What is missing.
pub(crate) fn check_numbers(saved: &Collection) -> Result<(), String> {
    let mut numbers: Vec<u64> = saved.shards.iter().map(|s| u64::from(s.shard)).collect();
    numbers.sort_unstable();
    let Some(count) = create_body::shard_number(&saved.config) else {
        return Err("its config has no shard_number".to_owned());
    };
    if numbers != (0..count).collect::<Vec<u64>>() {
        return Err(format!("has shards {numbers:?} of {count}"));
    }
    Ok(())
}

/// Finds for each saved shard the one to upload it to.
///
/// # Errors
/// Which has none.
pub(crate) fn pair<'a>(
    saved: &'a [Saved],
    keys: &[KeyShards],
    placed: &'a [Placed],
) -> Result<Vec<(&'a Saved, &'a Placed)>, String> {
    saved
        .iter()
        .map(|shard| {
            let found = match &shard.shard_key {
                Some(key) if !keys.is_empty() => in_key(shard, key, keys, placed)?,
                Some(_) | None => placed.iter().find(|placed| placed.id == shard.shard),
            };
            let found = found.filter(|placed| !placed.replicas.is_empty());
            let found = found.ok_or_else(|| format!("there is no shard for {}", shard.shard))?;
            Ok((shard, found))
        })
        .collect()
}

fn in_key<'a>(
    shard: &Saved,
    key: &Value,
    keys: &[KeyShards],
    placed: &'a [Placed],
) -> Result<Option<&'a Placed>, String> {
    let Some(known) = keys.iter().find(|known| known.key == *key) else {
        return Ok(None);
    };
    let mut of_key: Vec<&Placed> = placed
        .iter()
        .filter(|placed| placed.key.as_ref() == Some(key))
        .collect();
    of_key.sort_unstable_by_key(|placed| placed.id);
    if let [alone] = of_key.as_slice() {
        return Ok(Some(alone));
    }
    let numbers: Vec<u32> = of_key.iter().map(|placed| placed.id).collect();
    if numbers != known.numbers {
        return Err(format!(
            "the shards of key {key} are numbered {numbers:?}, saved as {:?}",
            known.numbers
        ));
    }
    Ok(of_key.into_iter().find(|placed| placed.id == shard.shard))
}

#[cfg(test)]
mod tests;
