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
    let mut kept = last_of_each(ids.into_iter()).into_iter().peekable();

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
