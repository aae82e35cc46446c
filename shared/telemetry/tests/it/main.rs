//! The admin endpoint and the export of spans over real connections.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod admin;
mod traces;

use alioth_telemetry::{AdminConfig, LogConfig, TracesConfig};

#[test]
fn every_variable_is_in_the_readme() {
    let readme = include_str!("../../README.md");
    let mut missing = alioth_config::undocumented::<LogConfig>(readme);
    missing.extend(alioth_config::undocumented::<AdminConfig>(readme));
    missing.extend(alioth_config::undocumented::<TracesConfig>(readme));
    assert!(missing.is_empty(), "{missing:?}");
}
