//! Every error body, against the golden file.

use super::*;
use axum::body::to_bytes;
use std::{env, fmt::Write, fs, path::Path};

/// Every error as it goes over the wire, times at zero.
async fn all_errors() -> String {
    let mut text = String::new();
    for refusal in Refusal::examples() {
        for family in [Family::Alioth, Family::Qdrant] {
            let (head, body) = refused(&refusal, family, Duration::ZERO).into_parts();
            writeln!(text, "{family:?} {}", head.status.as_u16()).unwrap();
            for (name, value) in &head.headers {
                writeln!(text, "{name}: {}", value.to_str().unwrap()).unwrap();
            }
            let body = to_bytes(body, usize::MAX).await.unwrap();
            writeln!(text, "{}\n", String::from_utf8(body.to_vec()).unwrap()).unwrap();
        }
    }
    text
}

#[tokio::test]
async fn error_bodies_are_the_golden_ones() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/errors.txt");
    let found = all_errors().await;
    if env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, &found).unwrap();
    }
    let golden = fs::read_to_string(&path).unwrap_or_default();
    // Line by line: the first that differs says enough.
    for (found, golden) in found.lines().zip(golden.lines()) {
        assert_eq!(
            found, golden,
            "clients rely on these; if meant, set UPDATE_GOLDEN=1"
        );
    }
    assert_eq!(found.len(), golden.len(), "if meant, set UPDATE_GOLDEN=1");
}
