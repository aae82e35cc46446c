//! What becomes of calls when the network fails.

use std::time::{Duration, Instant};

use alioth_cluster::UpsertError;
use alioth_config::Span;
use alioth_testkit::{
    Direction, Fault, FaultProxy, ReservedPort, ScriptedQdrant, scripted_qdrant::Answer, wait_until,
};
use qdrant_client::qdrant::UpdateStatus;

use crate::{DEADLINE, cluster, cluster_with, config, point, points};

async fn sound() -> ScriptedQdrant {
    ScriptedQdrant::start(|_| Answer::Applied(UpdateStatus::Completed)).await
}

fn one_point() -> alioth_points::UpsertBody {
    points("films", vec![point(1, vec![1.0; 100])])
}

#[tokio::test]
async fn nothing_is_dialled_before_the_first_call_and_nobody_there_is_unavailable() {
    let nobody = ReservedPort::new();
    let cluster = cluster(&format!("http://{}", nobody.address()));
    let error = cluster.upsert(one_point()).await.unwrap_err();
    assert!(matches!(error, UpsertError::Unavailable { .. }), "{error}");
    assert!(!cluster.healthy().await);
}

#[tokio::test]
async fn a_cut_connection_is_unavailable_and_the_next_call_finds_its_way_again() {
    let server = sound().await;
    let proxy = FaultProxy::start(server.address()).await;
    let cluster = cluster(&format!("http://{}", proxy.address()));
    cluster.upsert(one_point()).await.unwrap();
    proxy.set(Fault::Cut).await;
    for _ in 0..3 {
        let error = cluster.upsert(one_point()).await.unwrap_err();
        assert!(matches!(error, UpsertError::Unavailable { .. }), "{error}");
    }
    proxy.set(Fault::Pass).await;
    wait_until(DEADLINE, || async {
        cluster.upsert(one_point()).await.is_ok()
    })
    .await;
}

#[tokio::test]
async fn a_connection_cut_in_the_middle_of_a_call_is_unavailable() {
    let server = ScriptedQdrant::start(|_| Answer::Silence).await;
    let proxy = FaultProxy::start(server.address()).await;
    let cluster = cluster(&format!("http://{}", proxy.address()));
    let call = tokio::spawn(async move { cluster.upsert(one_point()).await });
    wait_until(DEADLINE, || async { !server.arrived().is_empty() }).await;
    proxy.set(Fault::Cut).await;
    let error = call.await.unwrap().unwrap_err();
    assert!(matches!(error, UpsertError::Unavailable { .. }), "{error}");
}

#[tokio::test]
async fn a_black_hole_ends_at_the_deadline() {
    let server = sound().await;
    let proxy = FaultProxy::start(server.address()).await;
    let mut config = config(&[format!("http://{}", proxy.address())]);
    config.timeout = Span(Duration::from_millis(200));
    let cluster = cluster_with(&config);
    cluster.upsert(one_point()).await.unwrap();
    proxy.set(Fault::BlackHole(Direction::Both)).await;
    let before = Instant::now();
    let error = cluster.upsert(one_point()).await.unwrap_err();
    assert!(matches!(error, UpsertError::Unavailable { .. }), "{error}");
    assert!(
        before.elapsed() < Duration::from_secs(5),
        "{:?}",
        before.elapsed()
    );
}

#[tokio::test]
async fn calls_are_spread_over_the_nodes() {
    let (first, second) = (sound().await, sound().await);
    let cluster = cluster_with(&config(&[first.grpc_url(), second.grpc_url()]));
    for _ in 0..10 {
        cluster.upsert(one_point()).await.unwrap();
    }
    assert_eq!((first.arrived().len(), second.arrived().len()), (5, 5));
}

#[tokio::test]
async fn a_node_that_is_away_costs_no_call() {
    let (sound, gone) = (sound().await, ReservedPort::new());
    let urls = [format!("http://{}", gone.address()), sound.grpc_url()];
    let cluster = cluster_with(&config(&urls));
    for _ in 0..10 {
        cluster.upsert(one_point()).await.unwrap();
    }
    assert_eq!(sound.arrived().len(), 10);
}
