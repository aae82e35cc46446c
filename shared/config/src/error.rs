//! What is wrong with a configuration, all of it at once.

use std::{fmt, io::Write as _, process::ExitCode};

use crate::EXIT_BAD_CONFIGURATION;

/// One thing wrong with one variable. Carries no value: values may be secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Full name of the variable.
    pub variable: String,
    /// What is wrong with it, lower case.
    pub message: String,
}

/// Every problem of a configuration. Never transient.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError {
    /// At least one problem, in the order found.
    pub problems: Vec<Problem>,
}

impl ConfigError {
    /// Writes every problem to standard error, since how logs look is part of the configuration,
    /// and gives the code the process is to exit with.
    pub fn exit(&self) -> ExitCode {
        // When nobody reads standard error the code still tells.
        let _ = writeln!(std::io::stderr(), "{self}");
        ExitCode::from(EXIT_BAD_CONFIGURATION)
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.problems.len();
        let noun = if count == 1 { "problem" } else { "problems" };
        write!(f, "bad configuration, {count} {noun}:")?;
        for problem in &self.problems {
            write!(f, "\n  {}: {}", problem.variable, problem.message)?;
        }
        Ok(())
    }
}
