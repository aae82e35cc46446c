//! Snapshots on their way: out of a node with the end checked, into a node with stalls noticed.
//! Never holds more than the piece at hand.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use tokio::{sync::watch, time::timeout};

use super::{
    archive::ArchiveEnd,
    error::{Operation, RestError},
};

/// A snapshot's bytes as they come.
pub type ByteStream = Pin<Box<dyn Stream<Item = Result<Bytes, RestError>> + Send>>;

/// Why an upload failed.
#[derive(Debug, thiserror::Error)]
pub enum UploadError<E> {
    /// What was to be uploaded could not be read.
    #[error("read what is to be uploaded")]
    Source(#[source] E),
    /// The node did not take it.
    #[error(transparent)]
    Rest(#[from] RestError),
}

/// A response's body whose end is an error unless its archive has ended.
pub(super) fn download(
    response: reqwest::Response,
    operation: Operation,
    host: String,
    idle: Duration,
) -> ByteStream {
    let download = Download {
        body: Box::pin(response.bytes_stream()),
        archive: ArchiveEnd::new(),
        bytes: 0,
        operation,
        host,
        idle,
    };
    Box::pin(stream::unfold(Some(download), |download| async move {
        let mut download = download?;
        match download.next().await {
            Ok(Some(piece)) => Some((Ok(piece), Some(download))),
            Ok(None) => None,
            Err(error) => Some((Err(error), None)),
        }
    }))
}

struct Download {
    body: Pin<Box<dyn Stream<Item = reqwest::Result<Bytes>> + Send>>,
    archive: ArchiveEnd,
    bytes: u64,
    operation: Operation,
    host: String,
    idle: Duration,
}

impl Download {
    async fn next(&mut self) -> Result<Option<Bytes>, RestError> {
        let (operation, host) = (self.operation.clone(), self.host.clone());
        let Ok(piece) = timeout(self.idle, self.body.next()).await else {
            let after = self.idle;
            return Err(RestError::Stalled {
                operation,
                host,
                after,
            });
        };
        match piece {
            Some(Ok(piece)) => {
                self.bytes += piece.len() as u64;
                match self.archive.feed(&piece) {
                    Ok(()) => Ok(Some(piece)),
                    Err(_) => Err(RestError::Malformed {
                        operation,
                        host,
                        reason: "the snapshot is no tar archive".to_owned(),
                    }),
                }
            }
            Some(Err(source)) => Err(RestError::NoAnswer {
                operation,
                host,
                source,
            }),
            None if self.archive.is_complete() => Ok(None),
            None => Err(RestError::Truncated {
                operation,
                host,
                bytes: self.bytes,
            }),
        }
    }
}

/// Where an upload stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// That many pieces were handed to the connection.
    Sending(u64),
    /// All were.
    Sent,
}

/// What is seen from outside of a body that the HTTP client consumes.
pub(super) struct Upload<E> {
    failed: Arc<Mutex<Option<E>>>,
    progress: watch::Receiver<Progress>,
}

/// Says nothing itself: the cause is in [`Upload::failure`].
#[derive(Debug, thiserror::Error)]
#[error("what is to be uploaded could not be read")]
struct SourceFailed;

/// Wraps what is to be uploaded.
pub(super) fn upload<S, E>(source: S) -> (reqwest::Body, Upload<E>)
where
    S: Stream<Item = Result<Bytes, E>> + Send + 'static,
    E: Send + 'static,
{
    let failed = Arc::new(Mutex::new(None));
    let (report, progress) = watch::channel(Progress::Sending(0));
    let keep = Arc::clone(&failed);
    let state = (Box::pin(source), 0_u64);
    let pieces = stream::unfold(state, move |(mut source, sent)| {
        let (report, keep) = (report.clone(), Arc::clone(&keep));
        async move {
            match source.next().await {
                Some(Ok(piece)) => {
                    report.send_replace(Progress::Sending(sent + 1));
                    Some((Ok(piece), (source, sent + 1)))
                }
                Some(Err(error)) => {
                    *keep.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                    Some((Err(SourceFailed), (source, sent)))
                }
                None => {
                    report.send_replace(Progress::Sent);
                    None
                }
            }
        }
    });
    let body = reqwest::Body::wrap_stream(pieces);
    (body, Upload { failed, progress })
}

impl<E> Upload<E> {
    /// Why the source could not be read, if that is what failed.
    pub(super) fn failure(&self) -> Option<E> {
        self.failed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }

    /// Resolves with the time waited once no piece was taken for `idle`, or no answer came within
    /// `answer` of the last.
    pub(super) async fn stalled(&self, idle: Duration, answer: Duration) -> Duration {
        let mut progress = self.progress.clone();
        loop {
            if *progress.borrow_and_update() == Progress::Sent {
                break;
            }
            match timeout(idle, progress.changed()).await {
                Err(_) => return idle,
                Ok(Ok(())) => {}
                // The connection let go of the body: its answer is next.
                Ok(Err(_)) => break,
            }
        }
        tokio::time::sleep(answer).await;
        answer
    }
}
