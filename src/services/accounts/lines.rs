//! What the log says of log-ins: who came in and from where, and who tried in vain. Never what they
//! showed, nor an e-mail address, which may be nobody's.

use std::net::IpAddr;

use barterline_domain::ids::UserId;
use barterline_storage::sessions::Session;
use tracing::field::display;

use super::{Accounts, LogInError};
use crate::adapters::openid::OpenIdError;

/// So that an operator can ask for these lines alone, or not at all.
const TARGET: &str = "barterline::auth";

impl Accounts {
    /// Somebody logged in, with a code or by the password alone.
    pub(super) fn log_logged_in(&self, user: UserId, from: IpAddr, second_factor: bool) {
        let client = self.0.addresses.shown(from).map(display);
        tracing::info!(target: TARGET, %user, client, second_factor, "logged in");
    }

    /// Somebody came in by the word of a provider, or of an outer issuer.
    pub(super) fn log_signed_in(&self, user: UserId, from: IpAddr, provider: &str) {
        let client = self.0.addresses.shown(from).map(display);
        tracing::info!(target: TARGET, %user, client, provider, "signed in");
    }

    /// A provider or an outer issuer proved nobody to be anybody, or could not be asked.
    pub(super) fn log_not_signed_in(&self, from: IpAddr, provider: &str, error: &OpenIdError) {
        let client = self.0.addresses.shown(from).map(display);
        tracing::warn!(target: TARGET, client, provider, %error, "nobody signed in");
    }

    /// Somebody showed another password than an account's, or one for an address that nobody has.
    pub(super) fn log_wrong_password(&self, user: Option<UserId>, from: IpAddr) {
        let client = self.0.addresses.shown(from).map(display);
        let user = user.map(display);
        tracing::warn!(target: TARGET, user, client, "a wrong password");
    }

    /// Somebody tried to log in by what cannot be an address.
    pub fn nobodys(&self, from: IpAddr) -> LogInError {
        self.log_wrong_password(None, from);
        LogInError::Failed
    }

    /// Somebody who knows the password, or for whom others vouch, showed no code, and has to.
    pub(super) fn log_code_asked(&self, user: UserId, from: IpAddr) {
        let client = self.0.addresses.shown(from).map(display);
        tracing::warn!(target: TARGET, %user, client, "a code was asked for");
    }

    /// A refresh token came again at once, and was answered again: its first answer was lost, or two have it.
    #[expect(clippy::unused_self, reason = "beside the others")]
    pub(super) fn log_refresh_repeated(&self, session: &Session) {
        let Session { id, user, .. } = session;
        tracing::info!(target: TARGET, %user, session = %id, "a refresh was repeated");
    }

    /// Somebody who knows the password showed another code than one of the second factor.
    pub(super) fn log_wrong_code(&self, user: UserId, from: IpAddr) {
        let client = self.0.addresses.shown(from).map(display);
        tracing::warn!(target: TARGET, %user, client, "a wrong code");
    }
}
