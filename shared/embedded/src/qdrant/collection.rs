//! One collection: a qdrant-edge shard, the log in front of it and the rules of its points.
//!
//! Every call here blocks; callers are on threads that may. Locks are taken in the order
//! restoring, maintenance, log, shard.

use std::{
    io,
    path::PathBuf,
    sync::{
        Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use qdrant_edge::{
    ConditionalInsertOperation, CreateIndex, EdgeShard, FieldIndexOperations, Filter, JsonPath,
    OperationResult, PayloadFieldSchema, PointId, PointInsertOperations, PointOperations,
    PointStructPersisted, Record, ScrollRequest, ShardInfo, UpdateMode, UpdateOperation,
};
use tokio::sync::Notify;

use self::{
    layout::{CONFIG_FILE, DataPaths, Descriptor, OpenError},
    log::UpdateLog,
};
use super::error::RequestError;

mod archive;
pub(crate) mod config;
mod layout;
mod log;
pub(crate) mod maintenance;
pub(crate) mod schema;
pub(crate) mod snapshot;

pub(crate) use self::{config::CollectionConfig, schema::Schema};

/// An open collection.
pub(crate) struct Collection {
    name: String,
    config: CollectionConfig,
    schema: Schema,
    directory: PathBuf,
    /// Empty once the collection is removed, or if its shard could not be loaded again.
    shard: RwLock<Option<EdgeShard>>,
    /// Held from the append to the end of the update, so that log and shard agree on the order.
    log: Mutex<UpdateLog>,
    /// Held by whatever may not meet an optimisation: flush, reload and the copy of a snapshot.
    maintenance: Mutex<()>,
    /// Held over a restore: a second one waits, and what is new in the directory is the first's.
    restoring: Mutex<()>,
    /// Woken by the first update after a flush, and by the one that fills the log.
    dirty: Notify,
    full: Notify,
    optimizing: AtomicBool,
    deleted: AtomicBool,
    operations: AtomicU64,
}

/// Points to insert, and on what terms.
pub(crate) struct Upsert {
    pub(crate) points: Vec<PointStructPersisted>,
    pub(crate) filter: Option<Filter>,
    pub(crate) mode: UpdateMode,
}

/// Which points to delete.
pub(crate) enum Deletion {
    Points(Vec<PointId>),
    Filter(Filter),
}

/// What a collection says of itself.
pub(crate) struct CollectionState {
    pub(crate) shard: ShardInfo,
    pub(crate) optimizing: bool,
}

const EMPTY_UPDATE: RequestError = RequestError::BadRequest("Empty update request");

impl Collection {
    /// Creates a collection in an empty directory. It exists once this returns, not before.
    pub(super) fn create(
        directory: PathBuf,
        name: String,
        config: CollectionConfig,
    ) -> Result<Self, OpenError> {
        let paths = DataPaths::of(&directory, None);
        std::fs::create_dir_all(&paths.shard)?;
        let shard = EdgeShard::new(&paths.shard, config.edge())?;
        let log = UpdateLog::open(&paths.log, |_| ())?;
        let descriptor = Descriptor {
            name,
            config,
            generation: None,
        };
        descriptor.write(&directory)?;
        Ok(Self::new(directory, descriptor, shard, log))
    }

    /// Opens a collection, applying again what its shard had not flushed; `None` if the
    /// directory holds none, because a create or delete was interrupted.
    pub(super) fn open(directory: PathBuf) -> Result<Option<Self>, OpenError> {
        let descriptor: Descriptor = match std::fs::read(directory.join(CONFIG_FILE)) {
            Ok(bytes) => serde_json::from_slice(&bytes)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let paths = DataPaths::of(&directory, descriptor.generation);
        paths.clear_leftovers(&directory)?;
        maintenance::trim_shard_log(&paths.shard)?;
        let shard = EdgeShard::load(&paths.shard, Some(descriptor.config.edge()))?;
        let mut replayed = 0_u64;
        let mut log = UpdateLog::open(&paths.log, |update| {
            replayed += 1;
            if let Err(error) = shard.update(update) {
                tracing::warn!(collection = descriptor.name, %error, "replayed update failed");
            }
        })?;
        if replayed > 0 {
            tracing::info!(
                collection = descriptor.name,
                replayed,
                "replayed the update log"
            );
            shard.flush();
            log.clear()?;
        }
        Ok(Some(Self::new(directory, descriptor, shard, log)))
    }

    fn new(directory: PathBuf, descriptor: Descriptor, shard: EdgeShard, log: UpdateLog) -> Self {
        let Descriptor { name, config, .. } = descriptor;
        Self {
            name,
            schema: Schema::of(&config),
            config,
            directory,
            shard: RwLock::new(Some(shard)),
            log: Mutex::new(log),
            maintenance: Mutex::new(()),
            restoring: Mutex::new(()),
            dirty: Notify::new(),
            full: Notify::new(),
            optimizing: AtomicBool::new(false),
            deleted: AtomicBool::new(false),
            operations: AtomicU64::new(0),
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn config(&self) -> &CollectionConfig {
        &self.config
    }

    pub(crate) fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Inserts or updates points, all or none of them.
    ///
    /// # Errors
    /// The first point that does not fit the collection; nothing is written then.
    pub(crate) fn upsert(&self, upsert: Upsert) -> Result<u64, RequestError> {
        let Upsert {
            points,
            filter,
            mode,
        } = upsert;
        if points.is_empty() {
            return Err(EMPTY_UPDATE);
        }
        self.schema.check_points(&points)?;
        let points = PointInsertOperations::PointsList(points);
        self.apply(UpdateOperation::PointOperation(match (filter, mode) {
            (None, UpdateMode::Upsert) => PointOperations::UpsertPoints(points),
            (condition, mode) => {
                PointOperations::UpsertPointsConditional(ConditionalInsertOperation {
                    points_op: points,
                    condition: condition.unwrap_or_default(),
                    update_mode: Some(mode),
                })
            }
        }))
    }

    /// Deletes points; those that are not there are not missed.
    pub(crate) fn delete(&self, points: Deletion) -> Result<u64, RequestError> {
        let points = match points {
            Deletion::Points(ids) if ids.is_empty() => return Err(EMPTY_UPDATE),
            Deletion::Points(ids) => PointOperations::DeletePoints { ids },
            Deletion::Filter(filter) => PointOperations::DeletePointsByFilter(filter),
        };
        self.apply(UpdateOperation::PointOperation(points))
    }

    /// Creates a payload index.
    ///
    /// # Errors
    /// When it does not say of what kind.
    pub(crate) fn create_index(
        &self,
        field_name: JsonPath,
        field_schema: Option<PayloadFieldSchema>,
    ) -> Result<u64, RequestError> {
        if field_schema.is_none() {
            return Err(RequestError::BadRequest(
                "Can't auto-detect field type, please specify `field_schema` in the request",
            ));
        }
        self.apply(UpdateOperation::FieldIndexOperation(
            FieldIndexOperations::CreateIndex(CreateIndex {
                field_name,
                field_schema,
            }),
        ))
    }

    /// Deletes a payload index; one that is not there is not missed.
    pub(crate) fn delete_index(&self, field_name: JsonPath) -> Result<u64, RequestError> {
        self.apply(UpdateOperation::FieldIndexOperation(
            FieldIndexOperations::DeleteIndex(field_name),
        ))
    }

    /// Reads from the shard.
    pub(crate) fn read<T>(
        &self,
        read: impl FnOnce(&EdgeShard) -> OperationResult<T>,
    ) -> Result<T, RequestError> {
        let shard = self.shard.read().unwrap_or_else(PoisonError::into_inner);
        Ok(read(self.loaded(shard.as_ref())?)?)
    }

    /// Points in the order of their ids, or of a payload value.
    ///
    /// # Errors
    /// When no point is wanted, or the value has no index to order by.
    pub(crate) fn scroll(
        &self,
        request: ScrollRequest,
    ) -> Result<(Vec<Record>, Option<PointId>), RequestError> {
        if request.limit == Some(0) {
            return Err(RequestError::no_limit());
        }
        self.read(|shard| shard.scroll(request))
    }

    /// Counts and indexes as of now.
    pub(crate) fn state(&self) -> Result<CollectionState, RequestError> {
        Ok(CollectionState {
            shard: self.read(|shard| Ok(shard.info()))?,
            optimizing: self.optimizing.load(Ordering::Relaxed),
        })
    }

    /// Makes the collection one that does not exist, now and after a restart.
    ///
    /// # Errors
    /// When its description cannot be deleted; the collection stays then.
    pub(super) fn forget(&self) -> io::Result<()> {
        // Without it a directory is no collection, whatever else is left there.
        std::fs::remove_file(self.directory.join(CONFIG_FILE))?;
        self.deleted.store(true, Ordering::Relaxed);
        self.dirty.notify_one();
        Ok(())
    }

    /// Deletes what a forgotten collection leaves on disk; waits for its readers and for an
    /// optimisation under way.
    pub(super) fn remove(&self) -> io::Result<()> {
        let _maintenance = lock(&self.maintenance);
        let mut shard = self.shard.write().unwrap_or_else(PoisonError::into_inner);
        // First closed, then deleted: a shard flushes when it is dropped.
        drop(shard.take());
        std::fs::remove_dir_all(&self.directory)
    }

    /// Closes the shard; every later request fails.
    pub(super) fn close(&self) {
        let _maintenance = lock(&self.maintenance);
        let mut shard = self.shard.write().unwrap_or_else(PoisonError::into_inner);
        drop(shard.take());
    }

    /// Logs the update, then applies it.
    fn apply(&self, update: UpdateOperation) -> Result<u64, RequestError> {
        let record = self::log::Record::encode(&update).map_err(RequestError::internal)?;
        let mut log = lock(&self.log);
        if self.deleted.load(Ordering::Relaxed) {
            return Err(RequestError::CollectionMissing(self.name.clone()));
        }
        let appended = log.append(record).map_err(RequestError::internal)?;
        if let Err(error) = self.read(|shard| shard.update(update)) {
            log.roll_back(appended).map_err(RequestError::internal)?;
            return Err(error);
        }
        self.dirty.notify_one();
        if log.length() >= maintenance::FULL_LOG_BYTES {
            self.full.notify_one();
        }
        Ok(self.operations.fetch_add(1, Ordering::Relaxed))
    }

    fn loaded<'a>(&self, shard: Option<&'a EdgeShard>) -> Result<&'a EdgeShard, RequestError> {
        shard.ok_or_else(|| match self.deleted.load(Ordering::Relaxed) {
            true => RequestError::CollectionMissing(self.name.clone()),
            false => RequestError::internal("the collection's shard is not loaded"),
        })
    }
}

/// A lock outlives a panic in qdrant-edge: the next caller finds what the log says.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
