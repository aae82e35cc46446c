use alioth_cluster::rest::{Replica, ReplicaState, Version};
use proptest::prelude::*;

use super::*;

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn shard(id: u32, replicas: &[(u64, ReplicaState)]) -> Shard {
    let replicas = replicas.iter();
    Shard {
        id,
        key: None,
        replicas: replicas
            .map(|&(peer, state)| Replica { peer, state })
            .collect(),
        transfers: false,
    }
}

fn active(id: u32, peers: &[u64]) -> Shard {
    let replicas: Vec<_> = peers
        .iter()
        .map(|peer| (*peer, ReplicaState::Active))
        .collect();
    shard(id, &replicas)
}

fn node(peer: u64, host: &str, port: u16) -> RestNode {
    RestNode {
        peer,
        host: host.to_owned(),
        port,
        version: Version::new(1, 18, 3),
    }
}

/// Who is to be asked for which shard.
fn asked(assignment: Option<Assignment>) -> Option<(u32, u64)> {
    assignment.map(|assignment| (assignment.shard, assignment.peer))
}

#[test]
fn names_and_globs_select_each_collection_once() {
    let existing = names(&["log-1", "log-2", "log[3]", "movies"]);
    assert_eq!(select(&existing, &[]).unwrap(), existing);
    let selected = select(&existing, &names(&["movies", "log-?", "*1"])).unwrap();
    assert_eq!(selected, ["log-1", "log-2", "movies"]);
    // A bracket is a letter like any other.
    assert_eq!(select(&existing, &names(&["log[3]"])).unwrap(), ["log[3]"]);
    assert_eq!(
        select(&existing, &names(&["none-*"])).unwrap(),
        Vec::<String>::new()
    );
}

#[test]
fn a_name_without_its_collection_names_the_field() {
    let existing = names(&["movies"]);
    let refused = select(&existing, &names(&["movies", "films"])).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "collections[1]: there is no collection films"
    );
}

#[test]
fn hosts_mean_nodes_of_the_cluster_and_of_no_other() {
    let nodes = [node(1, "a", 6333), node(2, "b", 6333), node(3, "b", 6343)];
    let peers = |wanted: &[Host]| {
        let chosen = select_nodes(&nodes, wanted);
        chosen.map(|nodes| nodes.iter().map(|node| node.peer).collect::<Vec<_>>())
    };
    assert_eq!(peers(&[]), Ok(vec![1, 2, 3]));
    let b = Host {
        port: Some(6343),
        ..Host::named("b")
    };
    assert_eq!(peers(&[b, Host::named("a")]), Ok(vec![1, 3]));
    assert_eq!(
        peers(&[Host::named("a"), Host::named("c")])
            .unwrap_err()
            .to_string(),
        "hosts[1]: c is no node of the configured cluster"
    );
    let several = peers(&[Host::named("b")]).unwrap_err().to_string();
    assert_eq!(several, "hosts[0]: b is several nodes, name the port too");
}

#[test]
fn at_most_one_shard_of_a_node_and_so_many_in_all() {
    let mut schedule = Schedule::new([1, 2, 3], 2, 3);
    let mut tasks: Vec<TaskId> = (0..3)
        .map(|id| schedule.add("movies", &active(id, &[1, 2])))
        .collect();
    tasks.push(schedule.add("movies", &active(3, &[3])));
    assert_eq!(asked(schedule.next()), Some((0, 1)));
    assert_eq!(asked(schedule.next()), Some((1, 2)));
    // Node 3 is free, but two are under way.
    assert_eq!(schedule.next(), None);
    schedule.done(tasks[0]);
    // Node 1 is free again, and shard 2 comes before shard 3.
    assert_eq!(asked(schedule.next()), Some((2, 1)));
    schedule.done(tasks[1]);
    assert_eq!(asked(schedule.next()), Some((3, 3)));
    schedule.done(tasks[2]);
    assert!(!schedule.is_complete("movies"));
    schedule.done(tasks[3]);
    assert!(schedule.is_complete("movies"));
    assert_eq!(schedule.missing(), []);
}

#[test]
fn a_shard_whose_nodes_are_busy_lets_others_go_first() {
    let mut schedule = Schedule::new([1, 2], 2, 3);
    schedule.add("movies", &active(0, &[1]));
    schedule.add("movies", &active(1, &[1]));
    schedule.add("movies", &active(2, &[2]));
    assert_eq!(asked(schedule.next()), Some((0, 1)));
    assert_eq!(asked(schedule.next()), Some((2, 2)));
}

#[test]
fn only_active_replicas_on_reached_nodes_are_read() {
    let mut schedule = Schedule::new([1, 2], 2, 1);
    let replicas = [
        (1, ReplicaState::Partial),
        (2, ReplicaState::Active),
        (9, ReplicaState::Active),
    ];
    schedule.add("movies", &shard(0, &replicas));
    assert_eq!(asked(schedule.next()), Some((0, 2)));
    let lost = [(1, ReplicaState::Dead), (9, ReplicaState::Active)];
    let task = schedule.add("movies", &shard(1, &lost));
    assert_eq!(schedule.next(), None);
    assert_eq!(schedule.unreachable(), Some(task));
    let reason = schedule.unreachable_reason(task);
    assert_eq!(
        reason,
        "it has no active replica: Dead on peer 1, peer 9 is not reached"
    );
    assert_eq!(schedule.failed(task, reason.clone()), Verdict::GiveUp);
    assert_eq!(schedule.missing()[1].reason, Some(reason));
}

#[test]
fn after_a_failure_another_replica_comes_first() {
    let mut schedule = Schedule::new([1, 2], 1, 3);
    let task = schedule.add("movies", &active(0, &[1, 2]));
    assert_eq!(asked(schedule.next()), Some((0, 1)));
    let verdict = schedule.failed(task, "cut".to_owned());
    assert_eq!(verdict, Verdict::LookAgain { failures: 1 });
    // Not before it is known where the shard lies now.
    assert_eq!(schedule.next(), None);
    schedule.looked_again(task, None);
    assert_eq!(asked(schedule.next()), Some((0, 2)));
    schedule.failed(task, "cut".to_owned());
    // It has moved back.
    schedule.looked_again(task, Some(active(0, &[1]).replicas));
    assert_eq!(asked(schedule.next()), Some((0, 1)));
    assert_eq!(schedule.failed(task, "cut".to_owned()), Verdict::GiveUp);
    assert_eq!(schedule.failures(), 3);
    assert_eq!(schedule.missing().len(), 1);
}

#[test]
fn resharding_and_shards_that_came_or_went_are_noticed() {
    let still = [active(0, &[1]), active(1, &[2])];
    assert!(!is_resharding(&still));
    let moving = [active(0, &[1]), shard(1, &[(2, ReplicaState::Resharding)])];
    assert!(is_resharding(&moving));
    assert!(same_shards(&still, &[active(0, &[2]), active(1, &[1])]));
    assert!(!same_shards(&still, &still[..1]));
}

proptest! {
    /// Whatever fails and wherever shards lie, a run ends, reads no shard twice and no node twice
    /// at once, and says of every shard whether it was read.
    #[test]
    fn every_schedule_ends_with_each_shard_read_once_or_missing(
        shards in prop::collection::vec(prop::collection::btree_set(1_u64..5, 0..4), 1..12),
        concurrency in 1_usize..4,
        luck in prop::collection::vec(any::<bool>(), 200),
    ) {
        let mut schedule = Schedule::new([1, 2, 3], concurrency, 3);
        for (id, peers) in shards.iter().enumerate() {
            let peers: Vec<u64> = peers.iter().copied().collect();
            schedule.add("movies", &active(u32::try_from(id).unwrap(), &peers));
        }
        let mut luck = luck.into_iter().chain(std::iter::repeat(true));
        let mut reading: Vec<Assignment> = Vec::new();
        let mut read = BTreeSet::new();
        loop {
            while let Some(task) = schedule.unreachable() {
                if schedule.failed(task, "nobody".to_owned()) != Verdict::GiveUp {
                    schedule.looked_again(task, None);
                }
            }
            while let Some(assignment) = schedule.next() {
                prop_assert!(reading.iter().all(|other| other.peer != assignment.peer));
                reading.push(assignment);
                prop_assert!(reading.len() <= concurrency);
            }
            let Some(assignment) = reading.pop() else { break };
            if luck.next() == Some(true) {
                prop_assert!(read.insert(assignment.shard));
                schedule.done(assignment.task);
            } else if schedule.failed(assignment.task, "cut".to_owned()) != Verdict::GiveUp {
                schedule.looked_again(assignment.task, None);
            }
        }
        prop_assert_eq!(read.len() + schedule.missing().len(), shards.len());
    }
}
