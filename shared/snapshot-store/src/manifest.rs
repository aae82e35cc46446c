//! The file that makes a snapshot complete: what was saved, where it lies, and how to tell that it is whole.
//! Pure: no S3. A manifest that was read here names no object outside its own snapshot.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    id::SnapshotId,
    keys::{ObjectKey, collections_prefix},
};

/// What this Alioth writes. Every version up to it is read, always.
pub const FORMAT_VERSION: u32 = 1;

/// 40,000 shards; a longer one is none of ours, and is not read into memory.
pub const LONGEST_MANIFEST_BYTES: u64 = 16 * 1024 * 1024;

/// Bytes of one object, as S3's lengths are signed 64-bit numbers.
const LARGEST_OBJECT_BYTES: u64 = i64::MAX.unsigned_abs();

/// A snapshot's manifest: JSON, fields in this order. Fields it does not know are ignored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`FORMAT_VERSION`].
    pub format_version: u32,
    /// The snapshot's.
    pub id: SnapshotId,
    /// The job that made it.
    pub job_id: String,
    /// The cluster's name in keys.
    pub cluster: String,
    /// When the first shard was asked for.
    pub started: Timestamp,
    /// When the last shard was stored.
    pub finished: Timestamp,
    /// Of the program that wrote it.
    pub alioth_version: String,
    /// The lowest of the peers'.
    pub qdrant_version: String,
    /// Nodes of the cluster then.
    pub peers: Vec<Peer>,
    /// Whether all collections were asked for, and not some by name. Manifests from before this field do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub whole: Option<bool>,
    /// What was saved.
    pub collections: Vec<Collection>,
}

/// A node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peer {
    /// Qdrant's id of it; 0 on a node that is no cluster.
    pub id: u64,
    /// Where it was reached.
    pub host: String,
    /// Its release.
    pub version: String,
}

/// A collection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Collection {
    /// Its name, as Qdrant has it.
    pub name: String,
    /// `result.config` of `GET /collections/{name}`.
    pub config: Value,
    /// `result.payload_schema` of the same.
    pub payload_schema: Value,
    /// Shard keys of custom sharding; empty otherwise.
    pub shard_keys: Vec<Value>,
    /// Aliases that led to it.
    pub aliases: Vec<String>,
    /// The fewest points of the exact counts before, between and after its shards. The names of this field and the
    /// next are from when there were two counts.
    pub points_before: u64,
    /// The most: equal when nobody wrote meanwhile.
    pub points_after: u64,
    /// Its shards, each once.
    pub shards: Vec<Shard>,
}

/// A shard's snapshot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Shard {
    /// Qdrant's number of it.
    pub shard: u32,
    /// Its shard key, with custom sharding.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard_key: Option<Value>,
    /// Where it lies, below the configured prefix.
    pub key: ObjectKey,
    /// Its length.
    pub bytes: u64,
    /// SHA-256 of its bytes, 64 lower-case hexadecimal digits.
    pub sha256: String,
    /// Peer it was read from.
    pub source_peer: u64,
    /// That peer's host.
    pub source_host: String,
}

/// A manifest that must not be used. Never transient.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// Not JSON, or a field is missing or of the wrong type, or a key climbs.
    #[error("decode the manifest")]
    Json(#[source] serde_json::Error),
    /// Written by a later Alioth.
    #[error("manifest version {found} is unknown; this Alioth reads up to {FORMAT_VERSION}")]
    Version {
        /// What it says.
        found: u64,
    },
    /// Longer than any manifest of a real cluster.
    #[error("the manifest is longer than {LONGEST_MANIFEST_BYTES} bytes")]
    TooLong,
    /// A field's value cannot be.
    #[error("{field}: {reason}")]
    Field {
        /// Which, as `collections[0].shards[2].key`.
        field: String,
        /// What is wrong with it.
        reason: &'static str,
    },
}

/// What is read before the rest: later versions may look like anything beyond it.
#[derive(Deserialize)]
struct Version {
    format_version: u64,
}

impl Manifest {
    /// Reads a manifest and refuses one that cannot be true.
    ///
    /// # Errors
    /// See [`ManifestError`].
    pub fn from_json(json: &[u8]) -> Result<Self, ManifestError> {
        if json.len() as u64 > LONGEST_MANIFEST_BYTES {
            return Err(ManifestError::TooLong);
        }
        let version: Version = serde_json::from_slice(json).map_err(ManifestError::Json)?;
        let manifest: Self = match version.format_version {
            1 => serde_json::from_slice(json).map_err(ManifestError::Json)?,
            found => return Err(ManifestError::Version { found }),
        };
        manifest.check()?;
        Ok(manifest)
    }

    /// Writes it, indented, after the same checks as when it is read.
    ///
    /// # Errors
    /// [`ManifestError::Field`] and [`ManifestError::TooLong`].
    pub fn to_json(&self) -> Result<Vec<u8>, ManifestError> {
        self.check()?;
        let mut json = serde_json::to_vec_pretty(self).map_err(ManifestError::Json)?;
        json.push(b'\n');
        if json.len() as u64 > LONGEST_MANIFEST_BYTES {
            return Err(ManifestError::TooLong);
        }
        Ok(json)
    }

    /// The collection of that name.
    pub fn collection(&self, name: &str) -> Option<&Collection> {
        self.collections.iter().find(|saved| saved.name == name)
    }

    /// Whether it is known to be of the whole cluster. One that does not say is not: taken for whole, a snapshot of
    /// one collection would be restored for everything, and nobody would hear of what is missing.
    pub fn is_whole(&self) -> bool {
        self.whole == Some(true)
    }

    /// Every shard of every collection.
    pub fn shards(&self) -> impl Iterator<Item = &Shard> {
        self.collections.iter().flat_map(|saved| &saved.shards)
    }

    /// Bytes of all shards.
    pub fn bytes(&self) -> u64 {
        self.shards()
            .fold(0, |sum, shard| sum.saturating_add(shard.bytes))
    }

    fn check(&self) -> Result<(), ManifestError> {
        if self.format_version != FORMAT_VERSION {
            return Err(field(
                "format_version",
                "is not the version that is written",
            ));
        }
        let below = collections_prefix(&self.cluster, &self.id);
        let mut seen = Seen::default();
        for (index, collection) in self.collections.iter().enumerate() {
            collection.check(&format!("collections[{index}]"), &below, &mut seen)?;
        }
        Ok(())
    }
}

/// What may stand in a manifest only once.
#[derive(Default)]
struct Seen<'a> {
    collections: BTreeSet<&'a str>,
    aliases: BTreeSet<&'a str>,
    keys: BTreeSet<&'a ObjectKey>,
    bytes: u64,
}

impl Collection {
    fn check<'a>(
        &'a self,
        at: &str,
        below: &str,
        seen: &mut Seen<'a>,
    ) -> Result<(), ManifestError> {
        if self.name.is_empty() {
            return Err(field(format!("{at}.name"), "is empty"));
        }
        if !seen.collections.insert(&self.name) {
            return Err(field(format!("{at}.name"), "is there twice"));
        }
        for (index, alias) in self.aliases.iter().enumerate() {
            if !seen.aliases.insert(alias) {
                return Err(field(format!("{at}.aliases[{index}]"), "is there twice"));
            }
        }
        let mut numbers = BTreeSet::new();
        for (index, shard) in self.shards.iter().enumerate() {
            let at = format!("{at}.shards[{index}]");
            if !numbers.insert(shard.shard) {
                return Err(field(format!("{at}.shard"), "is there twice"));
            }
            shard.check(&at, below, seen)?;
        }
        Ok(())
    }
}

impl Shard {
    fn check<'a>(
        &'a self,
        at: &str,
        below: &str,
        seen: &mut Seen<'a>,
    ) -> Result<(), ManifestError> {
        if !self.key.as_str().starts_with(below) {
            return Err(field(format!("{at}.key"), "lies outside its snapshot"));
        }
        if !seen.keys.insert(&self.key) {
            return Err(field(format!("{at}.key"), "is there twice"));
        }
        let lower_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if self.sha256.len() != 64 || !self.sha256.bytes().all(lower_hex) {
            let reason = "is not 64 lower-case hexadecimal digits";
            return Err(field(format!("{at}.sha256"), reason));
        }
        let sum = seen.bytes.checked_add(self.bytes);
        let Some(sum) = sum.filter(|sum| *sum <= LARGEST_OBJECT_BYTES) else {
            return Err(field(format!("{at}.bytes"), "is more than S3 holds"));
        };
        seen.bytes = sum;
        Ok(())
    }
}

fn field(field: impl Into<String>, reason: &'static str) -> ManifestError {
    ManifestError::Field {
        field: field.into(),
        reason,
    }
}

#[cfg(test)]
mod tests;
