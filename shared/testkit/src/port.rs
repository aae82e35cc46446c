//! Ports held for a service that starts, stops and starts again: nobody else on the machine can take them between.

use std::net::{Ipv4Addr, Shutdown, SocketAddr};

use socket2::SockRef;
use tokio::net::{TcpListener, TcpSocket};

/// A port on 127.0.0.1 that the system hands to nobody else while this lives.
///
/// It is bound and never listened on, so connections to it are refused until a service with `SO_REUSEADDR`
/// (Erlang's listeners set it, as does tokio's) listens there.
#[derive(Debug)]
pub struct ReservedPort {
    address: SocketAddr,
    _held: TcpSocket,
}

impl ReservedPort {
    /// Reserves a free port.
    ///
    /// # Panics
    /// When the machine has no port left on 127.0.0.1.
    pub fn new() -> Self {
        let reserve = || -> std::io::Result<Self> {
            let socket = TcpSocket::new_v4()?;
            socket.set_reuseaddr(true)?;
            socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
            Ok(Self {
                address: socket.local_addr()?,
                _held: socket,
            })
        };
        match reserve() {
            Ok(port) => port,
            Err(error) => panic!("cannot reserve a port on 127.0.0.1: {error}"),
        }
    }

    /// 127.0.0.1 and the port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The port's number.
    pub fn number(&self) -> u16 {
        self.address.port()
    }
}

/// Closes a listener so that its port can be listened on at once.
///
/// A process that another test forks has the descriptor too until it execs, which on a busy machine takes a while;
/// closing ours would leave the port listening as long.
pub(crate) fn stop_listening(listener: TcpListener) {
    if let Err(error) = SockRef::from(&listener).shutdown(Shutdown::Both) {
        panic!("cannot stop listening: {error}");
    }
}

impl Default for ReservedPort {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpStream;

    #[tokio::test]
    async fn refuses_until_a_service_listens_and_again_after_it() {
        let port = ReservedPort::new();
        assert!(TcpStream::connect(port.address()).await.is_err());
        for _ in 0..2 {
            let service = TcpListener::bind(port.address())
                .await
                .expect("the holder lets a service listen");
            assert!(TcpStream::connect(port.address()).await.is_ok());
            drop(service);
            assert!(TcpStream::connect(port.address()).await.is_err());
        }
    }

    #[tokio::test]
    async fn can_be_listened_on_again_while_a_forked_process_has_the_listener() {
        let port = ReservedPort::new();
        let service = TcpListener::bind(port.address()).await.expect("free");
        // What a fork leaves behind: another descriptor of the same socket.
        let service = service.into_std().expect("a listener");
        let forked = service.try_clone().expect("a descriptor");
        stop_listening(TcpListener::from_std(service).expect("in a runtime"));
        let again = TcpListener::bind(port.address()).await;
        assert!(again.is_ok(), "{again:?}");
        drop(forked);
    }

    #[test]
    fn is_given_to_nobody_else() {
        let ports: Vec<ReservedPort> = (0..200).map(|_| ReservedPort::new()).collect();
        let mut numbers: Vec<u16> = ports.iter().map(ReservedPort::number).collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), ports.len());
    }
}
