//! Ports to listen on.

use std::net::SocketAddr;

use tokio::net::TcpListener;

use crate::TelemetryError;

/// Listens on an address, and logs which it is: port 0 takes a free one.
///
/// # Errors
/// `Listen`.
pub async fn listen(address: SocketAddr) -> Result<TcpListener, TelemetryError> {
    let failed = |source| TelemetryError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    tracing::info!(%address, "listening");
    Ok(listener)
}
