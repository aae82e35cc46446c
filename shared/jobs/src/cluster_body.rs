//! The HTTP body that asks for everything.

use jiff::Timestamp;
use serde::Deserialize;

use crate::{
    error::RequestError,
    id::JobId,
    lenient, python, read,
    request::{Request, RestoreRequest, RestoreWhat},
};

/// `POST /alioth/restore/cluster`. Unknown fields are refused.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClusterBody {
    /// `latest`, which is the default, or a snapshot's id.
    pub from: Option<String>,
    /// The newest snapshot older than this.
    pub before: Option<Timestamp>,
    /// Whether collections that exist may be replaced; not said, they may not.
    #[serde(default, deserialize_with = "lenient::flag")]
    pub overwrite: Option<bool>,
}

impl ClusterBody {
    /// Reads a body and makes a request of it.
    ///
    /// # Errors
    /// All of them, each naming the field.
    pub fn read(body: &[u8], job_id: JobId) -> Result<RestoreRequest, RequestError> {
        let Self {
            from,
            before,
            overwrite,
        } = read::from_json(body)?;
        let request = RestoreRequest {
            job_id,
            what: RestoreWhat::Cluster,
            from: python::snapshot(from.as_deref(), before)?,
            rename_to: None,
            overwrite: overwrite.unwrap_or(false),
            host: None,
        };
        request.check()?;
        Ok(request)
    }
}
