//! What a refusal over HTTP says of who asked: for the log alone.

use super::Code;
use crate::telemetry::refusals::Kind;

impl Code {
    /// `None`: nothing. So with what is not there for anybody, what somebody else was faster with, and what
    /// failed on our side; and with passwords and codes that are wrong or missing, which have a line of their
    /// own (`barterline::auth`), with the account.
    #[expect(clippy::too_many_lines, reason = "each code once")]
    pub const fn kind(self) -> Option<Kind> {
        match self {
            Self::Shared(code) => Kind::of(code),
            Self::PasswordRequired => Some(Kind::Asked),
            Self::RefreshInvalid
            | Self::CodeInvalid
            | Self::SignInState
            | Self::ExchangeToken
            | Self::SourceSignature
            | Self::AdminToken => Some(Kind::Proof),
            // What is of others is answered like what is not there.
            Self::Forbidden
            | Self::LogInOnly
            | Self::KeyNotFound
            | Self::Suspended
            | Self::FactorRequired
            | Self::SignInClosed
            | Self::SignInEmail
            | Self::SignInReturn
            | Self::IdentityNotFound
            | Self::SessionNotFound
            | Self::SavedSearchNotFound
            | Self::AvatarNotFound
            | Self::PhotoNotFound
            | Self::NotYours
            | Self::Origin
            | Self::OriginForbidden => Some(Kind::Permission),
            Self::SyncTooMany
            | Self::KeyTooMany
            | Self::IdentityTooMany
            | Self::MediaTooMany
            | Self::SavedSearchFull => Some(Kind::Limit),
            Self::MediaType
            | Self::TooLarge
            | Self::Timeout
            | Self::IdempotencyKey
            | Self::Email
            | Self::PasswordShort
            | Self::PasswordLong
            | Self::PasswordWeak
            | Self::PasswordBreached
            | Self::Name
            | Self::Bio
            | Self::Locale
            | Self::KeyName
            | Self::KeyScope
            | Self::KeyEnd
            | Self::SignInChallenge
            | Self::SessionName
            | Self::Title
            | Self::Description
            | Self::Price
            | Self::CategoryUnknown
            | Self::Attributes
            | Self::PlaceInvalid
            | Self::Expiry
            | Self::Photos
            | Self::SearchInvalid
            | Self::SavedSearchInvalid
            | Self::Reason
            | Self::MediaTooLarge
            | Self::MediaRefused
            | Self::MediaRange
            | Self::UploadVersion
            | Self::UpgradeRequired
            | Self::SocketVersion
            | Self::Subprotocol => Some(Kind::Input),
            Self::RouteNotFound
            | Self::RouteMethod
            | Self::EmailTaken
            | Self::AccountNotFound
            | Self::LogInFailed
            | Self::CodeRequired
            | Self::FactorCodeRequired
            | Self::CodeWrong
            | Self::FactorOn
            | Self::FactorOff
            | Self::PasswordWrong
            | Self::PasswordNone
            | Self::SignInProvider
            | Self::SignInExists
            | Self::SignInUnavailable
            | Self::IdentityTaken
            | Self::MailOff
            | Self::AccountChanged
            | Self::AvatarNotReady
            | Self::PhotoNotReady
            | Self::PhotoUsed
            | Self::FavouritesFull
            | Self::SearchOff
            | Self::StatusFinal
            | Self::ListingExternal
            | Self::SourceNotFound
            | Self::SourceUnavailable
            | Self::SourceSellerUnknown
            | Self::SourceSellerChanged
            | Self::SourceSellerGone
            | Self::VersionChanged
            | Self::MediaComplete
            | Self::MediaIncomplete
            | Self::MediaOffset
            | Self::MediaUnderway
            | Self::MediaDirectOff
            | Self::MediaFull
            | Self::ReportNotFound
            | Self::AuditBroken
            | Self::ExportRunning => None,
        }
    }
}
