//! What a restore writes down before it does it, so that a later run of the same job may go on. In the job's record.

use std::collections::{BTreeMap, BTreeSet};

use alioth_job_runner::{RecordError, Recorder};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A restore as far as it came.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Noted {
    /// The snapshot it restores from: another one may be the latest by the time it goes on.
    pub(crate) snapshot: Option<String>,
    /// Or the file, for the same reason: its key from the bucket's root, whatever prefix is configured.
    pub(crate) file: Option<String>,
    /// Collections that this job makes or replaces: what stands there is its own and may go.
    pub(crate) begun: BTreeSet<String>,
    /// Of them, those that are complete and counted.
    pub(crate) restored: BTreeSet<String>,
    /// Aliases, and what they stood for, of collections that were replaced.
    pub(crate) kept_aliases: BTreeMap<String, String>,
}

impl Noted {
    /// What an earlier run of the job noted. What cannot be read is as good as nothing.
    pub(crate) fn read(previous: &Value) -> Self {
        let wanted = previous.get("progress").cloned().unwrap_or_default();
        serde_json::from_value(wanted).unwrap_or_default()
    }

    /// For the job's record.
    pub(crate) fn to_value(&self) -> Value {
        serde_json::json!({"progress": self})
    }

    /// Writes it down.
    ///
    /// # Errors
    /// When the bucket does not take it: nothing may be touched then.
    pub(crate) async fn write(&self, recorder: &Recorder) -> Result<(), RecordError> {
        recorder.note(self.to_value()).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_noted_is_read_back_and_anything_else_is_nothing() {
        let noted = Noted {
            snapshot: Some("x".to_owned()),
            file: Some("collection/q1/movies/a.snapshot".to_owned()),
            begun: ["movies".to_owned()].into(),
            restored: BTreeSet::new(),
            kept_aliases: [("films".to_owned(), "movies".to_owned())].into(),
        };
        assert_eq!(Noted::read(&noted.to_value()), noted);
        assert_eq!(Noted::read(&Value::Null), Noted::default());
        let strange = serde_json::json!({"progress": {"begun": 7}});
        assert_eq!(Noted::read(&strange), Noted::default());
    }
}
