//! Who the caller is at outer providers: seen, linked and unlinked. Both ways take the password, as they
//! open or close a way into the account.

use std::net::IpAddr;

use barterline_domain::bearer::Unpermitted;
use barterline_domain::ids::{IdentityId, UserId};
use barterline_storage::audit::Actor;
use barterline_storage::error::StoreError;
use barterline_storage::identities::{Identity, IdentityKey, Linked};

use super::{Accounts, Begun, Challenge, Language, PasswordError, Shown, SignInError};
use crate::auth::principal::Principal;
use crate::mail::Letter;
use crate::services::audit::{Action, Note};

/// Why nothing was linked or unlinked.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The caller did not log in.
    #[error(transparent)]
    Unpermitted(#[from] Unpermitted),
    /// The caller did not prove who they are.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// Nobody came back from a provider.
    #[error(transparent)]
    SignIn(#[from] SignInError),
    /// It is somebody's already, perhaps the caller's.
    #[error("the identity is linked to an account already")]
    Taken,
    /// As many as anybody may have.
    #[error("too many identities")]
    TooMany,
    /// None of the caller's.
    #[error("no such identity")]
    NotFound,
    /// The store said no.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Accounts {
    /// The caller's identities, in the order they were linked.
    pub async fn identities(&self, caller: &Principal) -> Result<Vec<Identity>, IdentityError> {
        caller.session()?;
        Ok(self.0.identities.list(caller.user).await?)
    }

    /// Begins the way to a provider and back, to link an identity there to the caller's account.
    pub async fn begin_link(
        &self,
        caller: &Principal,
        (provider, challenge, return_to): (&str, Challenge, &str),
        shown: Shown,
        from: IpAddr,
    ) -> Result<Begun, IdentityError> {
        caller.session()?;
        if self.0.sign_ins.provider(provider).is_none() {
            return Err(SignInError::Unknown.into());
        }
        self.prove(caller, shown, from).await?;
        Ok(self.begin(provider, challenge, return_to, Some(caller.user), from).await?)
    }

    /// Links who came back to the caller's account, if the caller has begun it. The owner is told by mail.
    pub async fn link(
        &self,
        caller: &Principal,
        (code, verifier): (&str, &str),
        language: Language,
    ) -> Result<Identity, IdentityError> {
        caller.session()?;
        let proven = self.proven(code, verifier)?;
        if proven.link != Some(caller.user) {
            return Err(SignInError::Code.into());
        }
        self.use_up(&proven).await?;
        let identity = self.identity_of(&proven, caller.user, self.0.clock.now());
        let note = Note::new(Actor::User(caller.user), Action::IdentityLink).about(&identity.id());
        self.0.audit.note(note.with("provider", &identity.provider)).await?;
        self.free(identity.key).await?;
        match self.0.identities.insert(identity.clone()).await? {
            Linked::Done => {}
            Linked::Taken => return Err(IdentityError::Taken),
            Linked::TooMany => return Err(IdentityError::TooMany),
        }
        self.tell_by_mail(caller, language, Letter::IdentityLinked).await;
        Ok(identity)
    }

    /// Unlinks an identity of the caller's, and ends their other log-ins: whoever unlinks it may do so
    /// because somebody else came in by it. The owner is told by mail. They have a password, as they
    /// have shown it: nobody loses their last way in.
    pub async fn unlink(
        &self,
        caller: &Principal,
        id: IdentityId,
        shown: Shown,
        from: IpAddr,
        language: Language,
    ) -> Result<(), IdentityError> {
        let session = caller.session()?;
        self.prove(caller, shown, from).await?;
        let all = self.0.identities.list(caller.user).await?;
        let found = all.into_iter().find(|identity| identity.id() == id);
        let Identity { key, provider, .. } = found.ok_or(IdentityError::NotFound)?;
        let note = Note::new(Actor::User(caller.user), Action::IdentityUnlink).about(&id);
        self.0.audit.note(note.with("provider", &provider)).await?;
        // Before and after: whoever is cut off in between finds the identity, and asks again.
        self.end_sessions(caller.user, Some(session)).await?;
        let is_removed = self.0.identities.remove(caller.user, key).await?;
        self.end_sessions(caller.user, Some(session)).await?;
        if !is_removed {
            return Err(IdentityError::NotFound);
        }
        self.tell_by_mail(caller, language, Letter::IdentityUnlinked).await;
        Ok(())
    }

    /// Whose an identity is that somebody has shown to be theirs: nobody's, if its account was erased.
    pub(super) async fn whose(&self, key: IdentityKey) -> Result<Option<Identity>, StoreError> {
        let Some(found) = self.0.identities.find(key).await? else { return Ok(None) };
        if !self.is_gone(found.user).await? {
            return Ok(Some(found));
        }
        // Whoever erased it may have been cut off before its last step.
        self.forget_account(found.user).await?;
        Ok(None)
    }

    /// Takes an identity that somebody has shown to be theirs from an account that was erased, so that they have it
    /// anew. From any other nothing is taken.
    pub(super) async fn free(&self, key: IdentityKey) -> Result<(), StoreError> {
        if let Some(found) = self.0.identities.find(key).await?
            && self.is_gone(found.user).await?
        {
            self.0.identities.remove(found.user, key).await?;
        }
        Ok(())
    }

    async fn is_gone(&self, user: UserId) -> Result<bool, StoreError> {
        let account = self.0.accounts.find(user).await?;
        Ok(account.is_some_and(|account| account.erased_at.is_some()))
    }

    /// It is done, whether the owner can be told or not.
    async fn tell_by_mail(&self, caller: &Principal, language: Language, letter: Letter) {
        match self.0.credentials.find_by_user(caller.user).await {
            Ok(Some(credential)) => {
                self.write_to(caller.user, credential.email, language, letter).await;
            }
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "a mail about an identity was not written"),
        }
    }
}
