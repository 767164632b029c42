//! Keys under which single values are encrypted before they are stored: XChaCha20-Poly1305 (RFC 8439,
//! draft-irtf-cfrg-xchacha-03). Who reads the disk or a backup without the keys reads nothing of them.
//!
//! A sealed value is bound to its place: it opens nowhere else, so that nobody who can write to the
//! store puts one person's in the place of another's.

use std::path::Path;
use std::sync::Arc;

use barterline_storage::record::sealing::{Cipher, Unread};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac as _};
use orion::hazardous::aead::xchacha20poly1305::{Nonce, SecretKey, XChaCha20Poly1305};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use super::keyring::{
    KeyringError, Rotated, is_sample, prepare, read_or_create, read_private, rotate, write_private,
};
use crate::ids::Ids;

/// What they are called in the directory of keys.
pub const FILE: &str = "data-keys.json";
/// The form of a sealed value: this byte, the key's id, the nonce, the cipher's text and its tag.
const VERSION: u8 = 1;
/// The field of the words of messages.
const WORDS: &str = "words";
/// What the keys of digests are derived for.
const DIGESTS: &[u8] = b"barterline/digests/v1";
const ID_BYTES: usize = 8;
/// What sealing adds: version, the key's id, nonce and tag.
const SEALED_BYTES_MIN: usize = 1 + ID_BYTES + NONCE_BYTES + TAG_BYTES;
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
pub struct DataKeys {
    keys: Vec<DataKey>,
    masters: Masters,
}

/// What the keys themselves are sealed by in their file: nothing, or a key that is kept elsewhere.
#[derive(Default)]
pub struct Masters {
    now: Option<SecretKey>,
    /// What may have sealed them before.
    before: Option<SecretKey>,
}

struct DataKey {
    id: [u8; ID_BYTES],
    secret: SecretKey,
    /// Is to encrypt next, once every server knows it.
    prepared: bool,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
    /// The same under a master key: nonce, the cipher's text and its tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sealed: Option<String>,
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
    /// Reads the keys, or makes the first one. Keys that are not sealed as they are to be are written anew.
    pub fn open(path: &Path, masters: Masters, ids: &dyn Ids) -> Result<Self, KeyringError> {
        if masters.now.as_ref().is_some_and(|key| is_sample(key.unprotected_as_ref())) {
            let (path, reason) =
                (path.display().to_string(), "`keys.master` is a sample: draw another");
            return Err(KeyringError::Invalid { path, reason });
        }
        let text = read_or_create(path, || text_of(&[fresh_key(ids)], &masters, ids))?;
        let (keys, is_as_wanted) = Self::parse(path, masters, &text)?;
        if !is_as_wanted {
            keys.save(path, ids)?;
        }
        Ok(keys)
    }

    /// Reads the keys, if there are any, and leaves them as they are: a server may have them.
    pub fn find(path: &Path, masters: Masters) -> Result<Option<Self>, KeyringError> {
        let Some(text) = read_private(path)? else { return Ok(None) };
        Self::parse(path, masters, &text).map(|(keys, _)| Some(keys))
    }

    /// A fresh key that is kept nowhere.
    pub fn generate(ids: &dyn Ids) -> Self {
        Self { keys: vec![fresh_key(ids)], masters: Masters::default() }
    }

    /// Puts a key behind the others that is to encrypt next, unless there is one.
    pub fn prepare(&mut self, ids: &dyn Ids) {
        prepare(&mut self.keys, || fresh_key(ids));
    }

    /// Has the prepared key encrypt, or a fresh one. None is ever dropped: what they sealed is kept.
    pub fn rotate(&mut self, ids: &dyn Ids) {
        rotate(&mut self.keys, || fresh_key(ids));
    }

    /// The names of all keys, the one that encrypts first.
    pub fn names(&self) -> impl Iterator<Item = String> {
        self.keys.iter().map(|key| URL_SAFE_NO_PAD.encode(key.id))
    }

    /// Writes the keys, replacing the file in one step.
    pub fn save(&self, path: &Path, ids: &dyn Ids) -> Result<(), KeyringError> {
        write_private(path, &text_of(&self.keys, &self.masters, ids))
    }

    /// The keys, and whether they are sealed as they are to be.
    fn parse(path: &Path, masters: Masters, text: &str) -> Result<(Self, bool), KeyringError> {
        let invalid = |reason| KeyringError::Invalid { path: path.display().to_string(), reason };
        let stored: Vec<Stored> =
            serde_json::from_str(text).map_err(|_| invalid("not the expected JSON"))?;
        let read = |stored: &Stored| {
            let id: [u8; ID_BYTES] = URL_SAFE_NO_PAD.decode(&stored.id).ok()?.try_into().ok()?;
            let secret = stored.secret.as_ref().or(stored.sealed.as_ref())?;
            Some((id, URL_SAFE_NO_PAD.decode(secret).ok()?))
        };
        let (mut keys, mut is_as_wanted) = (Vec::new(), true);
        for stored in &stored {
            const FORM: &str = "a key is not 8 bytes of id and 32 of secret in base64url";
            let (id, secret) = read(stored).ok_or_else(|| invalid(FORM))?;
            let secret = if stored.secret.is_some() {
                is_as_wanted &= masters.now.is_none();
                secret
            } else {
                let open = |master| open_sealed(master, key_place(&id), &secret).ok();
                let now = masters.now.as_ref().and_then(open);
                is_as_wanted &= now.is_some();
                let opened = now.or_else(|| masters.before.as_ref().and_then(open));
                opened.ok_or_else(|| invalid("its keys are sealed by another `keys.master`"))?
            };
            let secret: [u8; 32] = secret.try_into().map_err(|_| invalid(FORM))?;
            if is_sample(&secret) {
                return Err(invalid("a secret is a sample: draw another"));
            }
            let prepared = stored.prepared;
            keys.push(DataKey { id, secret: SecretKey::from(secret), prepared });
        }
        if keys.is_empty() {
            return Err(invalid("there is none"));
        }
        Ok((Self { keys, masters }, is_as_wanted))
    }

    /// Seals a value for its place. Twice the same looks different.
    pub fn seal(&self, place: Place<'_>, value: &[u8], ids: &dyn Ids) -> Vec<u8> {
        // Read with at least one, never emptied.
        let key = &self.keys[0];
        let mut sealed = vec![VERSION];
        sealed.extend_from_slice(&key.id);
        put_sealed(&mut sealed, &key.secret, place, value, ids);
        sealed
    }

    /// Whether a value was sealed by the key that seals now.
    pub fn is_newest(&self, sealed: &[u8]) -> bool {
        sealed.strip_prefix(&[VERSION]).is_some_and(|rest| rest.starts_with(&self.keys[0].id))
    }

    /// A digest by which a value is found without being told: HMAC-SHA256 under a key that follows from the
    /// oldest of these, as it has to stay the same.
    pub fn digest(&self, field: &'static str, value: &[u8]) -> [u8; 32] {
        let oldest = self.keys.iter().rfind(|key| !key.prepared).unwrap_or(&self.keys[0]);
        let keyed = |key: &[u8]| Hmac::<Sha256>::new_from_slice(key).expect("of any length");
        let key = keyed(oldest.secret.unprotected_as_ref()).chain_update(DIGESTS).finalize();
        let digest = keyed(&key.into_bytes()).chain_update(field).chain_update([0]);
        digest.chain_update(value).finalize().into_bytes().into()
    }

    /// Opens a value that was sealed for this place.
    pub fn unseal(&self, place: Place<'_>, sealed: &[u8]) -> Result<Vec<u8>, Unopened> {
        let (key, rest) = self.key_of(sealed).ok_or(Unopened)?;
        open_sealed(&key.secret, place, rest)
    }

    /// The key that sealed a value, and what follows its name.
    fn key_of<'a>(&self, sealed: &'a [u8]) -> Option<(&DataKey, &'a [u8])> {
        let (id, rest) = sealed.strip_prefix(&[VERSION])?.split_first_chunk::<ID_BYTES>()?;
        Some((self.keys.iter().find(|key| key.id == *id)?, rest))
    }
}

/// Seals the words of messages, for a store.
pub struct Words {
    keys: Arc<DataKeys>,
    ids: Arc<dyn Ids>,
}

impl Words {
    /// By these keys.
    pub fn of(keys: Arc<DataKeys>, ids: Arc<dyn Ids>) -> Self {
        Self { keys, ids }
    }
}

impl Cipher for Words {
    fn seal(&self, about: &[u8], words: &[u8]) -> Vec<u8> {
        self.keys.seal(Place { field: WORDS, of: about }, words, &*self.ids)
    }

    fn open(&self, about: &[u8], sealed: &[u8]) -> Result<Vec<u8>, Unread> {
        let opened = self.keys.unseal(Place { field: WORDS, of: about }, sealed);
        opened.map_err(|Unopened| {
            let is_ours = sealed.first() == Some(&VERSION) && sealed.len() >= SEALED_BYTES_MIN;
            let has_key = self.keys.key_of(sealed).is_some();
            if is_ours && !has_key { Unread::Sealed } else { Unread::Malformed }
        })
    }
}

impl Masters {
    /// The key that is to seal them, and what may have before.
    pub fn of([now, before]: [Option<[u8; 32]>; 2]) -> Self {
        Self { now: now.map(SecretKey::from), before: before.map(SecretKey::from) }
    }
}

fn key_place(id: &[u8]) -> Place<'_> {
    Place { field: "data key", of: id }
}

/// Appends nonce, text and tag.
fn put_sealed(out: &mut Vec<u8>, by: &SecretKey, place: Place<'_>, value: &[u8], ids: &dyn Ids) {
    let mut nonce = [0; NONCE_BYTES];
    nonce.copy_from_slice(&ids.secret()[..NONCE_BYTES]);
    out.extend_from_slice(&nonce);
    let begins = out.len();
    out.resize(begins + value.len() + TAG_BYTES, 0);
    let (about, nonce) = (place.bound(), Nonce::from(nonce));
    XChaCha20Poly1305::seal(by, &nonce, value, Some(&about), &mut out[begins..])
        .expect("a short value and room for it");
}

/// Opens what [`put_sealed`] appended.
fn open_sealed(by: &SecretKey, place: Place<'_>, sealed: &[u8]) -> Result<Vec<u8>, Unopened> {
    let (nonce, text) = sealed.split_first_chunk::<NONCE_BYTES>().ok_or(Unopened)?;
    let mut value = vec![0; text.len().checked_sub(TAG_BYTES).ok_or(Unopened)?];
    let nonce = Nonce::from(*nonce);
    XChaCha20Poly1305::open(by, &nonce, text, Some(&place.bound()), &mut value)
        .map_err(|_| Unopened)?;
    Ok(value)
}

/// Keys as they stand in their file.
fn text_of(keys: &[DataKey], masters: &Masters, ids: &dyn Ids) -> String {
    let stored = keys.iter().map(|key| {
        let (id, secret) = (URL_SAFE_NO_PAD.encode(key.id), key.secret.unprotected_as_ref());
        let sealed = masters.now.as_ref().map(|master| {
            let mut sealed = Vec::new();
            put_sealed(&mut sealed, master, key_place(&key.id), secret, ids);
            URL_SAFE_NO_PAD.encode(sealed)
        });
        let secret = sealed.is_none().then(|| URL_SAFE_NO_PAD.encode(secret));
        Stored { id, secret, sealed, prepared: key.prepared }
    });
    serde_json::to_string_pretty(&stored.collect::<Vec<_>>()).unwrap_or_default()
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
        let mut keys = DataKeys::open(&path, Masters::default(), &SystemIds).expect("keys");
        let early = keys.seal(HERE, b"early", &SystemIds);
        keys.prepare(&SystemIds);
        keys.save(&path, &SystemIds).expect("a save");
        let elsewhere = DataKeys::open(&path, Masters::default(), &SystemIds).expect("keys");
        let still = elsewhere.seal(HERE, b"still", &SystemIds);
        assert_eq!(still[1..9], early[1..9], "the first encrypts on");
        keys.rotate(&SystemIds);
        keys.save(&path, &SystemIds).expect("a save");
        let late = keys.seal(HERE, b"late", &SystemIds);
        assert_ne!(late[1..9], early[1..9]);
        for keys in [
            &keys,
            &elsewhere,
            &DataKeys::open(&path, Masters::default(), &SystemIds).expect("keys"),
        ] {
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
            let keys = DataKeys::open(&path, Masters::default(), &SystemIds).expect("keys");
            keys.seal(HERE, b"kept", &SystemIds)
        };
        let read = || DataKeys::open(&path, Masters::default(), &SystemIds);
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

    #[test]
    fn keys_are_sealed_by_a_master_that_can_be_changed() {
        let dir = TempDir::new().expect("a directory");
        let path = dir.path().join("keys/data-keys.json");
        let master =
            |n: u8| Some(SecretKey::from(std::array::from_fn(|at| (at as u8).wrapping_mul(7) ^ n)));
        let open = |now, before| DataKeys::open(&path, Masters { now, before }, &SystemIds);
        let sealed = open(None, None).expect("keys").seal(HERE, b"kept", &SystemIds);
        let digest = open(None, None).expect("keys").digest("f", b"kept");
        // Which masters are there, and whether the file opens by them alone.
        for (now, before) in [
            (master(1), None),
            (master(1), None),
            (master(2), master(1)),
            (master(2), master(1)),
            (None, master(2)),
            (None, None),
        ] {
            let is_sealed = now.is_some();
            let keys = open(now, before).expect("keys");
            assert_eq!(keys.unseal(HERE, &sealed).as_deref(), Ok(&b"kept"[..]));
            assert_eq!(keys.digest("f", b"kept"), digest);
            let text = std::fs::read_to_string(&path).expect("a file");
            assert_eq!(text.contains("\"secret\""), !is_sealed, "{text}");
        }
        open(master(1), None).expect("keys").rotate(&SystemIds);
        for (now, before) in [(None, None), (master(2), None), (None, master(2))] {
            let error = open(now, before).err().expect("a refusal").to_string();
            assert!(error.contains("keys.master"), "{error}");
        }
    }

    #[test]
    fn digests_stay_while_keys_change() {
        let mut keys = DataKeys::generate(&SystemIds);
        let digest = keys.digest("f", b"ana");
        keys.prepare(&SystemIds);
        assert_eq!(keys.digest("f", b"ana"), digest);
        keys.rotate(&SystemIds);
        keys.rotate(&SystemIds);
        assert_eq!(keys.digest("f", b"ana"), digest);
        for other in [keys.digest("f", b"anb"), keys.digest("g", b"ana")] {
            assert_ne!(other, digest);
        }
        assert_ne!(DataKeys::generate(&SystemIds).digest("f", b"ana"), digest);
    }
}
