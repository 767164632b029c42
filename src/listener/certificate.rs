//! The certificate that the TLS listener shows, from two files that may change while it runs.

use std::error::Error;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::time::MissedTickBehavior;

/// Why there is no certificate to show.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file cannot be read.
    #[error("cannot read {path}")]
    Io {
        /// Which file.
        path: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// Others can read the key.
    #[error("{path} can be read by others (mode {mode:o}): run chmod 600 {path}")]
    Permissions {
        /// Which file.
        path: String,
        /// Its mode.
        mode: u32,
    },
    /// A file is no sound PEM.
    #[error("{path} is not a sound PEM file")]
    Pem {
        /// Which file.
        path: String,
        /// What is wrong.
        source: pem::Error,
    },
    /// There is no certificate.
    #[error("{path} holds no certificate: PEM is expected, the server's own certificate first")]
    NoCertificate {
        /// Which file.
        path: String,
    },
    /// There is no key.
    #[error(
        "{path} holds no private key: PEM is expected, PKCS#8, PKCS#1 or SEC1, without a password"
    )]
    NoKey {
        /// Which file.
        path: String,
    },
    /// The certificate or the key is of no use.
    #[error("{path} cannot be used")]
    Unusable {
        /// Which file.
        path: String,
        /// What is wrong.
        source: rustls::Error,
    },
    /// The key is another's.
    #[error("the private key {key} does not belong to the certificate {certificate}")]
    Mismatch {
        /// The certificate's file.
        certificate: String,
        /// The key's file.
        key: String,
    },
    /// TLS itself cannot be set up.
    #[error("cannot set up TLS")]
    Setup(#[source] rustls::Error),
}

/// Where a certificate stands.
#[derive(Debug, Clone)]
pub struct Files {
    /// The chain, the server's own certificate first.
    pub certificate: PathBuf,
    /// The private key, for this user's eyes alone.
    pub key: PathBuf,
}

/// Puts a renewed certificate in the place of the one that is shown.
pub struct Renewal {
    files: Files,
    shown: Arc<Shown>,
    /// What was wrong the last time.
    failed: Option<String>,
}

/// What new connections are shown; those that stand keep what they saw.
#[derive(Debug)]
struct Shown(Mutex<Arc<CertifiedKey>>);

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.lock()))
    }
}

/// Reads a certificate; gives what the listener needs to show it, and what keeps it fresh.
pub fn open(files: Files) -> Result<(Arc<ServerConfig>, Renewal), CertificateError> {
    let provider = Arc::new(ring::default_provider());
    let shown = Arc::new(Shown(Mutex::new(Arc::new(files.read(&provider)?))));
    let resolver: Arc<dyn ResolvesServerCert> = shown.clone();
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(CertificateError::Setup)?
        .with_no_client_auth()
        .with_cert_resolver(resolver);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // Clients that come back bring what is to be known of them: nothing is kept here.
    config.ticketer = ring::Ticketer::new().map_err(CertificateError::Setup)?;
    Ok((Arc::new(config), Renewal { files, shown, failed: None }))
}

impl Files {
    /// Reads both, and holds the one against the other.
    pub fn read(&self, provider: &CryptoProvider) -> Result<CertifiedKey, CertificateError> {
        let (certificate, key) = (shown(&self.certificate), shown(&self.key));
        let chain = chain(&self.certificate)?;
        let metadata = fs::metadata(&self.key);
        let metadata =
            metadata.map_err(|source| CertificateError::Io { path: key.clone(), source })?;
        let mode = metadata.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(CertificateError::Permissions { path: key, mode });
        }
        let private = PrivateKeyDer::from_pem_slice(&read(&self.key)?).map_err(|error| {
            let path = key.clone();
            match error {
                pem::Error::NoItemsFound => CertificateError::NoKey { path },
                source => CertificateError::Pem { path, source },
            }
        })?;
        let private = provider.key_provider.load_private_key(private);
        let private =
            private.map_err(|source| CertificateError::Unusable { path: key.clone(), source })?;
        let certified = CertifiedKey::new(chain, private);
        match certified.keys_match() {
            Ok(()) => Ok(certified),
            Err(rustls::Error::InconsistentKeys(_)) => {
                Err(CertificateError::Mismatch { certificate, key })
            }
            Err(source) => Err(CertificateError::Unusable { path: certificate, source }),
        }
    }
}

impl Renewal {
    /// Looks at the files again and again, for as long as it is not dropped.
    pub async fn run(mut self, interval: Duration) {
        let mut ticks = tokio::time::interval(interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.look();
        }
    }

    /// Takes what the files hold now; what cannot be used changes nothing. Two small files: read
    /// in the place of waiting for a thread that reads them.
    fn look(&mut self) {
        self.failed = match self.files.read(&ring::default_provider()) {
            Ok(certified) => {
                let mut shown = self.shown.0.lock();
                // The same certificate has the same key.
                if shown.cert != certified.cert {
                    *shown = Arc::new(certified);
                    tracing::info!(file = %self.files.certificate.display(), "a new certificate");
                }
                None
            }
            Err(error) => {
                let text = error.to_string();
                // Once, not at each look. Certificate and key are two files: between the two
                // writes of a renewal they do not fit.
                if self.failed.as_ref() != Some(&text) {
                    let error: &dyn Error = &error;
                    tracing::error!(error, "cannot renew the certificate: the old one stays");
                }
                Some(text)
            }
        };
    }
}

/// The certificates of a file, of which there is one at least.
pub fn chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    let chain = CertificateDer::pem_slice_iter(&read(path)?)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|source| CertificateError::Pem { path: shown(path), source })?;
    if chain.is_empty() {
        return Err(CertificateError::NoCertificate { path: shown(path) });
    }
    Ok(chain)
}

fn read(path: &Path) -> Result<Vec<u8>, CertificateError> {
    fs::read(path).map_err(|source| CertificateError::Io { path: shown(path), source })
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
