//! What S3, or the way to it, answered to one call: classified once. Never repeats a credential.

use std::{error::Error, fmt};

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::{
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
};

/// What a failed call calls for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultClass {
    /// The same call may succeed later: no connection, a time-out, 5xx, throttling.
    Transient,
    /// Wrong or no credentials, or no permission.
    Denied,
    /// The bucket does not exist.
    MissingBucket,
    /// The object does not exist.
    MissingKey,
    /// Anything else: the call will fail again.
    Other,
}

/// Why a call failed, after the SDK's own attempts.
#[derive(Debug, Clone)]
pub struct Fault {
    /// What it calls for.
    pub class: FaultClass,
    /// HTTP status, when there was an answer.
    pub status: Option<u16>,
    /// S3's code, as `SlowDown`, when there was one.
    pub code: Option<String>,
    /// What was said, for people.
    pub message: String,
}

impl Fault {
    /// A fault that this crate found itself.
    pub(crate) fn new(class: FaultClass, message: impl Into<String>) -> Self {
        Self {
            class,
            status: None,
            code: None,
            message: message.into(),
        }
    }

    /// Classifies an answer of the SDK's.
    pub(crate) fn of<E>(error: SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        let status = error
            .raw_response()
            .map(|response| response.status().as_u16());
        let code = error.code().map(str::to_owned);
        let class = match &error {
            SdkError::ServiceError(_) => of_answer(status, code.as_deref()),
            // Credentials are looked for before there is anything to send.
            SdkError::ConstructionFailure(_) | SdkError::DispatchFailure(_) => {
                of_credentials(&error).unwrap_or(match &error {
                    SdkError::ConstructionFailure(_) => FaultClass::Other,
                    _ => FaultClass::Transient,
                })
            }
            SdkError::TimeoutError(_) | SdkError::ResponseError(_) => FaultClass::Transient,
            _ => FaultClass::Other,
        };
        let message = match error.message() {
            Some(message) => message.to_owned(),
            None => causes(&error)
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(": "),
        };
        Self {
            class,
            status,
            code,
            message,
        }
    }
}

/// By S3's code where it says more than the status.
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>
fn of_answer(status: Option<u16>, code: Option<&str>) -> FaultClass {
    match (code, status) {
        (Some("NoSuchBucket" | "InvalidBucketName"), _) => FaultClass::MissingBucket,
        (Some("NoSuchKey"), _) => FaultClass::MissingKey,
        (Some("NoSuchUpload" | "NotImplemented"), _) => FaultClass::Other,
        // 400 and 409, and yet nobody's fault: slow or damaged on the way, or in each other's way.
        (
            Some(
                "RequestTimeout"
                | "IncompleteBody"
                | "BadDigest"
                | "XAmzContentSHA256Mismatch"
                | "OperationAborted"
                | "ConditionalRequestConflict",
            ),
            _,
        ) => FaultClass::Transient,
        // Some of these come with 400.
        (
            Some("ExpiredToken" | "InvalidToken" | "InvalidAccessKeyId" | "SignatureDoesNotMatch"),
            _,
        )
        | (_, Some(401 | 403)) => FaultClass::Denied,
        // An answer to HEAD has no body and so no code.
        (_, Some(404)) => FaultClass::MissingKey,
        (_, Some(501 | 505)) => FaultClass::Other,
        (_, Some(408 | 429 | 500..=599)) => FaultClass::Transient,
        _ => FaultClass::Other,
    }
}

fn of_credentials(error: &(dyn Error + 'static)) -> Option<FaultClass> {
    let class = match causes(error).find_map(|cause| cause.downcast_ref::<CredentialsError>())? {
        CredentialsError::ProviderTimedOut(_) => FaultClass::Transient,
        _ => FaultClass::Denied,
    };
    Some(class)
}

/// An error and what it came of.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.class {
            FaultClass::Transient => "S3 is away or busy",
            FaultClass::Denied => "S3 denies it (credentials or permissions)",
            FaultClass::MissingBucket => "the bucket does not exist",
            FaultClass::MissingKey => "it does not exist",
            FaultClass::Other => "it cannot be done",
        })?;
        f.write_str(" (")?;
        if let Some(status) = self.status {
            write!(f, "{status} ")?;
        }
        if let Some(code) = &self.code {
            write!(f, "{code}: ")?;
        }
        write!(f, "{})", self.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_classified_by_code_before_status() {
        use FaultClass::*;
        let rows = [
            (404, Some("NoSuchBucket"), MissingBucket),
            (404, Some("NoSuchKey"), MissingKey),
            (404, Some("NoSuchUpload"), Other),
            (404, None, MissingKey),
            (403, Some("AccessDenied"), Denied),
            (403, None, Denied),
            (400, Some("ExpiredToken"), Denied),
            (400, Some("RequestTimeout"), Transient),
            (400, Some("XAmzContentSHA256Mismatch"), Transient),
            (400, Some("InvalidBucketName"), MissingBucket),
            (412, Some("PreconditionFailed"), Other),
            (429, None, Transient),
            (500, Some("InternalError"), Transient),
            (501, Some("NotImplemented"), Other),
            (503, Some("SlowDown"), Transient),
            (503, None, Transient),
        ];
        for (status, code, class) in rows {
            assert_eq!(of_answer(Some(status), code), class, "{status} {code:?}");
        }
    }
}
