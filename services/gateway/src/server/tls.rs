//! TLS of the listener, from PEM files.

use std::path::Path;

use tonic::transport::{Certificate, Identity, ServerTlsConfig};

use super::Error;
use crate::config::TlsFiles;

/// Reads the files. What is in them is judged when the server starts.
pub(super) async fn config(files: &TlsFiles) -> Result<ServerTlsConfig, Error> {
    let TlsFiles { certificate, key, client_ca } = files;
    let identity = Identity::from_pem(read(certificate).await?, read(key).await?);
    let config = ServerTlsConfig::new().identity(identity);
    Ok(match client_ca {
        Some(client_ca) => config.client_ca_root(Certificate::from_pem(read(client_ca).await?)),
        None => config,
    })
}

async fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let failed = |source| Error::TlsFile { path: path.to_owned(), source };
    tokio::fs::read(path).await.map_err(failed)
}
