//! One AMQP connection whose end is always noticed and which can always be ended: lapin waits without limit for a
//! peer that accepts and says nothing, so the socket is kept at hand to be shut.

use std::{
    future::Future,
    io,
    net::{Shutdown, SocketAddr, TcpStream},
    os::fd::AsFd,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::StreamExt;
use lapin::{
    AsyncTcpStream, Channel, Connection, ConnectionProperties, ErrorKind, Event,
    protocol::{AMQPErrorKind, AMQPSoftError},
    runtime::default_runtime,
    tcp::TLSConfig,
    uri::{AMQPScheme, AMQPUri},
};
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::Settings;

/// lapin keeps room for 32 frames in each direction: 4 MiB a connection, a half of what RabbitMQ's own maximum takes.
/// Messages of 44 and 256 KB cost the same with either, within what a busy machine lets see (2026-11-22, two cores).
pub(super) const FRAME_MAX: u32 = 64 * 1024;
/// lapin tells of every end but a close without an error code; this finds that one.
const STATUS_INTERVAL: Duration = Duration::from_secs(1);
/// `reply-success` of AMQP 0-9-1.
const REPLY_SUCCESS: u16 = 200;

/// A connection, or something asked over it, that failed. Transient: connect again.
#[derive(Debug, thiserror::Error)]
pub(super) enum LinkError {
    #[error("{0}")]
    Amqp(#[from] lapin::Error),
    #[error("no answer within {0:?}")]
    TimedOut(Duration),
}

impl LinkError {
    /// Whether the server knows who we say we are, and will not have us.
    pub(super) fn is_refusal(&self) -> bool {
        match self {
            Self::Amqp(error) => match error.kind() {
                ErrorKind::ProtocolError(refused) => {
                    *refused.kind() == AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED)
                }
                _ => false,
            },
            Self::TimedOut(_) => false,
        }
    }
}

/// What can be said of an open connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Condition {
    Open,
    /// RabbitMQ takes no publishes over it: it is short of memory or disk.
    Blocked(String),
    Closed(String),
}

/// One connection. Dropping it shuts the socket; lapin's thread ends with that.
#[derive(Debug)]
pub(super) struct Link {
    connection: Connection,
    condition: watch::Receiver<Condition>,
    socket: Socket,
    timeout: Duration,
    _watching: DropGuard,
}

impl Link {
    /// Connects and greets. `role` is appended to the connection's name.
    pub(super) async fn open(settings: &Settings, role: &str) -> Result<Self, LinkError> {
        let name = format!("{} {role}", settings.connection_name);
        let properties = ConnectionProperties::default().with_connection_name(name.into());
        let socket = Socket::default();
        let guard = socket.clone().shut_on_drop();
        let (kept, limit) = (socket.clone(), settings.connect_timeout);
        let (uri, runtime) = (settings.uri(), default_runtime()?);
        let trust = settings.trust.clone();
        // 20 KB of state, which everything that waits for it would carry.
        let greeting = Box::pin(Connection::connector(
            uri,
            runtime,
            async move |uri: AMQPUri, runtime| {
                let connecting = async {
                    let host = uri.authority.host.as_str();
                    let addresses = tokio::net::lookup_host((host, uri.authority.port)).await?;
                    let addresses: Vec<SocketAddr> = addresses.collect();
                    let stream = AsyncTcpStream::connect(&runtime, addresses).await?;
                    if let AsyncTcpStream::Plain(plain) = &stream {
                        kept.keep(plain.get_ref())?;
                    }
                    match (uri.scheme, &trust) {
                        (AMQPScheme::AMQP, _) => Ok(stream),
                        (AMQPScheme::AMQPS, Some(trust)) => stream.into_rustls(trust, host).await,
                        (AMQPScheme::AMQPS, None) => {
                            stream.into_tls(host, TLSConfig::default()).await
                        }
                    }
                };
                match tokio::time::timeout(limit, connecting).await {
                    Ok(connected) => connected.map_err(lapin::Error::from),
                    Err(_) => Err(io::Error::from(io::ErrorKind::TimedOut).into()),
                }
            },
            properties,
        ));
        // Dropped on the way out, the guard ends a handshake that hangs.
        let connection = in_time(settings.connect_timeout, greeting).await?;
        guard.defuse();
        Ok(Self::watch(connection, socket, settings.connect_timeout))
    }

    fn watch(connection: Connection, socket: Socket, timeout: Duration) -> Self {
        let (said, condition) = watch::channel(Condition::Open);
        let ended = CancellationToken::new();
        let watching = ended.clone().drop_guard();
        let events = connection.events_listener();
        let status = connection.status().clone();
        let watch = async move {
            let mut events = std::pin::pin!(events);
            let mut looks = tokio::time::interval(STATUS_INTERVAL);
            loop {
                let seen = tokio::select! {
                    event = events.next() => match event {
                        Some(event) => condition_of(&event),
                        None => Some(Condition::Closed("it ended".to_owned())),
                    },
                    _ = looks.tick() => (!status.connected())
                        .then(|| Condition::Closed("the server closed it".to_owned())),
                };
                let Some(seen) = seen else { continue };
                let over = matches!(seen, Condition::Closed(_));
                said.send_replace(seen);
                if over {
                    return;
                }
            }
        };
        // Ends with the link; nothing is lost when it is not waited for.
        tokio::spawn(async move { ended.run_until_cancelled(watch).await });
        Self {
            connection,
            condition,
            socket,
            timeout,
            _watching: watching,
        }
    }

    /// Follows the connection's condition. The channel's end means closed, too.
    pub(super) fn condition(&self) -> watch::Receiver<Condition> {
        self.condition.clone()
    }

    /// Opens a channel.
    pub(super) async fn channel(&self) -> Result<Channel, LinkError> {
        self.in_time(self.connection.create_channel()).await
    }

    /// Waits for an answer from the server, with a limit.
    pub(super) async fn in_time<T>(
        &self,
        asked: impl Future<Output = lapin::Result<T>>,
    ) -> Result<T, LinkError> {
        in_time(self.timeout, asked).await
    }

    /// Says goodbye; an answer that does not come is not waited for longer than anything else.
    pub(super) async fn close(self) {
        // However it ends, the socket is shut afterwards.
        let _ = self
            .in_time(self.connection.close(REPLY_SUCCESS, "OK".into()))
            .await;
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.socket.shut();
    }
}

/// What is new with the connection after an event; `None` when nothing is.
fn condition_of(event: &Event) -> Option<Condition> {
    match event {
        Event::Connected | Event::ConnectionUnblocked => Some(Condition::Open),
        Event::ConnectionBlocked(reason) => Some(Condition::Blocked(reason.clone())),
        Event::Error(error) => Some(Condition::Closed(error.to_string())),
        // Flow control of a channel; RabbitMQ does not use it.
        Event::SendFlow(_) => None,
        // The enum may grow; what is unknown changes nothing.
        _ => None,
    }
}

async fn in_time<T>(
    limit: Duration,
    asked: impl Future<Output = lapin::Result<T>>,
) -> Result<T, LinkError> {
    match tokio::time::timeout(limit, asked).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(LinkError::TimedOut(limit)),
    }
}

/// A second handle on the connection's socket, once there is one.
#[derive(Debug, Clone, Default)]
struct Socket(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
enum Kept {
    #[default]
    NotYet,
    Open(TcpStream),
    /// Nobody is left who could shut what is connected from now on.
    Shut,
}

impl Socket {
    /// Keeps a handle on a stream that has just connected.
    ///
    /// # Errors
    /// `ConnectionAborted` when it was given up meanwhile: lapin connects in a thread of its own, which goes on when
    /// nobody waits for it any more.
    fn keep(&self, stream: &impl AsFd) -> io::Result<()> {
        let socket = TcpStream::from(stream.as_fd().try_clone_to_owned()?);
        // Confirms and acks are small frames that must not wait for each other.
        socket.set_nodelay(true)?;
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*kept, Kept::Shut) {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        *kept = Kept::Open(socket);
        Ok(())
    }

    fn shut(&self) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Kept::Open(socket) = std::mem::replace(&mut *kept, Kept::Shut) {
            // It may be shut already.
            let _ = socket.shutdown(Shutdown::Both);
        }
    }

    fn shut_on_drop(self) -> ShutOnDrop {
        ShutOnDrop(Some(self))
    }
}

struct ShutOnDrop(Option<Socket>);

impl ShutOnDrop {
    fn defuse(mut self) {
        self.0 = None;
    }
}

impl Drop for ShutOnDrop {
    fn drop(&mut self) {
        if let Some(socket) = &self.0 {
            socket.shut();
        }
    }
}
