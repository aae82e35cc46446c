//! Exit codes, by sysexits.h: those of the jobs, for every command.

use std::process::ExitCode;

use alioth_config::ConfigError;
use alioth_jobs::JobExit;
use alioth_snapshot_store::StoreError;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All of it was done.
    Success,
    /// `EX_USAGE`: bad arguments or configuration.
    Usage,
    /// `EX_DATAERR`: some of the input was refused, or what was named is not there.
    BadData,
    /// `EX_UNAVAILABLE`: a service could not be reached, or refused all of it.
    Unavailable,
    /// `EX_SOFTWARE`: everything else.
    Internal,
    /// `EX_IOERR`: something in the bucket is not what was written there.
    Integrity,
}

impl Exit {
    /// Names the code for an error that ends a command.
    pub(crate) fn of(error: &anyhow::Error) -> Self {
        if error.downcast_ref::<ConfigError>().is_some() {
            return Self::Usage;
        }
        match error.downcast_ref::<StoreError>() {
            // The name was the caller's.
            Some(StoreError::NoSnapshot { .. }) => Self::BadData,
            Some(error) => snapshot::of_store(error).into(),
            None => Self::Internal,
        }
    }
}

impl From<JobExit> for Exit {
    fn from(exit: JobExit) -> Self {
        match exit {
            JobExit::Done => Self::Success,
            JobExit::BadConfiguration => Self::Usage,
            JobExit::BadRequest => Self::BadData,
            JobExit::Unavailable => Self::Unavailable,
            JobExit::Internal => Self::Internal,
            JobExit::Integrity => Self::Integrity,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(match exit {
            Exit::Success => 0,
            Exit::Usage => alioth_config::EXIT_BAD_CONFIGURATION,
            Exit::BadData => 65,
            Exit::Unavailable => 69,
            Exit::Internal => 70,
            Exit::Integrity => 74,
        })
    }
}
