//! Receives a body: into one buffer, within its limit, its time and the budget. Knows nothing of
//! what is in it.

use std::{future::poll_fn, pin::Pin, time::Duration};

use axum::body::{Body, HttpBody};
use bytes::Bytes;

use crate::{
    answer::Refusal,
    budget::{Budget, Reservation},
    content::Encoding,
};

/// A body, and what it holds of the budget for as long as anything made of it lives.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) bytes: Bytes,
    pub(crate) reservation: Reservation,
}

/// Reads a body to its end.
///
/// # Errors
/// `BodyTooLarge`, before anything is read where the size is declared; `BodyTooSlow`,
/// `BodyIncomplete`, and `Overloaded` (transient).
pub(crate) async fn receive(
    body: Body,
    limit: usize,
    within: Duration,
    budget: &Budget,
) -> Result<Received, Refusal> {
    let declared = declared_len(&body, limit)?;
    let mut receiver = Receiver {
        buffer: Vec::new(),
        first: Bytes::new(),
        declared,
        limit,
        reservation: budget.reserve(),
    };
    tokio::time::timeout(within, receiver.collect(body))
        .await
        .map_err(|_| Refusal::BodyTooSlow { after: within })??;
    Ok(receiver.finish())
}

/// Refuses a body over the limit before a byte of it is read.
fn declared_len(body: &Body, limit: usize) -> Result<Option<usize>, Refusal> {
    let hint = body.size_hint();
    let least = usize::try_from(hint.lower()).unwrap_or(usize::MAX);
    if least > limit {
        return Err(too_large(limit));
    }
    Ok(hint.exact().map(|_| least))
}

fn too_large(limit: usize) -> Refusal {
    Refusal::BodyTooLarge {
        limit,
        encoding: Encoding::Identity,
    }
}

struct Receiver {
    /// Used from the second piece on: a body that came in one piece is not copied.
    buffer: Vec<u8>,
    first: Bytes,
    declared: Option<usize>,
    limit: usize,
    reservation: Reservation,
}

impl Receiver {
    async fn collect(&mut self, mut body: Body) -> Result<(), Refusal> {
        while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
            let frame = frame.map_err(|_| Refusal::BodyIncomplete {
                received: self.len(),
            })?;
            // Trailers say nothing that matters here.
            if let Ok(data) = frame.into_data() {
                self.add(data)?;
            }
        }
        Ok(())
    }

    fn add(&mut self, data: Bytes) -> Result<(), Refusal> {
        let len = self.len() + data.len();
        if len > self.limit {
            return Err(too_large(self.limit));
        }
        self.reservation
            .grow_to(len, self.declared.unwrap_or(self.limit))?;
        if self.len() == 0 {
            self.first = data;
            return Ok(());
        }
        if self.buffer.is_empty() {
            // Address space, not memory: pages come with the bytes.
            self.buffer.reserve_exact(self.declared.unwrap_or(len * 2));
            self.buffer
                .extend_from_slice(&std::mem::take(&mut self.first));
        }
        self.buffer.extend_from_slice(&data);
        Ok(())
    }

    fn len(&self) -> usize {
        self.first.len() + self.buffer.len()
    }

    fn finish(self) -> Received {
        let bytes = if self.buffer.is_empty() {
            self.first
        } else {
            Bytes::from(self.buffer)
        };
        Received {
            bytes,
            reservation: self.reservation,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::Code;
    use axum::body::Body;
    use futures_util::stream;
    use std::convert::Infallible;

    const LIMIT: usize = 1_000;
    const WITHIN: Duration = Duration::from_secs(30);

    fn pieces(pieces: &[&'static str]) -> Body {
        let pieces: Vec<Result<_, Infallible>> = pieces.iter().copied().map(Ok).collect();
        Body::from_stream(stream::iter(pieces))
    }

    async fn read(body: Body) -> Result<Bytes, Code> {
        receive(body, LIMIT, WITHIN, &Budget::alone(10 * LIMIT))
            .await
            .map(|received| received.bytes)
            .map_err(|refusal| refusal.verdict().code)
    }

    #[tokio::test]
    async fn pieces_are_put_together() {
        assert_eq!(read(Body::empty()).await.unwrap(), "");
        assert_eq!(read(Body::from("whole")).await.unwrap(), "whole");
        assert_eq!(
            read(pieces(&["", "a", "", "bc", "def"])).await.unwrap(),
            "abcdef"
        );
    }

    #[tokio::test]
    async fn the_limit_holds_with_and_without_a_declared_size() {
        let longest = "x".repeat(LIMIT);
        assert_eq!(read(Body::from(longest.clone())).await.unwrap(), longest);
        let longer = Body::from("x".repeat(LIMIT + 1));
        assert_eq!(read(longer).await, Err(Code::BodyTooLarge));
        let endless = stream::repeat_with(|| Ok::<_, Infallible>("xxxxxxxxxxxxxxxx"));
        assert_eq!(
            read(Body::from_stream(endless)).await,
            Err(Code::BodyTooLarge)
        );
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_is_refused() {
        let broken = stream::iter([Ok("half"), Err(std::io::Error::other("reset"))]);
        assert_eq!(
            read(Body::from_stream(broken)).await,
            Err(Code::BodyIncomplete)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_trickles_is_cut_off() {
        let trickle = stream::unfold((), |()| async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Some((Ok::<_, Infallible>("x"), ()))
        });
        assert_eq!(
            read(Body::from_stream(trickle)).await,
            Err(Code::BodyTooSlow)
        );
    }

    #[tokio::test]
    async fn bodies_over_the_budget_are_refused_until_one_is_dropped() {
        let budget = Budget::alone(LIMIT);
        let first = receive(Body::from("x".repeat(600)), LIMIT, WITHIN, &budget)
            .await
            .unwrap();
        let second = receive(Body::from("x".repeat(600)), LIMIT, WITHIN, &budget).await;
        assert!(matches!(second, Err(Refusal::Overloaded)));
        drop(first);
        receive(Body::from("x".repeat(600)), LIMIT, WITHIN, &budget)
            .await
            .unwrap();
        assert_eq!(budget.used(), 0);
    }
}
