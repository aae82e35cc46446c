//! The form of a snapshot: a tar in the layout in which a Qdrant server streams a shard, so that
//! qdrant-edge's own unpacking reads it, with the collection's description in front.
//!
//! ```text
//! collection.json                     name and configuration; only the node's own snapshots have it
//! segments/<uuid>/files/…             the files of a segment
//! wal/…                               the shard's own log: it says how updates are numbered
//! edge_config.json
//! ```
//!
//! An archive from outside is hostile until [`check`] has passed it: nothing is unpacked before.

use std::{
    fs::File,
    io::{self, BufReader, Read, Write},
    path::{Component, Path, PathBuf},
};

use qdrant_edge::{EdgeShard, OperationError};
use tar::{Archive, EntryType, Header};

use crate::qdrant::{error::RequestError, files::files_below};

pub(super) const DESCRIPTOR_FILE: &str = "collection.json";
const SEGMENTS: &str = "segments";
const LOG: &str = "wal";
/// Where a segment's files lie in an archive; unpacking moves them up.
const SEGMENT_FILES: &str = "files";

const BLOCK_BYTES: usize = 512;
/// Far more than segments have files, or their names bytes.
const NAME_BYTES: u64 = 4096;
const DESCRIPTOR_BYTES: u64 = 1024 * 1024;

/// What an archive may at most hold.
pub(crate) struct Limits {
    pub(crate) entries: usize,
    /// Of all files together, their holes included.
    pub(crate) bytes: u64,
}

impl Default for Limits {
    /// A collection near these is none for one shard on one machine.
    fn default() -> Self {
        Self {
            entries: 100_000,
            bytes: 256 * 1024 * 1024 * 1024,
        }
    }
}

/// Why an archive is not restored.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ArchiveError {
    #[error("read the snapshot: {0}")]
    Read(#[source] io::Error),
    #[error("unpack the snapshot: {0}")]
    Unpack(#[source] OperationError),
    #[error("the snapshot is truncated")]
    Truncated,
    #[error("the snapshot is not a tar archive: {0}")]
    Malformed(io::Error),
    #[error("the snapshot holds an entry of type {0:?}; only files and directories are taken")]
    Kind(EntryType),
    #[error("the snapshot holds the path {0:?}, which leaves its directory")]
    Path(String),
    #[error("the snapshot holds more than {0} entries, or too long a name")]
    Entries(usize),
    #[error("the snapshot holds more than {0} bytes")]
    Bytes(u64),
    #[error(
        "the snapshot has no `{0}` directory: it is not that of a shard (a server's snapshot of a \
         whole collection has another layout, which the embedded node does not read)"
    )]
    NoShard(&'static str),
}

impl From<ArchiveError> for RequestError {
    fn from(error: ArchiveError) -> Self {
        match error {
            ArchiveError::Read(_) | ArchiveError::Unpack(_) => Self::internal(error),
            ArchiveError::Truncated
            | ArchiveError::Malformed(_)
            | ArchiveError::Kind(_)
            | ArchiveError::Path(_)
            | ArchiveError::Entries(_)
            | ArchiveError::Bytes(_)
            | ArchiveError::NoShard(_) => Self::WrongInput(error.to_string()),
        }
    }
}

/// Writes the files of a shard that nobody changes meanwhile. The same files give the same bytes.
///
/// # Errors
/// When a file cannot be read, or `out` takes no more.
pub(super) fn write(shard: &Path, descriptor: &[u8], out: impl Write) -> io::Result<()> {
    let mut tar = tar::Builder::new(out);
    tar.mode(tar::HeaderMode::Deterministic);
    let mut header = Header::new_gnu();
    header.set_size(descriptor.len() as u64);
    header.set_mode(0o644);
    tar.append_data(&mut header, DESCRIPTOR_FILE, descriptor)?;
    for file in files_below(shard)? {
        tar.append_path_with_name(shard.join(&file), archived(&file))?;
    }
    tar.into_inner()?.flush()
}

/// Unpacks an archive into a directory, in the layout in which a shard is loaded.
///
/// # Errors
/// When the archive is damaged, or is not one to unpack. What has been unpacked stays.
pub(super) fn unpack(archive: &Path, limits: &Limits, target: &Path) -> Result<(), ArchiveError> {
    check(archive, limits)?;
    EdgeShard::unpack_snapshot(archive, target).map_err(ArchiveError::Unpack)
}

/// The description of the collection an archive is of, if it has one.
pub(super) fn descriptor(archive: &Path) -> Result<Option<Vec<u8>>, ArchiveError> {
    check_blocks(archive)?;
    let mut archive = Archive::new(File::open(archive).map_err(ArchiveError::Read)?);
    let entries = archive
        .entries_with_seek()
        .map_err(ArchiveError::Malformed)?;
    for entry in entries {
        let entry = entry.map_err(ArchiveError::Malformed)?;
        if *entry.path_bytes() == *DESCRIPTOR_FILE.as_bytes() {
            let mut bytes = Vec::new();
            entry
                .take(DESCRIPTOR_BYTES)
                .read_to_end(&mut bytes)
                .map_err(ArchiveError::Malformed)?;
            return Ok(Some(bytes));
        }
    }
    Ok(None)
}

/// Whether an archive may be unpacked: whole, of files and directories below its root only,
/// within the limits, and of a shard. Reads its headers, not its files.
fn check(archive: &Path, limits: &Limits) -> Result<(), ArchiveError> {
    check_blocks(archive)?;
    let mut archive = Archive::new(File::open(archive).map_err(ArchiveError::Read)?);
    let entries = archive
        .entries_with_seek()
        .map_err(ArchiveError::Malformed)?;
    let (mut count, mut bytes) = (0, 0_u64);
    let (mut segments, mut log) = (false, false);
    for entry in entries {
        let entry = entry.map_err(ArchiveError::Malformed)?;
        count += 1;
        bytes = bytes.saturating_add(entry.size());
        if count > limits.entries {
            return Err(ArchiveError::Entries(limits.entries));
        }
        if bytes > limits.bytes {
            return Err(ArchiveError::Bytes(limits.bytes));
        }
        let path = below_root(&entry.path_bytes())?;
        segments |= path.starts_with(SEGMENTS);
        log |= path.starts_with(LOG);
    }
    match (segments, log) {
        (true, true) => Ok(()),
        (false, _) => Err(ArchiveError::NoShard(SEGMENTS)),
        (true, false) => Err(ArchiveError::NoShard(LOG)),
    }
}

/// Walks the blocks of an archive up to its end mark. The tar library takes a cut between two
/// entries for the end, links for entries, and any length for that of a name.
fn check_blocks(archive: &Path) -> Result<(), ArchiveError> {
    let file = File::open(archive).map_err(ArchiveError::Read)?;
    let mut reader = BufReader::new(file);
    loop {
        let block = read_block(&mut reader)?;
        if block.iter().all(|&byte| byte == 0) {
            // The end mark is two empty blocks.
            let second = read_block(&mut reader)?;
            return match second.iter().all(|&byte| byte == 0) {
                true => Ok(()),
                false => Err(ArchiveError::Malformed(io::Error::other(
                    "half an end mark",
                ))),
            };
        }
        let header = Header::from_byte_slice(&block);
        let length = header.entry_size().map_err(ArchiveError::Malformed)?;
        match header.entry_type() {
            EntryType::Regular | EntryType::Directory => (),
            EntryType::GNULongName if length <= NAME_BYTES => (),
            EntryType::GNULongName => return Err(ArchiveError::Entries(Limits::default().entries)),
            EntryType::GNUSparse => skip_sparse_map(header, &mut reader)?,
            other => return Err(ArchiveError::Kind(other)),
        }
        let padded = length.checked_next_multiple_of(BLOCK_BYTES as u64);
        let padded = padded.and_then(|padded| i64::try_from(padded).ok());
        let padded = padded.ok_or(ArchiveError::Truncated)?;
        reader.seek_relative(padded).map_err(ArchiveError::Read)?;
    }
}

/// The blocks after a header that say where else a sparse file has data.
fn skip_sparse_map(header: &Header, reader: &mut impl Read) -> Result<(), ArchiveError> {
    /// Of an extension block, the byte that says whether another follows.
    const IS_EXTENDED: usize = 504;
    let mut extended = header.as_gnu().is_some_and(|gnu| gnu.is_extended());
    while extended {
        extended = read_block(reader)?[IS_EXTENDED] == 1;
    }
    Ok(())
}

fn read_block(reader: &mut impl Read) -> Result<[u8; BLOCK_BYTES], ArchiveError> {
    let mut block = [0; BLOCK_BYTES];
    match reader.read_exact(&mut block) {
        Ok(()) => Ok(block),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(ArchiveError::Truncated),
        Err(error) => Err(ArchiveError::Read(error)),
    }
}

fn below_root(path: &[u8]) -> Result<PathBuf, ArchiveError> {
    let text = String::from_utf8_lossy(path);
    let path = PathBuf::from(text.as_ref());
    let normal = |part| matches!(part, Component::Normal(_));
    match path.components().all(normal) && !text.contains('\u{fffd}') {
        true => Ok(path),
        false => Err(ArchiveError::Path(text.into_owned())),
    }
}

/// The path in an archive of a shard's file.
fn archived(file: &Path) -> PathBuf {
    let mut parts = file.components();
    let (first, second) = (parts.next(), parts.next());
    match (first, second) {
        (Some(first), Some(segment)) if first.as_os_str() == SEGMENTS => Path::new(SEGMENTS)
            .join(segment)
            .join(SEGMENT_FILES)
            .join(parts.as_path()),
        _ => file.to_owned(),
    }
}

#[cfg(test)]
mod tests;
