//! A provider by OpenID Connect Core 1.0: the flow with a code, PKCE and a nonce.

use async_trait::async_trait;
use barterline_domain::clock::Timestamp;
use chrono::{DateTime, Utc};
use openidconnect::core::{
    CoreAuthenticationFlow, CoreClient, CoreClientAuthMethod, CoreErrorResponseType,
    CoreIdTokenClaims, CoreIdTokenVerifier, CoreTokenResponse, CoreUserInfoClaims,
};
use openidconnect::{
    AccessTokenHash, AuthType, AuthorizationCode, ClientId, ClientSecret, CsrfToken,
    EndpointMaybeSet, EndpointNotSet, EndpointSet, IssuerUrl, Nonce, OAuth2TokenResponse as _,
    PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RequestTokenError, Scope,
    StandardErrorResponse, TokenResponse as _, UserInfoError,
};

use super::directory::{Directory, Known, Place};
use super::issuer::ASYMMETRIC;
use super::jwt::{Header, LEEWAY, TOKEN_BYTES_MAX};
use super::web::WebError;
use super::{Binding, OpenIdError, Person, Provider, Web, in_time, refused, subject};

/// Longest code of a provider that is looked at.
const CODE_BYTES_MAX: usize = 4 * 1024;

/// What there is to know of a provider.
pub struct OpenIdProviderSettings {
    /// What it calls itself.
    pub issuer: String,
    /// What it calls this server.
    pub client_id: String,
    /// The secret that goes with it; empty: none.
    pub client_secret: String,
    /// What it is asked for, beside `openid`.
    pub scopes: Vec<String>,
}

/// A provider that publishes where to go.
pub struct OpenIdProvider {
    settings: OpenIdProviderSettings,
    issuer: IssuerUrl,
    web: Web,
    directory: Directory,
}

/// A client as a provider's document describes it.
type Client = CoreClient<
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

impl OpenIdProvider {
    /// A provider by its settings. Asks nobody yet.
    pub fn new(settings: OpenIdProviderSettings, web: &Web) -> anyhow::Result<Self> {
        let issuer = IssuerUrl::new(settings.issuer.clone())?;
        let web = web.of(&settings.issuer);
        let directory = Directory::new(web.clone(), Place::Issuer(issuer.clone()));
        Ok(Self { settings, issuer, web, directory })
    }

    fn client(&self, known: &Known, redirect_uri: &str) -> Result<Client, OpenIdError> {
        let unusable = |what: &str| OpenIdError::Unavailable(what.to_owned());
        let metadata = known.metadata.clone().ok_or_else(|| unusable("it publishes no way"))?;
        let redirect = RedirectUrl::new(redirect_uri.to_owned());
        let redirect = redirect.map_err(|_| unusable("there is no way back"))?;
        let methods = metadata.token_endpoint_auth_methods_supported();
        let basic =
            methods.is_none_or(|all| all.contains(&CoreClientAuthMethod::ClientSecretBasic));
        let secret = Some(self.settings.client_secret.clone()).filter(|secret| !secret.is_empty());
        let client_id = ClientId::new(self.settings.client_id.clone());
        let client =
            CoreClient::from_provider_metadata(metadata, client_id, secret.map(ClientSecret::new))
                .set_redirect_uri(redirect);
        Ok(client.set_auth_type(if basic { AuthType::BasicAuth } else { AuthType::RequestBody }))
    }

    /// The claims of an ID token, if it is one for us, of this way, and good now (OpenID Connect Core
    /// 1.0, section 3.1.3.7).
    async fn claims(
        &self,
        tokens: &CoreTokenResponse,
        nonce: &str,
        now: Timestamp,
    ) -> Result<CoreIdTokenClaims, OpenIdError> {
        let token = tokens.id_token().ok_or_else(|| refused("there is no ID token"))?;
        let text = token.to_string();
        if text.len() > TOKEN_BYTES_MAX {
            return Err(refused("an ID token that is too long"));
        }
        let known = self.directory.with_key_of(&Header::of(&text)?, now).await?;
        let client_id = ClientId::new(self.settings.client_id.clone());
        // As for a client without a secret: what both of us could have signed proves nothing.
        let keys = known.keys.clone();
        let verifier = CoreIdTokenVerifier::new_public_client(client_id, self.issuer.clone(), keys)
            .set_allowed_algs(ASYMMETRIC)
            .set_time_fn(move || time_of(now) - LEEWAY)
            .set_issue_time_verifier_fn(move |issued| {
                let ahead = issued > time_of(now) + LEEWAY;
                if ahead { Err("it was issued in the future".to_owned()) } else { Ok(()) }
            });
        let claims = token.claims(&verifier, &Nonce::new(nonce.to_owned()));
        // What it says stays unsaid: it names the person.
        let claims = claims.map_err(|error| refused(kind_of(&error)))?;
        let party = claims.authorized_party();
        if party.is_some_and(|party| party.as_str() != self.settings.client_id) {
            return Err(refused("the ID token is for another party"));
        }
        if let Some(expected) = claims.access_token_hash() {
            let signed = token.signing_alg().ok().zip(token.signing_key(&verifier).ok());
            let hash = signed.and_then(|(alg, key)| {
                AccessTokenHash::from_token(tokens.access_token(), alg, key).ok()
            });
            if hash.as_ref() != Some(expected) {
                return Err(refused("the access token is another's"));
            }
        }
        Ok(claims.clone())
    }

    /// What the provider tells of a person only when it is asked once more (section 5.3).
    async fn user_info(
        &self,
        client: &Client,
        tokens: &CoreTokenResponse,
        claims: &CoreIdTokenClaims,
    ) -> Result<Option<CoreUserInfoClaims>, OpenIdError> {
        let asked = client.user_info(tokens.access_token().clone(), Some(claims.subject().clone()));
        // It tells nothing anywhere else.
        let Ok(asked) = asked else { return Ok(None) };
        match asked.request_async(&self.web).await {
            Ok(told) => Ok(Some(told)),
            Err(UserInfoError::Request(error)) => Err(OpenIdError::Unavailable(error.to_string())),
            Err(_) => Err(refused("what it tells of the person is not sound")),
        }
    }
}

#[async_trait]
impl Provider for OpenIdProvider {
    async fn address(
        &self,
        Binding { redirect_uri, nonce, verifier }: Binding<'_>,
        state: &str,
        now: Timestamp,
    ) -> Result<String, OpenIdError> {
        let known = in_time(self.directory.known(now)).await?;
        let client = self.client(&known, redirect_uri)?;
        let verifier = PkceCodeVerifier::new(verifier.to_owned());
        let (state, nonce) = (state.to_owned(), nonce.to_owned());
        let request = client
            .authorize_url(
                CoreAuthenticationFlow::AuthorizationCode,
                || CsrfToken::new(state),
                || Nonce::new(nonce),
            )
            .add_scopes(self.settings.scopes.iter().cloned().map(Scope::new))
            .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier));
        Ok(request.url().0.into())
    }

    async fn person(
        &self,
        Binding { redirect_uri, nonce, verifier }: Binding<'_>,
        code: &str,
        now: Timestamp,
    ) -> Result<Person, OpenIdError> {
        if code.len() > CODE_BYTES_MAX {
            return Err(refused("a code that is too long"));
        }
        in_time(async {
            let known = self.directory.known(now).await?;
            let client = self.client(&known, redirect_uri)?;
            let exchange = client.exchange_code(AuthorizationCode::new(code.to_owned()));
            let exchange = exchange
                .map_err(|_| OpenIdError::Unavailable("it publishes no way to tokens".to_owned()))?
                .set_pkce_verifier(PkceCodeVerifier::new(verifier.to_owned()));
            let tokens =
                exchange.request_async(&self.web).await.map_err(|error| no_tokens(&error))?;
            let claims = self.claims(&tokens, nonce, now).await?;
            let mut email = claims.email().map(|email| email.as_str().to_owned());
            let mut verified = claims.email_verified();
            let mut name = claims.name().and_then(|name| name.get(None)).map(|it| it.to_string());
            let asked_for = |scope: &str| self.settings.scopes.iter().any(|asked| asked == scope);
            if email.is_none()
                && asked_for("email")
                && let Some(told) = self.user_info(&client, &tokens, &claims).await?
            {
                email = told.email().map(|email| email.as_str().to_owned());
                verified = told.email_verified();
                let told = told.name().and_then(|name| name.get(None));
                name = name.or_else(|| told.map(|name| name.to_string()));
            }
            Ok(Person {
                issuer: self.settings.issuer.clone(),
                subject: subject(claims.subject())?,
                email: email.filter(|_| verified == Some(true)),
                name,
            })
        })
        .await
    }

    fn issuer(&self) -> &str {
        &self.settings.issuer
    }
}

fn time_of(at: Timestamp) -> DateTime<Utc> {
    let millis = i64::try_from(at.as_millis()).unwrap_or(i64::MAX);
    DateTime::from_timestamp_millis(millis).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// Why there are no tokens, without what was said.
fn no_tokens(
    error: &RequestTokenError<WebError, StandardErrorResponse<CoreErrorResponseType>>,
) -> OpenIdError {
    match error {
        RequestTokenError::Request(error) => OpenIdError::Unavailable(error.to_string()),
        RequestTokenError::ServerResponse(answer) => match answer.error() {
            // Ours to mend, by who runs the server.
            CoreErrorResponseType::InvalidClient | CoreErrorResponseType::UnauthorizedClient => {
                OpenIdError::Unavailable("it does not know this client".to_owned())
            }
            _ => refused("it does not take the code"),
        },
        RequestTokenError::Parse(..) | RequestTokenError::Other(_) => {
            refused("its answer has another form")
        }
    }
}

/// What is wrong with an ID token, without what it says.
fn kind_of(error: &openidconnect::ClaimsVerificationError) -> &'static str {
    use openidconnect::ClaimsVerificationError as Wrong;
    match error {
        Wrong::Expired(_) => "the ID token is over, or not good yet",
        Wrong::InvalidAudience(_) => "the ID token is for others",
        Wrong::InvalidIssuer(_) => "the ID token is another issuer's",
        Wrong::InvalidNonce(_) => "the ID token is of another way",
        Wrong::SignatureVerification(_) => "no key of the provider has signed the ID token",
        _ => "the ID token is not sound",
    }
}
