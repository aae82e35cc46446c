//! The file: messages by queue and position, and a small index of them. Knows nothing of deliveries.

use std::{collections::BTreeMap, path::Path};

use redb::{Database, Durability, ReadableDatabase, ReadableTable, TableDefinition, TableError};

use super::record::{self, RecordError};
use crate::{message::OutgoingMessage, queue::Queue};

/// Bodies are cached by the engine; this holds the trees' upper pages and the pages of a commit.
const CACHE_BYTES: usize = 16 << 20;

/// Queue and position → message.
const MESSAGES: TableDefinition<(u8, u64), &[u8]> = TableDefinition::new("messages");
/// Queue and position → body bytes and delivery count: what a start must know, without reading the messages.
const INDEX: TableDefinition<(u8, u64), (u64, u32)> = TableDefinition::new("index");

/// A message's place: its queue, and its position there.
pub(super) type Place = (Queue, u64);

/// A message that is in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Indexed {
    pub(super) place: Place,
    pub(super) bytes: u64,
    pub(super) delivery_count: u32,
}

/// What a commit does to a place.
#[derive(Debug)]
pub(super) enum Change {
    Put(OutgoingMessage),
    /// Sets the delivery count of a message with a body of so many bytes.
    Count {
        bytes: u64,
        delivery_count: u32,
    },
    Remove,
}

/// The file failed, or is none of ours. Not transient: redb takes nothing more after a failed write.
#[derive(Debug, thiserror::Error)]
pub(super) enum StoreError {
    #[error("open the queue's file")]
    Open(#[source] redb::Error),
    #[error("commit to the queue's file")]
    Commit(#[source] redb::Error),
    #[error("read from the queue's file")]
    Read(#[source] redb::Error),
    #[error("read message {1} of {0}")]
    Record(&'static str, u64, #[source] RecordError),
    #[error("message {1} of {0} is not in the file")]
    Missing(&'static str, u64),
}

/// The open file.
#[derive(Debug)]
pub(super) struct Store(Database);

impl Store {
    /// Opens or makes the file, and lists what is in it, by queue and position.
    pub(super) fn open(path: &Path) -> Result<(Self, Vec<Indexed>), StoreError> {
        let open = || -> Result<_, redb::Error> {
            if let Some(dir) = path.parent() {
                std::fs::create_dir_all(dir)?;
            }
            let database = Database::builder()
                .set_cache_size(CACHE_BYTES)
                .create(path)?;
            let reading = database.begin_read()?;
            let mut indexed = Vec::new();
            match reading.open_table(INDEX) {
                Ok(index) => {
                    for entry in index.iter()? {
                        let (key, value) = entry?;
                        let ((code, position), (bytes, delivery_count)) =
                            (key.value(), value.value());
                        // Another version's queue: left alone.
                        let Some(queue) = queue_of(code) else {
                            continue;
                        };
                        indexed.push(Indexed {
                            place: (queue, position),
                            bytes,
                            delivery_count,
                        });
                    }
                }
                // A new file.
                Err(TableError::TableDoesNotExist(_)) => {}
                Err(error) => return Err(error.into()),
            }
            Ok((database, indexed))
        };
        let (database, indexed) = open().map_err(StoreError::Open)?;
        Ok((Self(database), indexed))
    }

    /// Makes the changes, all or none; on disk when this returns.
    pub(super) fn commit(&self, changes: &BTreeMap<Place, Change>) -> Result<(), StoreError> {
        let commit = || -> Result<(), redb::Error> {
            let mut writing = self.0.begin_write()?;
            writing.set_durability(Durability::Immediate)?;
            {
                let mut messages = writing.open_table(MESSAGES)?;
                let mut index = writing.open_table(INDEX)?;
                for ((queue, position), change) in changes {
                    let key = (code(*queue), *position);
                    match change {
                        Change::Put(message) => {
                            let mut room = messages.insert_reserve(key, record::length(message))?;
                            record::write(message, room.as_mut());
                            index.insert(key, (message.body.len() as u64, 0))?;
                        }
                        Change::Count {
                            bytes,
                            delivery_count,
                        } => {
                            index.insert(key, (*bytes, *delivery_count))?;
                        }
                        Change::Remove => {
                            messages.remove(key)?;
                            index.remove(key)?;
                        }
                    }
                }
            }
            Ok(writing.commit()?)
        };
        commit().map_err(StoreError::Commit)
    }

    /// Reads a message.
    pub(super) fn read(&self, (queue, position): Place) -> Result<OutgoingMessage, StoreError> {
        let found = || -> Result<_, redb::Error> {
            let messages = self.0.begin_read()?.open_table(MESSAGES)?;
            Ok(messages
                .get((code(queue), position))?
                .map(|found| record::read(found.value())))
        };
        match found().map_err(StoreError::Read)? {
            Some(Ok(message)) => Ok(message),
            Some(Err(error)) => Err(StoreError::Record(queue.name(), position, error)),
            None => Err(StoreError::Missing(queue.name(), position)),
        }
    }
}

/// A queue's number in the file: never changes its meaning.
fn code(queue: Queue) -> u8 {
    match queue {
        Queue::Ingest => 1,
        Queue::IngestDead => 2,
        Queue::Backup => 3,
        Queue::BackupDead => 4,
        Queue::Restore => 5,
        Queue::RestoreDead => 6,
    }
}

fn queue_of(number: u8) -> Option<Queue> {
    Queue::ALL.into_iter().find(|queue| code(*queue) == number)
}
