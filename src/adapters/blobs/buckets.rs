//! Places for bytes of files, by what is said of them: a local directory, or somebody's bucket.
//!
//! Requests to buckets have an end each and are tried again a few times, with growing pauses of no fixed
//! length.

use std::fs::{self, Permissions};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::client::{HttpClient, HttpConnector};
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::local::LocalFileSystem;
use object_store::signer::{HeaderName, Signer};
use object_store::{BackoffConfig, ClientConfigKey, ClientOptions, ObjectStore, RetryConfig};
use reqwest::redirect::Policy;
use rustls::ClientConfig;

use super::{BUCKET_PIECE, DIRECTORY_PIECE, Demand, Inner, Local, Signing};
use crate::adapters::tls;

/// For a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// From the beginning of a request to that of its answer, and for the next bytes of it.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);
/// How often a request is tried again at most.
const AGAIN_MAX: usize = 3;
/// After so long nothing is tried again.
const AGAIN_WITHIN: Duration = Duration::from_secs(20);
/// Before the second try.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// Longest pause between two.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// By which Google bounds how much is put under a link.
pub(super) const GCS_LENGTH_RANGE: &str = "x-goog-content-length-range";

/// Where bytes are to be.
pub enum Place {
    /// In a directory, on disk before anybody is told so. It is for this user alone.
    Directory(DirectoryPlace),
    /// In a bucket of S3, or of a service that speaks as S3 does.
    S3(S3Place),
    /// In a bucket of Google Cloud Storage.
    Gcs(GcsPlace),
    /// In a container of Azure Blob Storage.
    Azure(AzurePlace),
}

/// A directory.
pub struct DirectoryPlace {
    /// Where. Made if it is missing.
    pub path: PathBuf,
    /// Bytes that are left free on its disk.
    pub keep_free: u64,
}

/// A bucket of S3.
pub struct S3Place {
    /// Its name.
    pub bucket: String,
    /// The region; empty: us-east-1.
    pub region: String,
    /// Where the service is; `None`: Amazon's.
    pub endpoint: Option<String>,
    /// Name and secret of an access key; `None`: what the machine's role gives.
    pub keys: Option<(String, String)>,
    /// Whether the endpoint may be asked without TLS.
    pub allow_http: bool,
}

/// A bucket of Google Cloud Storage.
pub struct GcsPlace {
    /// Its name.
    pub bucket: String,
    /// Where the service is; `None`: Google's.
    pub endpoint: Option<String>,
    /// The file with the key of a service account; `None`: what the machine's account gives.
    pub service_account: Option<PathBuf>,
    /// Whether the endpoint may be asked without TLS.
    pub allow_http: bool,
}

/// A container of Azure Blob Storage.
pub struct AzurePlace {
    /// Its name.
    pub container: String,
    /// The storage account it is in.
    pub account: String,
    /// Where the account's blobs are; `None`: at Azure's.
    pub endpoint: Option<String>,
    /// The account's access key; `None`: what the machine's identity gives.
    pub key: Option<String>,
    /// Whether the endpoint may be asked without TLS.
    pub allow_http: bool,
}

pub(super) fn open(place: Place) -> anyhow::Result<Inner> {
    match place {
        Place::Directory(place) => directory(place),
        Place::S3(place) => s3(place),
        Place::Gcs(place) => gcs(place),
        Place::Azure(place) => azure(place),
    }
}

fn directory(place: DirectoryPlace) -> anyhow::Result<Inner> {
    let DirectoryPlace { path, keep_free } = place;
    let path = path.as_path();
    let shown = path.display();
    let unusable = || format!("the directory for files {shown} cannot be used");
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).with_context(unusable)?;
    // What is in it is made as the system makes files: nobody else comes as far.
    let mode = fs::metadata(path).with_context(unusable)?.permissions().mode();
    if mode & 0o077 != 0 {
        fs::set_permissions(path, Permissions::from_mode(0o700)).with_context(unusable)?;
    }
    let path = fs::canonicalize(path).with_context(unusable)?;
    let local = Local { path, keep_free };
    if !local.has_room().with_context(unusable)? {
        tracing::warn!(directory = %shown, keep_free, "there is no room for files: none are taken");
    }
    let path = &local.path;
    let store = LocalFileSystem::new_with_prefix(path).with_context(unusable)?.with_fsync(true);
    let store: Arc<dyn ObjectStore> = Arc::new(store);
    Ok(Inner { store, signing: None, directory: Some(local), piece: DIRECTORY_PIECE })
}

fn s3(place: S3Place) -> anyhow::Result<Inner> {
    let S3Place { bucket, region, endpoint, keys, allow_http } = place;
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(bucket)
        .with_client_options(options(allow_http))
        .with_retry(again())
        .with_http_connector(Connector(tls::client()?));
    if !region.is_empty() {
        builder = builder.with_region(region);
    }
    if let Some(endpoint) = endpoint {
        builder = builder.with_endpoint(endpoint);
    }
    if let Some((key, secret)) = keys {
        builder = builder.with_access_key_id(key).with_secret_access_key(secret);
    }
    let store = builder.build().context("the bucket of S3 cannot be used")?;
    Ok(bucket_of(store, Demand::Nothing))
}

fn gcs(place: GcsPlace) -> anyhow::Result<Inner> {
    let GcsPlace { bucket, endpoint, service_account, allow_http } = place;
    let mut builder = GoogleCloudStorageBuilder::new()
        .with_bucket_name(bucket)
        .with_client_options(options(allow_http))
        .with_retry(again())
        .with_http_connector(Connector(tls::client()?));
    if let Some(endpoint) = endpoint {
        builder = builder.with_base_url(&endpoint);
    }
    if let Some(file) = service_account {
        builder = builder.with_service_account_path(file.display().to_string());
    }
    let store = builder.build().context("the bucket of Google Cloud Storage cannot be used")?;
    Ok(bucket_of(store, Demand::LengthRange(HeaderName::from_static(GCS_LENGTH_RANGE))))
}

fn azure(place: AzurePlace) -> anyhow::Result<Inner> {
    let AzurePlace { container, account, endpoint, key, allow_http } = place;
    let mut builder = MicrosoftAzureBuilder::new()
        .with_container_name(container)
        .with_account(account)
        .with_client_options(options(allow_http))
        .with_retry(again())
        .with_http_connector(Connector(tls::client()?));
    if let Some(endpoint) = endpoint {
        builder = builder.with_endpoint(endpoint);
    }
    if let Some(key) = key {
        builder = builder.with_access_key(key);
    }
    let store = builder.build().context("the container of Azure cannot be used")?;
    Ok(bucket_of(store, Demand::Header("x-ms-blob-type", "BlockBlob")))
}

fn bucket_of<S: ObjectStore + Signer>(store: S, demand: Demand) -> Inner {
    let store = Arc::new(store);
    let signer: Arc<dyn Signer> = store.clone();
    let signing = Some(Signing { signer, demand });
    Inner { store, signing, directory: None, piece: BUCKET_PIECE }
}

fn options(allow_http: bool) -> ClientOptions {
    ClientOptions::new().with_allow_http(allow_http)
}

fn again() -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig {
            init_backoff: FIRST_PAUSE,
            max_backoff: LONGEST_PAUSE,
            ..BackoffConfig::default()
        },
        max_retries: AGAIN_MAX,
        retry_timeout: AGAIN_WITHIN,
    }
}

/// Makes clients that speak TLS as the rest of the server does.
#[derive(Debug)]
struct Connector(ClientConfig);

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        // What a machine tells of its role is asked for without TLS, whatever the settings say.
        let allowed = options.get_config_value(&ClientConfigKey::AllowHttp);
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(self.0.clone())
            .https_only(allowed.as_deref() != Some("true"))
            .http1_only()
            .redirect(Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(ANSWER_TIMEOUT)
            // Settings come through the configuration.
            .no_proxy()
            .referer(false)
            .user_agent(concat!("barterline/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| object_store::Error::Generic {
                store: "a client of buckets",
                source: Box::new(error),
            })?;
        Ok(HttpClient::new(client))
    }
}
