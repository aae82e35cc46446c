//! Answers a real server gives only in trouble.

use std::time::Duration;

use alioth_cluster::{Applied, Rejection, UpsertError};
use alioth_config::{Secret, Span};
use alioth_testkit::{
    ScriptedQdrant,
    scripted_qdrant::{Answer, Code},
};
use qdrant_client::qdrant::UpdateStatus;

use crate::{cluster, cluster_with, config, point, points};

async fn answer_to(answer: Answer) -> Result<Applied, UpsertError> {
    let server = ScriptedQdrant::start(move |_| answer.clone()).await;
    cluster(&server.grpc_url())
        .upsert(points("films", vec![point(1, vec![1.0])]))
        .await
}

#[tokio::test]
async fn every_successful_status_is_told() {
    for (status, applied) in [
        (UpdateStatus::Completed, Applied::Completed),
        (UpdateStatus::Acknowledged, Applied::Acknowledged),
        (UpdateStatus::WaitTimeout, Applied::WaitTimeout),
    ] {
        assert_eq!(answer_to(Answer::Applied(status)).await, Ok(applied));
    }
}

#[tokio::test]
async fn an_answer_without_a_status_is_no_success() {
    for answer in [
        Answer::Applied(UpdateStatus::UnknownUpdateStatus),
        Answer::Applied(UpdateStatus::ClockRejected),
        Answer::Empty,
        Answer::Garbage,
    ] {
        let error = answer_to(answer.clone()).await.unwrap_err();
        assert!(error.is_transient(), "{answer:?}: {error}");
    }
}

#[tokio::test]
async fn statuses_come_through_with_their_message_and_metadata() {
    let limited = Answer::Status(
        Code::ResourceExhausted,
        "slow down",
        vec![("retry-after", "3")],
    );
    assert_eq!(
        answer_to(limited).await,
        Err(UpsertError::Exhausted {
            reason: "slow down".to_owned(),
            retry_after: Some(Duration::from_secs(3)),
            quota: false,
        })
    );
    let full = vec![("qdrant-insufficient-storage", "1")];
    assert_eq!(
        answer_to(Answer::Status(Code::ResourceExhausted, "disk", full)).await,
        Err(UpsertError::Exhausted {
            reason: "disk".to_owned(),
            retry_after: None,
            quota: true
        })
    );
    let too_long = Answer::Status(Code::OutOfRange, "message length too large", vec![]);
    assert_eq!(
        answer_to(too_long).await,
        Err(UpsertError::Rejected {
            rejection: Rejection::TooLarge,
            reason: "message length too large".to_owned(),
        })
    );
}

#[tokio::test]
async fn a_proxy_between_is_told_from_qdrant() {
    for code in [502, 503, 504, 429] {
        let error = answer_to(Answer::Http(code)).await.unwrap_err();
        assert!(
            matches!(error, UpsertError::Unavailable { .. }),
            "{code}: {error}"
        );
    }
    for code in [401, 403, 404] {
        let error = answer_to(Answer::Http(code)).await.unwrap_err();
        assert!(
            matches!(error, UpsertError::Denied { .. }),
            "{code}: {error}"
        );
    }
}

#[tokio::test]
async fn silence_ends_at_the_deadline() {
    let server = ScriptedQdrant::start(|_| Answer::Silence).await;
    let mut config = config(&[server.grpc_url()]);
    config.timeout = Span(Duration::from_millis(50));
    let error = cluster_with(&config)
        .upsert(points("films", vec![point(1, vec![1.0])]))
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), "unavailable: no answer within 50ms");
}

#[tokio::test]
async fn points_arrive_as_they_were_sent_with_wait_and_key() {
    let server = ScriptedQdrant::start(|_| Answer::Applied(UpdateStatus::Completed)).await;
    let mut config = config(&[server.grpc_url()]);
    config.api_key = Secret::from("hunter2");
    // Short points that are gathered, and long ones that are not.
    let sent: Vec<_> = (0..500)
        .map(|id| point(id, vec![id as f32; 1 + 40 * (id as usize % 50)]))
        .collect();
    cluster_with(&config)
        .upsert(points("films", sent.clone()))
        .await
        .unwrap();
    let arrived = server.arrived();
    assert_eq!(arrived.len(), 1);
    assert_eq!(arrived[0].upsert.points, sent);
    assert_eq!(arrived[0].upsert.collection_name, "films");
    assert_eq!(arrived[0].upsert.wait, Some(true));
    assert_eq!(arrived[0].api_key.as_deref(), Some("hunter2"));
}
