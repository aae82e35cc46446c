//! Every refusal: its class, its place, its words.
mod bodies;
mod points;
mod syntax;
mod types;

use alioth_points::{PointRef, WriteError};

use crate::refused;

#[track_caller]
fn syntax(body: &str, at: usize, says: &str) {
    match refused(body) {
        WriteError::Syntax {
            offset, message, ..
        } => {
            assert!(message.contains(says), "{message}");
            assert_eq!(offset, at, "{message}");
        }
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn wrong_type(body: &str, at: &str, says: &str) {
    match refused(body) {
        WriteError::Type { path, message, .. } => {
            assert!(message.contains(says), "{message}");
            assert_eq!(path, at, "{message}");
        }
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn invalid(body: &str, at: Option<(usize, &str)>, in_field: &str, says: &str) {
    match refused(body) {
        WriteError::Invalid {
            point,
            field,
            message,
        } => {
            assert!(message.contains(says), "{message}");
            assert_eq!(field, in_field, "{message}");
            let expected = at.map(|(index, id)| PointRef {
                index,
                id: Some(id.to_owned()),
            });
            assert_eq!(point, expected, "{message}");
        }
        other => panic!("{other:?}"),
    }
}

fn with_point(members: &str) -> String {
    format!(r#"{{"points": [{{"id": 0}}, {{"id": 7, {members}}}]}}"#)
}

fn with_batch(members: &str) -> String {
    format!(r#"{{"batch": {{{members}}}}}"#)
}
