//! The update log: every update a collection has accepted since its shard was last flushed.
//!
//! qdrant-edge writes a log of its own but never reads it back, so a killed process would lose
//! what its segments still held in memory. This log is what is replayed. It never interprets
//! an update beyond encoding it, and knows nothing of segments.
//!
//! A record is `length: u32, checksum: u32, sequence: u64, update: MessagePack`, little endian.
//! Reading stops at the first record whose checksum or sequence does not follow: that is where
//! the process died.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufReader, Read, Seek, SeekFrom, Write},
    path::Path,
};

use qdrant_edge::UpdateOperation;
use serde::Serialize;

const HEADER_BYTES: usize = 16;

/// An update as it goes into the log; encoded before any lock is taken.
pub(super) struct Record(Vec<u8>);

impl Record {
    /// Encodes an update, its header left open until [`UpdateLog::append`].
    pub(super) fn encode(update: &UpdateOperation) -> Result<Self, rmp_serde::encode::Error> {
        let mut bytes = vec![0; HEADER_BYTES];
        // Field names and human-readable ids: the update's enums are told apart by them.
        let mut serializer = rmp_serde::Serializer::new(&mut bytes)
            .with_struct_map()
            .with_human_readable();
        update.serialize(&mut serializer)?;
        Ok(Self(bytes))
    }

    fn seal(mut self, sequence: u64) -> io::Result<Vec<u8>> {
        let (header, body) = self.0.split_at_mut(HEADER_BYTES);
        let length = u32::try_from(body.len()).map_err(io::Error::other)?;
        header[0..4].copy_from_slice(&length.to_le_bytes());
        header[4..8].copy_from_slice(&checksum(sequence, body).to_le_bytes());
        header[8..16].copy_from_slice(&sequence.to_le_bytes());
        Ok(self.0)
    }
}

/// The open log of one collection.
pub(super) struct UpdateLog {
    file: File,
    length: u64,
    next_sequence: u64,
}

impl UpdateLog {
    /// Opens or creates the log and hands every update in it to `replay`, oldest first.
    ///
    /// # Errors
    /// When the file cannot be read or written. A torn end is cut off, not an error.
    pub(super) fn open(path: &Path, mut replay: impl FnMut(UpdateOperation)) -> io::Result<Self> {
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        let mut reader = BufReader::new(&mut file);
        let mut length = 0;
        let mut next_sequence = None;
        while let Some((sequence, body)) = read_record(&mut reader, next_sequence)? {
            length += (HEADER_BYTES + body.len()) as u64;
            next_sequence = Some(sequence + 1);
            match decode(&body) {
                Ok(update) => replay(update),
                Err(error) => {
                    tracing::error!(%error, sequence, "undecodable record in the update log");
                }
            }
        }
        let torn = file.metadata()?.len() - length;
        if torn > 0 {
            tracing::warn!(bytes = torn, "cut off the torn end of an update log");
            file.set_len(length)?;
        }
        file.seek(SeekFrom::Start(length))?;
        Ok(Self {
            file,
            length,
            next_sequence: next_sequence.unwrap_or(0),
        })
    }

    /// Appends a record; it survives the death of the process once this returns.
    ///
    /// # Errors
    /// When the file cannot be written; nothing of the record stays in the log then.
    pub(super) fn append(&mut self, record: Record) -> io::Result<Appended> {
        let bytes = record.seal(self.next_sequence)?;
        let before = Appended {
            length: self.length,
            sequence: self.next_sequence,
        };
        if let Err(error) = self.file.write_all(&bytes) {
            self.roll_back(before)?;
            return Err(error);
        }
        self.length += bytes.len() as u64;
        self.next_sequence += 1;
        Ok(before)
    }

    /// Takes the last record back, because its update was not applied.
    pub(super) fn roll_back(&mut self, last: Appended) -> io::Result<()> {
        self.length = last.length;
        self.next_sequence = last.sequence;
        self.cut()
    }

    /// Forgets every record: the shard has been flushed.
    pub(super) fn clear(&mut self) -> io::Result<()> {
        self.length = 0;
        self.cut()
    }

    /// Bytes since the last [`clear`](Self::clear).
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// A second handle, to fsync the log without holding it.
    pub(super) fn handle(&self) -> io::Result<File> {
        self.file.try_clone()
    }

    fn cut(&mut self) -> io::Result<()> {
        self.file.set_len(self.length)?;
        self.file.seek(SeekFrom::Start(self.length))?;
        Ok(())
    }
}

/// Where a record begins, to take it back.
#[derive(Debug, Clone, Copy)]
pub(super) struct Appended {
    length: u64,
    sequence: u64,
}

fn decode(body: &[u8]) -> Result<UpdateOperation, rmp_serde::decode::Error> {
    let mut deserializer = rmp_serde::Deserializer::new(body).with_human_readable();
    serde::Deserialize::deserialize(&mut deserializer)
}

fn checksum(sequence: u64, body: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&sequence.to_le_bytes());
    hasher.update(body);
    hasher.finalize()
}

/// The next whole record, or `None` at the end, torn or not.
fn read_record(
    reader: &mut impl Read,
    expected: Option<u64>,
) -> io::Result<Option<(u64, Vec<u8>)>> {
    let mut header = Vec::with_capacity(HEADER_BYTES);
    reader.take(HEADER_BYTES as u64).read_to_end(&mut header)?;
    let Ok(header) = <[u8; HEADER_BYTES]>::try_from(header) else {
        return Ok(None);
    };
    let [l0, l1, l2, l3, c0, c1, c2, c3, sequence @ ..] = header;
    let length = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
    let sequence = u64::from_le_bytes(sequence);
    // Not reserved ahead: a torn header may claim gigabytes.
    let mut body = Vec::new();
    reader.take(length as u64).read_to_end(&mut body)?;
    let intact = body.len() == length
        && checksum(sequence, &body) == u32::from_le_bytes([c0, c1, c2, c3])
        && expected.is_none_or(|expected| expected == sequence);
    Ok(intact.then_some((sequence, body)))
}

#[cfg(test)]
mod tests;
