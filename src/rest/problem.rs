//! Refusals over HTTP: problem details (RFC 9457) with a stable code. The one place where an error
//! of a service becomes a status.

use std::time::Duration;

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use barterline_domain::account::InvalidAccount;
use barterline_domain::event::{InvalidBody, Seq};
use barterline_domain::listing::InvalidListing;
use barterline_protocol::error_code::ErrorCode;
use barterline_storage::error::StoreError;
use serde::Serialize;
use tracing::error;

use crate::auth::token::TokenError;
use crate::services::accounts::password_hashing::HashingError;
use crate::services::accounts::{AuthError, LogInError, RefreshError, RegisterError};
use crate::services::chats::ChatError;
use crate::services::listings::{CreateError, EditError};

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $code:ident = $status:ident, $name:expr, $title:literal;)+) => {
        /// Why a request was refused.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Code { $($(#[doc = $doc])+ $code,)+ }

        impl Code {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$code),+];

            /// The stable name.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$code => $name,)+ }
            }

            /// The status of the answer.
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$code => StatusCode::$status,)+ }
            }

            /// The same for everybody.
            const fn title(self) -> &'static str {
                match self { $(Self::$code => $title,)+ }
            }
        }
    };
}

codes! {
    /// No such path.
    RouteNotFound = NOT_FOUND, "route.not_found", "There is nothing at this path";
    /// The path is there, not for this method.
    MethodNotAllowed = METHOD_NOT_ALLOWED, "method.not_allowed", "This path has no such method";
    /// A part of the request is missing or wrong.
    Invalid = BAD_REQUEST, ErrorCode::InvalidRequest.name(), "The request is not valid";
    /// The body is not JSON by its content type.
    ContentType = UNSUPPORTED_MEDIA_TYPE, "request.content_type", "The body must be JSON";
    /// The body is larger than the limit.
    TooLarge = PAYLOAD_TOO_LARGE, "request.too_large", "The body is too large";
    /// The body did not arrive in time.
    Timeout = REQUEST_TIMEOUT, "request.timeout", "The body did not arrive in time";
    /// No access token.
    TokenMissing = UNAUTHORIZED, "token.missing", "An access token is required";
    /// Not one of ours, or its session was ended.
    TokenInvalid = UNAUTHORIZED, ErrorCode::TokenInvalid.name(), "The token is not valid";
    /// It was good once.
    TokenExpired = UNAUTHORIZED, ErrorCode::TokenExpired.name(), "The token has expired";
    /// No such address or another password.
    LogInFailed = UNAUTHORIZED, "login.failed", "The e-mail address or the password is wrong";
    /// The refresh token is not good.
    RefreshFailed = UNAUTHORIZED, "refresh.failed", "The refresh token is not good";
    /// Somebody has this address.
    EmailTaken = CONFLICT, "account.email_taken", "The e-mail address is taken";
    /// No such account.
    AccountNotFound = NOT_FOUND, "account.not_found", "There is no such account";
    /// No such listing.
    ListingNotFound = NOT_FOUND, ErrorCode::ListingNotFound.name(), "There is no such listing";
    /// Somebody else sells it.
    ListingNotYours = FORBIDDEN, "listing.not_yours", "The listing is somebody else's";
    /// Its status does not lead there.
    ListingStatus = CONFLICT, "listing.status", "The listing cannot take this status";
    /// Somebody was faster.
    ListingVersion = PRECONDITION_FAILED, "listing.version_changed", "The listing has changed";
    /// Sold or withdrawn.
    ListingClosed = CONFLICT, ErrorCode::ListingClosed.name(), "The listing is sold or withdrawn";
    /// No such chat for this person.
    ChatNotFound = NOT_FOUND, ErrorCode::ChatNotFound.name(), "There is no such chat";
    /// A seller does not talk to themselves.
    OwnListing = CONFLICT, ErrorCode::OwnListing.name(), "The listing is your own";
    /// Nothing in the text.
    TextEmpty = BAD_REQUEST, ErrorCode::TextEmpty.name(), "The text is empty";
    /// Too much text.
    TextTooLong = BAD_REQUEST, ErrorCode::TextTooLong.name(), "The text is too long";
    /// A control character in the text.
    TextControl = BAD_REQUEST, ErrorCode::TextControl.name(), "The text holds a control character";
    /// No such kind of message.
    KindUnsupported = BAD_REQUEST, ErrorCode::KindUnsupported.name(), "There is no such kind";
    /// A number above the newest.
    SeqAhead = BAD_REQUEST, ErrorCode::SeqAhead.name(), "The number is above the newest";
    /// The base lies too far back.
    BaseOld = CONFLICT, ErrorCode::BaseOld.name(), "The base lies too far back";
    /// The id names another message.
    IdConflict = CONFLICT, ErrorCode::IdConflict.name(), "The id names another message";
    /// Too much at once.
    Busy = SERVICE_UNAVAILABLE, ErrorCode::Busy.name(), "The server is busy";
    /// The store does not answer.
    Unavailable = SERVICE_UNAVAILABLE, ErrorCode::Unavailable.name(), "The server cannot do this now";
    /// Stored data is damaged.
    Damaged = INTERNAL_SERVER_ERROR, ErrorCode::Damaged.name(), "Stored data is damaged";
}

/// Rest that a client is told to take when the store does not answer.
const STORE_RETRY_AFTER: Duration = Duration::from_secs(1);

/// A refusal, ready to be sent.
#[derive(Debug)]
pub struct Problem {
    code: Code,
    detail: Option<String>,
    retry_after: Option<Duration>,
    head: Option<Seq>,
    version: Option<u64>,
}

#[derive(Serialize)]
struct ProblemBody<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    head: Option<Seq>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<u64>,
}

impl Problem {
    /// The refusal of this request, in words. Never a secret, never what the client sent.
    pub fn with_detail(code: Code, detail: impl Into<String>) -> Self {
        Self {
            detail: Some(detail.into()),
            ..Self::from(code)
        }
    }

    fn busy(retry_after: Duration) -> Self {
        Self {
            retry_after: Some(retry_after),
            ..Self::from(Code::Busy)
        }
    }
}

impl From<Code> for Problem {
    fn from(code: Code) -> Self {
        Self {
            code,
            detail: None,
            retry_after: None,
            head: None,
            version: None,
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.code.status();
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let body = ProblemBody {
            r#type: format!("urn:barterline:problem:{}", self.code.name()),
            title: self.code.title(),
            status: status.as_u16(),
            code: self.code.name(),
            detail: self.detail.as_deref(),
            retry_after_ms: self.retry_after.map(millis),
            head: self.head,
            version: self.version,
        };
        let body = serde_json::to_vec(&body).expect("a problem is plain values");
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(time) = self.retry_after {
            // Whole seconds, rounded up: never too early.
            headers.insert(RETRY_AFTER, millis(time).div_ceil(1_000).into());
        }
        if let Some(challenge) = challenge(self.code) {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        response
    }
}

/// What a 401 must say (RFC 9110, section 15.5.2; RFC 6750, section 3).
fn challenge(code: Code) -> Option<&'static str> {
    match code {
        Code::TokenInvalid | Code::TokenExpired => Some("Bearer error=\"invalid_token\""),
        code if code.status() == StatusCode::UNAUTHORIZED => Some("Bearer"),
        _ => None,
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let code = match &error {
            StoreError::Unavailable { .. } | StoreError::Unknown { .. } => Code::Unavailable,
            StoreError::Corrupt { .. } => Code::Damaged,
        };
        let retry_after = (code == Code::Unavailable).then_some(STORE_RETRY_AFTER);
        // The place and the reason are the operator's business.
        error!(%error, "a request failed");
        Self {
            retry_after,
            ..Self::from(code)
        }
    }
}

impl From<InvalidAccount> for Problem {
    fn from(error: InvalidAccount) -> Self {
        Self::with_detail(Code::Invalid, error.to_string())
    }
}

impl From<InvalidListing> for Problem {
    fn from(error: InvalidListing) -> Self {
        let code = match error {
            InvalidListing::Title | InvalidListing::Description => Code::Invalid,
            InvalidListing::Transition { .. } => Code::ListingStatus,
        };
        Self::with_detail(code, error.to_string())
    }
}

impl From<HashingError> for Problem {
    fn from(error: HashingError) -> Self {
        match error {
            HashingError::Busy { retry_after } => Self::busy(retry_after),
            HashingError::Failed => {
                error!(%error, "a request failed");
                Code::Damaged.into()
            }
        }
    }
}

impl From<AuthError> for Problem {
    fn from(error: AuthError) -> Self {
        match error {
            AuthError::Token(TokenError::Invalid) | AuthError::Revoked => {
                Code::TokenInvalid.into()
            }
            AuthError::Token(TokenError::Expired) => Code::TokenExpired.into(),
            AuthError::Store(error) => error.into(),
        }
    }
}

impl From<RegisterError> for Problem {
    fn from(error: RegisterError) -> Self {
        match error {
            RegisterError::EmailTaken => Code::EmailTaken.into(),
            RegisterError::Hashing(error) => error.into(),
            RegisterError::Store(error) => error.into(),
        }
    }
}

impl From<LogInError> for Problem {
    fn from(error: LogInError) -> Self {
        match error {
            LogInError::WrongCredentials => Code::LogInFailed.into(),
            LogInError::Hashing(error) => error.into(),
            LogInError::Store(error) => error.into(),
        }
    }
}

impl From<RefreshError> for Problem {
    fn from(error: RefreshError) -> Self {
        match error {
            RefreshError::Refused => Code::RefreshFailed.into(),
            RefreshError::Store(error) => error.into(),
        }
    }
}

impl From<CreateError> for Problem {
    fn from(error: CreateError) -> Self {
        match error {
            CreateError::Invalid(error) => error.into(),
            CreateError::UnknownSeller => Code::TokenInvalid.into(),
            CreateError::Store(error) => error.into(),
        }
    }
}

impl From<EditError> for Problem {
    fn from(error: EditError) -> Self {
        match error {
            EditError::NotFound => Code::ListingNotFound.into(),
            EditError::NotYours => Code::ListingNotYours.into(),
            EditError::Invalid(error) => error.into(),
            EditError::VersionChanged { current } => Self {
                version: Some(current),
                ..Self::from(Code::ListingVersion)
            },
            EditError::Store(error) => error.into(),
        }
    }
}

impl From<ChatError> for Problem {
    fn from(error: ChatError) -> Self {
        let at = |code: Code, head| Self {
            head: Some(head),
            ..Self::from(code)
        };
        match error {
            ChatError::NotFound => Code::ChatNotFound.into(),
            ChatError::OwnListing => Code::OwnListing.into(),
            ChatError::ListingNotFound => Code::ListingNotFound.into(),
            ChatError::ListingClosed => Code::ListingClosed.into(),
            ChatError::Text(InvalidBody::Empty) => Code::TextEmpty.into(),
            ChatError::Text(InvalidBody::TooLong) => Code::TextTooLong.into(),
            ChatError::Text(InvalidBody::Control) => Code::TextControl.into(),
            ChatError::KindUnsupported => Code::KindUnsupported.into(),
            ChatError::SeqAhead { head } => at(Code::SeqAhead, head),
            ChatError::BaseOld { head } => at(Code::BaseOld, head),
            ChatError::IdConflict => Code::IdConflict.into(),
            ChatError::Busy { retry_after_ms } => Self::busy(Duration::from_millis(retry_after_ms)),
            ChatError::Store(error) => error.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique() {
        let mut names: Vec<_> = Code::ALL.iter().map(|code| code.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Code::ALL.len());
    }

    #[test]
    fn a_busy_server_says_when_to_come_back() {
        let response = Problem::busy(Duration::from_millis(1_200)).into_response();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers()[RETRY_AFTER], "2");
    }

    #[test]
    fn every_401_has_a_challenge() {
        for code in Code::ALL {
            let unauthorized = code.status() == StatusCode::UNAUTHORIZED;
            assert_eq!(challenge(*code).is_some(), unauthorized, "{}", code.name());
        }
    }
}
