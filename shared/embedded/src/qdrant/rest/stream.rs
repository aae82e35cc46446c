//! The body of an answer that a blocking thread writes, with bounded memory. A body that breaks
//! off ends in an error, never in what looks like its end.

use std::{
    io::{self, Write},
    time::Duration,
};

use axum::body::{Body, Bytes};
use bytes::BytesMut;
use futures_util::stream;
use tokio::{runtime::Handle, sync::mpsc};

const CHUNK_BYTES: usize = 64 * 1024;
/// Chunks written and not yet read.
const CHUNKS: usize = 8;
/// A reader that takes nothing for so long is given up. As in a Qdrant server.
const IDLE: Duration = Duration::from_secs(60);

enum Piece {
    Bytes(Bytes),
    End,
}

/// A writer, and the body of what is written to it.
pub(super) fn body() -> (BodyWriter, Body) {
    let (sender, receiver) = mpsc::channel(CHUNKS);
    let writer = BodyWriter {
        sender,
        filled: BytesMut::with_capacity(CHUNK_BYTES),
        runtime: Handle::current(),
    };
    let pieces = stream::unfold(Some(receiver), |receiver| async {
        let mut receiver = receiver?;
        match receiver.recv().await {
            Some(Piece::Bytes(bytes)) => Some((Ok(bytes), Some(receiver))),
            Some(Piece::End) => None,
            None => Some((Err(io::Error::other("the snapshot broke off")), None)),
        }
    });
    (writer, Body::from_stream(pieces))
}

/// Writes a body from a thread that may block. Unless [`finish`](Self::finish) is called, the
/// body breaks off.
pub(super) struct BodyWriter {
    sender: mpsc::Sender<Piece>,
    filled: BytesMut,
    runtime: Handle,
}

impl BodyWriter {
    /// Ends the body.
    ///
    /// # Errors
    /// When nobody reads it any more.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.send_filled()?;
        self.send(Piece::End)
    }

    fn send_filled(&mut self) -> io::Result<()> {
        if self.filled.is_empty() {
            return Ok(());
        }
        let filled = self.filled.split().freeze();
        self.filled.reserve(CHUNK_BYTES);
        self.send(Piece::Bytes(filled))
    }

    fn send(&self, piece: Piece) -> io::Result<()> {
        let sent = async { tokio::time::timeout(IDLE, self.sender.send(piece)).await };
        match self.runtime.block_on(sent) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(io::ErrorKind::BrokenPipe.into()),
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        }
    }
}

impl Write for BodyWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(CHUNK_BYTES - self.filled.len());
        self.filled.extend_from_slice(&bytes[..taken]);
        if self.filled.len() == CHUNK_BYTES {
            self.send_filled()?;
        }
        Ok(taken)
    }

    /// What is not yet a chunk is sent with the next bytes or the end.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
