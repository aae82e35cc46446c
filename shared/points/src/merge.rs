//! Many messages into one upsert, by concatenation: of the points no byte is copied.
use bytes::Bytes;

use crate::dedup::last_of_each;
use crate::wire::upsert;
use crate::{PointId, UpsertMessage};

/// Body of one upsert in pieces, to be written one after another: no copy of the points is made.
#[derive(Debug, Clone, Default)]
pub struct UpsertBody {
    /// Pieces in wire order; together one `qdrant.UpsertPoints` with `wait = true`.
    pub pieces: Vec<Bytes>,
    /// Points in it after duplicates are dropped.
    pub points: usize,
}

/// Concatenates messages of one merge key, in this order; of an id that occurs twice the later point stays.
/// Of no messages an empty body.
pub fn merge(messages: &[&UpsertMessage]) -> UpsertBody {
    let Some(first) = messages.first() else {
        return UpsertBody::default();
    };
    debug_assert!(
        messages
            .iter()
            .all(|message| message.merge_key() == first.merge_key()),
        "keys differ"
    );
    let ids: Vec<Option<PointId>> = messages.iter().flat_map(|message| message.ids()).collect();
    let mut kept = last_of_each(ids.len(), |point| ids[point])
        .into_iter()
        .peekable();

    let mut body = UpsertBody {
        pieces: vec![first.merge_key().bytes().clone()],
        points: kept.len(),
    };
    let mut before = 0;
    for message in messages {
        let mut run = 0..0;
        for (index, point) in message.located().iter().enumerate() {
            if kept.next_if_eq(&(before + index)).is_none() {
                continue;
            }
            if run.end != point.bytes.start {
                put_run(&mut body, message, run);
                run = point.bytes.clone();
            } else {
                run.end = point.bytes.end;
            }
        }
        put_run(&mut body, message, run);
        before += message.points();
    }
    body.pieces.push(Bytes::from_static(upsert::WAIT_TRUE));
    body
}

/// Points that lie side by side in `message` go as one piece.
fn put_run(body: &mut UpsertBody, message: &UpsertMessage, run: std::ops::Range<usize>) {
    if !run.is_empty() {
        body.pieces.push(message.body().slice(run));
    }
}

#[cfg(test)]
mod tests {
    use crate::{UpsertQuery, Write};

    use super::*;

    /// A message of points of these ids.
    fn message(ids: &[u64]) -> UpsertMessage {
        let points: Vec<String> = ids.iter().map(|id| format!(r#"{{"id":{id}}}"#)).collect();
        let body = format!(r#"{{"points":[{}]}}"#, points.join(","));
        let write = Write::parse_upsert("c", UpsertQuery::default(), body.as_bytes());
        let mut messages = write.expect("a good body").into_messages(usize::MAX);
        UpsertMessage::scan(messages.swap_remove(0)).expect("own bytes")
    }

    /// Points of an upsert, and how many pieces they lie in.
    fn merged(messages: &[&[u64]]) -> (usize, usize) {
        let messages: Vec<UpsertMessage> = messages.iter().map(|ids| message(ids)).collect();
        let body = merge(&messages.iter().collect::<Vec<_>>());
        // Beside the points there are the options before and `wait` after them.
        (body.points, body.pieces.len() - 2)
    }

    #[test]
    fn points_side_by_side_are_one_piece() {
        assert_eq!(merged(&[&[1, 2, 3]]), (3, 1));
        assert_eq!(merged(&[&[1, 2], &[3]]), (3, 2));
        assert_eq!(merged(&[&[1, 2, 3], &[2]]), (3, 3));
        assert_eq!(merged(&[&[1, 2, 3], &[1]]), (3, 2));
        assert_eq!(merged(&[&[1, 2], &[2, 1]]), (2, 1));
        assert_eq!(merged(&[&[1, 1, 1]]), (1, 1));
    }

    #[test]
    fn no_byte_of_a_point_is_copied() {
        let message = message(&[1, 2, 3]);
        let body = merge(&[&message, &message.slice(1..2)]);
        let whole = message.body().as_ptr_range();
        for piece in &body.pieces[1..body.pieces.len() - 1] {
            let piece = piece.as_ptr_range();
            assert!(whole.start <= piece.start && piece.end <= whole.end);
        }
    }

    #[test]
    fn nothing_merges_to_nothing() {
        let body = merge(&[]);
        assert_eq!((body.points, body.pieces.len()), (0, 0));
    }
}
