//! Tokens of outer issuers, exchanged for sessions (in the spirit of RFC 8693): who has people already
//! brings them along.
//!
//! The issuer stays in charge: a session ends with the token it was made by, and there is no token that
//! outlives that; the program gets another token and exchanges that.

use std::net::IpAddr;
use std::time::Duration;

use barterline_domain::clock::Timestamp;
use barterline_domain::ids::UserId;
use barterline_storage::accounts::Account;
use barterline_storage::error::StoreError;
use barterline_storage::identities::{Identity, IdentityKey, Linked};

use super::sessions::no_longer_fresh;
use super::sign_in::name_of;
use super::{Accounts, Device, LogIn, LogInError, NamedIssuer, SignInError};
use crate::adapters::openid::{Person, Vouched, claimed_issuer, is_subject};
use crate::ids::around;

/// How often the account that another request makes is looked for: some two seconds in all.
const TRIES: u32 = 6;
/// Between the first two looks; each further pause is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(30);
/// The longest session by one token.
const SESSION_MAX: Duration = Duration::from_hours(24);

impl Accounts {
    /// Begins a session of whom an outer token names, and makes their account if nobody knows them. It
    /// lasts as long as the token, and a day at most, and so does its access token: that the session goes on is
    /// looked up anyway. Its refresh token is for nobody.
    pub async fn exchange(
        &self,
        token: &str,
        second_factor: Option<String>,
        device: Device,
        from: IpAddr,
    ) -> Result<LogIn, SignInError> {
        let now = self.0.clock.now();
        // What it says itself tells whom to ask, and no more.
        let claimed = claimed_issuer(token).ok_or(SignInError::Refused)?;
        let mut known = self.0.sign_ins.issuers.iter();
        let named = known.find(|named| named.issuer.issuer() == claimed);
        let named = named.ok_or(SignInError::Refused)?;
        let vouched = named.issuer.person(token, now).await;
        let Vouched { person, at, until } =
            vouched.map_err(|error| self.not_signed_in(from, &named.name, &error))?;
        let identity = self.identity_key(&person.issuer, &person.subject);
        let account = match self.whose(identity).await? {
            Some(found) => self.entering(found.user).await?,
            None if !named.sign_up => return Err(SignInError::Closed),
            None => {
                // Who left begins anew, by their own word alone.
                self.free(identity).await?;
                self.bring_along(named, (&person, identity), now).await?
            }
        };
        // The issuer may be a provider, too, whom somebody has linked to an account of theirs.
        self.show_second_factor(account.id, second_factor, from).await?;
        let end = until.min(now.plus(SESSION_MAX));
        // A token may be exchanged as often as somebody has it: that is no new proof.
        let at = at.unwrap_or_else(|| no_longer_fresh(now));
        let log_in =
            self.sign_in(&account, (identity, &named.name), device, (at, end), from).await?;
        // One token by which the program goes on as long as the session: there is no refreshing.
        let (tokens, rest) = (&self.0.tokens, end.since(now));
        let (access_token, access_expires_at) =
            tokens.issue(log_in.user, log_in.session, &account.roles, now, rest);
        Ok(LogIn { access_token, access_expires_at, ..log_in })
    }

    /// Whose an identity is by what an issuer calls somebody, also of who was erased; `None`: nobody's.
    pub async fn named_by(
        &self,
        issuer: &str,
        subject: &str,
    ) -> Result<Option<UserId>, StoreError> {
        let Some(named) = self.issuer_named(issuer) else { return Ok(None) };
        let key = self.identity_key(named.issuer.issuer(), subject);
        Ok(self.0.identities.find(key).await?.map(|identity| identity.user))
    }

    /// The same, and makes the account of whom nobody knows, where a token of theirs would; `None`: it would not.
    /// Whoever says so is believed as the issuer is.
    pub async fn known_as(
        &self,
        issuer: &str,
        subject: &str,
        name: Option<String>,
    ) -> Result<Option<UserId>, StoreError> {
        let Some(named) = self.issuer_named(issuer) else { return Ok(None) };
        let known = self.named_by(issuer, subject).await?;
        if known.is_some() || !named.sign_up || !is_subject(subject) {
            return Ok(known);
        }
        let (issuer, subject) = (named.issuer.issuer().to_owned(), subject.to_owned());
        let key = self.identity_key(&issuer, &subject);
        let person = Person { issuer, subject, email: None, name };
        match self.bring_along(named, (&person, key), self.0.clock.now()).await {
            Ok(account) => Ok(Some(account.id)),
            Err(SignInError::Store(error) | SignInError::LogIn(LogInError::Store(error))) => {
                Err(error)
            }
            Err(SignInError::Changed) => {
                Err(StoreError::unavailable("make an account", "another request makes it"))
            }
            // It is kept out.
            Err(_) => Ok(None),
        }
    }

    fn issuer_named(&self, name: &str) -> Option<&NamedIssuer> {
        self.0.sign_ins.issuers.iter().find(|named| named.name == name)
    }

    /// What another request has made of an identity, or is about to: on a cluster it is claimed a moment
    /// before it is anybody's.
    async fn linked_by_another(&self, key: IdentityKey) -> Result<Option<Identity>, StoreError> {
        for attempt in 0..TRIES {
            let found = self.0.identities.find(key).await?;
            if found.is_some() {
                return Ok(found);
            }
            tokio::time::sleep(around(FIRST_PAUSE * (1 << attempt), &*self.0.ids)).await;
        }
        self.0.identities.find(key).await
    }

    /// Makes the account of somebody whom an issuer names for the first time. It has neither address nor
    /// password: nobody enters it but by the issuer's word. For an issuer that makes accounts.
    async fn bring_along(
        &self,
        named: &NamedIssuer,
        (person, key): (&Person, IdentityKey),
        now: Timestamp,
    ) -> Result<Account, SignInError> {
        let account = self.new_account(name_of(person.name.as_deref()));
        let identity = Identity {
            user: account.id,
            key,
            issuer: person.issuer.clone(),
            provider: named.name.clone(),
            linked_at: now,
        };
        self.0.accounts.insert(vec![account.clone()]).await?;
        match self.0.identities.insert(identity).await? {
            Linked::Done => Ok(account),
            // Two at once are one: what the other made is the account, and this one nobody's.
            Linked::Taken | Linked::TooMany => {
                self.undo_account(account.id).await?;
                let found = self.linked_by_another(key).await?;
                Ok(self.entering(found.ok_or(SignInError::Changed)?.user).await?)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use barterline_storage::embedded::identities::EmbeddedIdentities;
    use barterline_storage::identities::Identities as _;

    use super::*;
    use crate::services::accounts::tests::world;

    #[tokio::test]
    async fn an_identity_that_is_claimed_is_waited_for() {
        let world = world();
        let identities = EmbeddedIdentities(world.engine.clone());
        let identity = Identity {
            user: UserId::from_bytes([1; 16]),
            key: [7; 32],
            issuer: "https://issuer.example".to_owned(),
            provider: "example".to_owned(),
            linked_at: Timestamp::default(),
        };
        // The first looks before the second has written.
        let (found, linked) = tokio::join!(
            world.accounts.linked_by_another(identity.key),
            identities.insert(identity.clone()),
        );
        assert_eq!(linked.expect("a write"), Linked::Done);
        assert_eq!(found.expect("a read"), Some(identity));
    }
}
