//! What every engine needs to start: a directory of its own, and a port.

use std::{fs::File, net::SocketAddr, path::Path};

use tokio::net::TcpListener;

use crate::NodeError;

const LOCK_FILE: &str = "lock";

/// Creates a directory if absent, and holds it until the file is dropped.
///
/// # Errors
/// When another process holds it, or it cannot be written.
pub(crate) fn lock_directory(path: &Path) -> Result<File, NodeError> {
    let unusable = |source| NodeError::OpenDirectory {
        path: path.to_owned(),
        source,
    };
    std::fs::create_dir_all(path).map_err(unusable)?;
    let lock = File::create(path.join(LOCK_FILE)).map_err(unusable)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(std::fs::TryLockError::WouldBlock) => Err(NodeError::LockDirectory {
            path: path.to_owned(),
        }),
        Err(std::fs::TryLockError::Error(source)) => Err(unusable(source)),
    }
}

pub(crate) async fn listen(address: SocketAddr) -> Result<TcpListener, NodeError> {
    TcpListener::bind(address)
        .await
        .map_err(|source| NodeError::Listen { address, source })
}

pub(crate) fn local_address(
    listener: &TcpListener,
    address: SocketAddr,
) -> Result<SocketAddr, NodeError> {
    listener
        .local_addr()
        .map_err(|source| NodeError::Listen { address, source })
}
