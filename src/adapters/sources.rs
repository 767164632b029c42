//! Systems of others that keep things for sale: asked by HTTP for one thing at a time.
//!
//! Whom to ask is the operator's word alone. What a thing is called is somebody's word: it goes into the address
//! as a text that means nothing there.

use async_trait::async_trait;
use barterline_domain::listing::external::ExternalId;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderValue};
use reqwest::{Method, Request, StatusCode};
use url::Url;

use super::openid::{Web, WebError};

/// Longest answer: a description has 40 kB at most.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// Requests to one system at a time: beyond, nobody waits.
const AT_ONCE: usize = 16;
/// What means nothing in an address (RFC 3986, section 2.3).
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Who is asked about things.
#[async_trait]
pub trait Puller: Send + Sync {
    /// What it says of a thing, in 64 KiB at most, as it came; `None`: it has no such thing. Waits six seconds at
    /// most.
    async fn pull(&self, id: &ExternalId) -> Result<Option<Vec<u8>>, PullError>;
}

/// Why nothing is known of a thing. Has nothing of what was asked or answered.
#[derive(Debug, thiserror::Error)]
pub enum PullError {
    /// As many as there may be ask already: it was not asked.
    #[error("too many requests at once")]
    Busy,
    /// It cannot be asked for anything that is called so, whether or not it has it.
    #[error("a name that leads somewhere else")]
    Astray,
    /// It says nothing, or nothing of use, for this reason.
    #[error("{0}")]
    Failed(String),
}

impl From<WebError> for PullError {
    fn from(error: WebError) -> Self {
        match error {
            WebError::Busy => Self::Busy,
            error => Self::Failed(error.to_string()),
        }
    }
}

/// A system with an address for each thing.
pub struct HttpSource {
    web: Web,
    before: String,
    behind: String,
    authorization: Option<HeaderValue>,
}

impl HttpSource {
    /// A system by what stands before and behind the name of a thing in its address, and the token that it is
    /// shown; empty: none. Asks nobody yet.
    pub fn new((before, behind): (&str, &str), token: &str) -> anyhow::Result<Self> {
        // Turns of its own: who does not answer holds up nobody else.
        let web = Web::within(ANSWER_BYTES_MAX, AT_ONCE)?.of(before);
        let authorization = if token.is_empty() {
            None
        } else {
            let mut value = HeaderValue::from_str(&format!("Bearer {token}"))?;
            value.set_sensitive(true);
            Some(value)
        };
        Ok(Self { web, before: before.to_owned(), behind: behind.to_owned(), authorization })
    }

    /// Where it is asked for a thing. `None`: the name would lead somewhere else, as `..` does.
    fn address(&self, id: &ExternalId) -> Option<Url> {
        let id = utf8_percent_encode(id.as_str(), ENCODED);
        let text = format!("{}{id}{}", self.before, self.behind);
        Url::parse(&text).ok().filter(|url| url.as_str() == text)
    }
}

#[async_trait]
impl Puller for HttpSource {
    async fn pull(&self, id: &ExternalId) -> Result<Option<Vec<u8>>, PullError> {
        let url = self.address(id).ok_or(PullError::Astray)?;
        let mut request = Request::new(Method::GET, url);
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(value) = &self.authorization {
            request.headers_mut().insert(AUTHORIZATION, value.clone());
        }
        let answer = self.web.send(request).await?;
        match answer.status() {
            StatusCode::OK => Ok(Some(answer.into_body())),
            StatusCode::NOT_FOUND | StatusCode::GONE => Ok(None),
            other => Err(PullError::Failed(format!("it answers with {}", other.as_u16()))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(source: (&str, &str), id: &str, expected: Option<&str>) {
        let source = HttpSource::new(source, "").expect("a source");
        let id = ExternalId::parse(id).expect("an id");
        assert_eq!(source.address(&id).as_ref().map(Url::as_str), expected, "{id:?}");
    }

    #[tokio::test]
    async fn a_name_that_leads_elsewhere_is_not_asked_for() {
        let source = HttpSource::new(("http://127.0.0.1:1/things/", ""), "").expect("a source");
        let id = ExternalId::parse("..").expect("an id");
        let asked = source.pull(&id).await;
        assert!(matches!(asked, Err(PullError::Astray)), "it may have it: {asked:?}");
    }

    #[test]
    fn a_name_stays_where_it_is_put() {
        let things = ("https://shop.example/things/", "");
        let at = |name: &str| format!("https://shop.example/things/{name}");
        for (id, name) in [
            ("17", "17"),
            ("a/b", "a%2Fb"),
            ("../../admin", "..%2F..%2Fadmin"),
            ("a\\..\\b", "a%5C..%5Cb"),
            ("%2e%2e", "%252e%252e"),
            ("@evil.example", "%40evil.example"),
            ("?admin=1#x", "%3Fadmin%3D1%23x"),
            ("gid://shop/Thing/17", "gid%3A%2F%2Fshop%2FThing%2F17"),
            (" a b ", "%20a%20b%20"),
            ("Fahrrad ä", "Fahrrad%20%C3%A4"),
            ("...", "..."),
            ("..;", "..%3B"),
        ] {
            check(things, id, Some(&at(name)));
        }
        for id in [".", ".."] {
            check(things, id, None);
        }
        check(("https://shop.example/things/", "/as.json"), "..", None);
        check(("https://shop.example/things/.", ""), ".", None);
        let asked = ("https://shop.example/things?id=", "&full=1");
        check(asked, "..", Some("https://shop.example/things?id=..&full=1"));
        check(asked, "1&full=0", Some("https://shop.example/things?id=1%26full%3D0&full=1"));
        check(("http://127.0.0.1:1/", ""), "@10.0.0.1/", Some("http://127.0.0.1:1/%4010.0.0.1%2F"));
    }
}
