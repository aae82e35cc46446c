//! How a job's process ends.

use std::process::ExitCode;

/// Exit codes of jobs: those of sysexits.h where one fits. Kubernetes' podFailurePolicy keys on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum JobExit {
    /// Done, or nothing to do.
    Done = 0,
    /// The configuration is bad.
    BadConfiguration = 64,
    /// The request cannot be served as it is.
    BadRequest = 65,
    /// A service was away after retries; the same job may pass later.
    Unavailable = 69,
    /// A fault of Alioth's own, or an answer it does not understand.
    Internal = 70,
    /// A checksum or a count is wrong.
    Integrity = 74,
}

impl JobExit {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Done,
        Self::BadConfiguration,
        Self::BadRequest,
        Self::Unavailable,
        Self::Internal,
        Self::Integrity,
    ];

    /// The code.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// The exit of that code.
    pub fn of_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|exit| exit.code() == code)
    }
}

impl From<JobExit> for ExitCode {
    fn from(exit: JobExit) -> Self {
        Self::from(exit.code())
    }
}
