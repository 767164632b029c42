//! A provider of identities within the test: it publishes keys, gives codes and tokens, and errs where it
//! is told to.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use barterline::clock::SystemClock;
use barterline_domain::clock::Clock as _;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac as _};
use parking_lot::Mutex;
use rcgen::{KeyPair, SigningKey as _};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use url::{Url, form_urlencoded};

/// What the provider calls the server, and the secret between them.
pub const CLIENT: (&str, &str) = ("shop", "hunter2");

/// A provider that listens until the test ends.
pub struct Provider {
    pub at: SocketAddr,
    inner: Arc<Mutex<Inner>>,
}

struct Inner {
    issuer: String,
    keys: Vec<Key>,
    /// What was consented to, by code.
    codes: HashMap<String, Consent>,
    /// What is told of the bearer of an access token.
    told: Value,
    asked: HashMap<String, usize>,
    down: bool,
}

struct Consent {
    token: String,
    challenge: String,
    redirect_uri: String,
}

/// A key that signs.
pub struct Key {
    pub name: String,
    pair: KeyPair,
}

impl Key {
    /// For ES256.
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), pair: KeyPair::generate().expect("a key") }
    }

    /// For `EdDSA`.
    pub fn edwards(name: &str) -> Self {
        let pair = KeyPair::generate_for(&rcgen::PKCS_ED25519).expect("a key");
        Self { name: name.to_owned(), pair }
    }

    fn is_edwards(&self) -> bool {
        self.pair.public_key_raw().len() == 32
    }

    fn published(&self) -> Value {
        let raw = self.pair.public_key_raw();
        let encoded = |bytes| URL_SAFE_NO_PAD.encode(bytes);
        if self.is_edwards() {
            return json!({ "kty": "OKP", "crv": "Ed25519", "use": "sig", "kid": self.name, "x": encoded(raw) });
        }
        let (x, y) = raw[1..].split_at(32);
        json!({
            "kty": "EC", "crv": "P-256", "use": "sig", "kid": self.name,
            "x": encoded(x), "y": encoded(y),
        })
    }

    /// What it signs as, by default.
    pub fn header(&self) -> Value {
        let alg = if self.is_edwards() { "EdDSA" } else { "ES256" };
        json!({ "alg": alg, "typ": "JWT", "kid": self.name })
    }

    /// A token with its signature.
    pub fn sign(&self, claims: &Value) -> String {
        self.sign_as(&self.header(), claims)
    }

    /// The same under any header.
    pub fn sign_as(&self, header: &Value, claims: &Value) -> String {
        let message = message(header, claims);
        let signature = self.pair.sign(message.as_bytes()).expect("a signature");
        let signature = if self.is_edwards() { signature } else { fixed(&signature) };
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// A token with an HMAC under what everybody knows of the key (the confusion of RFC 8725, 2.1).
    pub fn sign_with_what_is_public(&self, claims: &Value) -> String {
        let message = message(&json!({ "alg": "HS256", "typ": "JWT", "kid": self.name }), claims);
        let mac = Hmac::<Sha256>::new_from_slice(self.pair.public_key_raw()).expect("a key");
        let mac = mac.chain_update(&message).finalize().into_bytes();
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(mac))
    }
}

/// A token that nobody has signed.
pub fn unsigned(claims: &Value) -> String {
    format!("{}.", message(&json!({ "alg": "none", "typ": "JWT" }), claims))
}

fn message(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}", part(header), part(claims))
}

/// Two numbers of 32 bytes, of a signature in DER.
fn fixed(der: &[u8]) -> Vec<u8> {
    let number = |at: usize| {
        let len = usize::from(der[at + 1]);
        let bytes = &der[at + 2..at + 2 + len];
        let bytes = &bytes[bytes.iter().take_while(|byte| **byte == 0).count()..];
        ([vec![0; 32 - bytes.len()], bytes.to_vec()].concat(), at + 2 + len)
    };
    let (r, next) = number(2);
    [r, number(next).0].concat()
}

/// Seconds since 1970, so many from now.
pub fn seconds(from_now: i64) -> i64 {
    let now = SystemClock.now().as_millis() / 1_000;
    now.cast_signed() + from_now
}

impl Provider {
    pub fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let at = listener.local_addr().expect("an address");
        let inner = Arc::new(Mutex::new(Inner {
            issuer: format!("http://{at}"),
            keys: vec![Key::new("first")],
            codes: HashMap::new(),
            told: json!({}),
            asked: HashMap::new(),
            down: false,
        }));
        let shared = Arc::clone(&inner);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&shared);
                thread::spawn(move || answer(&stream, &shared));
            }
        });
        Self { at, inner }
    }

    pub fn issuer(&self) -> String {
        self.inner.lock().issuer.clone()
    }

    /// How often it was asked for a path.
    pub fn asked(&self, path: &str) -> usize {
        self.inner.lock().asked.get(path).copied().unwrap_or_default()
    }

    /// Answers nothing of use, or again.
    pub fn set_down(&self, down: bool) {
        self.inner.lock().down = down;
    }

    /// What it tells when it is asked once more about a person.
    pub fn tell(&self, told: Value) {
        self.inner.lock().told = told;
    }

    /// Signs by another key from here on, and publishes that alone.
    pub fn change_key(&self, key: Key) {
        self.inner.lock().keys = vec![key];
    }

    /// Signs by the key that is published.
    pub fn sign(&self, claims: &Value) -> String {
        self.inner.lock().keys[0].sign(claims)
    }

    /// Something with the key that is published.
    pub fn with_key<T>(&self, with: impl FnOnce(&Key) -> T) -> T {
        with(&self.inner.lock().keys[0])
    }

    /// What an ID token for this way says of somebody.
    pub fn claims(&self, url: &str, subject: &str, more: &Value) -> Value {
        let asked = query(url);
        let mut claims = json!({
            "iss": self.issuer(), "aud": CLIENT.0, "sub": subject, "nonce": asked["nonce"],
            "iat": seconds(0), "exp": seconds(300),
        });
        for (name, value) in more.as_object().expect("claims") {
            claims[name] = value.clone();
        }
        claims
    }

    /// Somebody signs in and says yes: where the browser is sent.
    pub fn consent(&self, url: &str, subject: &str, more: &Value) -> String {
        let token = self.sign(&self.claims(url, subject, more));
        self.consent_with(url, token)
    }

    /// The same, with any ID token.
    pub fn consent_with(&self, url: &str, token: String) -> String {
        let asked = query(url);
        assert!(url.starts_with(&format!("{}/authorize?", self.issuer())), "{url}");
        for (name, expected) in [
            ("response_type", "code"),
            ("client_id", CLIENT.0),
            ("code_challenge_method", "S256"),
            ("scope", "openid email profile"),
        ] {
            assert_eq!(asked[name], expected, "{name}");
        }
        let mut inner = self.inner.lock();
        let code = format!("code-{}", inner.codes.len());
        let (challenge, redirect_uri) =
            (asked["code_challenge"].clone(), asked["redirect_uri"].clone());
        inner.codes.insert(code.clone(), Consent { token, challenge, redirect_uri });
        back(url, &[("code", &code), ("iss", &inner.issuer)])
    }
}

/// Where a browser is sent back to by whoever was asked at `url`, with this to say: without the host,
/// which is another than the one that listens.
pub fn back(url: &str, said: &[(&str, &str)]) -> String {
    let asked = query(url);
    let redirect = Url::parse(&asked["redirect_uri"]).expect("an address");
    let pairs = said.iter().copied().chain([("state", asked["state"].as_str())]);
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    format!("{}?{query}", redirect.path())
}

/// What an address says behind its `?`.
pub fn query(url: &str) -> HashMap<String, String> {
    Url::parse(url).expect("an address").query_pairs().into_owned().collect()
}

fn answer(stream: &TcpStream, shared: &Mutex<Inner>) -> Option<()> {
    stream.set_read_timeout(Some(Duration::from_secs(20))).ok()?;
    let mut reader = BufReader::new(stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let header = |name: &str| {
        let found = lines.iter().filter_map(|line| line.split_once(": "));
        found
            .filter(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.to_owned())
            .next()
    };
    let length = header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let path = lines.first()?.split(' ').nth(1)?.to_owned();
    let (status, answer) = shared.lock().answer(&path, header("authorization").as_deref(), &body);
    let answer = answer.to_string();
    let head = format!(
        "HTTP/1.1 {status} x\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        answer.len()
    );
    let mut stream = stream;
    stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(answer.as_bytes())).ok()
}

impl Inner {
    fn answer(&mut self, path: &str, authorization: Option<&str>, body: &[u8]) -> (u16, Value) {
        *self.asked.entry(path.to_owned()).or_default() += 1;
        if self.down {
            return (503, json!({}));
        }
        let issuer = &self.issuer;
        match path {
            "/.well-known/openid-configuration" => {
                let document = json!({
                    "issuer": issuer,
                    "authorization_endpoint": format!("{issuer}/authorize"),
                    "token_endpoint": format!("{issuer}/token"),
                    "userinfo_endpoint": format!("{issuer}/userinfo"),
                    "jwks_uri": format!("{issuer}/keys"),
                    "response_types_supported": ["code"],
                    "subject_types_supported": ["public"],
                    "id_token_signing_alg_values_supported": ["ES256"],
                });
                (200, document)
            }
            "/keys" => {
                (200, json!({ "keys": self.keys.iter().map(Key::published).collect::<Vec<_>>() }))
            }
            "/token" => self
                .token(authorization, body)
                .unwrap_or_else(|| (400, json!({ "error": "invalid_grant" }))),
            "/userinfo" if authorization == Some("Bearer access") => (200, self.told.clone()),
            _ => (404, json!({})),
        }
    }

    /// Tokens for a code, once, for who began (RFC 6749, section 4.1.3; RFC 7636, section 4.6).
    fn token(&mut self, authorization: Option<&str>, body: &[u8]) -> Option<(u16, Value)> {
        let asked: HashMap<_, _> = form_urlencoded::parse(body).into_owned().collect();
        let client = STANDARD.decode(authorization?.strip_prefix("Basic ")?).ok()?;
        if client != format!("{}:{}", CLIENT.0, CLIENT.1).into_bytes() {
            return Some((401, json!({ "error": "invalid_client" })));
        }
        let consent = self.codes.remove(asked.get("code")?)?;
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(asked.get("code_verifier")?));
        let same = challenge == consent.challenge
            && *asked.get("redirect_uri")? == consent.redirect_uri
            && asked.get("grant_type")? == "authorization_code";
        let answer = json!({
            "access_token": "access", "token_type": "Bearer", "expires_in": 300,
            "id_token": consent.token,
        });
        same.then_some((200, answer))
    }
}
