//! The keys that sign access tokens, in one file of the data directory.
//!
//! Invariants: exactly one key signs, and it is in the ring; every key has passed the checks (not
//! a sample, of sound length); nobody but the owner of the process can read the file. A key that
//! has retired goes on verifying for as long as a token signed by it can live.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use barterline_domain::clock::Timestamp;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use pasetors::keys::{AsymmetricKeyPair, AsymmetricPublicKey, AsymmetricSecretKey, Generate as _};
use pasetors::version4::V4;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::auth::token::ACCESS_LIFETIME_MAX;

/// Where the keys are, seen from the data directory.
pub const KEYS_PATH: &str = "keys/access-tokens.json";

const FILE_VERSION: u32 = 1;
const SEED_BYTES: usize = 32;
/// The seed and the public key behind it, as PASETO writes a secret key.
const SECRET_BYTES: usize = 64;

/// Seeds that are printed somewhere: the test vectors of PASETO v4 and of RFC 8032, section 7.1.
/// Seeds of one repeated byte or of bytes that count up are refused as well.
const SAMPLE_SEEDS: &[&str] = &[
    "tMv7Q99M4hByfZU-SnEzB_oZu32fhQQUONnhG5QqN3Q",
    "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
    "TM0Imyj_ltqdtsNG7BFOD1uKMZ81q6Yk2oz27U-4pvs",
    "xaqN9D-fg3vtt0QvMdy3sWbThTUHbwlLhc46LgtEWPc",
];

/// Why there are no keys to start with.
#[derive(Debug, thiserror::Error)]
pub enum KeyRingError {
    /// Others can read or change the file or its directory.
    #[error(
        "{path} is open to other users (mode {mode:04o}); keys that others may have read are \
         worth nothing: run `chmod {wanted:04o} {path}`, or remove the file for new keys"
    )]
    Exposed {
        /// The file or directory.
        path: String,
        /// Its mode.
        mode: u32,
        /// The mode it must have.
        wanted: u32,
    },
    /// A key that is printed in a document or test.
    #[error("{path} holds a published sample key; remove the file, and new keys are made")]
    Sample {
        /// The key file.
        path: String,
    },
    /// Not a key file of ours.
    #[error("{path} is not a key file: {reason}")]
    Malformed {
        /// The key file.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// Written by a newer version of the server.
    #[error("{path} has version {found}; this server knows {FILE_VERSION}")]
    Newer {
        /// The key file.
        path: String,
        /// Its version.
        found: u32,
    },
    /// The file system said no.
    #[error("{path} cannot be read or written")]
    Io {
        /// The file or directory.
        path: String,
        /// The reason.
        #[source]
        source: io::Error,
    },
}

/// One key pair.
#[derive(Debug)]
pub struct Key {
    kid: String,
    secret: AsymmetricSecretKey<V4>,
    public: AsymmetricPublicKey<V4>,
    created_at: Timestamp,
    retired_at: Option<Timestamp>,
}

/// Several keys: the newest signs, all verify.
#[derive(Debug)]
pub struct KeyRing {
    path: PathBuf,
    /// The last one signs.
    keys: Vec<Arc<Key>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredRing {
    version: u32,
    /// The oldest first; the last one signs.
    keys: Vec<StoredKey>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredKey {
    secret: String,
    created_at_ms: Timestamp,
    retired_at_ms: Option<Timestamp>,
}

enum BadKey {
    Sample,
    Malformed(&'static str),
}

impl Key {
    /// Its name: a hash of the public key, so that one key never has two.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    pub(super) fn secret(&self) -> &AsymmetricSecretKey<V4> {
        &self.secret
    }

    pub(super) fn public(&self) -> &AsymmetricPublicKey<V4> {
        &self.public
    }

    fn new(
        secret: AsymmetricSecretKey<V4>,
        created_at: Timestamp,
        retired_at: Option<Timestamp>,
    ) -> Self {
        let public =
            AsymmetricPublicKey::try_from(&secret).expect("a secret key ends with its public key");
        let kid = BASE64_URL_SAFE_NO_PAD.encode(&Sha256::digest(public.as_bytes())[..12]);
        Self { kid, secret, public, created_at, retired_at }
    }

    fn generate(now: Timestamp) -> Self {
        let pair = AsymmetricKeyPair::<V4>::generate()
            .expect("a system without randomness can keep no secret: there is no way on");
        Self::new(pair.secret, now, None)
    }

    fn parse(stored: &StoredKey) -> Result<Self, BadKey> {
        let secret = BASE64_URL_SAFE_NO_PAD
            .decode(&stored.secret)
            .ok()
            .filter(|secret| secret.len() == SECRET_BYTES)
            .ok_or(BadKey::Malformed("a secret is not 64 bytes of base64url"))?;
        // Before anything is computed from it: the library panics on a seed of zeros.
        if is_sample(&secret[..SEED_BYTES]) {
            return Err(BadKey::Sample);
        }
        let secret = AsymmetricSecretKey::<V4>::from(&secret)
            .map_err(|_| BadKey::Malformed("a secret is no Ed25519 key pair"))?;
        Ok(Self::new(secret, stored.created_at_ms, stored.retired_at_ms))
    }

    fn stored(&self) -> StoredKey {
        StoredKey {
            secret: BASE64_URL_SAFE_NO_PAD.encode(self.secret.as_bytes()),
            created_at_ms: self.created_at,
            retired_at_ms: self.retired_at,
        }
    }
}

impl KeyRing {
    /// Reads the keys of a data directory, or makes the first.
    pub fn open(data: &Path, now: Timestamp) -> Result<Self, KeyRingError> {
        let path = data.join(KEYS_PATH);
        let dir = path.parent().unwrap_or(data);
        let made = DirBuilder::new().recursive(true).mode(0o700).create(dir);
        made.map_err(|source| io_error(dir, source))?;
        refuse_exposed(dir, 0o022, 0o700)?;
        match fs::read(&path) {
            Ok(bytes) => {
                refuse_exposed(&path, 0o077, 0o600)?;
                Self::parse(path, &bytes)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let ring = Self { keys: vec![Arc::new(Key::generate(now))], path };
                ring.save()?;
                Ok(ring)
            }
            Err(source) => Err(io_error(&path, source)),
        }
    }

    /// The key that signs.
    pub fn active(&self) -> &Key {
        // Neither `parse` nor `rotate` makes an empty ring.
        &self.keys[self.keys.len() - 1]
    }

    /// Finds a key that verifies.
    pub fn find(&self, kid: &str) -> Option<&Key> {
        self.keys.iter().map(AsRef::as_ref).find(|key| key.kid == kid)
    }

    /// The ring with a new key that signs, already saved. Keys whose last token has ended are
    /// dropped.
    pub fn rotate(&self, now: Timestamp) -> Result<Self, KeyRingError> {
        let (retiring, retired) = (self.active(), &self.keys[..self.keys.len() - 1]);
        let lives = |key: &&Arc<Key>| {
            let retired_at = key.retired_at.unwrap_or(now);
            now.since(retired_at) <= ACCESS_LIFETIME_MAX
        };
        let mut keys: Vec<_> = retired.iter().filter(lives).cloned().collect();
        keys.push(Arc::new(Key {
            kid: retiring.kid.clone(),
            secret: retiring.secret.clone(),
            public: retiring.public.clone(),
            created_at: retiring.created_at,
            retired_at: Some(now),
        }));
        keys.push(Arc::new(Key::generate(now)));
        let next = Self { path: self.path.clone(), keys };
        next.save()?;
        Ok(next)
    }

    fn parse(path: PathBuf, bytes: &[u8]) -> Result<Self, KeyRingError> {
        /// Read first: a newer file may have fields unknown here.
        #[derive(Deserialize)]
        struct Version {
            version: u32,
        }
        let shown = path.display().to_string();
        let malformed = |reason: String| KeyRingError::Malformed { path: shown.clone(), reason };
        let version: Version =
            serde_json::from_slice(bytes).map_err(|error| malformed(error.to_string()))?;
        if version.version > FILE_VERSION {
            return Err(KeyRingError::Newer { path: shown, found: version.version });
        }
        let stored: StoredRing =
            serde_json::from_slice(bytes).map_err(|error| malformed(error.to_string()))?;
        if stored.keys.is_empty() {
            return Err(malformed("it holds no key".to_owned()));
        }
        let keys = stored.keys.iter().map(|key| match Key::parse(key) {
            Ok(key) => Ok(Arc::new(key)),
            Err(BadKey::Sample) => Err(KeyRingError::Sample { path: shown.clone() }),
            Err(BadKey::Malformed(reason)) => Err(malformed(reason.to_owned())),
        });
        let keys = keys.collect::<Result<_, _>>()?;
        Ok(Self { path, keys })
    }

    /// Puts the file in place in one step: a crash leaves the old one or the new one.
    fn save(&self) -> Result<(), KeyRingError> {
        let stored = StoredRing {
            version: FILE_VERSION,
            keys: self.keys.iter().map(|key| key.stored()).collect(),
        };
        let text = serde_json::to_vec_pretty(&stored).expect("keys are plain values");
        let temporary = self.path.with_extension("json.new");
        let write = || -> io::Result<()> {
            match fs::remove_file(&temporary) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                // Left behind by a crash, or not there.
                _ => {}
            }
            let mut file =
                OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
            file.write_all(&text)?;
            file.sync_all()?;
            fs::rename(&temporary, &self.path)?;
            match self.path.parent() {
                Some(dir) => File::open(dir)?.sync_all(),
                None => Ok(()),
            }
        };
        write().map_err(|source| io_error(&self.path, source))
    }
}

fn is_sample(seed: &[u8]) -> bool {
    let step = seed[1].wrapping_sub(seed[0]);
    let steady = |pair: &[u8]| pair[1].wrapping_sub(pair[0]) == step;
    let regular = step <= 1 && seed.windows(2).all(steady);
    regular || SAMPLE_SEEDS.contains(&BASE64_URL_SAFE_NO_PAD.encode(seed).as_str())
}

fn refuse_exposed(path: &Path, forbidden: u32, wanted: u32) -> Result<(), KeyRingError> {
    let metadata = fs::metadata(path).map_err(|source| io_error(path, source))?;
    let mode = metadata.mode() & 0o7777;
    if mode & forbidden == 0 {
        Ok(())
    } else {
        Err(KeyRingError::Exposed { path: path.display().to_string(), mode, wanted })
    }
}

fn io_error(path: &Path, source: io::Error) -> KeyRingError {
    KeyRingError::Io { path: path.display().to_string(), source }
}
