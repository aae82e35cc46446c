//! A job's id.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Names a job: in its message, its log lines and its record. A UUID as text; new ones are of version 7, so that
/// records list in the order of their requests.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct JobId(String);

/// A text that is no job's id. Never transient.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("is no UUID")]
pub struct NotAJobId;

impl JobId {
    /// Makes an id that no other job has.
    #[expect(
        clippy::new_without_default,
        reason = "each is another: no default value"
    )]
    pub fn new() -> Self {
        Self(Uuid::now_v7().to_string())
    }

    /// The id as text: a UUID, lower case, hyphenated. Safe as a part of a path.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for JobId {
    type Err = NotAJobId;

    fn from_str(text: &str) -> Result<Self, NotAJobId> {
        let uuid: Uuid = text.parse().map_err(|_| NotAJobId)?;
        Ok(Self(uuid.to_string()))
    }
}

impl TryFrom<String> for JobId {
    type Error = NotAJobId;

    fn try_from(text: String) -> Result<Self, NotAJobId> {
        text.parse()
    }
}

impl From<JobId> for String {
    fn from(id: JobId) -> Self {
        id.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_age_and_read_back() {
        let (first, second) = (JobId::new(), JobId::new());
        assert!(first < second, "{first} {second}");
        assert_eq!(first.to_string().parse(), Ok(first));
    }

    #[test]
    fn what_would_climb_out_of_a_path_is_no_id() {
        for bad in ["", "7", "../manifest", "019e0f5c-1f3a-7cc2-b6f0"] {
            assert_eq!(bad.parse::<JobId>(), Err(NotAJobId), "{bad}");
        }
        let shouted = "019E0F5C-1F3A-7CC2-B6F0-1D2E3F405162"
            .parse::<JobId>()
            .unwrap();
        assert_eq!(shouted.as_str(), "019e0f5c-1f3a-7cc2-b6f0-1d2e3f405162");
    }
}
