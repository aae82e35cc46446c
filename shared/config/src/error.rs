//! What is wrong with a configuration, all of it at once.

use std::fmt;

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
