//! Certificates made for a test, and clients that trust them.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use rustls::crypto::ring;
use rustls::pki_types::{PrivatePkcs8KeyDer, ServerName};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, StreamOwned,
    SupportedProtocolVersion,
};

/// Who the certificates are for.
const NAME: &str = "barterline.example";

/// A certificate and its key.
pub struct Certificate(CertifiedKey<KeyPair>);

/// The two files that a server reads.
#[derive(Clone)]
pub struct Files {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// The way to a server under TLS.
#[derive(Clone)]
pub struct Secured {
    pub at: SocketAddr,
    pub config: Arc<ClientConfig>,
}

/// A connection under TLS.
pub type Connection = StreamOwned<ClientConnection, TcpStream>;

impl Certificate {
    /// Like no other.
    pub fn new() -> Self {
        Self::of(NAME)
    }

    /// The same, for this name.
    pub fn of(name: &str) -> Self {
        Self(generate_simple_self_signed([name.to_owned()]).expect("a certificate"))
    }

    /// What a server that shows it is set to.
    pub fn shown(&self) -> ServerConfig {
        let key = PrivatePkcs8KeyDer::from(self.0.signing_key.serialized_der().to_vec());
        ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(rustls::ALL_VERSIONS)
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![self.0.cert.der().clone()], key.into())
            .expect("a certificate with its key")
    }

    pub fn chain_pem(&self) -> String {
        pem("CERTIFICATE", self.0.cert.der())
    }

    pub fn key_pem(&self) -> String {
        pem("PRIVATE KEY", self.0.signing_key.serialized_der())
    }

    /// What a client that trusts this certificate and no other is set to.
    pub fn trusted(&self) -> ClientConfig {
        self.trusted_over(rustls::ALL_VERSIONS)
    }

    /// The same, with these versions of TLS.
    pub fn trusted_over(&self, versions: &[&'static SupportedProtocolVersion]) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.cert.der().clone()).expect("a certificate");
        ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(versions)
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth()
    }
}

impl Files {
    /// In this directory.
    pub fn within(dir: &Path) -> Self {
        Self { certificate: dir.join("chain.pem"), key: dir.join("key.pem") }
    }

    /// Puts a certificate there, as a tool that renews it would: one file, then the other.
    pub fn hold(&self, certificate: &Certificate) {
        self.hold_text(&certificate.chain_pem(), &certificate.key_pem());
    }

    pub fn hold_text(&self, chain: &str, key: &str) {
        for (path, text) in [(&self.certificate, chain), (&self.key, key)] {
            let unfinished = path.with_extension("new");
            let mut options = OpenOptions::new();
            let options = options.write(true).create(true).truncate(true).mode(0o600);
            let mut file = options.open(&unfinished).expect("a file");
            file.write_all(text.as_bytes()).expect("a write");
            fs::rename(unfinished, path).expect("a file in its place");
        }
    }

    /// The flags that name them.
    pub fn flags(&self) -> [String; 4] {
        let path = |path: &Path| path.to_str().expect("UTF-8").to_owned();
        let (certificate, key) = (path(&self.certificate), path(&self.key));
        ["--tls-certificate".to_owned(), certificate, "--tls-key".to_owned(), key]
    }
}

impl Secured {
    /// A connection on which nothing has been said; the handshake comes with the first word.
    pub fn connect(&self) -> Connection {
        let socket = TcpStream::connect(self.at).expect("the server listens");
        socket.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout");
        let client = ClientConnection::new(Arc::clone(&self.config), name());
        StreamOwned::new(client.expect("a client"), socket)
    }

    /// Shakes hands with the server.
    pub fn shake_hands(&self) -> Result<Connection, std::io::Error> {
        let mut connection = self.connect();
        connection.conn.complete_io(&mut connection.sock)?;
        Ok(connection)
    }
}

/// Who clients ask for.
pub fn name() -> ServerName<'static> {
    ServerName::try_from(NAME).expect("a name")
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<_> = text.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}
