//! Requests to providers, and to others whom the operator names: few at a time, each with an end, answers with
//! a bound, and nobody is followed elsewhere.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse};
use reqwest::redirect::Policy;
use tokio::sync::Semaphore;
use url::{Host, Url};

use crate::adapters::tls;

/// For a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// For a request with its answer.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(6);
/// Longest answer: lists of keys have some kilobytes.
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// Requests at a time, to all providers: beyond, nobody waits.
const AT_ONCE: usize = 64;

/// A client of the web. Clones have the bounds in common.
#[derive(Clone)]
pub struct Web {
    client: reqwest::Client,
    turns: Arc<Semaphore>,
    answer_bytes_max: usize,
    /// Whether requests may go without TLS, to this machine.
    plain: bool,
}

/// Why there is no answer. None of them has what was asked or answered.
#[derive(Debug, thiserror::Error)]
pub enum WebError {
    /// As many as there may be are under way.
    #[error("too many requests at once")]
    Busy,
    /// Not under TLS.
    #[error("an address without TLS")]
    Plain,
    /// There was no sound answer in time.
    #[error("{0}")]
    Failed(String),
    /// The answer has no end.
    #[error("an answer of more than {0} bytes")]
    TooLong(usize),
    /// It says that it cannot.
    #[error("it answers with {0}")]
    Status(u16),
}

impl Web {
    /// A client that trusts whom the system trusts.
    pub fn new() -> anyhow::Result<Self> {
        Self::within(ANSWER_BYTES_MAX, AT_ONCE)
    }

    /// The same, with other bounds for answers and for requests at a time.
    pub(in crate::adapters) fn within(
        answer_bytes_max: usize,
        at_once: usize,
    ) -> anyhow::Result<Self> {
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls::client()?)
            .redirect(Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(REQUEST_TIMEOUT)
            // Settings come through the configuration.
            .no_proxy()
            .referer(false)
            .user_agent(concat!("barterline/", env!("CARGO_PKG_VERSION")))
            .build()?;
        let turns = Arc::new(Semaphore::new(at_once));
        Ok(Self { client, turns, answer_bytes_max, plain: false })
    }

    /// The same for what is published at an address: without TLS if that is.
    pub(in crate::adapters) fn of(&self, address: &str) -> Self {
        Self { plain: address.starts_with("http://"), ..self.clone() }
    }

    async fn ask(&self, request: HttpRequest) -> Result<HttpResponse, WebError> {
        self.send(reqwest::Request::try_from(request).map_err(failed)?).await
    }

    /// Sends a request, and reads its answer to the end.
    pub(in crate::adapters) async fn send(
        &self,
        request: reqwest::Request,
    ) -> Result<HttpResponse, WebError> {
        if !self.may_ask(request.url()) {
            return Err(WebError::Plain);
        }
        let _turn = self.turns.try_acquire().map_err(|_| WebError::Busy)?;
        let mut answer = self.client.execute(request).await.map_err(failed)?;
        let status = answer.status();
        // Not a word about what was asked: later it may be another.
        if status.is_server_error() || status.as_u16() == 429 {
            return Err(WebError::Status(status.as_u16()));
        }
        let headers = std::mem::take(answer.headers_mut());
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > self.answer_bytes_max {
                return Err(WebError::TooLong(self.answer_bytes_max));
            }
            body.extend_from_slice(&chunk);
        }
        let mut response = HttpResponse::new(body);
        (*response.status_mut(), *response.headers_mut()) = (status, headers);
        Ok(response)
    }

    fn may_ask(&self, url: &Url) -> bool {
        let is_here = match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        };
        url.scheme() == "https" || self.plain && url.scheme() == "http" && is_here
    }
}

/// What a client says that got no answer, without whom it asked.
fn failed(error: reqwest::Error) -> WebError {
    WebError::Failed(words(&error.without_url()))
}

/// An error with its causes.
fn words(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

impl<'c> AsyncHttpClient<'c> for Web {
    type Error = WebError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, WebError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.ask(request))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_requests_stay_on_this_machine_and_with_who_is_plain() {
        let web = Web::new().expect("a client");
        let check = |of: &str, url: &str, expected: bool| {
            let url = url.parse().expect("an address");
            assert_eq!(web.of(of).may_ask(&url), expected, "{of} {url}");
        };
        check("https://id.example", "https://keys.example/", true);
        check("https://id.example", "http://keys.example/", false);
        check("https://id.example", "http://127.0.0.1/", false);
        check("http://127.0.0.1:1", "http://127.0.0.1:2/", true);
        check("http://127.0.0.1:1", "http://[::1]/", true);
        check("http://127.0.0.1:1", "http://localhost/", true);
        check("http://127.0.0.1:1", "http://10.0.0.1/", false);
        check("http://127.0.0.1:1", "http://localhost.example/", false);
        check("http://127.0.0.1:1", "file:///etc/passwd", false);
    }
}
