//! Which deliveries of one channel are not settled, and in how few frames the others can be acknowledged. Pure: sends
//! nothing.
//!
//! Every `basic.ack` is one command to a quorum queue, logged and synced, however many deliveries it names. And
//! RabbitMQ's channel keeps those beyond the 32nd that the queue has not applied to itself (`SOFT_LIMIT` and
//! `unsent_commands` of its `rabbit_fifo_client.erl`), and forgets them when it is closed: of 174 acks and a close
//! behind them 138 and more came to nothing (29 November 2026, RabbitMQ 3.10.8).

use std::{collections::BTreeSet, mem};

/// A `basic.ack`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ack {
    pub(super) tag: u64,
    /// Of every delivery up to the tag that RabbitMQ still counts as unsettled.
    pub(super) multiple: bool,
}

/// Delivery tags of one channel. Its size is bounded by what RabbitMQ lets be unsettled.
#[derive(Debug, Default)]
pub(super) struct Unsettled {
    /// Neither handed back nor due.
    open: BTreeSet<u64>,
    /// To be acknowledged by the next frames.
    due: BTreeSet<u64>,
    /// The highest tag so far.
    last: u64,
}

impl Unsettled {
    /// Notes a delivery. RabbitMQ counts them from 1: those between that nobody was handed are open, too, since a frame
    /// that reached over them would lose them.
    pub(super) fn deliver(&mut self, tag: u64) {
        self.open.extend(self.last + 1..tag);
        self.open.insert(tag);
        self.last = self.last.max(tag);
    }

    /// Notes that a delivery is to be acknowledged.
    pub(super) fn ack(&mut self, tag: u64) {
        self.open.remove(&tag);
        self.due.insert(tag);
    }

    /// Notes that a delivery was handed back. No frame names it afterwards.
    pub(super) fn hand_back(&mut self, tag: u64) {
        self.open.remove(&tag);
    }

    /// Whether something is to be acknowledged.
    pub(super) fn is_due(&self) -> bool {
        !self.due.is_empty()
    }

    /// The one frame for everything due before the first open delivery.
    pub(super) fn take_together(&mut self) -> Option<Ack> {
        let first_open = self.open.first().copied().unwrap_or(u64::MAX);
        let behind = self.due.split_off(&first_open);
        let together = mem::replace(&mut self.due, behind);
        // A due tag itself: RabbitMQ closes the channel over one that it does not know any more.
        together.last().map(|tag| Ack {
            tag: *tag,
            multiple: together.len() > 1,
        })
    }

    /// The frames for everything due: that one, and one for each delivery behind an open one.
    pub(super) fn take_all(&mut self) -> Vec<Ack> {
        let together = self.take_together();
        let alone = mem::take(&mut self.due).into_iter().map(|tag| Ack {
            tag,
            multiple: false,
        });
        together.into_iter().chain(alone).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn alone(tag: u64) -> Ack {
        Ack {
            tag,
            multiple: false,
        }
    }

    const fn up_to(tag: u64) -> Ack {
        Ack {
            tag,
            multiple: true,
        }
    }

    fn delivered(tags: impl IntoIterator<Item = u64>) -> Unsettled {
        let mut unsettled = Unsettled::default();
        tags.into_iter().for_each(|tag| unsettled.deliver(tag));
        unsettled
    }

    #[test]
    fn what_is_due_with_nothing_open_before_it_takes_one_frame() {
        let mut unsettled = delivered(1..=5);
        assert!(!unsettled.is_due());
        for tag in [3, 1, 2] {
            unsettled.ack(tag);
        }
        assert!(unsettled.is_due());
        assert_eq!(unsettled.take_together(), Some(up_to(3)));
        assert_eq!(unsettled.take_together(), None);
        unsettled.ack(4);
        assert_eq!(unsettled.take_all(), [alone(4)]);
        assert!(!unsettled.is_due());
    }

    #[test]
    fn no_frame_reaches_over_an_open_delivery() {
        let mut unsettled = delivered(1..=6);
        for tag in [1, 2, 4, 6] {
            unsettled.ack(tag);
        }
        assert_eq!(unsettled.take_all(), [up_to(2), alone(4), alone(6)]);
        unsettled.ack(3);
        unsettled.ack(5);
        assert_eq!(unsettled.take_all(), [up_to(5)]);
    }

    #[test]
    fn no_frame_reaches_over_a_delivery_that_nobody_was_handed() {
        let mut unsettled = delivered([1, 2, 4, 5]);
        for tag in [1, 2, 4, 5] {
            unsettled.ack(tag);
        }
        assert_eq!(unsettled.take_together(), Some(up_to(2)));
        assert_eq!(unsettled.take_all(), [alone(4), alone(5)]);
    }

    #[test]
    fn what_waited_behind_an_open_delivery_goes_with_it() {
        let mut unsettled = delivered(1..=6);
        for tag in [2, 3, 5] {
            unsettled.ack(tag);
        }
        assert_eq!(unsettled.take_together(), None);
        unsettled.ack(1);
        assert_eq!(unsettled.take_together(), Some(up_to(3)));
        unsettled.hand_back(4);
        assert_eq!(unsettled.take_together(), Some(alone(5)));
        assert!(!unsettled.is_due());
    }

    #[test]
    fn a_frame_names_a_tag_that_is_due_and_never_one_handed_back() {
        let mut unsettled = delivered(1..=4);
        unsettled.ack(1);
        unsettled.ack(2);
        unsettled.hand_back(3);
        assert_eq!(unsettled.take_all(), [up_to(2)]);
    }

    /// What RabbitMQ makes of the frames of a channel.
    #[derive(Default)]
    struct Broker {
        unacked: BTreeSet<u64>,
        acked: BTreeSet<u64>,
    }

    impl Broker {
        fn ack(&mut self, ack: Ack) {
            assert!(self.unacked.contains(&ack.tag), "unknown delivery tag");
            let gone = match ack.multiple {
                true => {
                    let rest = self.unacked.split_off(&(ack.tag + 1));
                    mem::replace(&mut self.unacked, rest)
                }
                false => BTreeSet::from([ack.tag]),
            };
            self.unacked.retain(|tag| !gone.contains(tag));
            self.acked.extend(gone);
        }
    }

    proptest! {
        #[test]
        fn exactly_what_was_acknowledged_is(steps in prop::collection::vec((0_u8..7, any::<prop::sample::Index>()), 0..400)) {
            let (mut unsettled, mut broker) = (Unsettled::default(), Broker::default());
            let (mut open, mut acked, mut last) = (Vec::new(), BTreeSet::new(), 0);
            for (step, which) in steps {
                match step {
                    0 | 1 => {
                        last += 1;
                        unsettled.deliver(last);
                        broker.unacked.insert(last);
                        open.push(last);
                    }
                    2 | 3 if !open.is_empty() => {
                        let tag = open.swap_remove(which.index(open.len()));
                        unsettled.ack(tag);
                        acked.insert(tag);
                    }
                    4 if !open.is_empty() => {
                        let tag = open.swap_remove(which.index(open.len()));
                        unsettled.hand_back(tag);
                        broker.unacked.remove(&tag);
                    }
                    5 => {
                        unsettled.take_all().into_iter().for_each(|ack| broker.ack(ack));
                        prop_assert_eq!(&broker.acked, &acked);
                    }
                    _ => {
                        unsettled.take_together().into_iter().for_each(|ack| broker.ack(ack));
                        prop_assert!(broker.acked.is_subset(&acked));
                    }
                }
            }
            unsettled.take_all().into_iter().for_each(|ack| broker.ack(ack));
            prop_assert_eq!(&broker.acked, &acked);
            prop_assert_eq!(broker.unacked.into_iter().collect::<Vec<_>>(), { open.sort_unstable(); open });
        }
    }
}
