//! Requests to an OpenSearch: each with an end, answers with a bound, and nobody is followed elsewhere.

use std::time::Duration;

use barterline_search::opensearch::Unreadable;
use reqwest::header::CONTENT_TYPE;
use reqwest::redirect::Policy;
use reqwest::{Client, Method};
use serde::Deserialize;
use serde_json::Value;

use crate::adapters::tls;

/// For a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Longest answer. A page with 16 facets of 500 spellings each has some megabytes at most.
const ANSWER_BYTES_MAX: usize = 8 << 20;
/// Longest name of a refusal.
const KIND_CHARS_MAX: usize = 100;

/// Where an OpenSearch is, and who asks.
pub(super) struct Http {
    client: Client,
    /// Without a slash at its end.
    url: String,
    login: Option<(String, String)>,
}

/// What was answered.
#[derive(Debug)]
pub(super) struct Answer {
    status: u16,
    body: Vec<u8>,
}

/// Why there is no answer. None of them has what was asked or answered.
#[derive(Debug, thiserror::Error)]
pub(super) enum HttpError {
    /// There was no sound answer in time.
    #[error("{0}")]
    Failed(String),
    /// The answer has no end.
    #[error("an answer of more than {ANSWER_BYTES_MAX} bytes")]
    TooLong,
    /// It says no.
    #[error("it answers with {status} {kind}")]
    Status {
        /// Of HTTP.
        status: u16,
        /// What it calls that.
        kind: String,
    },
    /// It says something else.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// It does not take what is written.
    #[error("it refuses {0}")]
    Refused(String),
    /// There is none yet, or none any more.
    #[error("there is no index: it is to be made")]
    NoIndex,
}

impl HttpError {
    /// Nothing was done, and nothing will be.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Status { status: 400..=499, .. })
    }
}

impl Http {
    /// A client that trusts whom the system trusts.
    pub fn new(url: &str, login: Option<(String, String)>) -> anyhow::Result<Self> {
        let client = Client::builder()
            .tls_backend_preconfigured(tls::client()?)
            .redirect(Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            // Settings come through the configuration.
            .no_proxy()
            .referer(false)
            .user_agent(concat!("barterline/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self { client, url: url.trim_end_matches('/').to_owned(), login })
    }

    /// Asks for something.
    pub async fn get(&self, path: &str, within: Duration) -> Result<Answer, HttpError> {
        self.ask(Method::GET, path, None, within).await
    }

    /// Has something removed.
    pub async fn delete(&self, path: &str, within: Duration) -> Result<Answer, HttpError> {
        self.ask(Method::DELETE, path, None, within).await
    }

    /// Says something.
    pub async fn put(
        &self,
        path: &str,
        body: &Value,
        within: Duration,
    ) -> Result<Answer, HttpError> {
        self.ask(Method::PUT, path, Some((JSON, body.to_string())), within).await
    }

    /// Has something done of which there is nothing to say.
    pub async fn have(&self, path: &str, within: Duration) -> Result<Answer, HttpError> {
        self.ask(Method::POST, path, None, within).await
    }

    /// Asks for something that has to be said.
    pub async fn post(
        &self,
        path: &str,
        body: &Value,
        within: Duration,
    ) -> Result<Answer, HttpError> {
        self.ask(Method::POST, path, Some((JSON, body.to_string())), within).await
    }

    /// Says several things, a line each.
    pub async fn post_lines(
        &self,
        path: &str,
        lines: String,
        within: Duration,
    ) -> Result<Answer, HttpError> {
        self.ask(Method::POST, path, Some((LINES, lines)), within).await
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<(&'static str, String)>,
        within: Duration,
    ) -> Result<Answer, HttpError> {
        let failed = |error: reqwest::Error| HttpError::Failed(words(&error.without_url()));
        let url = format!("{}/{path}", self.url);
        let mut request = self.client.request(method, url).timeout(within);
        if let Some((user, password)) = &self.login {
            request = request.basic_auth(user, Some(password));
        }
        if let Some((kind, body)) = body {
            request = request.header(CONTENT_TYPE, kind).body(body);
        }
        let mut answer = request.send().await.map_err(failed)?;
        let status = answer.status().as_u16();
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > ANSWER_BYTES_MAX {
                return Err(HttpError::TooLong);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status, body })
    }
}

const JSON: &str = "application/json";
const LINES: &str = "application/x-ndjson";

impl Answer {
    /// What it says, if it says yes.
    pub fn sound(self) -> Result<Vec<u8>, HttpError> {
        if (200..300).contains(&self.status) {
            return Ok(self.body);
        }
        // The rest of a refusal may have what was asked.
        let refusal = serde_json::from_slice::<Value>(&self.body).ok();
        let kind = refusal.as_ref().and_then(|it| it.pointer("/error/type")?.as_str());
        let kind = kind.unwrap_or_default().chars().take(KIND_CHARS_MAX).collect();
        Err(HttpError::Status { status: self.status, kind })
    }

    /// The same; `None`: there is nothing.
    pub fn found(self) -> Result<Option<Vec<u8>>, HttpError> {
        if self.status == 404 { Ok(None) } else { self.sound().map(Some) }
    }
}

/// Reads JSON.
pub(super) fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, HttpError> {
    serde_json::from_slice(body).map_err(|error| Unreadable::from(error).into())
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
