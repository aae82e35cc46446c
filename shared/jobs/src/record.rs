//! What a job leaves beside its result: `jobs/<id>.json`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::JobId;

/// One job, from its start on. Readers ignore fields they do not know.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobRecord {
    /// Its id.
    pub id: JobId,
    /// What it does.
    pub kind: JobKind,
    /// Where it is.
    pub state: JobState,
    /// When it last began.
    pub started: Timestamp,
    /// Which run of it writes here: another process that runs the same job is another run.
    #[serde(default)]
    pub run: Option<String>,
    /// When that run last said that it lives.
    #[serde(default)]
    pub updated: Option<Timestamp>,
    /// When it ended.
    #[serde(default)]
    pub finished: Option<Timestamp>,
    /// What was asked, for people: as it stood on the queue, but for what opens its URLs.
    pub request: serde_json::Value,
    /// What came of it so far; of a failed job, what a second try may build on.
    #[serde(default)]
    pub result: serde_json::Value,
    /// Why it failed.
    #[serde(default)]
    pub error: Option<String>,
    /// What its process exited with, once it has failed: a job that another try cannot help is told by it from one
    /// that may pass later.
    #[serde(default)]
    pub exit_code: Option<u8>,
    /// When its message was put into the dead-letter queue.
    #[serde(default)]
    pub dead_lettered: Option<Timestamp>,
}

/// What a job does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobKind {
    /// A snapshot of collections.
    Snapshot,
    /// Full snapshots of nodes.
    Storage,
    /// A restore.
    Restore,
}

impl JobKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Snapshot, Self::Storage, Self::Restore];

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Snapshot => "snapshot",
            Self::Storage => "storage",
            Self::Restore => "restore",
        }
    }
}

/// Where a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// Begun; of a process that was killed, still so until it runs again.
    Running,
    /// Succeeded.
    Done,
    /// Failed, see the error.
    Failed,
}

impl JobState {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }
}

impl JobRecord {
    /// A job that begins at `started`.
    pub fn running(
        id: JobId,
        kind: JobKind,
        request: serde_json::Value,
        started: Timestamp,
    ) -> Self {
        Self {
            id,
            kind,
            state: JobState::Running,
            started,
            run: None,
            updated: Some(started),
            finished: None,
            request,
            result: serde_json::Value::Null,
            error: None,
            exit_code: None,
            dead_lettered: None,
        }
    }
}
