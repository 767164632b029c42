//! TLS to whom the system trusts.

use std::sync::Arc;

use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};

/// How a client speaks that trusts whom the system trusts.
pub(super) fn client() -> anyhow::Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    // What cannot be read is not trusted; without any, each request says so.
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!(%error, "some of the system's authorities cannot be read");
    }
    roots.add_parsable_certificates(found.certs);
    // Two providers of cryptography are in the build.
    let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(tls)
}
