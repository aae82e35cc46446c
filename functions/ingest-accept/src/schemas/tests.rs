//! Which of two answers about a schema decides.

use super::*;
use crate::{answer::Code, fakes::FakeQdrant};
use alioth_points::{CollectionSchema, VectorKind};

fn dense(size: u64) -> SchemaLookup {
    let vectors = [(String::new(), VectorKind::Dense { size })].into();
    SchemaLookup::Found(std::sync::Arc::new(CollectionSchema { vectors }))
}

/// Checks a write of two dimensions, and tells how often Qdrant was asked.
async fn check_2d(answers: &[SchemaLookup]) -> (Result<Checked, Code>, usize) {
    let body =
        br#"{"collection_name":"movies","batch":{"ids":[1],"vectors":[[1,2]],"payloads":[{}]}}"#;
    let write = Write::parse_ingest(body).unwrap();
    let qdrant = FakeQdrant::answering(answers);
    let checked = check(&qdrant.cache(), &Cpu::new(), Weight::Light, write).await;
    let checked = checked
        .map(|(_, checked)| checked)
        .map_err(|refusal| refusal.verdict().code);
    (checked, qdrant.asked())
}

#[tokio::test]
async fn a_write_that_fits_asks_for_nothing_more() {
    assert_eq!(check_2d(&[dense(2)]).await, (Ok(Checked::Fits), 1));
}

#[tokio::test]
async fn a_mismatch_or_a_missing_collection_is_asked_for_once_more() {
    let missing = SchemaLookup::Missing;
    assert_eq!(
        check_2d(&[dense(3), dense(2)]).await,
        (Ok(Checked::Fits), 2)
    );
    assert_eq!(
        check_2d(&[missing.clone(), dense(2)]).await,
        (Ok(Checked::Fits), 2)
    );
    assert_eq!(
        check_2d(&[dense(3), dense(3)]).await,
        (Err(Code::InvalidPoint), 2)
    );
    let checked = check_2d(&[missing.clone(), missing]).await;
    assert_eq!(checked, (Err(Code::CollectionMissing), 2));
}

#[tokio::test]
async fn while_qdrant_is_away_the_shape_alone_decides() {
    let away = SchemaLookup::Unavailable;
    let unchecked = Ok(Checked::OnShapeAlone);
    assert_eq!(check_2d(std::slice::from_ref(&away)).await, (unchecked, 1));
    assert_eq!(check_2d(&[dense(3), away.clone()]).await, (unchecked, 2));
    assert_eq!(
        check_2d(&[SchemaLookup::Missing, away]).await,
        (unchecked, 2)
    );
}

#[test]
fn names_that_qdrant_takes_are_taken() {
    for good in ["movies", "a b", "ünï-c0de_", "%2F", &"é".repeat(255)] {
        assert!(check_name(good).is_ok(), "{good}");
    }
    for bad in ["", "a/b", "a\0", &"é".repeat(256)] {
        assert!(check_name(bad).is_err(), "{bad}");
    }
}
