//! Where in a body a refusal lies, as its answer tells it.

use alioth_jobs::RequestError;
use alioth_points::WriteError;

use super::{Fault, FaultyPoint};
use crate::answer::Refusal;

/// Adds the place, if the refusal has one.
pub(super) fn tell(error: &mut Fault, refusal: &Refusal) {
    if let Refusal::Write(fault) = refusal {
        in_write(error, fault);
    }
    if let Refusal::Request(fault) = refusal {
        in_request(error, fault);
    }
}

fn in_write(error: &mut Fault, fault: &WriteError) {
    match fault {
        WriteError::Syntax { line, column, .. } => {
            (error.line, error.column) = (Some(*line), Some(*column));
        }
        WriteError::Type {
            line, column, path, ..
        } => {
            (error.line, error.column) = (Some(*line), Some(*column));
            error.field = Some(path.clone());
        }
        WriteError::Invalid { point, field, .. } => {
            error.field = Some(field.clone());
            error.point = point.as_ref().map(|point| FaultyPoint {
                index: point.index,
                id: point.id.clone(),
            });
        }
    }
}

fn in_request(error: &mut Fault, fault: &RequestError) {
    match fault {
        RequestError::Syntax { line, column, .. } => {
            (error.line, error.column) = (Some(*line), Some(*column));
        }
        RequestError::Type {
            line,
            column,
            field,
            ..
        } => {
            (error.line, error.column) = (Some(*line), Some(*column));
            error.field = Some(field.clone());
        }
        RequestError::Invalid { field, .. } => error.field = Some(field.clone()),
    }
}
