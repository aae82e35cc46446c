//! Why a body is no request.

/// Why a body is no request. None of these is transient: the same body fails again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// Not JSON. Line and column are 1-based.
    #[error("{message} at line {line} column {column}")]
    Syntax {
        /// 1-based.
        line: usize,
        /// 1-based, in bytes.
        column: usize,
        /// What is wrong.
        message: String,
    },
    /// JSON of the wrong type; a field missing, given twice or unknown.
    #[error("{field}: {message} at line {line} column {column}")]
    Type {
        /// Where in the document, as in `hosts[2].port`; `.` is the document itself.
        field: String,
        /// 1-based.
        line: usize,
        /// 1-based, in bytes.
        column: usize,
        /// What is wrong.
        message: String,
    },
    /// Of the right form, and impossible.
    #[error("{field}: {message}")]
    Invalid {
        /// As in [`RequestError::Type`].
        field: String,
        /// What is wrong.
        message: String,
    },
}

impl RequestError {
    pub(crate) fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Invalid {
            field: field.into(),
            message: message.into(),
        }
    }

    /// Whether the same body may be taken later: never, it is the body that is wrong.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Syntax { .. } | Self::Type { .. } | Self::Invalid { .. } => false,
        }
    }
}
