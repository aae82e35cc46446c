use super::*;

const LIMITS: HoldLimits = HoldLimits {
    bytes: 1_000,
    time: Duration::from_secs(60),
    prefetch: 8,
    look_ahead: 20,
};

/// Enters this many messages of a collection; the tickets go on from `next`.
fn enter(held: &mut Held, next: &mut u64, collection: &str, messages: u64, bytes: usize) {
    for _ in 0..messages {
        held.enter(Ticket(*next), Some(collection), bytes, Instant::now());
        *next += 1;
    }
}

fn is_clogged(held: &mut Held, stalled: &str) -> bool {
    let since = held.clogged_since(Instant::now(), |collection| collection == stalled);
    since.is_some()
}

#[tokio::test(start_paused = true)]
async fn it_knows_how_much_it_holds_and_since_when() {
    let mut held = Held::new(LIMITS);
    assert_eq!((held.until(), held.has_room()), (None, true));
    let first = Instant::now();
    held.enter(Ticket(0), Some("films"), 400, first);
    tokio::time::advance(Duration::from_secs(1)).await;
    held.enter(Ticket(1), None, 600, Instant::now());
    assert_eq!((held.messages(), held.bytes()), (2, 1_000));
    assert!(!held.has_room());
    assert_eq!(held.until(), Some(first + LIMITS.time));
    held.leave(Ticket(0), Some("films"), 400);
    held.forget_settled(|ticket| ticket == Ticket(1));
    assert_eq!(
        held.until(),
        Some(first + LIMITS.time + Duration::from_secs(1))
    );
    held.leave(Ticket(1), None, 600);
    held.forget_settled(|_| false);
    assert_eq!((held.messages(), held.bytes(), held.until()), (0, 0, None));
}

#[test]
fn it_is_clogged_once_a_stalled_collection_has_half_of_the_subscription() {
    let (mut held, mut next) = (Held::new(LIMITS), 0);
    enter(&mut held, &mut next, "films", 5, 1);
    enter(&mut held, &mut next, "stuck", 3, 1);
    assert!(!is_clogged(&mut held, "stuck"));
    enter(&mut held, &mut next, "stuck", 1, 1);
    assert!(is_clogged(&mut held, "stuck") && is_clogged(&mut held, "films"));
    assert!(!is_clogged(&mut held, "books"));
    held.leave(Ticket(5), Some("stuck"), 1);
    assert!(!is_clogged(&mut held, "stuck"));
}

#[test]
fn what_an_ended_subscription_delivered_does_not_clog_the_next() {
    let (mut held, mut next) = (Held::new(LIMITS), 0);
    enter(&mut held, &mut next, "stuck", 8, 1);
    assert!(is_clogged(&mut held, "stuck"));
    held.renewed(Ticket(next));
    assert!(!is_clogged(&mut held, "stuck"));
    enter(&mut held, &mut next, "stuck", 4, 1);
    assert!(is_clogged(&mut held, "stuck"));
    // Of the ended one: no matter to the present.
    held.leave(Ticket(0), Some("stuck"), 1);
    assert!(is_clogged(&mut held, "stuck"));
    held.leave(Ticket(8), Some("stuck"), 1);
    assert!(!is_clogged(&mut held, "stuck"));
}

#[test]
fn messages_set_aside_clog_it_and_their_collection_does_not() {
    let (mut held, mut next) = (Held::new(LIMITS), 0);
    enter(&mut held, &mut next, "films", 8, 1);
    for ticket in 0..4 {
        held.set_aside(Ticket(ticket), Some("films"), 1);
    }
    assert!(is_clogged(&mut held, "nobody"));
    assert_eq!((held.messages(), held.bytes()), (8, 8));
    held.leave(Ticket(0), Some("films"), 1);
    assert!(!is_clogged(&mut held, "nobody"));
    held.renewed(Ticket(next));
    assert!(!is_clogged(&mut held, "films"));
    for ticket in 1..8 {
        held.leave(Ticket(ticket), Some("films"), 1);
    }
    assert_eq!((held.messages(), held.bytes()), (0, 0));
}

#[test]
fn the_prefetch_is_used_up_by_messages_of_the_present_subscription() {
    let (mut held, mut next) = (Held::new(LIMITS), 0);
    enter(&mut held, &mut next, "stuck", 8, 1);
    assert!(held.has_used_up_prefetch());
    held.renewed(Ticket(next));
    enter(&mut held, &mut next, "films", 7, 1);
    held.leave(Ticket(0), Some("stuck"), 1);
    assert!(!held.has_used_up_prefetch());
    enter(&mut held, &mut next, "films", 1, 1);
    assert!(held.has_used_up_prefetch());
}

#[test]
fn looking_ahead_ends_at_so_many_messages_or_half_of_the_bytes() {
    let (mut held, mut next) = (Held::new(LIMITS), 0);
    enter(&mut held, &mut next, "stuck", 19, 1);
    assert!(is_clogged(&mut held, "stuck"));
    enter(&mut held, &mut next, "stuck", 1, 1);
    assert!(!is_clogged(&mut held, "stuck"));

    let (mut held, mut next) = (Held::new(LIMITS), 0);
    enter(&mut held, &mut next, "stuck", 4, 124);
    assert!(is_clogged(&mut held, "stuck"));
    enter(&mut held, &mut next, "stuck", 1, 4);
    assert!(!is_clogged(&mut held, "stuck"));
}

#[tokio::test(start_paused = true)]
async fn it_has_been_clogged_since_it_last_was_not() {
    let (mut held, mut next) = (Held::new(LIMITS), 0);
    enter(&mut held, &mut next, "stuck", 8, 1);
    let mut since = || held.clogged_since(Instant::now(), |collection| collection == "stuck");
    let first = since();
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(since(), first);
    assert!(!is_clogged(&mut held, "nobody"));
    let mut since = || held.clogged_since(Instant::now(), |collection| collection == "stuck");
    assert_ne!(since(), first);
}

#[test]
fn it_knows_how_many_merges_of_a_collection_are_under_way() {
    let (mut held, mut next) = (Held::new(LIMITS), 0);
    enter(&mut held, &mut next, "films", 2, 1);
    held.begin_merge("films");
    held.begin_merge("films");
    held.end_merge("films");
    assert_eq!((held.merges("films"), held.merges("books")), (1, 0));
    held.end_merge("films");
    assert_eq!(held.merges("films"), 0);
}
