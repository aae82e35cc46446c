//! A TCP proxy that misbehaves on demand: pass, cut, swallow, delay. It never looks into what it carries.

mod budget;

use self::budget::Budget;
use crate::port::{ReservedPort, stop_listening};
use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{Mutex, watch},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

/// How a [`FaultProxy`] treats traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Carries everything.
    Pass,
    /// Closes every connection and refuses new ones.
    Cut,
    /// Accepts, reads and carries nothing in the given direction. A connection that lost octets this way is
    /// closed at the next change, since its peers no longer agree.
    BlackHole(Direction),
    /// Holds every piece read (up to 64 KiB) back by this long in each direction.
    Delay(Duration),
}

/// Whom a black hole keeps from hearing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Neither side hears the other.
    Both,
    /// The server hears nothing; what it says still arrives.
    ToServer,
    /// The client hears nothing; what it says still arrives.
    ToClient,
}

/// A TCP proxy on a port of its own in front of one address; ends when dropped.
#[derive(Debug)]
pub struct FaultProxy {
    port: ReservedPort,
    upstream: SocketAddr,
    fault: watch::Sender<Fault>,
    accepted: Arc<AtomicU64>,
    budget: Budget,
    /// Gone while the proxy refuses.
    front: Mutex<Option<Front>>,
}

/// The listener and its connections: all end together.
#[derive(Debug)]
struct Front {
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

impl FaultProxy {
    /// Starts to pass between a free port and `upstream`.
    ///
    /// # Panics
    /// When the port cannot be listened on.
    pub async fn start(upstream: SocketAddr) -> Self {
        let proxy = Self {
            port: ReservedPort::new(),
            upstream,
            fault: watch::Sender::new(Fault::Pass),
            accepted: Arc::default(),
            budget: Budget::default(),
            front: Mutex::new(None),
        };
        proxy.set(Fault::Pass).await;
        proxy
    }

    /// Where to connect to.
    pub fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// Connections accepted so far.
    pub fn connections(&self) -> u64 {
        self.accepted.load(Ordering::SeqCst)
    }

    /// Changes the treatment, of open connections too; the change is in force when this returns.
    ///
    /// # Panics
    /// When the port cannot be listened on again.
    pub async fn set(&self, fault: Fault) {
        let mut front = self.front.lock().await;
        self.fault.send_replace(fault);
        match fault {
            Fault::Cut => {
                if let Some(old) = front.take() {
                    old.end().await;
                }
            }
            Fault::Pass | Fault::BlackHole(_) | Fault::Delay(_) => {
                if front.is_none() {
                    *front = Some(self.open().await);
                }
            }
        }
    }

    /// Closes every connection; new ones are treated as before.
    ///
    /// # Panics
    /// As [`FaultProxy::set`].
    pub async fn cut_connections(&self) {
        let before = *self.fault.borrow();
        self.set(Fault::Cut).await;
        self.set(before).await;
    }

    /// Closes, once, the connection that carries the next octet after this many, whoever says it; nothing happens to
    /// the others, nor to those after it.
    pub fn cut_once_after(&self, octets: u64) {
        self.budget.set(octets);
    }

    /// Whether [`FaultProxy::cut_once_after`] has happened.
    pub fn has_cut(&self) -> bool {
        self.budget.is_gone()
    }

    async fn open(&self) -> Front {
        let listener = match TcpListener::bind(self.port.address()).await {
            Ok(listener) => listener,
            Err(error) => panic!("cannot listen on {}: {error}", self.port.address()),
        };
        let stop = CancellationToken::new();
        let serving = serve(
            listener,
            self.upstream,
            self.fault.subscribe(),
            Arc::clone(&self.accepted),
            self.budget.clone(),
            stop.clone(),
        );
        Front {
            stop,
            task: tokio::spawn(serving),
        }
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        if let Some(front) = self.front.get_mut() {
            front.stop.cancel();
        }
    }
}

impl Front {
    async fn end(self) {
        self.stop.cancel();
        // It ends by the token; a panic in it was printed already.
        let _ = self.task.await;
    }
}

async fn serve(
    listener: TcpListener,
    upstream: SocketAddr,
    fault: watch::Receiver<Fault>,
    accepted: Arc<AtomicU64>,
    budget: Budget,
    stop: CancellationToken,
) {
    // Dropping the set ends every connection.
    let mut connections = JoinSet::new();
    let accepting = async {
        loop {
            let Ok((client, _)) = listener.accept().await else {
                continue;
            };
            accepted.fetch_add(1, Ordering::SeqCst);
            while connections.try_join_next().is_some() {}
            connections.spawn(carry(client, upstream, fault.clone(), budget.clone()));
        }
    };
    stop.run_until_cancelled(accepting).await;
    stop_listening(listener);
    connections.shutdown().await;
}

async fn carry(
    client: TcpStream,
    upstream: SocketAddr,
    fault: watch::Receiver<Fault>,
    budget: Budget,
) {
    let server = match TcpStream::connect(upstream).await {
        Ok(server) => server,
        Err(_) => return swallow(client, fault).await,
    };
    // Small frames must not wait for each other: the proxy is to add no latency of its own.
    let (_, _) = (client.set_nodelay(true), server.set_nodelay(true));
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let faults = (fault.clone(), budget.clone());
    let up = pump(from_client, to_server, Direction::ToServer, faults);
    let down = pump(from_server, to_client, Direction::ToClient, (fault, budget));
    tokio::select! {
        // Either end of the connection ends the other: good enough for protocols that do not half-close.
        _ = up => {}
        _ = down => {}
    }
}

/// A connection with no server behind it: closed at once, unless the proxy is a hole that accepts everything.
async fn swallow(client: TcpStream, mut fault: watch::Receiver<Fault>) {
    while matches!(*fault.borrow_and_update(), Fault::BlackHole(_)) {
        if fault.changed().await.is_err() {
            break;
        }
    }
    drop(client);
}

/// Carries one direction until an end closes, or the hole that swallowed some of it is over.
async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    direction: Direction,
    (mut fault, budget): (watch::Receiver<Fault>, Budget),
) -> io::Result<()> {
    let mut piece = vec![0; 64 * 1024];
    let mut lost = false;
    loop {
        let read = tokio::select! {
            biased;
            changed = fault.changed() => match changed {
                Ok(()) => None,
                Err(_) => return Ok(()),
            },
            read = from.read(&mut piece) => Some(read),
        };
        // What is in force now, not when the wait began: what was sent after a change must find it.
        let now = *fault.borrow_and_update();
        let hole =
            matches!(now, Fault::BlackHole(kept) if kept == Direction::Both || kept == direction);
        // Whoever cuts ends this soon; until then nothing more is to get through.
        if now == Fault::Cut || (lost && !hole) {
            return Ok(());
        }
        let Some(length) = read else { continue };
        match (hole, length) {
            // The end of the stream is swallowed as well: the other side must not hear of it.
            (true, Ok(0) | Err(_)) => return hold_until_change(fault).await,
            (true, Ok(_)) => lost = true,
            (false, Ok(0)) => return Ok(()),
            (false, Ok(length)) if budget.is_spent_by(length) => return Ok(()),
            (false, Ok(length)) => {
                if let Fault::Delay(delay) = now {
                    tokio::time::sleep(delay).await;
                }
                to.write_all(&piece[..length]).await?;
            }
            (false, Err(error)) => return Err(error),
        }
    }
}

async fn hold_until_change(mut fault: watch::Receiver<Fault>) -> io::Result<()> {
    // An error means the proxy is gone: the connection ends either way.
    let _ = fault.changed().await;
    Ok(())
}
