//! Refusals as problem details (RFC 9457) with a stable `code`. The one place where errors of the
//! services become HTTP.

use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::response::{IntoResponse, Response};
use barterline_domain::account::InvalidAccount;
use barterline_domain::event::InvalidBody;
use barterline_domain::listing::InvalidListing;
use barterline_protocol::error_code::ErrorCode;
use barterline_storage::error::StoreError;
use serde_json::json;

use crate::auth::token::TokenError;
use crate::services::accounts::{AuthError, LogInError, RefreshError, RegisterError};
use crate::services::chats::ChatError;
use crate::services::listings::ListingError;
use crate::wire;

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
    retry_after_s: Option<u32>,
}

impl Problem {
    /// A refusal with its stable name and words for developers.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into(), retry_after_s: None }
    }

    /// A refusal that may end by itself.
    fn later(code: &'static str, detail: &str) -> Self {
        let retry_after_s = Some(1);
        Self { retry_after_s, ..Self::new(StatusCode::SERVICE_UNAVAILABLE, code, detail) }
    }

    /// A refusal that sockets know too.
    fn shared(status: StatusCode, code: ErrorCode) -> Self {
        Self::new(status, code.name(), wire::explain(code))
    }

    /// A request that is not sound.
    pub fn invalid(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, ErrorCode::InvalidRequest.name(), detail)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = json!({
            "type": format!("https://barterline.dev/errors/{}", self.code),
            "title": self.status.canonical_reason().unwrap_or_default(),
            "status": self.status.as_u16(),
            "code": self.code,
            "detail": self.detail,
        });
        let content_type = [(CONTENT_TYPE, "application/problem+json")];
        let mut response = (self.status, content_type, body.to_string()).into_response();
        if let Some(seconds) = self.retry_after_s {
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
        }
        if self.status == StatusCode::UNAUTHORIZED {
            let scheme = axum::http::HeaderValue::from_static("Bearer");
            response.headers_mut().insert(axum::http::header::WWW_AUTHENTICATE, scheme);
        }
        response
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        tracing::warn!(%error, "a request failed in the store");
        match error {
            StoreError::Unavailable { .. } | StoreError::Unknown { .. } => {
                let code = ErrorCode::Unavailable;
                Self::later(code.name(), wire::explain(code))
            }
            StoreError::Corrupt { .. } => {
                Self::shared(StatusCode::INTERNAL_SERVER_ERROR, ErrorCode::Damaged)
            }
        }
    }
}

impl From<AuthError> for Problem {
    fn from(error: AuthError) -> Self {
        match error {
            AuthError::Token(TokenError::Expired) => {
                Self::shared(StatusCode::UNAUTHORIZED, ErrorCode::TokenExpired)
            }
            AuthError::Token(TokenError::Invalid) | AuthError::Revoked => {
                Self::shared(StatusCode::UNAUTHORIZED, ErrorCode::TokenInvalid)
            }
            AuthError::Store(error) => error.into(),
        }
    }
}

impl From<InvalidAccount> for Problem {
    fn from(error: InvalidAccount) -> Self {
        let code = match error {
            InvalidAccount::Email => "account.email_invalid",
            InvalidAccount::PasswordTooShort => "account.password_too_short",
            InvalidAccount::PasswordTooLong => "account.password_too_long",
            InvalidAccount::Name => "account.name_invalid",
        };
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, error.to_string())
    }
}

impl From<RegisterError> for Problem {
    fn from(error: RegisterError) -> Self {
        match error {
            RegisterError::EmailTaken => {
                Self::new(StatusCode::CONFLICT, "account.email_taken", error.to_string())
            }
            RegisterError::Busy(busy) => Self::later(ErrorCode::Busy.name(), &busy.to_string()),
            RegisterError::Store(error) => error.into(),
        }
    }
}

impl From<LogInError> for Problem {
    fn from(error: LogInError) -> Self {
        match error {
            LogInError::Failed => {
                Self::new(StatusCode::UNAUTHORIZED, "login.failed", error.to_string())
            }
            LogInError::Busy(busy) => Self::later(ErrorCode::Busy.name(), &busy.to_string()),
            LogInError::Store(error) => error.into(),
        }
    }
}

impl From<RefreshError> for Problem {
    fn from(error: RefreshError) -> Self {
        match error {
            RefreshError::Invalid => {
                Self::new(StatusCode::UNAUTHORIZED, "refresh.invalid", error.to_string())
            }
            RefreshError::Store(error) => error.into(),
        }
    }
}

impl From<InvalidListing> for Problem {
    fn from(error: InvalidListing) -> Self {
        let (status, code) = match error {
            InvalidListing::Title => (StatusCode::UNPROCESSABLE_ENTITY, "listing.title_invalid"),
            InvalidListing::Description => {
                (StatusCode::UNPROCESSABLE_ENTITY, "listing.description_too_long")
            }
            InvalidListing::Transition { .. } => (StatusCode::CONFLICT, "listing.status_final"),
        };
        Self::new(status, code, error.to_string())
    }
}

impl From<ListingError> for Problem {
    fn from(error: ListingError) -> Self {
        match error {
            ListingError::NotFound => {
                Self::shared(StatusCode::NOT_FOUND, ErrorCode::ListingNotFound)
            }
            ListingError::NotYours => {
                Self::new(StatusCode::FORBIDDEN, "listing.not_yours", error.to_string())
            }
            ListingError::Invalid(error) => error.into(),
            ListingError::VersionChanged { .. } => Self::new(
                StatusCode::PRECONDITION_FAILED,
                "listing.version_changed",
                error.to_string(),
            ),
            ListingError::Store(error) => error.into(),
        }
    }
}

impl From<ChatError> for Problem {
    fn from(error: ChatError) -> Self {
        let (status, code) = match error {
            ChatError::NotFound => (StatusCode::NOT_FOUND, ErrorCode::ChatNotFound),
            ChatError::OwnListing => (StatusCode::CONFLICT, ErrorCode::OwnListing),
            ChatError::ListingNotFound => (StatusCode::NOT_FOUND, ErrorCode::ListingNotFound),
            ChatError::ListingClosed => (StatusCode::CONFLICT, ErrorCode::ListingClosed),
            ChatError::Text(InvalidBody::Empty) => {
                (StatusCode::UNPROCESSABLE_ENTITY, ErrorCode::TextEmpty)
            }
            ChatError::Text(InvalidBody::TooLong) => {
                (StatusCode::UNPROCESSABLE_ENTITY, ErrorCode::TextTooLong)
            }
            ChatError::Text(InvalidBody::Control) => {
                (StatusCode::UNPROCESSABLE_ENTITY, ErrorCode::TextControl)
            }
            ChatError::KindUnsupported => {
                (StatusCode::UNPROCESSABLE_ENTITY, ErrorCode::KindUnsupported)
            }
            ChatError::SeqAhead { .. } => (StatusCode::CONFLICT, ErrorCode::SeqAhead),
            ChatError::Store(error) => return error.into(),
        };
        Self::shared(status, code)
    }
}
