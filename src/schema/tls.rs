//! TLS to the database: whose certificates are trusted, and what is shown in return.
//!
//! Files are read once: whoever renews the authority or the server's own certificate restarts it.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, DnsName, ServerName, UnixTime};
use rustls::sign::SingleCertAndKey;
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use crate::config::Scylla;
use crate::listener::certificate::{self, Files};

/// How the nodes are known; `None` when they are spoken to without TLS.
pub fn client(settings: &Scylla) -> anyhow::Result<Option<Arc<ClientConfig>>> {
    let Some(ca) = &settings.tls_ca else { return Ok(None) };
    let provider = Arc::new(ring::default_provider());
    let mut roots = RootCertStore::empty();
    for authority in certificate::chain(ca)? {
        roots.add(authority)?;
    }
    let known = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone());
    let mut verifier: Arc<dyn ServerCertVerifier> = known.build()?;
    if let Some(name) = &settings.tls_name {
        let name = ServerName::DnsName(DnsName::try_from(name.clone())?);
        verifier = Arc::new(Named { name, verifier });
    }
    let config = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let (Some(certificate), Some(key)) = (&settings.tls_certificate, &settings.tls_key) else {
        return Ok(Some(Arc::new(config.with_no_client_auth())));
    };
    let files = Files { certificate: certificate.clone(), key: key.clone() };
    let shown = SingleCertAndKey::from(files.read(&provider)?);
    Ok(Some(Arc::new(config.with_client_cert_resolver(Arc::new(shown)))))
}

/// Asks every node for the same name. The driver itself asks for addresses, which change.
#[derive(Debug)]
struct Named {
    name: ServerName<'static>,
    verifier: Arc<dyn ServerCertVerifier>,
}

impl ServerCertVerifier for Named {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.verifier.verify_server_cert(end_entity, intermediates, &self.name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}
