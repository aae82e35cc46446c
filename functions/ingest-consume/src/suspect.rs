//! What is asked about messages the server failed on: can they be decoded at all, and may one be tried
//! after the others. Never on the hot path.

use std::{collections::HashSet, ops::Range};

use alioth_cluster::decode_check;
use alioth_points::UpsertMessage;

/// Points of a message that cannot be decoded, ascending, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UndecodablePoints {
    pub(crate) points: Vec<Range<usize>>,
    pub(crate) reason: String,
}

/// Finds undecodable points. Takes about a microsecond a point: off the async threads.
pub(crate) fn undecodable_points(message: &UpsertMessage) -> Option<UndecodablePoints> {
    let Err(undecodable) = decode_check(message) else {
        return None;
    };
    let mut points: Vec<Range<usize>> = Vec::new();
    for index in 0..message.points() {
        if decode_check(&message.slice(index..index + 1)).is_ok() {
            continue;
        }
        match points.last_mut() {
            Some(last) if last.end == index => last.end += 1,
            Some(_) | None => points.push(index..index + 1),
        }
    }
    if points.is_empty() {
        // Each is well alone: then it is the whole that is at fault.
        points.push(0..message.points());
    }
    Some(UndecodablePoints {
        points,
        reason: undecodable.to_string(),
    })
}

/// Whether two writes of one id would change places if `message` were tried after `others`.
pub(crate) fn shares_ids<'a>(
    message: &UpsertMessage,
    others: impl Iterator<Item = &'a UpsertMessage>,
) -> bool {
    let ids: HashSet<_> = message.ids().flatten().collect();
    let mut others = others.flat_map(|other| other.ids().flatten());
    others.any(|id| ids.contains(&id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_messages::{message, with_broken_point};

    #[test]
    fn a_sound_message_has_no_undecodable_points() {
        assert_eq!(undecodable_points(&message("films", &[1, 2, 3])), None);
    }

    #[test]
    fn the_broken_point_is_found_among_sound_ones() {
        let broken = with_broken_point("films", &[1, 2, 3, 4], 2);
        let found = undecodable_points(&broken).expect("one is broken");
        assert_eq!(found.points, std::slice::from_ref(&(2..3)));
        assert!(found.reason.contains("undecodable"), "{}", found.reason);
    }

    #[test]
    fn shared_ids_are_seen() {
        let (first, second) = (message("films", &[1, 2]), message("films", &[2, 3]));
        let third = message("films", &[4]);
        assert!(shares_ids(&first, [&third, &second].into_iter()));
        assert!(!shares_ids(&first, [&third].into_iter()));
    }
}
