//! Refusals as problem details (RFC 9457) with a stable `code`. The one place where errors of the
//! services become HTTP; docs/errors.md says the same in words.

mod kind;
mod reasons;

use std::sync::Arc;
use std::time::Duration;

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use barterline_domain::event::Seq;
use barterline_protocol::error_code::ErrorCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::layers::{Cause, Refused};
use super::request_id::RequestId;
use crate::limits::Exceeded;
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
    /// The body is another by its content type: no JSON, or no bytes for an upload.
    MediaType = UNSUPPORTED_MEDIA_TYPE, "request.media_type",
        "the body must be application/json, or application/offset+octet-stream where that is documented";
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
    /// No such file, of others, or for something else.
    AvatarNotFound = UNPROCESSABLE_ENTITY, "account.avatar_not_found", "there is no such picture";
    /// It is still looked at, or has no bytes yet.
    AvatarNotReady = CONFLICT, "account.avatar_not_ready", "the picture is not ready";
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
    /// Nothing goes before it is turned on.
    FactorRequired = FORBIDDEN, "second_factor.required", "a second factor has to be turned on first";
    /// Staff keep the caller out.
    Suspended = FORBIDDEN, "account.suspended", "the account is suspended";
    /// The present password is another.
    PasswordWrong = FORBIDDEN, "password.wrong", "the present password is another";
    /// They sign in elsewhere.
    PasswordNone = FORBIDDEN, "password.none", "the account has no password: set one by mail";
    /// Within a session, it has to be shown again.
    PasswordRequired = FORBIDDEN, "password.required",
        "show the password, or log in anew where there is none";
    /// No provider is called so.
    SignInProvider = NOT_FOUND, "sign_in.provider_not_found", "there is no such provider";
    /// Not on the list.
    SignInReturn = UNPROCESSABLE_ENTITY, "sign_in.return_refused",
        "nobody is sent back to this address: the server's settings list where to";
    /// Not the digest of anything.
    SignInChallenge = UNPROCESSABLE_ENTITY, "sign_in.challenge_invalid",
        "the challenge is no SHA-256 in base64url";
    /// Not ours, over, or of another provider.
    SignInState = BAD_REQUEST, "sign_in.state_invalid", "the way back is not valid, or no longer";
    /// Somebody has the address.
    SignInExists = CONFLICT, "sign_in.account_exists",
        "somebody has the e-mail address already: log in, and link the identity";
    /// Nobody knows them.
    SignInClosed = FORBIDDEN, "sign_in.closed", "nobody is known by this, and no account is made";
    /// Nobody confirmed an address.
    SignInEmail = FORBIDDEN, "sign_in.email_unverified",
        "an account takes an e-mail address that the provider has confirmed";
    /// Down, slow, or not what it was.
    SignInUnavailable = SERVICE_UNAVAILABLE, "sign_in.provider_unavailable",
        "the provider cannot be asked now";
    /// Of nobody who is known here, for others, over, or forged.
    ExchangeToken = UNAUTHORIZED, "exchange.token_invalid", "the token is not taken here";
    /// Somebody's already.
    IdentityTaken = CONFLICT, "identity.taken", "the identity is linked to an account already";
    /// As many as anybody may have.
    IdentityTooMany = CONFLICT, "identity.too_many",
        "you have as many identities as anybody may have: unlink one first";
    /// None of the caller's.
    IdentityNotFound = NOT_FOUND, "identity.not_found", "there is no such identity of yours";
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
    /// None of the catalogue.
    CategoryUnknown = UNPROCESSABLE_ENTITY, "listing.category_unknown", "there is no such category";
    /// Not what is said of things of that category.
    Attributes = UNPROCESSABLE_ENTITY, "listing.attributes_invalid", "the attributes are not those of the category";
    /// Nowhere.
    PlaceInvalid = UNPROCESSABLE_ENTITY, "listing.place_invalid", "the place is none";
    /// Past, or too late.
    Expiry = UNPROCESSABLE_ENTITY, "listing.expiry_invalid", "the end is past, or too late";
    /// Not for that status.
    Reason = UNPROCESSABLE_ENTITY, "listing.reason_invalid", "the reason does not go with the status";
    /// Too many, or one twice.
    Photos = UNPROCESSABLE_ENTITY, "listing.photos_invalid", "there are too many photos, or one twice";
    /// No such file, of others, or for something else.
    PhotoNotFound = UNPROCESSABLE_ENTITY, "listing.photo_not_found", "there is no such photo";
    /// It is still looked at, or has no bytes yet.
    PhotoNotReady = CONFLICT, "listing.photo_not_ready", "the photo is not ready";
    /// Once for all.
    PhotoUsed = CONFLICT, "listing.photo_used", "another listing shows the photo";
    /// As many as anybody has.
    FavouritesFull = CONFLICT, "favourites.full", "there are as many favourites as anybody has";
    /// What is looked for makes no sense.
    SearchInvalid = UNPROCESSABLE_ENTITY, "search.invalid", "the search makes no sense";
    /// No name, too long, or no search.
    SavedSearchInvalid = UNPROCESSABLE_ENTITY, "saved_search.invalid", "the search cannot be kept";
    /// As many as anybody keeps.
    SavedSearchFull = CONFLICT, "saved_search.full", "there are as many searches as anybody keeps";
    /// None of the caller's.
    SavedSearchNotFound = NOT_FOUND, "saved_search.not_found", "there is no such search of yours";
    /// Nothing is found here.
    SearchOff = NOT_IMPLEMENTED, "search.off", "this server does not search";
    /// Sold or withdrawn, for good.
    StatusFinal = CONFLICT, "listing.status_final", "the status does not lead there";
    /// Somebody else sells it.
    NotYours = FORBIDDEN, "listing.not_yours", "the listing is somebody else's";
    /// Somebody was faster.
    VersionChanged = PRECONDITION_FAILED, "listing.version_changed", "the listing has changed";
    /// Another system keeps it.
    ListingExternal = CONFLICT, "listing.external", "the listing is kept in another system, and is changed there";
    /// No system is called so.
    SourceNotFound = NOT_FOUND, "source.not_found", "there is no such source";
    /// Of somebody else, or of another time.
    SourceSignature = UNAUTHORIZED, "source.signature_invalid",
        "the webhook is not signed as one of this source, or not within five minutes of now";
    /// Down, slow, or nothing of use.
    SourceUnavailable = SERVICE_UNAVAILABLE, "source.unavailable", "the source cannot be asked now";
    /// Nobody is known by that.
    SourceSellerUnknown = UNPROCESSABLE_ENTITY, "source.seller_unknown", "there is no such seller";
    /// Whoever sold it first sells it.
    SourceSellerChanged = CONFLICT, "source.seller_changed", "a listing never has another seller";
    /// They are erased.
    SourceSellerGone = CONFLICT, "source.seller_gone", "the seller was erased, with what they offered";
    /// More bytes than any file may have, or than were announced.
    MediaTooLarge = PAYLOAD_TOO_LARGE, "media.too_large", "the file is too large";
    /// As many as anybody may have under way.
    MediaTooMany = CONFLICT, "media.too_many",
        "so many of your files wait for their bytes, or to be sent, that no more are taken";
    /// Nothing is to come any more.
    MediaComplete = CONFLICT, "media.complete", "the file has all its bytes already";
    /// Fewer bytes than were announced.
    MediaIncomplete = CONFLICT, "media.incomplete", "bytes of the file are missing";
    /// Not where the last ones ended.
    MediaOffset = CONFLICT, "media.offset", "the bytes of the file go on at another place";
    /// Somebody else brings them.
    MediaUnderway = CONFLICT, "media.underway", "bytes of the file are on their way already";
    /// By what is in it; or it is not sound.
    MediaRefused = UNPROCESSABLE_ENTITY, "media.refused", "the file cannot be used";
    /// Out of bounds.
    MediaRange = RANGE_NOT_SATISFIABLE, "media.range", "the file ends before this range begins";
    /// Where files are kept nobody but this server writes.
    MediaDirectOff = CONFLICT, "media.direct_off", "files are uploaded by way of the server here";
    /// A full disk.
    MediaFull = INSUFFICIENT_STORAGE, "media.no_room", "the server has no room for files at the moment";
    /// Not the version of tus that is spoken.
    UploadVersion = PRECONDITION_FAILED, "upload.version_unsupported",
        "only version 1.0.0 of tus is spoken: say so in `Tus-Resumable`";
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
        | ErrorCode::MediaNotReady
        | ErrorCode::MediaUsed
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
    reason: Option<&'static str>,
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
    /// Why the file cannot be used, for `media.refused`.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
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

    /// The stable name of what is wrong.
    pub fn name(&self) -> &'static str {
        self.code.name()
    }

    /// The same in words, for developers.
    pub fn words(&self) -> &str {
        self.detail.as_deref().unwrap_or(self.code.meaning())
    }

    fn body<'a>(&'a self, request_id: Option<&'a RequestId>) -> ProblemBody<'a> {
        let status = self.code.status();
        ProblemBody {
            r#type: format!("https://barterline.dev/errors/{}", self.code.name()),
            title: status.canonical_reason().unwrap_or_default(),
            status: status.as_u16(),
            code: self.code.name(),
            detail: self.words(),
            head: self.head,
            version: self.version,
            scope: self.limited.map(|exceeded| exceeded.scope.name()),
            reason: self.reason,
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
        Self {
            code,
            detail: None,
            head: None,
            version: None,
            limited: None,
            reason: None,
            cause: None,
        }
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
        let scope = self.limited.map(|exceeded| exceeded.scope.name());
        response.extensions_mut().insert(Refused { code: self.code, scope });
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
