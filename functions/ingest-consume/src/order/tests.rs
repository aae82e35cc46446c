use super::*;
use crate::test_messages::{message, message_with};
use proptest::prelude::*;

fn order() -> WriteOrder {
    WriteOrder::with_seed(1)
}

#[test]
fn writes_of_different_ids_wait_for_nothing() {
    let mut order = order();
    assert_eq!(order.enter(&message("a", &[1, 2])).1, []);
    assert_eq!(order.enter(&message("a", &[3, 4])).1, []);
}

#[test]
fn a_second_write_of_an_id_comes_after_the_first() {
    let mut order = order();
    let (first, _) = order.enter(&message("a", &[1, 2]));
    let (second, after) = order.enter(&message("a", &[2, 3]));
    assert_eq!(after, [first]);
    let (_, after) = order.enter(&message("a", &[2, 1, 3]));
    assert_eq!(after, [first, second]);
}

#[test]
fn an_id_of_another_collection_is_another_id() {
    let mut order = order();
    order.enter(&message("a", &[1]));
    assert_eq!(order.enter(&message("b", &[1])).1, []);
}

#[test]
fn an_id_twice_in_one_message_does_not_wait_for_itself() {
    assert_eq!(order().enter(&message("a", &[1, 1])).1, []);
}

#[test]
fn uuids_are_ids_like_numbers() {
    let mut order = order();
    let uuid = "550e8400-e29b-41d4-a716-446655440000";
    let upper = uuid.to_uppercase();
    let (first, _) = order.enter(&message_with("a", &[uuid.into()]));
    assert_eq!(
        order.enter(&message_with("a", &[upper.as_str().into()])).1,
        [first]
    );
}

#[test]
fn nobody_waits_for_what_has_left() {
    let mut order = order();
    let early = message("a", &[1]);
    let (first, _) = order.enter(&early);
    let late = message("a", &[1]);
    let (second, after) = order.enter(&late);
    assert_eq!(after, [first]);
    assert!(order.is_unsettled(first));
    order.leave(first, Some(&early));
    assert!(!order.is_unsettled(first));
    // The id is the second's now, and stays so.
    let (_, after) = order.enter(&message("a", &[1]));
    assert_eq!(after, [second]);
}

#[test]
fn everything_left_leaves_nothing_behind() {
    let mut order = order();
    let messages: Vec<_> = (0..10).map(|n| message("a", &[n, n + 1])).collect();
    let tickets: Vec<_> = messages.iter().map(|m| order.enter(m).0).collect();
    for (ticket, message) in tickets.iter().zip(&messages).rev() {
        order.leave(*ticket, Some(message));
    }
    assert!(order.writers.is_empty() && order.unsettled.is_empty());
}

proptest! {
    #[test]
    fn every_earlier_unsettled_writer_is_waited_for_directly_or_through_another(
        writes in prop::collection::vec(prop::collection::vec(0u64..8, 1..4), 1..12),
    ) {
        let mut order = order();
        let mut waits: Vec<Vec<usize>> = Vec::new();
        for (now, ids) in writes.iter().enumerate() {
            let (_, after) = order.enter(&message("a", ids));
            waits.push(after.iter().map(|ticket| ticket.0 as usize).collect());
            let mut reached: Vec<usize> = waits[now].clone();
            let mut next = 0;
            while let Some(earlier) = reached.get(next) {
                let further = waits[*earlier].clone();
                reached.extend(further);
                next += 1;
            }
            for (earlier, before) in writes[..now].iter().enumerate() {
                if before.iter().any(|id| ids.contains(id)) {
                    prop_assert!(reached.contains(&earlier), "{now} after {earlier}");
                }
            }
        }
    }
}
