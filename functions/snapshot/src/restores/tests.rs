//! What records say, and who has to keep out of the way.

use alioth_jobs::JobId;
use serde_json::{Value, json};

use super::*;

const LEASE: Duration = Duration::from_secs(90);

fn now() -> Timestamp {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

/// A restore's record of a run, renewed now.
fn record(state: JobState, result: Value) -> JobRecord {
    JobRecord {
        state,
        run: Some("first".to_owned()),
        result,
        ..JobRecord::running(JobId::new(), JobKind::Restore, Value::Null, now())
    }
}

fn noted(begun: &[&str], restored: &[&str]) -> Value {
    json!({"progress": {"snapshot": "s", "begun": begun, "restored": restored, "kept_aliases": {}}})
}

fn restores(records: &[&JobRecord]) -> Restores {
    let restores = records.iter();
    Restores(
        restores
            .filter_map(|one| Restore::of(one, LEASE, now()))
            .collect(),
    )
}

fn is_free(restores: &Restores, name: &str) -> bool {
    restores.keep_off(|other| other == name).is_ok()
}

fn was_free(earlier: &Restores, later: &Restores, name: &str) -> bool {
    later.kept_off(earlier, |other| other == name).is_ok()
}

#[test]
fn what_a_living_restore_has_begun_and_not_restored_is_being_made() {
    let running = record(JobState::Running, noted(&["logs", "movies"], &["logs"]));
    let restores = restores(&[&running]);
    assert!(is_free(&restores, "logs"));
    assert!(!is_free(&restores, "movies"));
    assert!(is_free(&restores, "songs"));
}

#[test]
fn what_no_restore_is_making_any_more_is_free() {
    let failed = record(JobState::Failed, noted(&["movies"], &[]));
    let silent = JobRecord {
        updated: Some(now() - SignedDuration::from_secs(90)),
        ..record(JobState::Running, noted(&["movies"], &[]))
    };
    let snapshot = JobRecord {
        kind: JobKind::Snapshot,
        ..record(JobState::Running, noted(&["movies"], &[]))
    };
    let strange = record(JobState::Running, json!({"progress": {"begun": 7}}));
    for other in [failed, silent, snapshot, strange] {
        assert!(is_free(&restores(&[&other]), "movies"), "{other:?}");
    }
}

#[test]
fn what_was_made_since_the_run_began_was_not_free() {
    let nothing = restores(&[]);
    let running = record(JobState::Running, noted(&["movies"], &[]));
    let as_done = |result| JobRecord {
        state: JobState::Done,
        result,
        ..running.clone()
    };
    let done = as_done(json!({"snapshot": "s", "collections": [{"restored_as": "movies"}]}));
    let of_file = as_done(json!({"file": "f", "restored_as": "movies"}));
    let failed = JobRecord {
        state: JobState::Failed,
        ..running.clone()
    };
    for ended in [&done, &of_file, &failed, &running] {
        let later = restores(&[ended]);
        assert!(!was_free(&nothing, &later, "movies"), "{ended:?}");
        assert!(was_free(&nothing, &later, "songs"));
    }
    // What had ended before touches nothing any more, unless it is run again.
    for ended in [&done, &failed] {
        let same = restores(&[ended]);
        assert!(was_free(&same, &same, "movies"), "{ended:?}");
        let again = JobRecord {
            run: Some("second".to_owned()),
            ..(*ended).clone()
        };
        assert!(!was_free(&same, &restores(&[&again]), "movies"));
    }
}

#[test]
fn a_restore_that_has_not_succeeded_needs_its_snapshot() {
    for (state, needs) in [
        (JobState::Running, true),
        (JobState::Failed, true),
        (JobState::Done, false),
    ] {
        let restores = restores(&[&record(state, noted(&["movies"], &[]))]);
        assert_eq!(restores.need("s"), needs, "{state:?}");
        assert!(!restores.need("another"));
    }
}

#[test]
fn a_snapshot_that_was_asked_for_by_name_is_needed_from_the_start() {
    let asked = |from: Value| JobRecord {
        request: json!({"job_id": JobId::new(), "what": {"collections": ["movies"]}, "from": from}),
        ..record(JobState::Running, Value::Null)
    };
    let by_id = restores(&[&asked(json!({"id": "named"}))]);
    assert!(by_id.need("named") && !by_id.are_choosing());
    let latest = restores(&[&asked(json!("latest"))]);
    assert!(!latest.need("named") && latest.are_choosing());
    let of_url = restores(&[&asked(json!({"url": "https://elsewhere/a.snapshot"}))]);
    assert!(!of_url.are_choosing());
    let chosen = record(JobState::Running, noted(&["movies"], &[]));
    assert!(!restores(&[&chosen]).are_choosing());
}
