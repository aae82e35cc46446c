//! Whether a write fits its collection. A cached schema may be stale, so nothing is refused before
//! Qdrant was asked once more; and while Qdrant cannot be asked, nothing is refused at all.

use alioth_cluster::{SchemaCache, SchemaLookup};
use alioth_points::Write;

use crate::{
    answer::Refusal,
    cpu::{Cpu, Weight},
};

/// As Qdrant limits it, in characters.
const LONGEST_NAME_CHARS: usize = 255;

/// What is known of a write that was not refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Checked {
    /// It fits the collection.
    Fits,
    /// Qdrant could not be asked; its shape is right in itself.
    OnShapeAlone,
}

/// Refuses names that no collection can have.
///
/// # Errors
/// `CollectionName`.
pub(crate) fn check_name(name: &str) -> Result<(), Refusal> {
    let reason = if name.is_empty() {
        "is empty"
    } else if name.chars().count() > LONGEST_NAME_CHARS {
        "is longer than 255 characters"
    } else if name.contains(['/', '\0']) {
        "has a slash or a zero byte in it"
    } else {
        return Ok(());
    };
    Err(Refusal::CollectionName { reason })
}

/// Checks a write against its collection, and hands it back.
///
/// # Errors
/// `CollectionMissing`, and `Write(Invalid)` naming the point.
pub(crate) async fn check(
    schemas: &SchemaCache,
    cpu: &Cpu,
    weight: Weight,
    write: Write,
) -> Result<(Write, Checked), Refusal> {
    let cached = schemas.get(write.collection_name()).await;
    let (write, judgement) = cpu.run(weight, move || judge(write, &cached)).await?;
    if let Ok(checked) = judgement {
        return Ok((write, checked));
    }
    let fresh = schemas.refresh(write.collection_name()).await;
    let (write, judgement) = cpu.run(weight, move || judge(write, &fresh)).await?;
    Ok((write, judgement?))
}

fn judge(write: Write, lookup: &SchemaLookup) -> (Write, Result<Checked, Refusal>) {
    let judgement = match lookup {
        SchemaLookup::Found(schema) => match write.check(schema) {
            Ok(()) => Ok(Checked::Fits),
            Err(error) => Err(Refusal::Write(error)),
        },
        SchemaLookup::Missing => Err(Refusal::CollectionMissing {
            name: write.collection_name().to_owned(),
        }),
        SchemaLookup::Unavailable => Ok(Checked::OnShapeAlone),
    };
    (write, judgement)
}

#[cfg(test)]
mod tests;
