//! Where people sign in elsewhere, and whose tokens are exchanged: put together by the settings.

use std::sync::Arc;

use crate::adapters::openid::{
    JwtIssuer, JwtIssuerSettings, OpenIdProvider, OpenIdProviderSettings, Web,
};
use crate::config::Settings;
use crate::services::accounts::{NamedIssuer, NamedProvider, SignIns};

/// Everybody whom the settings name. Asks nobody yet.
pub(super) fn open(settings: &Settings) -> anyhow::Result<SignIns> {
    if settings.providers.is_empty() && settings.issuers.is_empty() {
        return Ok(SignIns::default());
    }
    let web = Web::new()?;
    let providers = settings.providers.iter().map(|(name, it)| {
        let provider = OpenIdProviderSettings {
            issuer: it.issuer.clone(),
            client_id: it.client_id.clone(),
            client_secret: it.client_secret.expose().to_owned(),
            scopes: it.scopes(),
        };
        let label = if it.label.is_empty() { name.clone() } else { it.label.clone() };
        let provider = Arc::new(OpenIdProvider::new(provider, &web)?);
        Ok(NamedProvider { name: name.clone(), label, sign_up: it.sign_up, provider })
    });
    let issuers = settings.issuers.iter().map(|(name, it)| {
        let issuer = JwtIssuerSettings {
            issuer: it.issuer.clone(),
            jwks_url: Some(it.jwks_url.clone()).filter(|url| !url.is_empty()),
            audience: it.audience.clone(),
            algorithms: it.algorithms(),
            name_claim: it.name_claim.clone(),
        };
        let issuer = Arc::new(JwtIssuer::new(issuer, &web)?);
        Ok(NamedIssuer { name: name.clone(), sign_up: it.sign_up, issuer })
    });
    Ok(SignIns {
        public_url: settings.sign_in.public_url.clone(),
        return_to: settings.sign_in.return_to(),
        providers: providers.collect::<anyhow::Result<_>>()?,
        issuers: issuers.collect::<anyhow::Result<_>>()?,
    })
}
