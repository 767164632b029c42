//! The end of an account, as far as accounts go: what is somebody's leaves with them, every way in is
//! closed, and nothing says who it was.

use std::net::IpAddr;

use barterline_domain::bearer::Bearer;
use barterline_domain::ids::UserId;
use barterline_storage::audit::Actor;
use barterline_storage::error::StoreError;
use barterline_storage::identities::Identity;

use super::{Accounts, AuthError, Language, Revoked, SessionError, Shown};
use crate::auth::principal::Principal;
use crate::mail::Letter;
use crate::services::audit::{Action, Note};

impl Accounts {
    /// Lets the caller, who proves who they are, take along what is theirs.
    pub async fn begin_archive(
        &self,
        caller: &Principal,
        shown: Option<Shown>,
        from: IpAddr,
    ) -> Result<(), SessionError> {
        self.prove_again(caller, shown, from).await?;
        self.0.audit.note(Note::new(Actor::User(caller.user), Action::AccountArchive)).await?;
        Ok(())
    }

    /// Lets nobody but the caller in, who proves who they are. The owner is told by mail: there is no
    /// way back.
    pub(in crate::services) async fn begin_erasure(
        &self,
        caller: &Principal,
        shown: Option<Shown>,
        from: IpAddr,
        language: Language,
    ) -> Result<(), SessionError> {
        let session = caller.session()?;
        let (credential, user) = (self.prove_again(caller, shown, from).await?, caller.user);
        self.0.audit.note(Note::new(Actor::User(user), Action::AccountErase)).await?;
        if let Some(credential) = credential {
            self.write_to(user, credential.email, language, Letter::Erasure).await;
        }
        self.end_sessions(user, Some(session)).await?;
        Ok(self.revoke_keys(user).await?)
    }

    /// Ends what is left to come in by, and was made meanwhile.
    pub(in crate::services) async fn end_log_ins(&self, user: UserId) -> Result<(), StoreError> {
        self.revoke_keys(user).await?;
        self.end_sessions(user, None).await.map(drop)
    }

    /// Forgets who somebody was. Their address is free again. What issuers call them stays theirs: whoever else names
    /// them so, as systems do that keep things for sale, names somebody who left, and makes nobody anew.
    pub(in crate::services) async fn forget_account(&self, user: UserId) -> Result<(), StoreError> {
        self.0.accounts.erase(user, self.0.clock.now()).await?;
        self.announce_change(user).await;
        let identities = self.0.identities.list(user).await?;
        for identity in identities.iter().filter(|identity| !self.is_of_an_issuer(identity)) {
            self.0.identities.remove(user, identity.key).await?;
        }
        // Last: who was cut off before this shows the password once more.
        self.0.credentials.remove(user).await.map(drop)
    }

    /// Forgets an account that was begun in vain, and was nobody's.
    pub(super) async fn undo_account(&self, user: UserId) -> Result<(), StoreError> {
        // First: nobody has left whom an issuer calls so.
        self.0.identities.remove_all(user).await?;
        self.forget_account(user).await
    }

    fn is_of_an_issuer(&self, identity: &Identity) -> bool {
        let mut issuers = self.0.sign_ins.issuers.iter();
        issuers.any(|named| named.issuer.issuer() == identity.issuer)
    }

    /// Whether somebody who was let in still is.
    pub async fn still_admits(&self, bearer: Bearer) -> Result<bool, StoreError> {
        match self.admits(bearer).await {
            Ok(_) => Ok(true),
            Err(AuthError::Store(error)) => Err(error),
            Err(
                AuthError::Token(_)
                | AuthError::Revoked
                | AuthError::Suspended
                | AuthError::FactorRequired,
            ) => Ok(false),
        }
    }

    async fn revoke_keys(&self, user: UserId) -> Result<(), StoreError> {
        for key in self.0.api_keys.list(user).await? {
            self.0.api_keys.revoke(user, key.id).await?;
            self.announce(&[Revoked::ApiKey { user, key: key.id }]).await;
        }
        Ok(())
    }
}
