use super::*;
use crate::test_messages::{insert_only, message};

const LIMITS: MergeLimits = MergeLimits {
    points: 10,
    bytes: 1_000_000,
    linger: Duration::from_millis(5),
};

struct Bench {
    batcher: Batcher<()>,
    order: WriteOrder,
    messages: Vec<UpsertMessage>,
    now: Instant,
}

impl Bench {
    fn new(limits: MergeLimits) -> Self {
        Self {
            batcher: Batcher::new(limits),
            order: WriteOrder::new(),
            messages: Vec::new(),
            now: Instant::now(),
        }
    }

    fn push(&mut self, message: UpsertMessage) {
        let (ticket, after) = self.order.enter(&message);
        self.messages.push(message.clone());
        self.batcher.push(Waiting {
            ticket,
            after,
            since: self.now,
            bytes: message.point_bytes(),
            message,
            footprint: 0,
            item: (),
        });
    }

    fn next(&mut self, load: Load) -> Option<Vec<u64>> {
        self.next_but(load, "")
    }

    fn next_but(&mut self, load: Load, stalled: &str) -> Option<Vec<u64>> {
        let merge = self
            .batcher
            .next_merge(self.now, load, &self.order, |name| name == stalled)?;
        Some(merge.iter().map(|waiting| waiting.ticket.0).collect())
    }

    fn settle(&mut self, ticket: u64) {
        self.order
            .leave(Ticket(ticket), Some(&self.messages[ticket as usize]));
    }
}

#[test]
fn a_lone_message_goes_at_once_when_idle() {
    let mut bench = Bench::new(LIMITS);
    bench.push(message("a", &[1]));
    assert_eq!(bench.next(Load::Idle), Some(vec![0]));
    assert_eq!(bench.next(Load::Idle), None);
    assert_eq!(bench.batcher.len(), 0);
}

#[test]
fn while_busy_a_message_lingers_for_company() {
    let mut bench = Bench::new(LIMITS);
    bench.push(message("a", &[1]));
    assert_eq!(bench.next(Load::Busy), None);
    assert_eq!(
        bench.batcher.next_due(bench.now),
        Some(bench.now + LIMITS.linger)
    );
    bench.push(message("a", &[2]));
    bench.now += LIMITS.linger;
    assert_eq!(bench.next(Load::Busy), Some(vec![0, 1]));
    assert_eq!(bench.batcher.next_due(bench.now), None);
}

#[test]
fn a_full_merge_goes_at_once_and_takes_no_more_than_fit() {
    let mut bench = Bench::new(LIMITS);
    for first in [0, 10, 20, 30] {
        bench.push(message("a", &[first, first + 1, first + 2]));
    }
    assert_eq!(bench.next(Load::Busy), Some(vec![0, 1, 2]));
    assert_eq!(bench.next(Load::Busy), None);
    assert_eq!(bench.next(Load::Idle), Some(vec![3]));
}

#[test]
fn bytes_fill_a_merge_too() {
    let one = message("a", &[1]).point_bytes();
    let mut bench = Bench::new(MergeLimits {
        bytes: 2 * one,
        ..LIMITS
    });
    for id in 1..4 {
        bench.push(message("a", &[id]));
    }
    assert_eq!(bench.next(Load::Busy), Some(vec![0, 1]));
}

#[test]
fn a_message_over_the_target_goes_alone() {
    let mut bench = Bench::new(LIMITS);
    bench.push(message("a", &(0..50).collect::<Vec<_>>()));
    bench.push(message("a", &[100]));
    assert_eq!(bench.next(Load::Busy), Some(vec![0]));
}

#[test]
fn collections_and_options_do_not_mix_and_take_turns() {
    let mut bench = Bench::new(LIMITS);
    bench.push(message("a", &[1]));
    bench.push(message("b", &[1]));
    bench.push(insert_only("a", &[2]));
    bench.push(message("a", &[3]));
    assert_eq!(bench.next(Load::Idle), Some(vec![0, 3]));
    assert_eq!(bench.next(Load::Idle), Some(vec![1]));
    assert_eq!(bench.next(Load::Idle), Some(vec![2]));
}

#[test]
fn one_busy_collection_does_not_starve_another() {
    let mut bench = Bench::new(LIMITS);
    for round in 0..4 {
        bench.push(message(
            "a",
            &(round * 10..round * 10 + 10).collect::<Vec<_>>(),
        ));
    }
    bench.push(message("b", &(0..10).collect::<Vec<_>>()));
    assert_eq!(bench.next(Load::Busy), Some(vec![0]));
    assert_eq!(bench.next(Load::Busy), Some(vec![4]));
    assert_eq!(bench.next(Load::Busy), Some(vec![1]));
}

#[test]
fn a_repeated_id_shares_the_upsert_unless_order_matters() {
    let mut bench = Bench::new(LIMITS);
    bench.push(message("a", &[1]));
    bench.push(message("a", &[1]));
    assert_eq!(bench.next(Load::Idle), Some(vec![0, 1]));

    let mut bench = Bench::new(LIMITS);
    bench.push(insert_only("a", &[1]));
    bench.push(insert_only("a", &[2]));
    bench.push(insert_only("a", &[1]));
    assert_eq!(bench.next(Load::Idle), Some(vec![0, 1]));
    assert_eq!(bench.next(Load::Idle), None);
    bench.settle(0);
    assert_eq!(bench.next(Load::Idle), Some(vec![2]));
}

#[test]
fn an_id_in_flight_holds_back_its_next_write_and_what_is_behind() {
    let mut bench = Bench::new(LIMITS);
    bench.push(message("a", &[1, 2]));
    assert_eq!(bench.next(Load::Idle), Some(vec![0]));
    bench.push(message("a", &[3]));
    bench.push(message("a", &[2]));
    bench.push(message("a", &[4]));
    assert_eq!(bench.next(Load::Idle), Some(vec![1]));
    assert_eq!(bench.next(Load::Idle), None);
    bench.settle(0);
    assert_eq!(bench.next(Load::Idle), Some(vec![2, 3]));
}

#[test]
fn an_id_waiting_in_another_group_of_the_collection_goes_first() {
    let mut bench = Bench::new(LIMITS);
    bench.push(insert_only("a", &[9]));
    bench.push(message("a", &[1]));
    bench.push(insert_only("a", &[1]));
    assert_eq!(bench.next(Load::Idle), Some(vec![0]));
    // The group of message 2 is behind, and message 1 has not been settled.
    assert_eq!(bench.next(Load::Idle), Some(vec![1]));
    assert_eq!(bench.next(Load::Idle), None);
    bench.settle(1);
    assert_eq!(bench.next(Load::Idle), Some(vec![2]));
}

#[test]
fn a_stalled_collection_lets_the_others_pass() {
    let mut bench = Bench::new(LIMITS);
    bench.push(message("a", &[1]));
    bench.push(message("b", &[1]));
    assert_eq!(bench.next_but(Load::Idle, "a"), Some(vec![1]));
    assert_eq!(bench.next_but(Load::Idle, "a"), None);
    assert_eq!(bench.next(Load::Idle), Some(vec![0]));
}

#[test]
fn what_is_taken_out_comes_in_order_of_arrival() {
    let mut bench = Bench::new(LIMITS);
    for (collection, id) in [("a", 1), ("b", 2), ("a", 3), ("c", 4), ("b", 5)] {
        bench.push(message(collection, &[id]));
    }
    let tickets: Vec<u64> = bench
        .batcher
        .take_all()
        .iter()
        .map(|w| w.ticket.0)
        .collect();
    assert_eq!(tickets, [0, 1, 2, 3, 4]);
    assert_eq!(bench.batcher.len(), 0);
}
