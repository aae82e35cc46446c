use super::*;

/// Every gRPC code with its row of the disposition table, by name.
const TABLE: [(Code, &str); 17] = [
    (Code::Ok, "internal"),
    (Code::Cancelled, "unavailable"),
    (Code::Unknown, "internal"),
    (Code::InvalidArgument, "rejected"),
    (Code::DeadlineExceeded, "unavailable"),
    (Code::NotFound, "rejected"),
    (Code::AlreadyExists, "rejected"),
    (Code::PermissionDenied, "denied"),
    (Code::ResourceExhausted, "exhausted"),
    (Code::FailedPrecondition, "unavailable"),
    (Code::Aborted, "unavailable"),
    (Code::OutOfRange, "rejected"),
    (Code::Unimplemented, "denied"),
    (Code::Internal, "internal"),
    (Code::Unavailable, "unavailable"),
    (Code::DataLoss, "internal"),
    (Code::Unauthenticated, "denied"),
];

#[test]
fn every_code_has_its_row() {
    for (code, row) in TABLE {
        let text = classify(&Status::new(code, "why")).to_string();
        assert_eq!(text, format!("{row}: why"), "{code:?}");
    }
}

#[test]
fn a_rate_limit_tells_when_to_come_back() {
    let mut status = Status::resource_exhausted("slow down");
    status
        .metadata_mut()
        .insert("retry-after", "7".parse().unwrap());
    assert_eq!(
        classify(&status),
        UpsertError::Exhausted {
            reason: "slow down".to_owned(),
            retry_after: Some(Duration::from_secs(7)),
            quota: false
        }
    );
}

#[test]
fn a_quota_is_told_from_a_rate_limit() {
    let mut status = Status::resource_exhausted("disk is full");
    status
        .metadata_mut()
        .insert(QUOTA_KEY, "1".parse().unwrap());
    assert_eq!(
        classify(&status),
        UpsertError::Exhausted {
            reason: "disk is full".to_owned(),
            retry_after: None,
            quota: true
        }
    );
}

#[test]
fn an_unreadable_retry_after_is_none() {
    for bad in ["-1", "soon", "1.5", ""] {
        let mut status = Status::resource_exhausted("x");
        status
            .metadata_mut()
            .insert("retry-after", bad.parse().unwrap());
        assert!(
            matches!(
                classify(&status),
                UpsertError::Exhausted {
                    retry_after: None,
                    ..
                }
            ),
            "{bad}"
        );
    }
}

#[test]
fn what_the_transport_reports_is_unavailable_whatever_its_code() {
    for (code, _) in TABLE {
        let mut status = Status::new(code, "transport error");
        status.set_source(std::sync::Arc::new(std::io::Error::other("broken pipe")));
        assert_eq!(
            classify(&status),
            UpsertError::Unavailable {
                reason: "transport error: broken pipe".to_owned()
            }
        );
    }
}

#[test]
fn an_internal_error_that_tells_of_an_outage_is_one() {
    for words in [
        "Service internal error: The replica set for shard 3 on peer 7 has no active replica",
        "The replica set for shard 3 on peer 7 does not have enough active replicas",
        "Some replica of shard 3 failed to apply operation and deactivation timed out after 30s. Consistency of this \
         update is not guaranteed. Please retry. why",
        "Service internal error: No space left on device: WAL buffer size exceeds available disk space",
        "2 out of 6 shards failed to apply operation. First error captured: Service internal error: IO Error: No space \
         left on device (os error 28)",
        "Service internal error: Out of memory, free: 1024, IO Error: why",
    ] {
        let error = classify(&Status::internal(words));
        assert!(matches!(error, UpsertError::Unavailable { .. }), "{words}");
        let error = classify(&Status::invalid_argument(words));
        assert!(matches!(error, UpsertError::Rejected { .. }), "{words}");
    }
}

#[test]
fn a_long_reason_is_cut_at_a_character() {
    let status = Status::internal("ä".repeat(5000));
    let UpsertError::Internal { reason } = classify(&status) else {
        panic!("{status:?}")
    };
    assert_eq!(reason, "ä".repeat(500));
}
