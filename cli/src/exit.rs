//! Exit codes, by sysexits.h.

use std::process::ExitCode;

use alioth_config::ConfigError;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All of it was done.
    Success,
    /// `EX_USAGE`: bad arguments or configuration.
    Usage,
    /// `EX_DATAERR`: some of the input was refused.
    BadData,
    /// `EX_UNAVAILABLE`: a service could not be reached, or refused all of it.
    Unavailable,
    /// `EX_SOFTWARE`: everything else.
    Internal,
}

impl Exit {
    /// Names the code for an error that ends a command.
    pub(crate) fn of(error: &anyhow::Error) -> Self {
        if error.downcast_ref::<ConfigError>().is_some() {
            Self::Usage
        } else {
            Self::Internal
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
        })
    }
}
