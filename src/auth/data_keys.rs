//! Keys under which single values are encrypted before they are stored: XChaCha20-Poly1305 (RFC 8439,
//! draft-irtf-cfrg-xchacha-03). Who reads the disk or a backup without the keys reads nothing of them.
//!
//! A sealed value is bound to its place: it opens nowhere else, so that nobody who can write to the
//! store puts one person's in the place of another's.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use orion::hazardous::aead::xchacha20poly1305::{Nonce, SecretKey, XChaCha20Poly1305};
use serde::{Deserialize, Serialize};

use super::keyring::{
    KeyringError, Rotated, is_sample, prepare, read_private, rotate, write_private,
};
use crate::ids::Ids;

/// Where they are in the data directory.
pub const FILE: &str = "keys/data-keys.json";
/// The form of a sealed value: this byte, the key's id, the nonce, the cipher's text and its tag.
const VERSION: u8 = 1;
const ID_BYTES: usize = 8;
const NONCE_BYTES: usize = 24;
const TAG_BYTES: usize = 16;

/// Where a value stands.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// In which field.
    pub field: &'static str,
    /// Of whom or what.
    pub of: &'a [u8],
}

/// The keys; the first encrypts, all of them decrypt.
pub struct DataKeys(Vec<DataKey>);

struct DataKey {
    id: [u8; ID_BYTES],
    secret: SecretKey,
    /// Is to encrypt next, once every server knows it.
    prepared: bool,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    id: String,
    secret: String,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    prepared: bool,
}

impl Rotated for DataKey {
    fn prepared(&mut self) -> &mut bool {
        &mut self.prepared
    }
}

/// The value was not sealed by these keys for this place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a sealed value does not open: its key is missing, or somebody changed it")]
pub struct Unopened;

impl DataKeys {
    /// Reads the keys, or makes the first one.
    pub fn open(path: &Path, ids: &dyn Ids) -> Result<Self, KeyringError> {
        if let Some(text) = read_private(path)? {
            return Self::parse(path, &text);
        }
        let keys = Self::generate(ids);
        keys.save(path)?;
        Ok(keys)
    }

    /// A fresh key that is kept nowhere.
    pub fn generate(ids: &dyn Ids) -> Self {
        Self(vec![fresh_key(ids)])
    }

    /// Puts a key behind the others that is to encrypt next, unless there is one.
    pub fn prepare(&mut self, ids: &dyn Ids) {
        prepare(&mut self.0, || fresh_key(ids));
    }

    /// Has the prepared key encrypt, or a fresh one. None is ever dropped: what they sealed is kept.
    pub fn rotate(&mut self, ids: &dyn Ids) {
        rotate(&mut self.0, || fresh_key(ids));
    }

    /// The names of all keys, the one that encrypts first.
    pub fn names(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(|key| URL_SAFE_NO_PAD.encode(key.id))
    }

    /// Writes the keys, replacing the file in one step.
    pub fn save(&self, path: &Path) -> Result<(), KeyringError> {
        let stored = self.0.iter().map(|key| Stored {
            id: URL_SAFE_NO_PAD.encode(key.id),
            secret: URL_SAFE_NO_PAD.encode(key.secret.unprotected_as_ref()),
            prepared: key.prepared,
        });
        let stored: Vec<_> = stored.collect();
        write_private(path, &serde_json::to_string_pretty(&stored).unwrap_or_default())
    }

    fn parse(path: &Path, text: &str) -> Result<Self, KeyringError> {
        let invalid = |reason| KeyringError::Invalid { path: path.display().to_string(), reason };
        let stored: Vec<Stored> =
            serde_json::from_str(text).map_err(|_| invalid("not the expected JSON"))?;
        let read = |stored: &Stored| {
            let id = URL_SAFE_NO_PAD.decode(&stored.id).ok()?.try_into().ok()?;
            let secret: [u8; 32] = URL_SAFE_NO_PAD.decode(&stored.secret).ok()?.try_into().ok()?;
            Some((id, secret))
        };
        let mut keys = Vec::new();
        for stored in &stored {
            let (id, secret) = read(stored).ok_or_else(|| {
                invalid("a key is not 8 bytes of id and 32 of secret in base64url")
            })?;
            if is_sample(&secret) {
                return Err(invalid("a secret is a sample: draw another"));
            }
            let prepared = stored.prepared;
            keys.push(DataKey { id, secret: SecretKey::from(secret), prepared });
        }
        if keys.is_empty() {
            return Err(invalid("there is none"));
        }
        Ok(Self(keys))
    }

    /// Seals a value for its place. Twice the same looks different.
    pub fn seal(&self, place: Place<'_>, value: &[u8], ids: &dyn Ids) -> Vec<u8> {
        // Read with at least one, never emptied.
        let key = &self.0[0];
        let mut nonce = [0; NONCE_BYTES];
        nonce.copy_from_slice(&ids.secret()[..NONCE_BYTES]);
        let mut sealed = vec![VERSION];
        sealed.extend_from_slice(&key.id);
        sealed.extend_from_slice(&nonce);
        let begins = sealed.len();
        sealed.resize(begins + value.len() + TAG_BYTES, 0);
        let (about, nonce) = (place.bound(), Nonce::from(nonce));
        XChaCha20Poly1305::seal(&key.secret, &nonce, value, Some(&about), &mut sealed[begins..])
            .expect("a short value and room for it");
        sealed
    }

    /// Opens a value that was sealed for this place.
    pub fn unseal(&self, place: Place<'_>, sealed: &[u8]) -> Result<Vec<u8>, Unopened> {
        let rest = sealed.strip_prefix(&[VERSION]).ok_or(Unopened)?;
        let (id, rest) = rest.split_first_chunk::<ID_BYTES>().ok_or(Unopened)?;
        let (nonce, text) = rest.split_first_chunk::<NONCE_BYTES>().ok_or(Unopened)?;
        let key = self.0.iter().find(|key| key.id == *id).ok_or(Unopened)?;
        let mut value = vec![0; text.len().checked_sub(TAG_BYTES).ok_or(Unopened)?];
        let nonce = Nonce::from(*nonce);
        XChaCha20Poly1305::open(&key.secret, &nonce, text, Some(&place.bound()), &mut value)
            .map_err(|_| Unopened)?;
        Ok(value)
    }
}

fn fresh_key(ids: &dyn Ids) -> DataKey {
    let (secret, mut id) = (ids.secret(), [0; ID_BYTES]);
    id.copy_from_slice(&ids.secret()[..ID_BYTES]);
    DataKey { id, secret: SecretKey::from(secret), prepared: false }
}

impl Place<'_> {
    /// What the tag covers besides the value: no two places look the same.
    fn bound(&self) -> Vec<u8> {
        let mut bound = self.field.as_bytes().to_vec();
        bound.push(0);
        bound.extend_from_slice(self.of);
        bound
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::ids::SystemIds;

    const HERE: Place<'_> = Place { field: "second factor", of: &[1; 16] };

    #[test]
    fn a_sealed_value_opens_at_its_place_alone() {
        let keys = DataKeys::generate(&SystemIds);
        let sealed = keys.seal(HERE, b"hunter2", &SystemIds);
        assert!(!sealed.windows(7).any(|part| part == b"hunter2"));
        assert_ne!(sealed, keys.seal(HERE, b"hunter2", &SystemIds));
        assert_eq!(keys.unseal(HERE, &sealed).as_deref(), Ok(&b"hunter2"[..]));
        for elsewhere in [Place { of: &[2; 16], ..HERE }, Place { field: "address", ..HERE }] {
            assert_eq!(keys.unseal(elsewhere, &sealed), Err(Unopened));
        }
        assert_eq!(DataKeys::generate(&SystemIds).unseal(HERE, &sealed), Err(Unopened));
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(keys.unseal(HERE, &changed), Err(Unopened), "byte {at}");
            assert_eq!(keys.unseal(HERE, &sealed[..at]), Err(Unopened), "cut at {at}");
        }
    }

    #[test]
    fn what_a_prepared_key_sealed_opens_where_the_others_are() {
        let dir = TempDir::new().expect("a directory");
        let path = dir.path().join("keys/data-keys.json");
        let mut keys = DataKeys::open(&path, &SystemIds).expect("keys");
        let early = keys.seal(HERE, b"early", &SystemIds);
        keys.prepare(&SystemIds);
        keys.save(&path).expect("a save");
        let elsewhere = DataKeys::open(&path, &SystemIds).expect("keys");
        let still = elsewhere.seal(HERE, b"still", &SystemIds);
        assert_eq!(still[1..9], early[1..9], "the first encrypts on");
        keys.rotate(&SystemIds);
        keys.save(&path).expect("a save");
        let late = keys.seal(HERE, b"late", &SystemIds);
        assert_ne!(late[1..9], early[1..9]);
        for keys in [&keys, &elsewhere, &DataKeys::open(&path, &SystemIds).expect("keys")] {
            for (sealed, value) in [(&early, "early"), (&still, "still"), (&late, "late")] {
                let opened = keys.unseal(HERE, sealed);
                assert_eq!(opened.as_deref(), Ok(value.as_bytes()));
            }
            assert_eq!(keys.names().count(), 2);
        }
    }

    #[test]
    fn keys_are_made_once_and_earlier_ones_decrypt() {
        let dir = TempDir::new().expect("a directory");
        let path = dir.path().join("keys/data-keys.json");
        let sealed = {
            let keys = DataKeys::open(&path, &SystemIds).expect("keys");
            keys.seal(HERE, b"kept", &SystemIds)
        };
        let read = || DataKeys::open(&path, &SystemIds);
        assert_eq!(read().expect("keys").unseal(HERE, &sealed).as_deref(), Ok(&b"kept"[..]));
        let text = std::fs::read_to_string(&path).expect("a file");
        let mut stored: Vec<serde_json::Value> = serde_json::from_str(&text).expect("JSON");
        let secret = URL_SAFE_NO_PAD.encode(SystemIds.secret());
        stored.insert(0, serde_json::json!({ "id": "AAAAAAAAAAA", "secret": secret }));
        write_private(&path, &serde_json::to_string(&stored).expect("JSON")).expect("a write");
        let keys = read().expect("keys");
        assert_eq!(keys.unseal(HERE, &sealed).as_deref(), Ok(&b"kept"[..]));
        assert_eq!(keys.seal(HERE, b"", &SystemIds)[1..9], [0; 8], "the first encrypts");
        for (text, reason) in [
            ("[]".to_owned(), "none"),
            ("{}".to_owned(), "JSON"),
            (r#"[{"id":"AAAAAAAAAAA","secret":"AAAA"}]"#.to_owned(), "base64url"),
            (format!(r#"[{{"id":"AAAAAAAAAAA","secret":"{}"}}]"#, "A".repeat(43)), "sample"),
        ] {
            write_private(&path, &text).expect("a write");
            let error = read().err().expect("a refusal").to_string();
            assert!(error.contains(reason), "{error}");
        }
    }
}
