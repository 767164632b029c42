//! Values that earlier keys sealed, sealed anew by the one that seals now.

use barterline_domain::ids::UserId;
use barterline_storage::credentials::Replaced;
use barterline_storage::error::StoreError;

use super::{Accounts, second_factor};

/// How often a credential that changes meanwhile is taken up anew.
const TRIES: usize = 5;

/// What became of somebody's sealed values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resealed {
    /// The newest key sealed them, or there are none.
    AsTheyWere,
    /// The newest key has sealed them now.
    Anew,
    /// They do not open: the key that sealed them is not there. They are as they were.
    Unopened,
}

impl Accounts {
    /// Seals the address and the second factor of an account anew, unless the newest key did.
    pub async fn reseal(&self, user: UserId) -> Result<Resealed, StoreError> {
        let (keys, ids) = (&self.0.data_keys, &*self.0.ids);
        for _ in 0..TRIES {
            let Some(stands) = self.0.credentials.find_by_user(user).await? else {
                return Ok(Resealed::AsTheyWere);
            };
            let mut anew = stands.clone();
            if !keys.is_newest(&stands.email.sealed) {
                let Ok(email) = self.email_of(user, &stands.email) else {
                    return Ok(Resealed::Unopened);
                };
                anew.email = self.sealed_email(user, &email);
            }
            if let Some(factor) = &mut anew.second_factor
                && !keys.is_newest(&factor.secret)
            {
                let place = second_factor::place(&user);
                let Ok(secret) = keys.unseal(place, &factor.secret) else {
                    return Ok(Resealed::Unopened);
                };
                factor.secret = keys.seal(place, &secret, ids);
            }
            if anew == stands {
                return Ok(Resealed::AsTheyWere);
            }
            match self.0.credentials.replace(&stands, anew).await? {
                Replaced::Done => return Ok(Resealed::Anew),
                Replaced::Changed | Replaced::Taken => {}
            }
        }
        Err(StoreError::unavailable("seal anew", "others change the same all the time"))
    }
}
