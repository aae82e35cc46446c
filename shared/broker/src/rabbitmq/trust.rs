//! Whom an amqps connection trusts: the system's certificate authorities, or those of one file alone.

use std::{path::Path, sync::Arc};

use lapin::tcp::RustlsConnector;
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject},
};

/// Reads the authorities of a PEM file; the error says what is wrong with it, without naming it.
pub(crate) fn authorities(file: &Path) -> Result<RootCertStore, String> {
    let certificates = CertificateDer::pem_file_iter(file).map_err(|error| error.to_string())?;
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        let certificate = certificate.map_err(|error| error.to_string())?;
        roots.add(certificate).map_err(|error| error.to_string())?;
    }
    match roots.is_empty() {
        true => Err("holds no certificate (PEM)".to_owned()),
        false => Ok(roots),
    }
}

/// Connects to those alone whose certificate one of these authorities signed.
pub(super) fn connector(authorities: RootCertStore) -> Result<RustlsConnector, rustls::Error> {
    let provider = Arc::new(ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(authorities)
        .with_no_client_auth();
    Ok(RustlsConnector::from(config))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_certificates_is_refused_with_the_reason() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("ca.pem");
        assert!(authorities(&file).is_err_and(|reason| reason.contains("No such file")));
        std::fs::write(&file, "no certificate").expect("written");
        assert_eq!(
            authorities(&file).map(|roots| roots.len()),
            Err("holds no certificate (PEM)".to_owned())
        );
        let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        std::fs::write(&file, broken).expect("written");
        assert!(authorities(&file).is_err());
    }
}
