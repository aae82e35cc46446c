//! JSON to a type, with the field and the place where it goes wrong.

use serde::de::DeserializeOwned;
use serde_json::error::Category;

use crate::error::RequestError;

/// Reads one JSON document and nothing after it.
///
/// # Errors
/// `Syntax` and `Type`.
pub(crate) fn from_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, RequestError> {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let field = error.path().to_string();
        describe(error.inner(), Some(field))
    })?;
    deserializer.end().map_err(|error| describe(&error, None))?;
    Ok(value)
}

fn describe(error: &serde_json::Error, field: Option<String>) -> RequestError {
    let (line, column) = (error.line(), error.column());
    // serde_json ends its text with the place, which is told apart here.
    let text = error.to_string();
    let message = match text.rsplit_once(" at line ") {
        Some((message, _)) => message.to_owned(),
        None => text,
    };
    match (error.classify(), field) {
        (Category::Data, Some(field)) => RequestError::Type {
            field,
            line,
            column,
            message,
        },
        (Category::Data | Category::Syntax | Category::Eof | Category::Io, _) => {
            RequestError::Syntax {
                line,
                column,
                message,
            }
        }
    }
}
