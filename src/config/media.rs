//! Files that people upload.

use std::path::{Path, PathBuf};

use super::section::{Allowed, Any, Secret, Word, section};

section! {
    /// Files that people upload: where their bytes are, who looks through them, and how much is taken.
    pub struct Media = "media" {
        /// Where bytes are: in a directory of this machine, or in a bucket of S3 (or of what speaks as
        /// it does), of Google Cloud Storage or of Azure. Several servers need a bucket, or a directory
        /// that they share.
        store: String = "directory".to_owned(), Word(&["directory", "s3", "gcs", "azure"]);
        /// The directory. Made if it is missing; for this user alone.
        directory: Option<PathBuf> = None, Any("a directory, or \"\": `media` in the data directory");
        /// The bucket; with `azure`, the container.
        bucket: String = String::new(), Name("a name, or \"\" without a bucket");
        /// The region of the bucket, with `s3`.
        region: String = String::new(), Name("a name, or \"\": us-east-1");
        /// Where the service is.
        endpoint: String = String::new(), Service;
        /// The storage account, with `azure`.
        account: String = String::new(), Name("a name, or \"\" without `azure`");
        /// The name of the access key, with `s3`. Without keys, what the machine's role gives is used.
        access_key: String = String::new(), Name("a name, or \"\" without one");
        /// The secret of the access key, with `s3`; with `azure`, the key of the account. Better in
        /// `BARTERLINE_MEDIA__SECRET_KEY` than in a file.
        secret_key: Secret = Secret::default(), Any("a text, never shown");
        /// The file with the key of a service account, with `gcs`. Without it, what the machine's
        /// account gives is used.
        service_account: Option<PathBuf> = None, Any("a file, or \"\" without one");
        /// Room that files leave on the disk of the directory, in MiB, for what people say: where there is
        /// less, no more is taken.
        keep_free_mib: u64 = 1_024, 0..=1_048_576;
        /// Whether `endpoint` may be asked without TLS. For a service on this machine, or in a network of
        /// your own.
        allow_http: bool = false, Any("true or false");
        /// A clamd that looks through each file before anybody else may fetch it. While it is down, files
        /// wait.
        scanner: String = String::new(), Daemon;
        /// Most of a picture, in MiB.
        picture_mib: u64 = 20, 1..=100;
        /// Most of a video, in MiB.
        video_mib: u64 = 100, 1..=4_096;
        /// Most of a recording, in MiB.
        audio_mib: u64 = 25, 1..=1_024;
        /// Most of a document, in MiB.
        document_mib: u64 = 25, 1..=1_024;
        /// Pictures of more megapixels are refused before they are decoded. Each that is decoded takes
        /// 4 to 14 MB of memory a megapixel, by what kind of picture it is.
        pixels_max_mp: u64 = 50, 1..=200;
        /// Files that one person may begin to upload within an hour.
        uploads_per_hour: u64 = 120, 1..=100_000;
        /// MiB of the files that one person may begin to upload within a day; the last of them may go beyond.
        uploads_mib_per_day: u64 = 2_048, 1..=1_048_576;
        /// Files of one person at a time that nothing shows yet, for each purpose by itself. For listings
        /// 20 at least, as many as one of them shows.
        unfinished_max: usize = 16, 1..=1_000;
        /// Pictures that are made ready at a time, each by a thread of its own.
        workers: usize = 1, 1..=64;
    }
}

/// Where bytes are unless it is said.
const DIRECTORY: &str = "media";

impl Media {
    /// The directory for bytes, if they are in one.
    pub fn directory(&self, data: &Path) -> PathBuf {
        self.directory.clone().unwrap_or_else(|| data.join(DIRECTORY))
    }

    /// Where the service is, if it is said.
    pub fn endpoint(&self) -> Option<String> {
        Some(self.endpoint.clone()).filter(|endpoint| !endpoint.is_empty())
    }

    /// Name and secret of the access key of S3.
    pub fn keys(&self) -> Option<(String, String)> {
        let keys = (self.access_key.clone(), self.secret_key.expose().to_owned());
        Some(keys).filter(|(name, _)| !name.is_empty())
    }

    /// Where somebody looks through files.
    pub fn scanner(&self) -> Option<&str> {
        Some(self.scanner.as_str()).filter(|scanner| !scanner.is_empty())
    }

    /// Most bytes of a picture.
    pub fn picture_bytes(&self) -> u64 {
        self.picture_mib << 20
    }

    /// Most bytes of a video.
    pub fn video_bytes(&self) -> u64 {
        self.video_mib << 20
    }

    /// Most bytes of a recording.
    pub fn audio_bytes(&self) -> u64 {
        self.audio_mib << 20
    }

    /// Most bytes of a document.
    pub fn document_bytes(&self) -> u64 {
        self.document_mib << 20
    }

    /// Most pixels of a picture.
    pub fn pixels_max(&self) -> u64 {
        self.pixels_max_mp * 1_000_000
    }

    /// Mistakes that only show in two settings together.
    pub(super) fn contradictions(&self) -> Vec<String> {
        let mut mistakes = Vec::new();
        let store = self.store.as_str();
        // What there is to set, for which stores, and of which it is needed.
        let settings: [(&str, bool, &[&str], &[&str]); 7] = [
            ("directory", self.directory.is_some(), &["directory"], &[]),
            ("bucket", !self.bucket.is_empty(), &["s3", "gcs", "azure"], &["s3", "gcs", "azure"]),
            ("endpoint", !self.endpoint.is_empty(), &["s3", "gcs", "azure"], &[]),
            ("account", !self.account.is_empty(), &["azure"], &["azure"]),
            ("access_key", !self.access_key.is_empty(), &["s3"], &[]),
            ("secret_key", !self.secret_key.is_empty(), &["s3", "azure"], &[]),
            ("service_account", self.service_account.is_some(), &["gcs"], &[]),
        ];
        for (key, is_set, used_by, needed_by) in settings {
            if is_set && !used_by.contains(&store) {
                let stores = used_by.join(" or ");
                mistakes.push(format!(
                    "`media.{key}` is for `media.store` = {stores}, which is \"{store}\""
                ));
            }
            if !is_set && needed_by.contains(&store) {
                mistakes.push(format!("`media.store` = \"{store}\" needs `media.{key}` as well"));
            }
        }
        if store == "s3" && self.access_key.is_empty() != self.secret_key.is_empty() {
            mistakes.push("`media.access_key` and `media.secret_key`: set both or none".to_owned());
        }
        if self.endpoint.starts_with("http://") && !self.allow_http {
            mistakes.push(
                "`media.endpoint` without TLS needs `media.allow_http` = true as well".to_owned(),
            );
        }
        mistakes
    }
}

/// A name as services give them.
struct Name(&'static str);

impl Allowed<String> for Name {
    fn allows(&self, value: &String) -> bool {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.$+/=".contains(c);
        value.len() <= 256 && value.chars().all(is_plain)
    }

    fn describe(&self) -> String {
        self.0.to_owned()
    }
}

/// The address of a service, without a log-in.
struct Service;

impl Allowed<String> for Service {
    fn allows(&self, value: &String) -> bool {
        let rest = value.strip_prefix("https://").or_else(|| value.strip_prefix("http://"));
        let is_clean = |rest: &str| {
            !rest.is_empty()
                && !rest.starts_with('/')
                && !rest.contains(['@', '?', '#'])
                && rest.chars().all(|c| c.is_ascii_graphic())
        };
        value.is_empty() || rest.is_some_and(is_clean)
    }

    fn describe(&self) -> String {
        "like https://s3.eu-central-1.example.com, or \"\": the provider's own".to_owned()
    }
}

/// Where a daemon listens.
struct Daemon;

impl Allowed<String> for Daemon {
    fn allows(&self, value: &String) -> bool {
        let is_address = |(host, port): (&str, &str)| {
            !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port != 0)
        };
        match value.strip_prefix("unix:") {
            Some(path) => path.starts_with('/'),
            None => value.is_empty() || value.rsplit_once(':').is_some_and(is_address),
        }
    }

    fn describe(&self) -> String {
        "HOST:PORT, or unix:/path, or \"\" without one".to_owned()
    }
}
