//! Bodies of HTTP requests as the Python Alioth took them.

use jiff::Timestamp;
use serde::Deserialize;

use crate::{
    check,
    error::RequestError,
    host::Host,
    id::JobId,
    lenient, read,
    request::{BackupRequest, Request, RestoreFrom, RestoreRequest, RestoreWhat},
};

/// `POST /alioth/backup/collection`. Unknown fields are ignored.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct CollectionsBody {
    /// Names or globs; none: all.
    pub collections: Vec<String>,
}

impl CollectionsBody {
    /// Reads a body and makes a request of it.
    ///
    /// # Errors
    /// All of them, each naming the field.
    pub fn read(body: &[u8], job_id: JobId) -> Result<BackupRequest, RequestError> {
        let Self { collections } = read::from_json(body)?;
        let request = BackupRequest::Collections {
            job_id,
            collections,
        };
        request.check()?;
        Ok(request)
    }
}

/// `POST /alioth/backup/storage`. Unknown fields are ignored.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct HostsBody {
    /// Which nodes; none: all that are configured.
    pub hosts: Vec<Host>,
}

impl HostsBody {
    /// Reads a body and makes a request of it.
    ///
    /// # Errors
    /// All of them, each naming the field.
    pub fn read(body: &[u8], job_id: JobId) -> Result<BackupRequest, RequestError> {
        let Self { hosts } = read::from_json(body)?;
        let request = BackupRequest::Storage { job_id, hosts };
        request.check()?;
        Ok(request)
    }
}

/// `POST /alioth/restore/collection`: Python's three fields, and ours. Unknown fields are refused.
///
/// Without a URL and with a host, the newest snapshot is restored, be it Python's of this host or one of ours.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RestoreBody {
    /// Exact name.
    pub collection_name: String,
    /// The node that Python's snapshot was of, and goes to.
    pub host: Option<Host>,
    /// Where a snapshot file is; null or empty: the newest one.
    pub snapshot_url: Option<String>,
    /// Ours: `latest`, or a snapshot's id.
    pub from: Option<String>,
    /// Ours: the newest snapshot older than this.
    pub before: Option<Timestamp>,
    /// Ours: a name other than its own.
    #[serde(rename = "as")]
    pub rename_to: Option<String>,
    /// Ours. Python's restore overwrote; not said, so does this, unless it goes to another name.
    #[serde(default, deserialize_with = "lenient::flag")]
    pub overwrite: Option<bool>,
}

impl RestoreBody {
    /// Reads a body and makes a request of it.
    ///
    /// # Errors
    /// All of them, each naming the field.
    pub fn read(body: &[u8], job_id: JobId) -> Result<RestoreRequest, RequestError> {
        let body: Self = read::from_json(body)?;
        check::name("collection_name", &body.collection_name)?;
        if let Some(name) = &body.rename_to {
            check::name("as", name)?;
        }
        if let Some(host) = &body.host {
            check::host("host", host)?;
        }
        let from = body.source()?;
        let request = RestoreRequest {
            job_id,
            overwrite: body.overwrite.unwrap_or(body.rename_to.is_none()),
            what: RestoreWhat::Collections(vec![body.collection_name]),
            from,
            rename_to: body.rename_to,
            host: body.host,
        };
        request.check()?;
        Ok(request)
    }

    fn source(&self) -> Result<RestoreFrom, RequestError> {
        let url = self.snapshot_url.as_deref().filter(|url| !url.is_empty());
        let ours = self.from.is_some() || self.before.is_some();
        match (url, &self.host) {
            (Some(_), _) if ours => Err(RequestError::invalid(
                "snapshot_url",
                "does not go with from or before",
            )),
            (Some(url), _) => {
                check::url("snapshot_url", url)?;
                Ok(RestoreFrom::Url(url.to_owned()))
            }
            (None, Some(host)) if !ours => Ok(RestoreFrom::PythonLatest {
                host: host.host.clone(),
            }),
            (None, _) => snapshot(self.from.as_deref(), self.before),
        }
    }
}

/// Which of our snapshots `from` and `before` mean.
pub(crate) fn snapshot(
    from: Option<&str>,
    before: Option<Timestamp>,
) -> Result<RestoreFrom, RequestError> {
    match (from, before) {
        (None | Some("latest"), None) => Ok(RestoreFrom::Latest),
        (None | Some("latest"), Some(time)) => Ok(RestoreFrom::Before(time)),
        (Some(_), Some(_)) => Err(RequestError::invalid(
            "before",
            "does not go with a snapshot's id",
        )),
        (Some(id), None) => {
            check::name("from", id)?;
            Ok(RestoreFrom::Id(id.to_owned()))
        }
    }
}

#[cfg(test)]
mod tests;
