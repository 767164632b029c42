//! The refresh token of a page, in a cookie that its scripts cannot read (RFC 6265): who runs a script
//! of theirs in the page does not carry the token away.

use std::convert::Infallible;

use axum::http::header::{COOKIE, HeaderMap, HeaderValue, SET_COOKIE};
use axum::response::{IntoResponseParts, ResponseParts};
use barterline_domain::clock::Timestamp;

/// By its beginning, browsers take it under TLS alone, and from this host alone: none of its
/// subdomains can put another in its place (RFC 6265bis, section 4.1.3.2).
const NAME: &str = "__Host-barterline-refresh";
/// No page of another site has it sent, no script reads it.
const ATTRIBUTES: &str = "Path=/; Secure; HttpOnly; SameSite=Strict";

/// The refresh token of a request's cookie. `None`: there is none, or there are two, of which nobody
/// can tell which is ours.
pub fn refresh_token(headers: &HeaderMap) -> Option<&str> {
    let mut found = values(headers);
    found.next().filter(|_| found.next().is_none())
}

/// Whether a request bears the cookie, whatever it holds.
pub fn is_there(headers: &HeaderMap) -> bool {
    values(headers).next().is_some()
}

fn values(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.split_once('='));
    pairs.filter(|(name, _)| name.trim() == NAME).map(|(_, value)| value.trim())
}

/// What an answer does to the cookie.
pub struct SetCookie(HeaderValue);

impl SetCookie {
    /// Puts a refresh token into it, until the token ends.
    ///
    /// # Panics
    /// If the token is not one of ours, which are base64url.
    pub fn holding(token: &str, ends_at: Timestamp, now: Timestamp) -> Self {
        // Rather a moment too long: a token that has ended is refused.
        let seconds = ends_at.since(now).as_millis().div_ceil(1_000);
        let cookie = format!("{NAME}={token}; {ATTRIBUTES}; Max-Age={seconds}");
        let mut cookie = HeaderValue::from_str(&cookie).expect("base64url is plain text");
        cookie.set_sensitive(true);
        Self(cookie)
    }

    /// Deletes it.
    ///
    /// # Panics
    /// Never: what it says is plain text.
    pub fn gone() -> Self {
        let cookie = format!("{NAME}=; {ATTRIBUTES}; Max-Age=0");
        Self(HeaderValue::from_str(&cookie).expect("plain text"))
    }
}

impl IntoResponseParts for SetCookie {
    type Error = Infallible;

    fn into_response_parts(self, mut answer: ResponseParts) -> Result<ResponseParts, Infallible> {
        answer.headers_mut().append(SET_COOKIE, self.0);
        Ok(answer)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn one_cookie_is_found_among_others_and_two_are_none() {
        let check = |lines: &[&str], expected: Option<&str>| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(COOKIE, line.parse().expect("a header"));
            }
            assert_eq!(refresh_token(&headers), expected, "{lines:?}");
        };
        check(&[], None);
        check(&["__Host-barterline-refresh=abc"], Some("abc"));
        check(&["a=b; __Host-barterline-refresh=abc; c=d=e"], Some("abc"));
        check(&["a=b;c", "__Host-barterline-refresh=abc"], Some("abc"));
        check(&["__Host-barterline-refresh="], Some(""));
        check(&["barterline-refresh=abc; x__Host-barterline-refresh=abc"], None);
        check(&["__host-barterline-refresh=abc", "__Host-barterline-refresh"], None);
        check(&["__Host-barterline-refresh=abc; __Host-barterline-refresh=abc"], None);
        check(&["__Host-barterline-refresh=abc", "__Host-barterline-refresh=def"], None);
    }

    #[test]
    fn a_cookie_lasts_as_long_as_its_token_in_whole_seconds() {
        let now = Timestamp::from_millis(1_000);
        let check = |millis: u64, expected: &str| {
            let ends_at = now.plus(Duration::from_millis(millis));
            let cookie = SetCookie::holding("abc", ends_at, now).0;
            assert!(cookie.to_str().expect("text").ends_with(expected), "{cookie:?}");
        };
        check(1_000, "; Max-Age=1");
        check(1_001, "; Max-Age=2");
        check(0, "; Max-Age=0");
    }
}
