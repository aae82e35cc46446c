//! Which part of a merge is tried next: all of it, then halves of its messages, then halves of one
//! message's points. Pure: it never sees an answer, only what its caller makes of it.
//!
//! With `b` bad among `n` points about `2·b·log2(n)` upserts find them all.

use std::{collections::BTreeMap, ops::Range};

/// Some of a merge's points, in delivery order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    /// Whole messages, by position in the merge.
    Messages(Range<usize>),
    /// Points of one message.
    Points {
        /// Position in the merge.
        message: usize,
        /// Positions in the message.
        points: Range<usize>,
    },
}

/// The parts of one merge not yet decided. Later parts wait for earlier ones, so that of two writes
/// of one id the later is applied last.
#[derive(Debug)]
pub(crate) struct Bisection {
    /// Points of each message.
    points: Vec<usize>,
    /// The next part is the last.
    undecided: Vec<Part>,
}

impl Bisection {
    /// Starts with everything in one part.
    pub(crate) fn new(points: Vec<usize>) -> Self {
        let all = Part::Messages(0..points.len());
        Self {
            points,
            undecided: vec![all],
        }
    }

    /// The earliest undecided part, which is decided unless handed back.
    pub(crate) fn next(&mut self) -> Option<Part> {
        self.undecided.pop()
    }

    /// Hands a part back to be tried again.
    pub(crate) fn put_back(&mut self, part: Part) {
        self.undecided.push(part);
    }

    /// Hands a part back in two halves; or the part itself when it is a single point.
    pub(crate) fn halve(&mut self, part: Part) -> Result<(), Part> {
        let (first, second) = match part {
            Part::Messages(messages) if messages.len() > 1 => {
                let middle = messages.start + messages.len() / 2;
                (
                    Part::Messages(messages.start..middle),
                    Part::Messages(middle..messages.end),
                )
            }
            Part::Messages(messages) => {
                let message = messages.start;
                let points = 0..self.points.get(message).copied().unwrap_or(0);
                return self.halve(Part::Points { message, points });
            }
            Part::Points { message, points } if points.len() > 1 => {
                let middle = points.start + points.len() / 2;
                (
                    Part::Points {
                        message,
                        points: points.start..middle,
                    },
                    Part::Points {
                        message,
                        points: middle..points.end,
                    },
                )
            }
            Part::Points { .. } => return Err(part),
        };
        self.undecided.push(second);
        self.undecided.push(first);
        Ok(())
    }

    /// Hands a part back without some of its points, which were decided otherwise: ranges by message,
    /// ascending.
    pub(crate) fn put_back_without(
        &mut self,
        part: Part,
        decided: &BTreeMap<usize, Vec<Range<usize>>>,
    ) {
        let mut rest = Vec::new();
        let messages = part.messages();
        let mut whole = messages.start..messages.start;
        for message in messages {
            let Some(gaps) = decided.get(&message) else {
                whole.end = message + 1;
                continue;
            };
            if !whole.is_empty() {
                rest.push(Part::Messages(whole));
            }
            whole = message + 1..message + 1;
            let mut points = match &part {
                Part::Messages(_) => 0..self.points.get(message).copied().unwrap_or(0),
                Part::Points { points, .. } => points.clone(),
            };
            for gap in gaps {
                let before = points.start..gap.start;
                points.start = gap.end;
                if !before.is_empty() {
                    rest.push(Part::Points {
                        message,
                        points: before,
                    });
                }
            }
            if !points.is_empty() {
                rest.push(Part::Points { message, points });
            }
        }
        match part {
            Part::Messages(_) if !whole.is_empty() => rest.push(Part::Messages(whole)),
            Part::Points { .. } if decided.is_empty() => rest.push(part),
            Part::Messages(_) | Part::Points { .. } => {}
        }
        self.undecided.extend(rest.into_iter().rev());
    }

    /// Hands a part back to be tried after all others.
    pub(crate) fn defer(&mut self, part: Part) {
        self.undecided.insert(0, part);
    }

    /// Everything that is undecided.
    pub(crate) fn undecided(&self) -> &[Part] {
        &self.undecided
    }
}

impl Part {
    /// The messages it is made of, by position in the merge.
    pub(crate) fn messages(&self) -> Range<usize> {
        match self {
            Self::Messages(messages) => messages.clone(),
            Self::Points { message, .. } => *message..*message + 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A message's number and its point's.
    type Member = (usize, usize);

    /// Runs a bisection against a server that rejects every part with a bad point in it.
    /// Returns the good and the bad points in the order they were decided, and the tries.
    fn run(points: &[usize], bad: &[Member]) -> (Vec<Member>, Vec<Member>, usize) {
        let mut bisection = Bisection::new(points.to_vec());
        let (mut applied, mut condemned, mut tries) = (Vec::new(), Vec::new(), 0);
        while let Some(part) = bisection.next() {
            tries += 1;
            let members: Vec<(usize, usize)> = match &part {
                Part::Messages(messages) => messages
                    .clone()
                    .flat_map(|m| (0..points[m]).map(move |p| (m, p)))
                    .collect(),
                Part::Points { message, points } => points.clone().map(|p| (*message, p)).collect(),
            };
            if !members.iter().any(|member| bad.contains(member)) {
                applied.extend(members);
            } else if bisection.halve(part).is_err() {
                condemned.extend(members);
            }
        }
        (applied, condemned, tries)
    }

    #[test]
    fn nothing_bad_takes_one_try() {
        let (applied, condemned, tries) = run(&[3, 1, 2], &[]);
        assert_eq!((applied.len(), condemned.len(), tries), (6, 0, 1));
    }

    #[test]
    fn one_bad_point_of_a_thousand_is_found_in_twenty_tries() {
        let (applied, condemned, tries) = run(&[100; 10], &[(7, 42)]);
        assert_eq!((applied.len(), condemned), (999, vec![(7, 42)]));
        assert!(tries <= 1 + 2 * 11, "{tries}");
    }

    #[test]
    fn a_bad_single_point_message_is_found_at_once() {
        assert_eq!(run(&[1], &[(0, 0)]), (vec![], vec![(0, 0)], 1));
    }

    fn one(range: Range<usize>) -> Vec<Range<usize>> {
        std::iter::once(range).collect()
    }

    #[test]
    fn what_was_decided_otherwise_is_cut_out_in_order() {
        let mut bisection = Bisection::new(vec![4, 4, 4, 4]);
        let all = bisection.next().unwrap();
        let decided = BTreeMap::from([(1, vec![0..1, 2..3]), (2, one(0..4))]);
        bisection.put_back_without(all, &decided);
        let rest: Vec<Part> = std::iter::from_fn(|| bisection.next()).collect();
        let points = |message, points| Part::Points { message, points };
        assert_eq!(
            rest,
            [
                Part::Messages(0..1),
                points(1, 1..2),
                points(1, 3..4),
                Part::Messages(3..4)
            ]
        );
    }

    #[test]
    fn points_are_cut_out_of_points() {
        let mut bisection = Bisection::new(vec![10]);
        bisection.next();
        let part = Part::Points {
            message: 0,
            points: 4..8,
        };
        bisection.put_back_without(part.clone(), &BTreeMap::new());
        assert_eq!(bisection.next(), Some(part.clone()));
        bisection.put_back_without(part, &BTreeMap::from([(0, one(5..6))]));
        assert_eq!(
            bisection.next(),
            Some(Part::Points {
                message: 0,
                points: 4..5
            })
        );
        assert_eq!(
            bisection.next(),
            Some(Part::Points {
                message: 0,
                points: 6..8
            })
        );
        assert_eq!(bisection.next(), None);
    }

    #[test]
    fn a_deferred_part_comes_last() {
        let mut bisection = Bisection::new(vec![1, 1]);
        let all = bisection.next().unwrap();
        bisection.halve(all).unwrap();
        let first = bisection.next().unwrap();
        bisection.defer(first.clone());
        assert_eq!(bisection.next(), Some(Part::Messages(1..2)));
        assert_eq!(bisection.next(), Some(first));
    }

    proptest! {
        #[test]
        fn every_point_is_decided_once_in_order_and_rightly(
            points in prop::collection::vec(1usize..20, 1..20),
            seeds in prop::collection::vec((any::<usize>(), any::<usize>()), 0..6),
        ) {
            let bad: Vec<_> = seeds.iter().map(|(m, p)| {
                let message = m % points.len();
                (message, p % points[message])
            }).collect();
            let (applied, condemned, tries) = run(&points, &bad);
            let total: usize = points.iter().sum();
            prop_assert_eq!(applied.len() + condemned.len(), total);
            prop_assert!(applied.is_sorted() && condemned.is_sorted());
            prop_assert!(condemned.iter().all(|point| bad.contains(point)));
            let depth = (points.len() as f64).log2().ceil() + 20f64.log2().ceil() + 1.0;
            prop_assert!(tries as f64 <= 1.0 + 2.0 * condemned.len() as f64 * depth);
        }
    }
}
