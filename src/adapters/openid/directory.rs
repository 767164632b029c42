//! What a provider publishes: where to go, and its keys. Asked for once an hour, and anew for a key that
//! is not among them, but at most once a minute; kept for a day where nobody answers.

use std::sync::Arc;
use std::time::Duration;

use barterline_domain::clock::Timestamp;
use openidconnect::core::{CoreJsonWebKeySet, CoreProviderMetadata};
use openidconnect::{DiscoveryError, IssuerUrl, JsonWebKey as _, JsonWebKeySet, JsonWebKeySetUrl};
use parking_lot::RwLock;
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::jwt::Header;
use super::web::WebError;
use super::{OpenIdError, Web};

/// After so long it is asked for anew.
const FRESH_FOR: Duration = Duration::from_hours(1);
/// For so long it is used where nobody answers.
const KEPT_FOR: Duration = Duration::from_hours(24);
/// For an answer with all that belongs to it. Less than for a step.
const ASK_TIMEOUT: Duration = Duration::from_secs(5);
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
        // A first time is none too many. Before the answer, which may not come.
        if self.known.read().is_some() {
            *asked = Some(now);
        }
        let answer = async {
            match &self.place {
                Place::Issuer(issuer) => {
                    let found = CoreProviderMetadata::discover_async(issuer.clone(), &self.web);
                    found.await.map(|metadata| (metadata.jwks().clone(), Some(metadata)))
                }
                Place::Keys(url) => {
                    JsonWebKeySet::fetch_async(url, &self.web).await.map(|keys| (keys, None))
                }
            }
        };
        // Sooner than whoever waits gives up, so that what is known serves them.
        let found = match timeout(ASK_TIMEOUT, answer).await {
            Ok(found) => found.map_err(|error| unavailable(&error)),
            Err(_) => Err(OpenIdError::Unavailable("no answer in time".to_owned())),
        };
        let (keys, metadata) = found.inspect_err(|error| {
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

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::net::TcpListener;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use std::thread;

    use super::*;

    /// A place with one key, how often it was asked for that, and whether it is down.
    fn published() -> (Directory, Arc<AtomicUsize>, Arc<AtomicBool>) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}/keys", listener.local_addr().expect("an address"));
        let (asked, down) = (Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default());
        let (counted, is_down) = (Arc::clone(&asked), Arc::clone(&down));
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let lines = BufReader::new(&stream).lines().map_while(Result::ok);
                lines.take_while(|line| !line.is_empty()).for_each(drop);
                counted.fetch_add(1, Ordering::SeqCst);
                let status = if is_down.load(Ordering::SeqCst) { "503 x" } else { "200 x" };
                let keys = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"first","x":"AAAA"}]}"#;
                let (kind, len) = ("content-type: application/json", keys.len());
                let head = format!("HTTP/1.1 {status}\r\n{kind}\r\ncontent-length: {len}\r\n");
                let _ = write!(stream, "{head}connection: close\r\n\r\n{keys}");
            }
        });
        let web = Web::new().expect("a client").of(&url);
        let place = Place::Keys(JsonWebKeySetUrl::new(url).expect("an address"));
        (Directory::new(web, place), asked, down)
    }

    fn at(minutes: u64) -> Timestamp {
        Timestamp::from_millis(1_764_000_000_000).plus(Duration::from_mins(minutes))
    }

    fn naming(kid: &str) -> Header {
        serde_json::from_str(&format!(r#"{{"alg":"EdDSA","kid":"{kid}"}}"#)).expect("a header")
    }

    #[tokio::test]
    async fn what_is_published_is_asked_for_once_an_hour_and_kept_for_a_day() {
        let (directory, asked, down) = published();
        let asked = || asked.load(Ordering::SeqCst);
        for minute in [0, 1, 59] {
            directory.known(at(minute)).await.expect("keys");
            assert_eq!(asked(), 1);
        }
        directory.known(at(60)).await.expect("keys");
        assert_eq!(asked(), 2);
        down.store(true, Ordering::SeqCst);
        directory.known(at(120)).await.expect("those from before");
        directory.known(at(120)).await.expect("those from before");
        assert_eq!(asked(), 3, "who does not answer is not asked all the time");
        directory.known(at(60 + 24 * 60 - 1)).await.expect("those from before");
        let none = directory.known(at(60 + 24 * 60)).await;
        assert!(matches!(none, Err(OpenIdError::Unavailable(_))));
        down.store(false, Ordering::SeqCst);
        directory.known(at(60 + 24 * 60)).await.expect("keys");
    }

    #[tokio::test]
    async fn a_key_that_is_not_there_is_asked_for_once_a_minute() {
        let (directory, asked, _) = published();
        let asked = || asked.load(Ordering::SeqCst);
        for (minute, kid, expected) in
            [(0, "first", 1), (0, "other", 2), (0, "other", 2), (0, "first", 2), (1, "other", 3)]
        {
            directory.with_key_of(&naming(kid), at(minute)).await.expect("keys");
            assert_eq!(asked(), expected, "{minute} {kid}");
        }
    }

    #[tokio::test]
    async fn many_at_once_ask_once() {
        let (directory, asked, _) = published();
        let (now, header) = (at(0), naming("first"));
        let several = (0..20).map(|_| directory.with_key_of(&header, now));
        for known in futures_util::future::join_all(several).await {
            known.expect("keys");
        }
        assert_eq!(asked.load(Ordering::SeqCst), 1);
    }
}
