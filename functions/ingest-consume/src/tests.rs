//! The whole consumer over a broker and a Qdrant of memory. The same on real ones is in `tests/it`.

mod away;
mod drain;
mod faults;
mod merging;
mod order;
mod poison;
mod rig;
mod stuck;

use alioth_cluster::{Applied, Rejection, UpsertError};
use qdrant_client::qdrant::UpsertPoints;

/// An answer to an upsert.
type Answer = Result<Applied, UpsertError>;

fn reason() -> String {
    "why".to_owned()
}

fn rejected(rejection: Rejection) -> Answer {
    Err(UpsertError::Rejected {
        rejection,
        reason: reason(),
    })
}

fn unavailable() -> Answer {
    Err(UpsertError::Unavailable { reason: reason() })
}

fn internal() -> Answer {
    Err(UpsertError::Internal { reason: reason() })
}

/// Whether one of these numbers is among the points.
fn has(upsert: &UpsertPoints, numbers: &[u64]) -> bool {
    upsert
        .points
        .iter()
        .any(|point| numbers.contains(&rig::number(point)))
}
