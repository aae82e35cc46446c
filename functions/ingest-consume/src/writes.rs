//! Whose points a message holds: accept lets small writes share one, and lists them in a header as `id:points`, in the
//! order of their points, separated by commas. Pure.

use std::ops::Range;

use alioth_broker::{HeaderValue, OutgoingMessage};

const WRITES: &str = "alioth-writes";

/// Makes a message of some points of another say whose those are: its id is that of the first write of them, and
/// the list, if there is one, names them alone.
pub(crate) fn narrow(message: &mut OutgoingMessage, points: Range<usize>) {
    let Some(at) = message.headers.iter().position(|(name, _)| name == WRITES) else {
        return;
    };
    let HeaderValue::Text(list) = &message.headers[at].1 else {
        return;
    };
    // A list by somebody else that means something else stays as it is.
    let Some(writes) = within(list, &points) else {
        return;
    };
    let [(first, _), rest @ ..] = &writes[..] else {
        return;
    };
    message.message_id = (*first).to_owned();
    if rest.is_empty() {
        message.headers.remove(at);
        return;
    }
    let each: Vec<String> = writes
        .iter()
        .map(|(id, points)| format!("{id}:{points}"))
        .collect();
    message.headers[at].1 = HeaderValue::Text(each.join(","));
}

/// The writes that have points in the range, and how many; `None` when the list is none.
fn within<'a>(list: &'a str, range: &Range<usize>) -> Option<Vec<(&'a str, usize)>> {
    let (mut found, mut start) = (Vec::new(), 0_usize);
    for write in list.split(',') {
        let (id, points) = write.rsplit_once(':')?;
        let end = start.checked_add(points.parse().ok()?)?;
        let common = start.max(range.start)..end.min(range.end);
        if !common.is_empty() {
            found.push((id, common.len()));
        }
        start = end;
    }
    (range.end <= start).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn narrowed(list: &str, points: Range<usize>) -> (String, Option<String>) {
        let mut message = OutgoingMessage {
            body: Bytes::new(),
            content_type: String::new(),
            kind: String::new(),
            message_id: "a".to_owned(),
            headers: vec![(WRITES.to_owned(), HeaderValue::Text(list.to_owned()))],
        };
        narrow(&mut message, points);
        let list = message.headers.pop().map(|(_, value)| match value {
            HeaderValue::Text(list) => list,
            HeaderValue::Int(number) => number.to_string(),
        });
        (message.message_id, list)
    }

    #[test]
    fn points_are_of_the_writes_they_came_with() {
        let rows = [
            (0..1, "a", None),
            (1..3, "b", None),
            (2..3, "b", None),
            (0..2, "a", Some("a:1,b:1")),
            (2..6, "b", Some("b:1,c:3")),
            (0..6, "a", Some("a:1,b:2,c:3")),
        ];
        for (points, id, list) in rows {
            let expected = (id.to_owned(), list.map(str::to_owned));
            assert_eq!(
                narrowed("a:1,b:2,c:3", points.clone()),
                expected,
                "{points:?}"
            );
        }
    }

    #[test]
    fn what_is_no_such_list_stays_as_it_is() {
        for list in ["", "a", "b:x", "b:1", "b:18446744073709551615,c:2"] {
            let expected = ("a".to_owned(), Some(list.to_owned()));
            assert_eq!(narrowed(list, 1..3), expected, "{list}");
        }
    }
}
