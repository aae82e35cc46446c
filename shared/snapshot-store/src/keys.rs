//! Where things lie in a bucket. Pure: no S3. Snapshots are read for as long as they are kept, so nothing here
//! ever changes; `tests/golden/keys.txt` holds it still.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::id::SnapshotId;

/// What a shard's, a storage snapshot's and a Python snapshot's key ends with.
const SNAPSHOT_SUFFIX: &str = ".snapshot";
const JOB_SUFFIX: &str = ".json";
const COLLECTIONS: &str = "collections/";
pub(crate) const MANIFEST_NAME: &str = "manifest.json";
pub(crate) const STORAGE_PREFIX: &str = "storage/";
pub(crate) const JOBS_PREFIX: &str = "jobs/";
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html>
const LONGEST_KEY_BYTES: usize = 1024;
/// What an empty name becomes: no other name does, since a `%` of a name is always encoded.
const EMPTY: &str = "%";

/// A place in the bucket, always well-formed: no empty segment, no `.` or `..`, no control character.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ObjectKey {
    path: String,
    root: Root,
}

/// Where a key begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Root {
    /// Below the configured prefix: what Alioth writes.
    Prefix,
    /// At the bucket's root: what others wrote.
    Bucket,
}

/// A text that is no key. Never transient.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no key: {reason}")]
pub struct KeyError {
    text: String,
    reason: &'static str,
}

impl ObjectKey {
    /// `snapshots/<cluster>/<id>/collections/<collection>/shard-<n>.snapshot`. Any name of a collection will do.
    pub fn shard(cluster: &str, id: &SnapshotId, collection: &str, shard: u32) -> Self {
        let (below, name) = (collections_prefix(cluster, id), encode(collection));
        Self::ours(format!("{below}{name}/shard-{shard}{SNAPSHOT_SUFFIX}"))
    }

    /// `snapshots/<cluster>/<id>/manifest.json`.
    pub fn manifest(cluster: &str, id: &SnapshotId) -> Self {
        Self::ours(snapshot_prefix(cluster, id) + MANIFEST_NAME)
    }

    /// `storage/<host>/<name>.snapshot`, whether or not `name` ends so already, as Qdrant's names do.
    pub fn storage(host: &str, name: &str) -> Self {
        let name = name.strip_suffix(SNAPSHOT_SUFFIX).unwrap_or(name);
        let (host, name) = (encode(host), encode(name));
        Self::ours(format!("{STORAGE_PREFIX}{host}/{name}{SNAPSHOT_SUFFIX}"))
    }

    /// `jobs/<id>.json`.
    pub fn job(id: &str) -> Self {
        Self::ours(format!("{JOBS_PREFIX}{}{JOB_SUFFIX}", encode(id)))
    }

    /// Any object of the bucket by its full key, whatever prefix is configured: as in `s3://bucket/key`.
    ///
    /// # Errors
    /// When it is none, or has a segment that is empty, `.` or `..`.
    pub fn at_root(key: &str) -> Result<Self, KeyError> {
        Ok(Self {
            root: Root::Bucket,
            ..key.parse()?
        })
    }

    /// The key below its root: what a manifest holds.
    pub fn as_str(&self) -> &str {
        &self.path
    }

    /// The key as S3 has it.
    pub(crate) fn in_bucket(&self, prefix: &str) -> String {
        match self.root {
            Root::Prefix => format!("{prefix}{}", self.path),
            Root::Bucket => self.path.clone(),
        }
    }

    /// From segments that were encoded here.
    fn ours(path: String) -> Self {
        Self {
            path,
            root: Root::Prefix,
        }
    }
}

/// `snapshots/<cluster>/`.
pub(crate) fn cluster_prefix(cluster: &str) -> String {
    format!("snapshots/{}/", encode(cluster))
}

/// `snapshots/<cluster>/<id>/`.
pub(crate) fn snapshot_prefix(cluster: &str, id: &SnapshotId) -> String {
    format!("{}{id}/", cluster_prefix(cluster))
}

/// `snapshots/<cluster>/<id>/collections/`: where the keys of a manifest must lie.
pub(crate) fn collections_prefix(cluster: &str, id: &SnapshotId) -> String {
    snapshot_prefix(cluster, id) + COLLECTIONS
}

/// The collection in what follows [`snapshot_prefix`] in a shard's key.
pub(crate) fn collection_of(below: &str) -> Option<String> {
    let (collection, _) = below.strip_prefix(COLLECTIONS)?.split_once('/')?;
    decode(collection)
}

/// The job's id in the last segment of a key below [`JOBS_PREFIX`].
pub(crate) fn job_id(segment: &str) -> Option<String> {
    decode(segment.strip_suffix(JOB_SUFFIX)?)
}

/// Host and name in what follows [`STORAGE_PREFIX`] in a key.
pub(crate) fn storage_parts(below: &str) -> Option<(String, String)> {
    let (host, name) = below.split_once('/')?;
    Some((
        decode(host)?,
        decode(name.strip_suffix(SNAPSHOT_SUFFIX)?)? + SNAPSHOT_SUFFIX,
    ))
}

/// `collection/<host>/<collection>/`, where the Python Alioth kept a collection's snapshots. It encoded nothing,
/// so names that are no plain segment have none.
pub(crate) fn python_prefix(host: &str, collection: &str) -> Option<String> {
    let prefix = format!("collection/{host}/{collection}/");
    let plain = |name: &str| !name.contains('/') && check(name).is_ok();
    (plain(host) && plain(collection)).then_some(prefix)
}

/// Whether what follows [`python_prefix`] in a key is a snapshot and not something deeper.
pub(crate) fn is_python_snapshot(below: &str) -> bool {
    !below.contains('/') && below.len() > SNAPSHOT_SUFFIX.len() && below.ends_with(SNAPSHOT_SUFFIX)
}

/// Makes any name one segment of a key, and distinct names distinct segments.
///
/// ASCII letters, digits, `-`, `_` and dots that do not lead stay; so does what lies beyond U+00A0 and is a
/// character, for a name of 255 bytes to stay within the 255 bytes that file systems under an S3 have for a
/// segment. All else is percent-encoded, byte by byte of UTF-8.
pub(crate) fn encode(name: &str) -> String {
    if name.is_empty() {
        return EMPTY.to_owned();
    }
    let mut segment = String::with_capacity(name.len());
    let mut leading = true;
    for character in name.chars() {
        let kept = stays(character) && !(leading && character == '.');
        leading &= character == '.';
        if kept {
            segment.push(character);
            continue;
        }
        for byte in character.encode_utf8(&mut [0; 4]).bytes() {
            segment.push_str(&format!("%{byte:02X}"));
        }
    }
    segment
}

/// The name that [`encode`] made this of; `None` for what it never makes.
pub(crate) fn decode(segment: &str) -> Option<String> {
    if segment == EMPTY {
        return Some(String::new());
    }
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let [first, after @ ..] = rest {
        if *first != b'%' {
            bytes.push(*first);
            rest = after;
            continue;
        }
        let digits = std::str::from_utf8(after.get(..2)?).ok()?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = &after[2..];
    }
    let name = String::from_utf8(bytes).ok()?;
    (encode(&name) == segment).then_some(name)
}

fn stays(character: char) -> bool {
    let code = u32::from(character);
    match code {
        ..0x80 => character.is_ascii_alphanumeric() || "-_.".contains(character),
        // Controls, and the no-break space.
        0x80..=0xA0 => false,
        // The last two of every plane are no characters, and cannot stand in XML.
        _ => code & 0xFFFE != 0xFFFE,
    }
}

fn check(path: &str) -> Result<(), &'static str> {
    if path.len() > LONGEST_KEY_BYTES {
        return Err("is longer than 1024 bytes");
    }
    if path.chars().any(char::is_control) {
        return Err("has a control character");
    }
    if path.split('/').any(str::is_empty) {
        return Err("is empty or has an empty segment");
    }
    if path.split('/').any(|segment| matches!(segment, "." | "..")) {
        return Err("climbs: has a segment . or ..");
    }
    Ok(())
}

/// Of a key below the configured prefix.
impl FromStr for ObjectKey {
    type Err = KeyError;

    fn from_str(path: &str) -> Result<Self, Self::Err> {
        let text = path.to_owned();
        match check(path) {
            Ok(()) => Ok(Self::ours(text)),
            Err(reason) => Err(KeyError { text, reason }),
        }
    }
}

impl TryFrom<String> for ObjectKey {
    type Error = KeyError;

    fn try_from(path: String) -> Result<Self, Self::Error> {
        path.parse()
    }
}

impl From<ObjectKey> for String {
    fn from(key: ObjectKey) -> Self {
        key.path
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)
    }
}

#[cfg(test)]
mod tests;
