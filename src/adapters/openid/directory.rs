//! What a provider publishes: where to go, and its keys. Asked for once an hour, and anew for a key that
//! is not among them, but at most once a minute; kept for a day where nobody answers.

use std::sync::Arc;
use std::time::Duration;

use barterline_domain::clock::Timestamp;
use openidconnect::core::{CoreJsonWebKeySet, CoreProviderMetadata};
use openidconnect::{DiscoveryError, IssuerUrl, JsonWebKey as _, JsonWebKeySet, JsonWebKeySetUrl};
use parking_lot::RwLock;
use tokio::sync::Mutex;

use super::jwt::Header;
use super::web::WebError;
use super::{OpenIdError, Web};

/// After so long it is asked for anew.
const FRESH_FOR: Duration = Duration::from_hours(1);
/// For so long it is used where nobody answers.
const KEPT_FOR: Duration = Duration::from_hours(24);
/// Between two requests: whoever shows tokens of keys that there are not, has nobody asked all the time.
const ASKED_EVERY: Duration = Duration::from_mins(1);
/// Most keys that are looked at: providers have two to five.
const KEYS_MAX: usize = 64;

/// Where it is published.
pub(super) enum Place {
    /// Where an issuer says (OpenID Connect Discovery 1.0, section 4).
    Issuer(IssuerUrl),
    /// The keys alone, at an address.
    Keys(JsonWebKeySetUrl),
}

/// What was published.
pub(super) struct Known {
    /// Where to go; `None` where only keys are known of.
    pub metadata: Option<CoreProviderMetadata>,
    /// The keys.
    pub keys: CoreJsonWebKeySet,
    at: Timestamp,
}

/// What is known of one provider.
pub(super) struct Directory {
    web: Web,
    place: Place,
    known: RwLock<Option<Arc<Known>>>,
    /// When it was last asked for anew, by whoever has the turn.
    asking: Mutex<Option<Timestamp>>,
}

impl Directory {
    pub fn new(web: Web, place: Place) -> Self {
        Self { web, place, known: RwLock::default(), asking: Mutex::default() }
    }

    /// What is published, as of the last hour if that can be had.
    pub async fn known(&self, now: Timestamp) -> Result<Arc<Known>, OpenIdError> {
        let known = self.known.read().clone();
        match known {
            Some(known) if now.since(known.at) < FRESH_FOR => Ok(known),
            // Where somebody asks already, what there is does.
            Some(known) if now.since(known.at) < KEPT_FOR => match self.asking.try_lock() {
                Ok(mut asked) if due(*asked, now) => {
                    Ok(self.ask(&mut asked, now).await.unwrap_or(known))
                }
                _ => Ok(known),
            },
            _ => {
                let mut asked = self.asking.lock().await;
                // Somebody else has asked meanwhile.
                let known = self.known.read().clone();
                match known.filter(|known| now.since(known.at) < KEPT_FOR) {
                    Some(known) => Ok(known),
                    None => self.ask(&mut asked, now).await,
                }
            }
        }
    }

    /// The same with the key that a token names, if it is published.
    pub async fn with_key_of(
        &self,
        header: &Header,
        now: Timestamp,
    ) -> Result<Arc<Known>, OpenIdError> {
        let known = self.known(now).await?;
        if known.has_key_of(header) {
            return Ok(known);
        }
        let mut asked = self.asking.lock().await;
        // Somebody else has asked meanwhile.
        let known = self.known.read().clone().unwrap_or(known);
        if known.has_key_of(header) || !due(*asked, now) {
            return Ok(known);
        }
        self.ask(&mut asked, now).await
    }

    async fn ask(
        &self,
        asked: &mut Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Arc<Known>, OpenIdError> {
        let found = match &self.place {
            Place::Issuer(issuer) => {
                let found = CoreProviderMetadata::discover_async(issuer.clone(), &self.web).await;
                found.map(|metadata| (metadata.jwks().clone(), Some(metadata)))
            }
            Place::Keys(url) => {
                JsonWebKeySet::fetch_async(url, &self.web).await.map(|keys| (keys, None))
            }
        };
        // A first time is none too many.
        if self.known.read().is_some() {
            *asked = Some(now);
        }
        let (keys, metadata) = found.map_err(|error| unavailable(&error)).inspect_err(|error| {
            tracing::warn!(place = self.place.shown(), %error, "a provider publishes nothing");
        })?;
        let keys = JsonWebKeySet::new(keys.keys().iter().take(KEYS_MAX).cloned().collect());
        let known = Arc::new(Known { metadata, keys, at: now });
        *self.known.write() = Some(Arc::clone(&known));
        Ok(known)
    }
}

impl Known {
    fn has_key_of(&self, header: &Header) -> bool {
        // Without a name any key may be meant.
        header.kid.as_ref().is_none_or(|named| {
            self.keys.keys().iter().any(|key| key.key_id().is_some_and(|id| **id == **named))
        })
    }
}

impl Place {
    fn shown(&self) -> &str {
        match self {
            Self::Issuer(issuer) => issuer.as_str(),
            Self::Keys(url) => url.as_str(),
        }
    }
}

fn due(asked: Option<Timestamp>, now: Timestamp) -> bool {
    asked.is_none_or(|asked| now.since(asked) >= ASKED_EVERY)
}

/// Why nothing is known, without what was answered.
fn unavailable(error: &DiscoveryError<WebError>) -> OpenIdError {
    OpenIdError::Unavailable(match error {
        DiscoveryError::Request(error) => error.to_string(),
        DiscoveryError::Response(status, ..) => format!("it answers with {status}"),
        DiscoveryError::Validation(_) => "it calls itself another issuer".to_owned(),
        DiscoveryError::Parse(_) => "its answer has another form".to_owned(),
        _ => "it cannot be asked".to_owned(),
    })
}
