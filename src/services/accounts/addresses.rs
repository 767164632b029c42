//! E-mail addresses as they are kept: found by a digest, and sealed, both by keys that the store has not.

use std::time::Duration;

use barterline_domain::account::Email;
use barterline_domain::clock::Timestamp;
use barterline_domain::ids::UserId;
use barterline_storage::credentials::{Credential, EmailKey, KeptEmail};
use barterline_storage::error::StoreError;

use super::Accounts;
use crate::auth::data_keys::{DataKeys, Place};
use crate::limits::LogInName;

/// In digests and sealed values.
const FIELD: &str = "address";
/// Whose credential says by which keys addresses are kept. Nobody is called so.
const WITNESS: UserId = UserId::from_bytes([0; 16]);
/// What their address is. It cannot be anybody's.
const WITNESSED: &[u8] = b"barterline";

/// How often it is looked, and the pause in between.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(50);

/// Why addresses cannot be found.
#[derive(Debug, thiserror::Error)]
pub enum AddressKeysError {
    /// They were kept by other keys.
    #[error(
        "the store keeps addresses by other keys: put the keys/data-keys.json of this store into \
         the data directory"
    )]
    Others,
    /// The store said no.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Whether these keys are those of the store of which a credential is, if it is the one that says so.
pub fn is_kept_by(keys: &DataKeys, credential: &Credential) -> Option<bool> {
    let is_witness = credential.user == WITNESS;
    is_witness.then(|| credential.email.key == EmailKey(keys.digest(FIELD, WITNESSED)))
}

impl Accounts {
    /// Makes sure that addresses are found by the keys that there are: with others nobody could log in,
    /// and everybody register again.
    pub async fn witness_keys(&self) -> Result<(), AddressKeysError> {
        let key = EmailKey(self.0.data_keys.digest(FIELD, WITNESSED));
        let witness = Credential {
            user: WITNESS,
            email: KeptEmail { key, sealed: Vec::new() },
            email_verified_at: None,
            password_hash: None,
            password_changed_at: Timestamp::default(),
            second_factor: None,
        };
        for attempt in 0..TRIES {
            let found = self.0.credentials.find(key).await?;
            if found.is_some_and(|found| found.user == WITNESS) {
                return Ok(());
            }
            match self.0.credentials.find_by_user(WITNESS).await? {
                Some(found) if found.email.key != key => return Err(AddressKeysError::Others),
                // A server that died left half of it, or one is at it.
                Some(_) if attempt + 1 == TRIES / 2 => {
                    self.0.credentials.remove(WITNESS).await?;
                }
                None if self.0.credentials.insert(witness.clone()).await? => return Ok(()),
                _ => {}
            }
            tokio::time::sleep(PAUSE).await;
        }
        let busy = "servers that start now are in each other's way: start this one again";
        Err(StoreError::unavailable("say whose keys these are", busy).into())
    }

    /// By what an address is found.
    pub(super) fn email_key(&self, email: &Email) -> EmailKey {
        EmailKey(self.0.data_keys.digest(FIELD, email.as_str().as_bytes()))
    }

    /// Somebody's address, as it is kept.
    pub(super) fn sealed_email(&self, user: UserId, email: &Email) -> KeptEmail {
        let text = email.as_str().as_bytes();
        let sealed = self.0.data_keys.seal(place(&user), text, &*self.0.ids);
        KeptEmail { key: self.email_key(email), sealed }
    }

    /// Somebody's address, as it is.
    pub(super) fn email_of(&self, user: UserId, kept: &KeptEmail) -> Result<Email, StoreError> {
        let damaged = || StoreError::corrupt("open an address", format!("credential of {user}"));
        let text = self.0.data_keys.unseal(place(&user), &kept.sealed).map_err(|_| damaged())?;
        let email = String::from_utf8(text).ok().and_then(|text| Email::parse(&text).ok());
        email.ok_or_else(damaged)
    }
}

/// What guesses at somebody's password are counted by.
pub(super) fn log_in_name(credential: &Credential) -> LogInName {
    LogInName::of(credential.email.key.0)
}

fn place(user: &UserId) -> Place<'_> {
    Place { field: FIELD, of: user.as_bytes() }
}
