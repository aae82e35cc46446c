//! Each function's own `settings.rs`, as its main reads it: what it refuses ends a pod with code 64.

use alioth_config::Loader;

#[expect(
    dead_code,
    reason = "whether they are read is asked, not what they are"
)]
#[path = "../../../../functions/ingest-accept/src/settings.rs"]
mod accept;
#[expect(
    dead_code,
    reason = "whether they are read is asked, not what they are"
)]
#[path = "../../../../functions/ingest-consume/src/settings.rs"]
mod consume;
#[expect(
    dead_code,
    reason = "whether they are read is asked, not what they are"
)]
#[path = "../../../../functions/restore/src/settings.rs"]
mod restore_job;
#[expect(
    dead_code,
    reason = "whether they are read is asked, not what they are"
)]
#[path = "../../../../functions/snapshot/src/settings.rs"]
mod snapshot_job;

/// Every problem that `function` has with `variables`.
pub(crate) fn read(function: &str, variables: Vec<(String, String)>) -> Result<(), String> {
    let loader = Loader::new(variables);
    let read = match function {
        "ingest-accept" => accept::Settings::read(loader).map(drop),
        "ingest-consume" => consume::Settings::read(loader).map(drop),
        "restore" => restore_job::Settings::read(loader).map(drop),
        "snapshot" => snapshot_job::Settings::read(loader).map(drop),
        other => panic!("{other} is no function"),
    };
    read.map_err(|problems| problems.to_string())
}
