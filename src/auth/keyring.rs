//! The keys that access tokens are signed with, in one file that only the server reads; and how such
//! files are read and written.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use pasetors::keys::{AsymmetricKeyPair, AsymmetricPublicKey, AsymmetricSecretKey, Generate};
use pasetors::version4::V4;
use serde::{Deserialize, Serialize};

use crate::ids::{Ids as _, SystemIds};

/// What they are called in the directory of keys.
pub const FILE: &str = "access-tokens.json";
/// Keys kept: the one that signs, and earlier ones whose tokens may still be about.
pub const KEYS_MAX: usize = 8;

/// Why there are no keys to work with.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// The file cannot be read or written.
    #[error("{path}: {source}")]
    Io {
        /// Which file.
        path: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// Others can read the file.
    #[error("{path} can be read by others (mode {mode:o}): run chmod 600 {path}")]
    Permissions {
        /// Which file.
        path: String,
        /// Its mode.
        mode: u32,
    },
    /// Others can put a file of their own there.
    #[error("{path} can be written by others (mode {mode:o}): run chmod 700 {path}")]
    Directory {
        /// Which directory.
        path: String,
        /// Its mode.
        mode: u32,
    },
    /// The file does not hold keys.
    #[error("{path} does not hold keys: {reason}")]
    Invalid {
        /// Which file.
        path: String,
        /// What is wrong.
        reason: &'static str,
    },
}

/// One key pair and its name.
#[derive(Clone)]
pub struct Key {
    /// Stands in each token's footer.
    pub id: String,
    /// Signs.
    pub secret: AsymmetricSecretKey<V4>,
    /// Verifies.
    pub public: AsymmetricPublicKey<V4>,
    /// Is to sign next, once every server knows it.
    prepared: bool,
}

/// What is one of several in a file: the first is used for what is new, all of them for what there is.
pub(super) trait Rotated: Sized {
    /// Says whether it is to be used next.
    fn prepared(&mut self) -> &mut bool;
}

/// Puts a key behind the others that is to be used next, unless there is one.
pub(super) fn prepare<K: Rotated>(keys: &mut Vec<K>, fresh: impl FnOnce() -> K) {
    if !keys.iter_mut().any(|key| *key.prepared()) {
        let mut next = fresh();
        *next.prepared() = true;
        keys.push(next);
    }
}

/// Puts in front the key that was prepared, or a fresh one.
pub(super) fn rotate<K: Rotated>(keys: &mut Vec<K>, fresh: impl FnOnce() -> K) {
    let prepared = keys.iter_mut().position(|key| *key.prepared());
    let mut next = prepared.map_or_else(fresh, |at| keys.remove(at));
    *next.prepared() = false;
    keys.insert(0, next);
}

impl Rotated for Key {
    fn prepared(&mut self) -> &mut bool {
        &mut self.prepared
    }
}

/// The keys; the first one signs, all of them verify.
pub struct Keyring {
    keys: Vec<Key>,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    id: String,
    secret: String,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    prepared: bool,
}

impl Keyring {
    /// Reads the keys, or makes the first one.
    pub fn open(path: &Path) -> Result<Self, KeyringError> {
        let text = read_or_create(path, || Self::generate().to_text())?;
        Self::parse(path, &text)
    }

    /// Fresh keys that are kept nowhere.
    pub fn generate() -> Self {
        Self { keys: vec![fresh_key()] }
    }

    #[cfg(test)]
    pub(super) fn of(keys: Vec<Key>) -> Self {
        Self { keys }
    }

    /// Puts a key behind the others that is to sign next, unless there is one.
    pub fn prepare(&mut self) {
        prepare(&mut self.keys, fresh_key);
    }

    /// Has the prepared key sign, or a fresh one; tokens of the earlier ones stay good until they end.
    pub fn rotate(&mut self) {
        rotate(&mut self.keys, fresh_key);
        self.keys.truncate(KEYS_MAX);
    }

    /// The names of all keys, the one that signs first.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(|key| key.id.as_str())
    }

    /// The key that signs.
    pub fn signing(&self) -> &Key {
        // Made with one key, read with at least one, never emptied.
        &self.keys[0]
    }

    /// The key of this name.
    pub fn find(&self, id: &str) -> Option<&Key> {
        self.keys.iter().find(|key| key.id == id)
    }

    /// Writes the keys, replacing the file in one step.
    pub fn save(&self, path: &Path) -> Result<(), KeyringError> {
        write_private(path, &self.to_text())
    }

    fn to_text(&self) -> String {
        let stored: Vec<_> = self
            .keys
            .iter()
            .map(|key| Stored {
                id: key.id.clone(),
                secret: URL_SAFE_NO_PAD.encode(key.secret.as_bytes()),
                prepared: key.prepared,
            })
            .collect();
        serde_json::to_string_pretty(&stored).unwrap_or_default()
    }

    fn parse(path: &Path, text: &str) -> Result<Self, KeyringError> {
        let invalid = |reason| KeyringError::Invalid { path: path.display().to_string(), reason };
        let stored: Vec<Stored> =
            serde_json::from_str(text).map_err(|_| invalid("not the expected JSON"))?;
        let mut keys = Vec::new();
        for Stored { id, secret, prepared } in stored {
            let bytes =
                URL_SAFE_NO_PAD.decode(secret).map_err(|_| invalid("a secret is not base64url"))?;
            if is_sample(&bytes) {
                return Err(invalid("a secret is a sample: delete the file to get a fresh one"));
            }
            let secret = AsymmetricSecretKey::<V4>::from(&bytes)
                .map_err(|_| invalid("a secret is not an Ed25519 key pair"))?;
            let public = AsymmetricPublicKey::<V4>::try_from(&secret)
                .map_err(|_| invalid("a secret is not an Ed25519 key pair"))?;
            keys.push(Key { id, secret, public, prepared });
        }
        if keys.is_empty() {
            return Err(invalid("there is none"));
        }
        Ok(Self { keys })
    }
}

/// Seeds that are printed somewhere: the vectors of PASETO v4 and of RFC 8032, section 7.1.
const PUBLISHED_SEEDS: &[&str] = &[
    "tMv7Q99M4hByfZU-SnEzB_oZu32fhQQUONnhG5QqN3Q",
    "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
    "TM0Imyj_ltqdtsNG7BFOD1uKMZ81q6Yk2oz27U-4pvs",
    "xaqN9D-fg3vtt0QvMdy3sWbThTUHbwlLhc46LgtEWPc",
];

/// Keys that somebody typed or copied rather than drew: published ones, bytes that count up, or
/// fewer than eight different bytes in the seed.
pub(super) fn is_sample(secret: &[u8]) -> bool {
    let seed = secret.get(..32).unwrap_or(secret);
    let counts = seed.windows(2).all(|pair| pair[1] == pair[0].wrapping_add(1));
    if counts || PUBLISHED_SEEDS.contains(&URL_SAFE_NO_PAD.encode(seed).as_str()) {
        return true;
    }
    let mut seed: Vec<u8> = secret.iter().take(32).copied().collect();
    seed.sort_unstable();
    seed.dedup();
    seed.len() < 8
}

/// Reads a file of secrets that nobody else can read or put there. `None`: there is none.
pub(super) fn read_private(path: &Path) -> Result<Option<String>, KeyringError> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(io(path, source)),
    };
    if let Some(dir) = path.parent() {
        let mode = mode_of(dir)?;
        if mode & 0o022 != 0 {
            return Err(KeyringError::Directory { path: dir.display().to_string(), mode });
        }
    }
    let mode = mode_of(path)?;
    if mode & 0o077 != 0 {
        return Err(KeyringError::Permissions { path: path.display().to_string(), mode });
    }
    Ok(Some(text))
}

/// Reads a file of secrets, or makes it: of several servers that start at once with one directory, all
/// have what the first of them made.
pub(super) fn read_or_create(
    path: &Path,
    text: impl FnOnce() -> String,
) -> Result<String, KeyringError> {
    if let Some(found) = read_private(path)? {
        return Ok(found);
    }
    put_private(path, &text(), |unfinished, path| match fs::hard_link(unfinished, path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        // Not every file system has links.
        Err(_) if !path.exists() => fs::rename(unfinished, path),
        linked => linked,
    })?;
    // What stands there now is everybody's.
    read_private(path)?.ok_or_else(|| io(path, ErrorKind::NotFound.into()))
}

/// Writes a file of secrets for the server's user alone, replacing it in one step.
pub(super) fn write_private(path: &Path, text: &str) -> Result<(), KeyringError> {
    put_private(path, text, |unfinished, path| fs::rename(unfinished, path))
}

/// Writes a file and has `name` give it its name.
fn put_private(
    path: &Path,
    text: &str,
    name: impl FnOnce(&Path, &Path) -> std::io::Result<()>,
) -> Result<(), KeyringError> {
    let write = || {
        if let Some(dir) = path.parent() {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        }
        // In containers every process has one number.
        let other = URL_SAFE_NO_PAD.encode(&SystemIds.secret()[..9]);
        let unfinished = path.with_extension(format!("new-{other}"));
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        let mut file = options.open(&unfinished)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        let named = name(&unfinished, path);
        // Gone already where it was renamed.
        let _ = fs::remove_file(&unfinished);
        named?;
        // The name of a key is as durable as what was made with it.
        if let Some(dir) = path.parent() {
            fs::File::open(dir)?.sync_all()?;
        }
        Ok(())
    };
    write().map_err(|source| io(path, source))
}

fn mode_of(path: &Path) -> Result<u32, KeyringError> {
    let metadata = fs::metadata(path).map_err(|error| io(path, error))?;
    Ok(metadata.permissions().mode() & 0o777)
}

fn fresh_key() -> Key {
    let pair = AsymmetricKeyPair::<V4>::generate().expect("the system has randomness");
    let id = URL_SAFE_NO_PAD.encode(&pair.public.as_bytes()[..9]);
    Key { id, secret: pair.secret, public: pair.public, prepared: false }
}

fn io(path: &Path, source: std::io::Error) -> KeyringError {
    KeyringError::Io { path: path.display().to_string(), source }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    #[test]
    fn keys_are_made_once_and_read_by_their_owner_only() {
        let dir = TempDir::new().expect("a directory");
        let path = dir.path().join("keys/access-tokens.json");
        let first = Keyring::open(&path).expect("keys").signing().id.clone();
        assert_eq!(Keyring::open(&path).expect("keys").signing().id, first);
        assert_eq!(fs::metadata(&path).expect("a file").permissions().mode() & 0o777, 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("chmod");
        let error = Keyring::open(&path).err().expect("a refusal").to_string();
        assert!(error.contains("chmod 600"), "{error}");
    }

    #[test]
    fn a_directory_that_others_write_to_is_refused() {
        let dir = TempDir::new().expect("a directory");
        let path = dir.path().join("keys/access-tokens.json");
        Keyring::open(&path).expect("keys");
        let mode = fs::Permissions::from_mode(0o777);
        fs::set_permissions(dir.path().join("keys"), mode).expect("chmod");
        let error = Keyring::open(&path).err().expect("a refusal").to_string();
        assert!(error.contains("chmod 700"), "{error}");
    }

    #[test]
    fn earlier_keys_outlive_a_restart() {
        let dir = TempDir::new().expect("a directory");
        let path = dir.path().join("keys/access-tokens.json");
        let mut ring = Keyring::open(&path).expect("keys");
        let first = ring.signing().id.clone();
        ring.rotate();
        ring.save(&path).expect("a save");
        let read = Keyring::open(&path).expect("keys");
        assert_eq!(read.signing().id, ring.signing().id);
        assert!(read.find(&first).is_some());
    }

    #[test]
    fn a_prepared_key_signs_when_every_server_knows_it() {
        let dir = TempDir::new().expect("a directory");
        let path = dir.path().join("keys/access-tokens.json");
        let mut ring = Keyring::open(&path).expect("keys");
        let first = ring.signing().id.clone();
        for _ in 0..2 {
            ring.prepare();
            ring.save(&path).expect("a save");
            ring = Keyring::open(&path).expect("keys");
            assert_eq!((ring.signing().id.as_str(), ring.names().count()), (&*first, 2), "one");
        }
        let next = ring.names().last().expect("a key").to_owned();
        ring.rotate();
        assert_eq!((ring.signing().id.as_str(), ring.names().count()), (&*next, 2));
        ring.rotate();
        assert_eq!(ring.names().count(), 3, "nothing was prepared: a fresh one");
        assert!(ring.find(&first).is_some() && ring.find(&next).is_some());
        for _ in 0..KEYS_MAX {
            ring.rotate();
        }
        assert_eq!((ring.names().count(), ring.find(&first).is_some()), (KEYS_MAX, false));
    }

    #[test]
    fn published_and_typed_seeds_are_samples() {
        for seed in PUBLISHED_SEEDS {
            let seed = URL_SAFE_NO_PAD.decode(seed).expect("base64url");
            assert_eq!(seed.len(), 32);
            assert!(is_sample(&seed));
        }
        assert!(is_sample(&[0; 64]));
        assert!(is_sample(&(0..64).collect::<Vec<u8>>()));
        assert!(!is_sample(fresh_key().secret.as_bytes()));
    }

    #[test]
    fn samples_and_nonsense_are_refused() {
        let dir = TempDir::new().expect("a directory");
        let path = dir.path().join("keys.json");
        let sample = URL_SAFE_NO_PAD.encode([7; 64]);
        for (text, reason) in [
            (format!(r#"[{{"id":"x","secret":"{sample}"}}]"#), "sample"),
            (r#"[{"id":"x","secret":"!"}]"#.to_owned(), "base64url"),
            ("[]".to_owned(), "none"),
            ("{}".to_owned(), "JSON"),
        ] {
            fs::write(&path, text).expect("a write");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("chmod");
            let error = Keyring::open(&path).err().expect("a refusal").to_string();
            assert!(error.contains(reason), "{error}");
        }
    }
}
