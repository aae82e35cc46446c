//! A stream cut into parts and hashed on the way. Knows nothing of S3.

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use sha2::{Digest, Sha256};

use crate::store::Stored;

/// A stream, cut into parts and hashed on the way.
pub(crate) struct Parts<S> {
    stream: S,
    size: usize,
    /// The part being filled.
    pub(crate) part: BytesMut,
    /// What did not fit the part before.
    rest: Bytes,
    /// Buffers of parts that S3 has.
    spare: Vec<BytesMut>,
    /// Whether the stream has given all.
    pub(crate) ended: bool,
    pub(crate) bytes: u64,
    hash: Sha256,
}

impl<S, E> Parts<S>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
{
    pub(crate) fn new(stream: S, size: usize) -> Self {
        Self {
            stream,
            size,
            part: BytesMut::new(),
            rest: Bytes::new(),
            spare: Vec::new(),
            ended: false,
            bytes: 0,
            hash: Sha256::new(),
        }
    }

    /// Reads until the part is full or the stream has ended. A part that is full and the last is known to be the
    /// last only by asking for more.
    ///
    /// # Cancel safety
    /// Nothing is lost: what was read stays in the part.
    pub(crate) async fn fill(&mut self) -> Result<(), E> {
        loop {
            let room = self.size - self.part.len();
            let fitting = self.rest.split_to(room.min(self.rest.len()));
            if !fitting.is_empty() && self.part.capacity() == 0 {
                let spare = self.spare.pop();
                self.part = spare.unwrap_or_else(|| BytesMut::with_capacity(self.size));
            }
            self.part.extend_from_slice(&fitting);
            if self.ended || !self.rest.is_empty() {
                return Ok(());
            }
            let Some(chunk) = self.stream.next().await.transpose()? else {
                self.ended = true;
                continue;
            };
            self.bytes += chunk.len() as u64;
            self.hash.update(&chunk);
            self.rest = chunk;
        }
    }

    /// The part that was filled.
    pub(crate) fn take(&mut self) -> Bytes {
        std::mem::take(&mut self.part).freeze()
    }

    /// Takes a buffer back that nobody reads any more.
    pub(crate) fn give_back(&mut self, buffer: Bytes) {
        if let Ok(mut buffer) = buffer.try_into_mut() {
            buffer.clear();
            self.spare.push(buffer);
        }
    }

    /// What the whole stream was.
    pub(crate) fn stored(self) -> Stored {
        Stored {
            bytes: self.bytes,
            sha256: hex(&self.hash.finalize()),
        }
    }
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
