//! Refusals as problem details (RFC 9457) with a stable `code`. The one place where errors of the
//! services become HTTP; docs/errors.md says the same in words.

use std::sync::Arc;
use std::time::Duration;

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use barterline_domain::account::{InvalidAccount, InvalidProfile};
use barterline_domain::bearer::Unpermitted;
use barterline_domain::event::Seq;
use barterline_domain::listing::InvalidListing;
use barterline_domain::message::InvalidBody;
use barterline_protocol::error_code::ErrorCode;
use barterline_storage::error::StoreError;
use serde::Serialize;
use utoipa::ToSchema;

use super::layers::Cause;
use super::request_id::RequestId;
use crate::auth::token::TokenError;
use crate::limits::Exceeded;
use crate::services::accounts::{
    AskError, AuthError, ChoiceError, CodeError, ConfirmError, EmailError, FactorCodeError,
    FactorError, KeyError, LogInError, PasswordError, ProfileError, RefreshError, RegisterError,
    SessionError,
};
use crate::services::audit::VerifyError;
use crate::services::chats::{ChatError, SendError, SyncError};
use crate::services::listings::ListingError;
use crate::services::reports::{MESSAGES_MAX, ReportError};
use crate::services::staff::StaffError;
use crate::wire;

/// How long a client is asked to wait when nobody knows better.
const RETRY_AFTER_DEFAULT: Duration = Duration::from_secs(1);

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $code:ident = $status:ident, $name:literal, $meaning:literal;)+) => {
        /// Why a request was refused: what sockets know too, and what only HTTP can get wrong.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Code {
            /// One of the codes that sockets know.
            Shared(ErrorCode),
            $($(#[doc = $doc])+ $code,)+
        }

        impl Code {
            /// Every code that only HTTP knows.
            pub const HTTP_ONLY: &'static [Self] = &[$(Self::$code),+];

            /// The stable name.
            pub const fn name(self) -> &'static str {
                match self {
                    Self::Shared(code) => code.name(),
                    $(Self::$code => $name,)+
                }
            }

            /// The status of the answer.
            pub const fn status(self) -> StatusCode {
                match self {
                    Self::Shared(code) => shared_status(code),
                    $(Self::$code => StatusCode::$status,)+
                }
            }

            /// What it means, for developers.
            pub fn meaning(self) -> &'static str {
                match self {
                    Self::Shared(code) => wire::explain(code),
                    $(Self::$code => $meaning,)+
                }
            }
        }
    };
}

codes! {
    /// No such path.
    RouteNotFound = NOT_FOUND, "route.not_found", "there is nothing at this path";
    /// The path has other methods.
    RouteMethod = METHOD_NOT_ALLOWED, "route.method_not_allowed", "the path has no such method";
    /// The body is no JSON by its content type.
    MediaType = UNSUPPORTED_MEDIA_TYPE, "request.media_type", "the body must be application/json";
    /// The body is larger than the limit.
    TooLarge = PAYLOAD_TOO_LARGE, "request.too_large", "the body is too large";
    /// The body did not come in time.
    Timeout = REQUEST_TIMEOUT, "request.timeout", "the body did not come in time";
    /// No name for the message.
    IdempotencyKey = BAD_REQUEST, "request.idempotency_key",
        "`Idempotency-Key` must be a UUID in lower case with hyphens, one for each message";
    /// So many of the caller's requests wait for changes already.
    SyncTooMany = TOO_MANY_REQUESTS, "sync.too_many", "too many of your requests wait already";
    /// Not of the form `name@domain`.
    Email = UNPROCESSABLE_ENTITY, "account.email_invalid", "the e-mail address is none";
    /// Too short.
    PasswordShort = UNPROCESSABLE_ENTITY, "account.password_too_short", "the password is too short";
    /// Too long.
    PasswordLong = UNPROCESSABLE_ENTITY, "account.password_too_long", "the password is too long";
    /// Guessed soon.
    PasswordWeak = UNPROCESSABLE_ENTITY, "account.password_weak", "the password is easy to guess";
    /// On the list of those that leaked.
    PasswordBreached = UNPROCESSABLE_ENTITY, "account.password_breached",
        "the password is known from a breach of another site";
    /// No display name.
    Name = UNPROCESSABLE_ENTITY, "account.name_invalid", "the display name is none";
    /// Somebody has the address.
    EmailTaken = CONFLICT, "account.email_taken", "the e-mail address is taken";
    /// No such account.
    AccountNotFound = NOT_FOUND, "account.not_found", "there is no such account";
    /// Too long, or with controls.
    Bio = UNPROCESSABLE_ENTITY, "account.bio_invalid", "the text about oneself is none";
    /// No language tag.
    Locale = UNPROCESSABLE_ENTITY, "account.locale_invalid", "the language is none";
    /// No role of the caller's permits it.
    Forbidden = FORBIDDEN, "permission.denied", "your roles do not permit this";
    /// An API key, where its owner has to log in.
    LogInOnly = FORBIDDEN, "key.log_in_only", "this takes a log-in, not an API key";
    /// No name for a key.
    KeyName = UNPROCESSABLE_ENTITY, "key.name_invalid", "the key's name is none";
    /// Not among the scopes, or none at all.
    KeyScope = UNPROCESSABLE_ENTITY, "key.scope_invalid", "a key has one scope at least, of those there are";
    /// In the past, or too far ahead.
    KeyEnd = UNPROCESSABLE_ENTITY, "key.end_invalid", "a key ends within ten years";
    /// As many as anybody may have.
    KeyTooMany = CONFLICT, "key.too_many", "you have as many keys as anybody may have: take one back first";
    /// None of the caller's.
    KeyNotFound = NOT_FOUND, "key.not_found", "there is no such key of yours";
    /// Unknown address or wrong password.
    LogInFailed = UNAUTHORIZED, "login.failed", "the e-mail address or the password is wrong";
    /// The password is right, and there is more to show.
    CodeRequired = UNAUTHORIZED, "login.code_required", "a code of the second factor is needed";
    /// The password is right, and within a session, too, there is more to show.
    FactorCodeRequired = FORBIDDEN, "second_factor.code_required", "a code of the second factor is needed";
    /// Not the code, or one that was used.
    CodeWrong = FORBIDDEN, "second_factor.code_wrong", "the code is another, or was used";
    /// There is one already.
    FactorOn = CONFLICT, "second_factor.on", "there is a second factor already";
    /// There is none.
    FactorOff = CONFLICT, "second_factor.off", "there is no second factor";
    /// Staff keep the caller out.
    Suspended = FORBIDDEN, "account.suspended", "the account is suspended";
    /// The present password is another.
    PasswordWrong = FORBIDDEN, "password.wrong", "the present password is another";
    /// Unknown, used, over, or for something else.
    CodeInvalid = UNPROCESSABLE_ENTITY, "code.invalid", "the code or token is not valid, or no longer";
    /// Nothing is mailed here.
    MailOff = NOT_IMPLEMENTED, "mail.off", "this server sends no mail";
    /// Somebody changed the account at the same time.
    AccountChanged = CONFLICT, "account.changed", "the account was changed meanwhile";
    /// None of the caller's, or over.
    SessionNotFound = NOT_FOUND, "session.not_found", "there is no such session of yours";
    /// No name for a session.
    SessionName = UNPROCESSABLE_ENTITY, "session.name_invalid", "the session's name is none";
    /// Unknown, used or ended.
    RefreshInvalid = UNAUTHORIZED, "refresh.invalid", "the refresh token is not valid";
    /// No title.
    Title = UNPROCESSABLE_ENTITY, "listing.title_invalid", "the title is none";
    /// Too long.
    Description = UNPROCESSABLE_ENTITY, "listing.description_too_long", "the description is too long";
    /// No amount, or no currency.
    Price = UNPROCESSABLE_ENTITY, "listing.price_invalid", "the price is none";
    /// Sold or withdrawn, for good.
    StatusFinal = CONFLICT, "listing.status_final", "the status does not lead there";
    /// Somebody else sells it.
    NotYours = FORBIDDEN, "listing.not_yours", "the listing is somebody else's";
    /// Somebody was faster.
    VersionChanged = PRECONDITION_FAILED, "listing.version_changed", "the listing has changed";
    /// A request for a socket that is none.
    UpgradeRequired = UPGRADE_REQUIRED, "socket.upgrade_required", "this is a WebSocket endpoint";
    /// Another version of WebSocket.
    SocketVersion = UPGRADE_REQUIRED, "socket.version_unsupported", "only WebSocket version 13 is spoken";
    /// A page of others.
    Origin = FORBIDDEN, "socket.origin_refused", "pages of this origin may not open sockets";
    /// A page of others, or no page at all, where a browser's cookie is the proof.
    OriginForbidden = FORBIDDEN, "origin.forbidden", "cookies are for pages of listed origins";
    /// No subprotocol of ours.
    Subprotocol = BAD_REQUEST, "socket.subprotocol_required",
        "offer the subprotocol barterline.v1 or barterline.v1.json";
    /// No such report.
    ReportNotFound = NOT_FOUND, "report.not_found", "there is no such report";
    /// Somebody changed what was noted.
    AuditBroken = CONFLICT, "audit.broken", "the audit log is not as it was written";
    /// One at a time.
    ExportRunning = CONFLICT, "export.running", "an export is under way";
    /// The operator's token is missing or wrong.
    AdminToken = UNAUTHORIZED, "admin.token_invalid",
        "show the token of the file admin-token in the data directory";
}

impl Code {
    /// Every code.
    pub fn all() -> impl Iterator<Item = Self> {
        let shared = ErrorCode::ALL.iter().map(|code| Self::Shared(*code));
        shared.chain(Self::HTTP_ONLY.iter().copied())
    }

    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::all().find(|code| code.name() == name)
    }
}

const fn shared_status(code: ErrorCode) -> StatusCode {
    match code {
        ErrorCode::UnknownKind | ErrorCode::InvalidRequest => StatusCode::BAD_REQUEST,
        ErrorCode::ChatNotFound
        | ErrorCode::ListingNotFound
        | ErrorCode::TargetNotFound
        | ErrorCode::UserNotFound
        | ErrorCode::MediaNotFound => StatusCode::NOT_FOUND,
        ErrorCode::TargetNotYours | ErrorCode::OutOfScope => StatusCode::FORBIDDEN,
        ErrorCode::TargetGone => StatusCode::GONE,
        ErrorCode::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        ErrorCode::TextEmpty
        | ErrorCode::TextTooLong
        | ErrorCode::TextControl
        | ErrorCode::KindUnsupported
        | ErrorCode::ReactionUnsupported
        | ErrorCode::DataTooLong => StatusCode::UNPROCESSABLE_ENTITY,
        ErrorCode::OwnListing
        | ErrorCode::ListingClosed
        | ErrorCode::SeqAhead
        | ErrorCode::BaseOld
        | ErrorCode::IdConflict
        | ErrorCode::TargetTooOld
        | ErrorCode::HiddenFull
        | ErrorCode::InboxFull
        | ErrorCode::AfterRefused => StatusCode::CONFLICT,
        ErrorCode::TokenInvalid | ErrorCode::TokenExpired => StatusCode::UNAUTHORIZED,
        ErrorCode::Busy | ErrorCode::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        ErrorCode::Damaged => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    code: Code,
    detail: Option<String>,
    head: Option<Seq>,
    version: Option<u64>,
    limited: Option<Exceeded>,
    /// For the log alone.
    cause: Option<Arc<str>>,
}

/// A refusal as it is sent (RFC 9457).
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(super) struct ProblemBody<'a> {
    /// An address that names the code.
    r#type: String,
    /// The status in words.
    title: &'a str,
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// The stable name: branch on it.
    code: &'a str,
    /// For developers; may change.
    detail: &'a str,
    /// The newest number of the chat, where the answer depends on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    head: Option<Seq>,
    /// The present version, for `listing.version_changed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<u64>,
    /// Of what there was too much, for `rate.limited`.
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<&'static str>,
    /// The name of the request, as in `X-Request-Id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
}

impl Problem {
    /// A refusal with words for developers about this request; never with what was sent, which may
    /// be a secret.
    pub fn new(code: impl Into<Code>, detail: impl Into<String>) -> Self {
        Self { detail: Some(detail.into()), ..Self::from(code.into()) }
    }

    /// Too much at once.
    pub fn limited(exceeded: Exceeded) -> Self {
        Self { limited: Some(exceeded), ..Self::from(ErrorCode::RateLimited) }
    }

    /// A request that is not sound.
    pub fn invalid(detail: impl Into<String>) -> Self {
        Self::new(ErrorCode::InvalidRequest, detail)
    }

    fn body<'a>(&'a self, request_id: Option<&'a RequestId>) -> ProblemBody<'a> {
        let status = self.code.status();
        ProblemBody {
            r#type: format!("https://barterline.dev/errors/{}", self.code.name()),
            title: status.canonical_reason().unwrap_or_default(),
            status: status.as_u16(),
            code: self.code.name(),
            detail: self.detail.as_deref().unwrap_or(self.code.meaning()),
            head: self.head,
            version: self.version,
            scope: self.limited.map(|exceeded| exceeded.scope.name()),
            request_id: request_id.map(RequestId::as_str),
        }
    }

    /// What is sent, for those who are to read it.
    pub fn example(&self) -> serde_json::Value {
        serde_json::to_value(self.body(None)).expect("a problem is plain values")
    }
}

impl From<ErrorCode> for Code {
    fn from(code: ErrorCode) -> Self {
        Self::Shared(code)
    }
}

impl From<Code> for Problem {
    fn from(code: Code) -> Self {
        Self { code, detail: None, head: None, version: None, limited: None, cause: None }
    }
}

impl From<ErrorCode> for Problem {
    fn from(code: ErrorCode) -> Self {
        Code::Shared(code).into()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.code.status();
        let request_id = RequestId::current();
        let body = self.body(request_id.as_ref());
        let body = serde_json::to_vec(&body).expect("a problem is plain values");
        let content_type = [(CONTENT_TYPE, "application/problem+json")];
        let mut response = (status, content_type, body).into_response();
        let headers = response.headers_mut();
        // What was refused now may be granted next time.
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(exceeded) = self.limited {
            headers.insert(RETRY_AFTER, exceeded.wait.as_secs().saturating_add(1).into());
        } else if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, RETRY_AFTER_DEFAULT.as_secs().into());
        }
        if let Some(challenge) = challenge(self.code) {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        if let Some(cause) = self.cause {
            response.extensions_mut().insert(Cause(cause));
        }
        response
    }
}

/// What every 401 must say (RFC 9110, section 15.5.2; RFC 6750, section 3).
fn challenge(code: Code) -> Option<&'static str> {
    match code {
        Code::Shared(ErrorCode::TokenInvalid | ErrorCode::TokenExpired) => {
            Some("Bearer error=\"invalid_token\"")
        }
        code => (code.status() == StatusCode::UNAUTHORIZED).then_some("Bearer"),
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let code = match error {
            StoreError::Unavailable { .. } | StoreError::Unknown { .. } => ErrorCode::Unavailable,
            StoreError::Corrupt { .. } => ErrorCode::Damaged,
        };
        // Place and reason are the operator's business.
        Self { cause: Some(error.to_string().into()), ..Self::from(code) }
    }
}

impl From<Unpermitted> for Problem {
    fn from(error: Unpermitted) -> Self {
        match error {
            Unpermitted::Scope(_) => Self::new(ErrorCode::OutOfScope, error.to_string()),
            Unpermitted::LogInOnly => Code::LogInOnly.into(),
        }
    }
}

impl From<ProfileError> for Problem {
    fn from(error: ProfileError) -> Self {
        match error {
            ProfileError::Unpermitted(error) => error.into(),
            ProfileError::NotFound => Code::AccountNotFound.into(),
            ProfileError::Store(error) => error.into(),
        }
    }
}

impl From<KeyError> for Problem {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::Password(error) => error.into(),
            KeyError::NoScope => Code::KeyScope.into(),
            KeyError::End => Code::KeyEnd.into(),
            KeyError::TooMany => Code::KeyTooMany.into(),
            KeyError::NotFound => Code::KeyNotFound.into(),
            KeyError::Store(error) => error.into(),
        }
    }
}

impl From<AuthError> for Problem {
    fn from(error: AuthError) -> Self {
        match error {
            AuthError::Token(TokenError::Expired) => ErrorCode::TokenExpired.into(),
            AuthError::Token(TokenError::Invalid) | AuthError::Revoked => {
                ErrorCode::TokenInvalid.into()
            }
            AuthError::Suspended => Code::Suspended.into(),
            AuthError::Store(error) => error.into(),
        }
    }
}

impl From<InvalidAccount> for Problem {
    fn from(error: InvalidAccount) -> Self {
        let code = match error {
            InvalidAccount::Email => Code::Email,
            InvalidAccount::PasswordTooShort => Code::PasswordShort,
            InvalidAccount::PasswordTooLong => Code::PasswordLong,
            InvalidAccount::Name => Code::Name,
        };
        Self::new(code, error.to_string())
    }
}

impl From<InvalidProfile> for Problem {
    fn from(error: InvalidProfile) -> Self {
        let code = match error {
            InvalidProfile::Label => Code::SessionName,
            InvalidProfile::Bio => Code::Bio,
            InvalidProfile::Locale => Code::Locale,
            InvalidProfile::Client => ErrorCode::InvalidRequest.into(),
        };
        Self::new(code, error.to_string())
    }
}

impl From<SessionError> for Problem {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::Unpermitted(error) => error.into(),
            SessionError::NotFound => Code::SessionNotFound.into(),
            SessionError::Store(error) => error.into(),
        }
    }
}

impl From<StaffError> for Problem {
    fn from(error: StaffError) -> Self {
        match error {
            StaffError::Unpermitted(error) => error.into(),
            StaffError::Forbidden => Code::Forbidden.into(),
            StaffError::Oneself => {
                Self::new(Code::Forbidden, "nobody does this to themselves: ask somebody else")
            }
            StaffError::AccountNotFound => Code::AccountNotFound.into(),
            StaffError::ReportNotFound => Code::ReportNotFound.into(),
            StaffError::Store(error) => error.into(),
        }
    }
}

impl From<VerifyError> for Problem {
    fn from(error: VerifyError) -> Self {
        match error {
            VerifyError::Broken(_) => Self::new(Code::AuditBroken, error.to_string()),
            VerifyError::Store(error) => error.into(),
        }
    }
}

impl From<ChoiceError> for Problem {
    fn from(error: ChoiceError) -> Self {
        match error {
            ChoiceError::Weak(_) => Self::new(Code::PasswordWeak, error.to_string()),
            ChoiceError::Breached => Code::PasswordBreached.into(),
            ChoiceError::Busy(busy) => Self::new(ErrorCode::Busy, busy.to_string()),
        }
    }
}

impl From<PasswordError> for Problem {
    fn from(error: PasswordError) -> Self {
        match error {
            PasswordError::Unpermitted(error) => error.into(),
            PasswordError::Choice(error) => error.into(),
            PasswordError::Wrong => Code::PasswordWrong.into(),
            PasswordError::CodeRequired => Code::FactorCodeRequired.into(),
            PasswordError::Code(error) => error.into(),
            PasswordError::Changed => Code::AccountChanged.into(),
            PasswordError::Limited(exceeded) => Self::limited(exceeded),
            PasswordError::Busy(busy) => Self::new(ErrorCode::Busy, busy.to_string()),
            PasswordError::Store(error) => error.into(),
        }
    }
}

impl From<FactorError> for Problem {
    fn from(error: FactorError) -> Self {
        match error {
            FactorError::Password(error) => error.into(),
            FactorError::Code(error) => error.into(),
            FactorError::On => Code::FactorOn.into(),
            FactorError::Off => Code::FactorOff.into(),
            FactorError::Store(error) => error.into(),
        }
    }
}

impl From<FactorCodeError> for Problem {
    fn from(error: FactorCodeError) -> Self {
        match error {
            FactorCodeError::Wrong => Code::CodeWrong.into(),
            FactorCodeError::Limited(exceeded) => Self::limited(exceeded),
            FactorCodeError::Changed => Code::AccountChanged.into(),
            FactorCodeError::Unopened(error) => {
                Self { cause: Some(error.to_string().into()), ..Self::from(ErrorCode::Damaged) }
            }
            FactorCodeError::Store(error) => error.into(),
        }
    }
}

impl From<RegisterError> for Problem {
    fn from(error: RegisterError) -> Self {
        match error {
            RegisterError::EmailTaken => Code::EmailTaken.into(),
            RegisterError::Mail(error) => error.into(),
            RegisterError::Choice(error) => error.into(),
            RegisterError::Store(error) => error.into(),
        }
    }
}

impl From<AskError> for Problem {
    fn from(error: AskError) -> Self {
        match error {
            AskError::Off => Code::MailOff.into(),
            AskError::Limited(exceeded) => Self::limited(exceeded),
            AskError::Busy => Self::new(ErrorCode::Busy, error.to_string()),
        }
    }
}

impl From<ConfirmError> for Problem {
    fn from(error: ConfirmError) -> Self {
        match error {
            ConfirmError::Token => Code::CodeInvalid.into(),
            ConfirmError::PasswordWrong => Self::new(Code::PasswordWrong, error.to_string()),
            ConfirmError::Limited(exceeded) => Self::limited(exceeded),
            ConfirmError::EmailTaken => Code::EmailTaken.into(),
            ConfirmError::Busy(busy) => Self::new(ErrorCode::Busy, busy.to_string()),
            ConfirmError::Store(error) => error.into(),
        }
    }
}

impl From<CodeError> for Problem {
    fn from(error: CodeError) -> Self {
        match error {
            CodeError::Unpermitted(error) => error.into(),
            CodeError::Invalid => Code::CodeInvalid.into(),
            CodeError::EmailTaken => Code::EmailTaken.into(),
            CodeError::Changed => Code::AccountChanged.into(),
            CodeError::Choice(error) => error.into(),
            CodeError::Store(error) => error.into(),
        }
    }
}

impl From<EmailError> for Problem {
    fn from(error: EmailError) -> Self {
        match error {
            EmailError::Password(error) => error.into(),
            EmailError::Mail(error) => error.into(),
        }
    }
}

impl From<LogInError> for Problem {
    fn from(error: LogInError) -> Self {
        match error {
            LogInError::Failed => Code::LogInFailed.into(),
            LogInError::CodeRequired => Code::CodeRequired.into(),
            LogInError::Code(error) => error.into(),
            LogInError::Suspended => Code::Suspended.into(),
            LogInError::Limited(exceeded) => Self::limited(exceeded),
            LogInError::Busy(busy) => Self::new(ErrorCode::Busy, busy.to_string()),
            LogInError::Store(error) => error.into(),
        }
    }
}

impl From<RefreshError> for Problem {
    fn from(error: RefreshError) -> Self {
        match error {
            RefreshError::Invalid => Code::RefreshInvalid.into(),
            RefreshError::Suspended => Code::Suspended.into(),
            RefreshError::Store(error) => error.into(),
        }
    }
}

impl From<InvalidListing> for Problem {
    fn from(error: InvalidListing) -> Self {
        let code = match error {
            InvalidListing::Title => Code::Title,
            InvalidListing::Description => Code::Description,
            InvalidListing::Transition { .. } => Code::StatusFinal,
        };
        Self::new(code, error.to_string())
    }
}

impl From<ListingError> for Problem {
    fn from(error: ListingError) -> Self {
        match error {
            ListingError::Unpermitted(error) => error.into(),
            ListingError::NotFound => ErrorCode::ListingNotFound.into(),
            ListingError::NotYours => Code::NotYours.into(),
            ListingError::Invalid(error) => error.into(),
            ListingError::VersionChanged { current } => {
                Self { version: Some(current), ..Self::from(Code::VersionChanged) }
            }
            ListingError::Store(error) => error.into(),
        }
    }
}

impl From<ChatError> for Problem {
    fn from(error: ChatError) -> Self {
        let code = match error {
            ChatError::Unpermitted(error) => return error.into(),
            ChatError::NotFound => ErrorCode::ChatNotFound,
            ChatError::OwnListing => ErrorCode::OwnListing,
            ChatError::ListingNotFound => ErrorCode::ListingNotFound,
            ChatError::ListingClosed => ErrorCode::ListingClosed,
            ChatError::Text(InvalidBody::Empty) => ErrorCode::TextEmpty,
            ChatError::Text(InvalidBody::TooLong) => ErrorCode::TextTooLong,
            ChatError::Text(InvalidBody::Control) => ErrorCode::TextControl,
            ChatError::KindUnsupported => ErrorCode::KindUnsupported,
            ChatError::Incomplete(what) => return Self::invalid(what),
            ChatError::DataTooLong => ErrorCode::DataTooLong,
            ChatError::HiddenFull => ErrorCode::HiddenFull,
            ChatError::InboxFull => ErrorCode::InboxFull,
            ChatError::Limited(exceeded) => return Self::limited(exceeded),
            ChatError::SeqAhead { head } => {
                return Self { head: Some(head), ..Self::from(ErrorCode::SeqAhead) };
            }
            ChatError::Store(error) => return error.into(),
        };
        code.into()
    }
}

impl From<SendError> for Problem {
    fn from(error: SendError) -> Self {
        match error {
            SendError::Chat(error) => error.into(),
            SendError::Refused(refusal) => {
                Self { head: refusal.head(), ..Self::from(refusal.code()) }
            }
        }
    }
}

impl From<ReportError> for Problem {
    fn from(error: ReportError) -> Self {
        match error {
            ReportError::Chat(error) => error.into(),
            ReportError::Reason(error) => ChatError::from(error).into(),
            ReportError::TooManyMessages => Self::invalid(format!(
                "messages: at most {MESSAGES_MAX}, and 1 MiB of text, in one report"
            )),
            ReportError::MessageNotFound => ErrorCode::TargetNotFound.into(),
            ReportError::NameTaken => ErrorCode::IdConflict.into(),
        }
    }
}

impl From<SyncError> for Problem {
    fn from(error: SyncError) -> Self {
        match error {
            SyncError::TooMany => Code::SyncTooMany.into(),
            SyncError::Busy => ErrorCode::Busy.into(),
            SyncError::Chat(error) => error.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique() {
        let mut names: Vec<_> = Code::all().map(Code::name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Code::all().count());
    }

    #[test]
    fn every_code_stands_in_the_document_with_its_status() {
        let document = include_str!("../../docs/errors.md");
        for code in Code::all() {
            let row =
                document.lines().find(|line| line.starts_with(&format!("| `{}` |", code.name())));
            let row = row.unwrap_or_else(|| panic!("{} is not in docs/errors.md", code.name()));
            let on_sockets_only = code == Code::Shared(ErrorCode::UnknownKind);
            let status = format!("| {} |", code.status().as_u16());
            assert!(on_sockets_only || row.contains(&status), "{row}");
        }
    }

    #[test]
    fn every_401_has_a_challenge_and_every_503_a_wait() {
        for code in Code::all() {
            let response = Problem::from(code).into_response();
            let has = |name| response.headers().contains_key(name);
            let status = code.status();
            assert_eq!(has(WWW_AUTHENTICATE), status == StatusCode::UNAUTHORIZED, "{code:?}");
            assert_eq!(has(RETRY_AFTER), status == StatusCode::SERVICE_UNAVAILABLE, "{code:?}");
        }
    }
}
