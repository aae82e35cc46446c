//! What stands on the queues `backup` and `restore`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{check, error::RequestError, host::Host, id::JobId, read, record::JobKind};

/// A request as it travels: JSON in a message.
pub trait Request: Serialize + DeserializeOwned + Send + 'static {
    /// AMQP `type` of its messages.
    const TYPE: &'static str;
    /// AMQP `content_type` of its messages.
    const CONTENT_TYPE: &'static str = "application/json";

    /// The job's id, which is the `message_id` too.
    fn job_id(&self) -> &JobId;

    /// What the job does.
    fn kind(&self) -> JobKind;

    /// Says what is impossible in it.
    ///
    /// # Errors
    /// `Invalid`.
    fn check(&self) -> Result<(), RequestError>;

    /// Reads a message's body.
    ///
    /// # Errors
    /// All of them, each naming the field.
    fn decode(body: &[u8]) -> Result<Self, RequestError> {
        let request: Self = read::from_json(body)?;
        request.check()?;
        Ok(request)
    }

    /// Makes a message's body.
    fn encode(&self) -> Vec<u8> {
        // Structs of text, numbers and lists always serialise.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// Asks for a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "BackupWire", into = "BackupWire")]
pub enum BackupRequest {
    /// Of collections, into one manifest.
    Collections {
        /// The job.
        job_id: JobId,
        /// Names or globs; none: all.
        collections: Vec<String>,
    },
    /// Of whole nodes.
    Storage {
        /// The job.
        job_id: JobId,
        /// Which; none: all that are configured.
        hosts: Vec<Host>,
    },
}

impl Request for BackupRequest {
    const TYPE: &'static str = "alioth.BackupRequest";

    fn job_id(&self) -> &JobId {
        match self {
            Self::Collections { job_id, .. } | Self::Storage { job_id, .. } => job_id,
        }
    }

    fn kind(&self) -> JobKind {
        match self {
            Self::Collections { .. } => JobKind::Snapshot,
            Self::Storage { .. } => JobKind::Storage,
        }
    }

    fn check(&self) -> Result<(), RequestError> {
        match self {
            Self::Collections { collections, .. } => check::names("collections", collections),
            Self::Storage { hosts, .. } => hosts
                .iter()
                .enumerate()
                .try_for_each(|(index, host)| check::host(&format!("hosts[{index}]"), host)),
        }
    }
}

/// [`BackupRequest`] as it is written: flat, so that errors can name the field.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BackupWire {
    job_id: JobId,
    what: BackupWhat,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    collections: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    hosts: Vec<Host>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum BackupWhat {
    Collections,
    Storage,
}

impl From<BackupWire> for BackupRequest {
    fn from(wire: BackupWire) -> Self {
        let BackupWire {
            job_id,
            what,
            collections,
            hosts,
        } = wire;
        match what {
            BackupWhat::Collections => Self::Collections {
                job_id,
                collections,
            },
            BackupWhat::Storage => Self::Storage { job_id, hosts },
        }
    }
}

impl From<BackupRequest> for BackupWire {
    fn from(request: BackupRequest) -> Self {
        match request {
            BackupRequest::Collections {
                job_id,
                collections,
            } => Self {
                job_id,
                what: BackupWhat::Collections,
                collections,
                hosts: Vec::new(),
            },
            BackupRequest::Storage { job_id, hosts } => Self {
                job_id,
                what: BackupWhat::Storage,
                collections: Vec::new(),
                hosts,
            },
        }
    }
}

/// Asks for a restore.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RestoreRequest {
    /// The job.
    pub job_id: JobId,
    /// What to restore.
    pub what: RestoreWhat,
    /// From which snapshot.
    pub from: RestoreFrom,
    /// A name other than its own, for exactly one collection.
    #[serde(default)]
    pub rename_to: Option<String>,
    /// Whether a collection of that name may be replaced.
    #[serde(default)]
    pub overwrite: bool,
    /// One node of the configured cluster, where Python's layout or a URL is restored.
    #[serde(default)]
    pub host: Option<Host>,
}

/// What to restore.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RestoreWhat {
    /// These, by their exact names.
    Collections(Vec<String>),
    /// Everything in the snapshot.
    Cluster,
}

/// Which snapshot to restore.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RestoreFrom {
    /// The newest complete one.
    Latest,
    /// This one.
    Id(String),
    /// The newest complete one that is older.
    Before(Timestamp),
    /// A collection's snapshot file at a URL, for one node.
    Url(String),
    /// The newest that the Python Alioth wrote for this host (`collection/<host>/<collection>/…`), or the newest
    /// complete one of ours, whichever is newer.
    PythonLatest {
        /// As it stands in the key.
        host: String,
    },
}

impl Request for RestoreRequest {
    const TYPE: &'static str = "alioth.RestoreRequest";

    fn job_id(&self) -> &JobId {
        &self.job_id
    }

    fn kind(&self) -> JobKind {
        JobKind::Restore
    }

    fn check(&self) -> Result<(), RequestError> {
        let names = match &self.what {
            RestoreWhat::Collections(names) => names.as_slice(),
            RestoreWhat::Cluster => &[],
        };
        check::names("what.collections", names)?;
        if self.what != RestoreWhat::Cluster && names.is_empty() {
            return Err(RequestError::invalid("what.collections", "is empty"));
        }
        if let Some(name) = &self.rename_to {
            check::name("rename_to", name)?;
            self.check_one_collection("rename_to", names)?;
        }
        if let Some(host) = &self.host {
            check::host("host", host)?;
        }
        match &self.from {
            RestoreFrom::Latest | RestoreFrom::Before(_) => Ok(()),
            RestoreFrom::Id(id) => check::name("from.id", id),
            RestoreFrom::Url(url) => {
                check::url("from.url", url)?;
                self.check_one_collection("from.url", names)
            }
            RestoreFrom::PythonLatest { host } => {
                let named = Host::named(host.as_str());
                check::host("from.python_latest", &named)?;
                self.check_one_collection("from.python_latest", names)
            }
        }
    }
}

impl RestoreRequest {
    fn check_one_collection(&self, field: &str, names: &[String]) -> Result<(), RequestError> {
        if names.len() == 1 {
            return Ok(());
        }
        Err(RequestError::invalid(
            field,
            "goes with exactly one collection",
        ))
    }
}

#[cfg(test)]
mod tests;
