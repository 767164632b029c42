//! Which web pages may use the server: those of our own origin, and of the origins that the operator
//! lists. A browser tells a page's origin as it is (the Fetch standard, "`Origin` header"); what is no
//! browser may tell any, and gains nothing by it.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::header::{HOST, HeaderMap, ORIGIN};
use axum::http::request::Parts;

use super::Rest;
use super::problem::{Code, Problem};
use crate::listener::client::ClientAddress;

/// The origins that the operator lists.
#[derive(Debug, Clone, Default)]
pub struct Origins(Arc<[String]>);

/// The web page that makes a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Page {
    /// None: a program that is no browser.
    None,
    /// One of our own origin, or of one that is listed.
    Known,
    /// One of others, or nobody can tell of whom.
    Stranger,
}

impl Origins {
    /// These, beside our own.
    pub fn new(listed: Vec<String>) -> Self {
        Self(listed.into())
    }

    /// Those that are listed.
    pub fn listed(&self) -> &[String] {
        &self.0
    }

    /// Whose page makes a request with these headers, which came under TLS or not.
    pub fn page(&self, headers: &HeaderMap, https: bool) -> Page {
        let mut origins = headers.get_all(ORIGIN).iter();
        match (origins.next(), origins.next()) {
            (None, _) => Page::None,
            (Some(origin), None) if self.knows(origin.to_str().ok(), headers, https) => Page::Known,
            // No page has two.
            _ => Page::Stranger,
        }
    }

    fn knows(&self, origin: Option<&str>, headers: &HeaderMap, https: bool) -> bool {
        let Some(origin) = origin else { return false };
        if self.0.iter().any(|listed| listed.eq_ignore_ascii_case(origin)) {
            return true;
        }
        let host = headers.get(HOST).and_then(|host| host.to_str().ok());
        // Behind a proxy that nobody trusts, what is https outside is not so here.
        let ours = match origin.split_once("://") {
            Some(("https", rest)) => Some((rest, ":443")),
            Some(("http", rest)) if !https => Some((rest, ":80")),
            _ => None,
        };
        ours.zip(host).is_some_and(|((rest, port), host)| {
            let host = host.strip_suffix(port).unwrap_or(host);
            host.eq_ignore_ascii_case(rest)
        })
    }
}

impl Page {
    /// Refuses whoever is no page that is known. For what a browser shows by itself: that a request
    /// bears a cookie does not say that its page was meant to make it.
    pub fn expect_known(self) -> Result<(), Problem> {
        match self {
            Self::Known => Ok(()),
            Self::None | Self::Stranger => Err(Code::OriginForbidden.into()),
        }
    }
}

impl FromRequestParts<Rest> for Page {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, rest: &Rest) -> Result<Self, Infallible> {
        let https = ClientAddress::of(&parts.extensions).https;
        Ok(rest.origins.page(&parts.headers, https))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_of_ours_or_of_those_listed_or_a_stranger() {
        let listed = Origins::new(vec!["https://shop.example".to_owned()]);
        let check = |origin: Option<&str>, https: bool, expected: Page| {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, "Chat.example:8080".parse().expect("a header"));
            if let Some(origin) = origin {
                headers.insert(ORIGIN, origin.parse().expect("a header"));
            }
            assert_eq!(listed.page(&headers, https), expected, "{origin:?}");
        };
        for https in [false, true] {
            let plain = if https { Page::Stranger } else { Page::Known };
            check(None, https, Page::None);
            check(Some("https://chat.example:8080"), https, Page::Known);
            check(Some("http://chat.example:8080"), https, plain);
            check(Some("https://shop.example"), https, Page::Known);
            for stranger in [
                "http://shop.example",
                "https://shop.example.org",
                "https://shop.example:444",
                "https://chat.example",
                "https://chat.example:8080.evil.example",
                "https://evil.example/chat.example:8080",
                "chat.example:8080",
                "null",
                "",
            ] {
                check(Some(stranger), https, Page::Stranger);
            }
        }
        let mut headers = HeaderMap::new();
        headers.insert(HOST, "chat.example:443".parse().expect("a header"));
        headers.insert(ORIGIN, "https://chat.example".parse().expect("a header"));
        let unlisted = Origins::default();
        assert_eq!(
            unlisted.page(&headers, true),
            Page::Known,
            "the usual port goes without saying"
        );
        headers.append(ORIGIN, "https://chat.example".parse().expect("a header"));
        assert_eq!(unlisted.page(&headers, true), Page::Stranger, "two origins");
        headers.remove(HOST);
        assert_eq!(listed.page(&headers, true), Page::Stranger);
    }
}
