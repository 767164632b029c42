//! Why services refuse, in the words of the edge.

use std::io;

use barterline_domain::account::{InvalidAccount, InvalidProfile};
use barterline_domain::bearer::Unpermitted;
use barterline_domain::catalogue::InvalidAttributes;
use barterline_domain::listing::InvalidListing;
use barterline_domain::message::InvalidBody;
use barterline_protocol::error_code::ErrorCode;
use barterline_storage::error::StoreError;

use super::{Code, Problem};
use crate::auth::token::TokenError;
use crate::services::accounts::{
    AskError, AuthError, ChoiceError, CodeError, ConfirmError, EmailError, FactorCodeError,
    FactorError, IdentityError, KeyError, LogInError, PasswordError, ProfileError, RefreshError,
    RegisterError, SessionError, SignInError,
};
use crate::services::audit::VerifyError;
use crate::services::chats::{ChatError, SendError, SyncError};
use crate::services::erasure::ErasureError;
use crate::services::favourites::FavouriteError;
use crate::services::listings::ListingError;
use crate::services::media::MediaError;
use crate::services::people::PeopleError;
use crate::services::reports::{MESSAGES_MAX, ReportError};
use crate::services::saved_searches::SavedSearchError;
use crate::services::search::SearchError;
use crate::services::sources::{Refusal, SourceError};
use crate::services::staff::StaffError;

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
            ProfileError::AvatarNotFound => Code::AvatarNotFound.into(),
            ProfileError::AvatarNotReady => Code::AvatarNotReady.into(),
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
            AuthError::FactorRequired => Code::FactorRequired.into(),
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
            SessionError::Password(error) => error.into(),
            SessionError::PasswordRequired => Code::PasswordRequired.into(),
            SessionError::Ended => Self::new(ErrorCode::TokenInvalid, error.to_string()),
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
            ChoiceError::Unchecked => Self::new(ErrorCode::Unavailable, error.to_string()),
        }
    }
}

impl From<ErasureError> for Problem {
    fn from(error: ErasureError) -> Self {
        match error {
            ErasureError::Proof(error) => error.into(),
            ErasureError::Busy => Self::new(ErrorCode::Busy, error.to_string()),
            ErasureError::Ended => Self::new(ErrorCode::TokenInvalid, error.to_string()),
            ErasureError::Store(error)
            | ErasureError::Chats(SendError::Chat(ChatError::Store(error)))
            | ErasureError::Listings(ListingError::Store(error))
            | ErasureError::Media(MediaError::Store(error))
            | ErasureError::People(PeopleError::Store(error)) => error.into(),
            // Others were faster, or too many: whatever it was, the next call begins with it.
            ErasureError::Chats(_)
            | ErasureError::Listings(_)
            | ErasureError::Media(_)
            | ErasureError::People(_) => {
                Self::new(ErrorCode::Unavailable, "not all is erased; ask again")
            }
        }
    }
}

impl From<PasswordError> for Problem {
    fn from(error: PasswordError) -> Self {
        match error {
            PasswordError::Unpermitted(error) => error.into(),
            PasswordError::Choice(error) => error.into(),
            PasswordError::Wrong => Code::PasswordWrong.into(),
            PasswordError::None => Code::PasswordNone.into(),
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

impl From<SignInError> for Problem {
    fn from(error: SignInError) -> Self {
        match error {
            SignInError::Unknown => Code::SignInProvider.into(),
            SignInError::ReturnRefused => Code::SignInReturn.into(),
            SignInError::State => Code::SignInState.into(),
            SignInError::Code => Code::CodeInvalid.into(),
            SignInError::Refused => Code::ExchangeToken.into(),
            SignInError::AccountExists => Code::SignInExists.into(),
            SignInError::Closed => Code::SignInClosed.into(),
            SignInError::EmailUnverified => Code::SignInEmail.into(),
            SignInError::Changed => Code::AccountChanged.into(),
            SignInError::Limited(exceeded) => Self::limited(exceeded),
            SignInError::Unavailable => Code::SignInUnavailable.into(),
            SignInError::LogIn(error) => error.into(),
            SignInError::Store(error) => error.into(),
        }
    }
}

impl From<IdentityError> for Problem {
    fn from(error: IdentityError) -> Self {
        match error {
            IdentityError::Unpermitted(error) => error.into(),
            IdentityError::Password(error) => error.into(),
            IdentityError::SignIn(error) => error.into(),
            IdentityError::Taken => Code::IdentityTaken.into(),
            IdentityError::TooMany => Code::IdentityTooMany.into(),
            IdentityError::NotFound => Code::IdentityNotFound.into(),
            IdentityError::Store(error) => error.into(),
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
            InvalidListing::Photos => Code::Photos,
            InvalidListing::Attributes(InvalidAttributes::Category(_)) => Code::CategoryUnknown,
            InvalidListing::NoCategory | InvalidListing::Attributes(_) => Code::Attributes,
            InvalidListing::Expiry { .. } => Code::Expiry,
            InvalidListing::Reason { .. } => Code::Reason,
            InvalidListing::Transition { .. } | InvalidListing::Renewal => Code::StatusFinal,
        };
        Self::new(code, error.to_string())
    }
}

impl From<ListingError> for Problem {
    fn from(error: ListingError) -> Self {
        let text = error.to_string();
        match error {
            ListingError::Unpermitted(error) => error.into(),
            ListingError::NotFound => ErrorCode::ListingNotFound.into(),
            ListingError::NotYours => Code::NotYours.into(),
            ListingError::External => Code::ListingExternal.into(),
            ListingError::PhotoNotFound(_) => Self::new(Code::PhotoNotFound, text),
            ListingError::PhotoNotReady(_) => Self::new(Code::PhotoNotReady, text),
            ListingError::PhotoUsed(_) => Self::new(Code::PhotoUsed, text),
            ListingError::Invalid(error) => error.into(),
            ListingError::VersionChanged { current } => {
                Self { version: Some(current), ..Self::from(Code::VersionChanged) }
            }
            ListingError::Store(error) => error.into(),
        }
    }
}

impl From<SourceError> for Problem {
    fn from(error: SourceError) -> Self {
        match error {
            SourceError::Unpermitted(error) => error.into(),
            SourceError::NotFound => Code::SourceNotFound.into(),
            SourceError::Signature => Code::SourceSignature.into(),
            SourceError::ListingNotFound => ErrorCode::ListingNotFound.into(),
            SourceError::Unavailable => Code::SourceUnavailable.into(),
            SourceError::Contended => Self::new(ErrorCode::Busy, error.to_string()),
            SourceError::Listing(error) => error.into(),
            SourceError::Store(error) => error.into(),
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let text = refusal.to_string();
        match refusal {
            Refusal::Invalid(error) => error.into(),
            Refusal::SellerForm(_) => Self::invalid(text),
            Refusal::SellerUnknown => Code::SourceSellerUnknown.into(),
            Refusal::SellerSuspended => Code::Suspended.into(),
            Refusal::SellerChanged => Code::SourceSellerChanged.into(),
            Refusal::SellerGone => Code::SourceSellerGone.into(),
        }
    }
}

impl From<SearchError> for Problem {
    fn from(error: SearchError) -> Self {
        let text = error.to_string();
        match error {
            SearchError::Attributes(InvalidAttributes::Category(_)) => {
                Self::new(Code::CategoryUnknown, text)
            }
            SearchError::Attributes(_) | SearchError::NoCategory | SearchError::Wanted { .. } => {
                Self::new(Code::Attributes, text)
            }
            SearchError::Query(_) | SearchError::Drafts => Self::new(Code::SearchInvalid, text),
            SearchError::Off => Code::SearchOff.into(),
            SearchError::Busy(_) => Self::new(ErrorCode::Busy, text),
            SearchError::NoIndex => Self::new(ErrorCode::Unavailable, text),
            // What the disk says is the operator's business.
            SearchError::Engine(_) => {
                Self { cause: Some(text.into()), ..Self::from(ErrorCode::Unavailable) }
            }
            SearchError::Store(error) => error.into(),
        }
    }
}

impl From<SavedSearchError> for Problem {
    fn from(error: SavedSearchError) -> Self {
        let text = error.to_string();
        match error {
            SavedSearchError::Unpermitted(error) => error.into(),
            SavedSearchError::Name | SavedSearchError::TooLong => {
                Self::new(Code::SavedSearchInvalid, text)
            }
            SavedSearchError::Search(error) => error.into(),
            SavedSearchError::NotFound => Code::SavedSearchNotFound.into(),
            SavedSearchError::Full => Self::new(Code::SavedSearchFull, text),
            SavedSearchError::Store(error) => error.into(),
        }
    }
}

impl From<FavouriteError> for Problem {
    fn from(error: FavouriteError) -> Self {
        match error {
            FavouriteError::Unpermitted(error) => error.into(),
            FavouriteError::Listing(error) => error.into(),
            FavouriteError::Full => Self::new(Code::FavouritesFull, error.to_string()),
            FavouriteError::Store(error) => error.into(),
        }
    }
}

impl From<MediaError> for Problem {
    fn from(error: MediaError) -> Self {
        let text = error.to_string();
        match error {
            MediaError::Unpermitted(error) => error.into(),
            MediaError::NotFound => ErrorCode::MediaNotFound.into(),
            MediaError::ChatNotFound => ErrorCode::ChatNotFound.into(),
            MediaError::TooLarge { max } => {
                Self::new(Code::MediaTooLarge, format!("this file has at most {max} bytes"))
            }
            MediaError::Empty => Self::invalid("size: a file has a byte at least"),
            MediaError::TooManyUnfinished { .. } => Code::MediaTooMany.into(),
            MediaError::Limited(exceeded) => Self::limited(exceeded),
            MediaError::NotWaiting => Code::MediaComplete.into(),
            MediaError::Incomplete { missing } => {
                Self::new(Code::MediaIncomplete, format!("{missing} bytes of the file are missing"))
            }
            MediaError::OffsetMismatch { at } => {
                Self::new(Code::MediaOffset, format!("the bytes of the file go on at {at}"))
            }
            MediaError::Underway => Code::MediaUnderway.into(),
            MediaError::Broken(error) if error.kind() == io::ErrorKind::TimedOut => {
                Code::Timeout.into()
            }
            MediaError::Broken(_) => Self::invalid("the body ended early"),
            MediaError::Used => Self::new(ErrorCode::MediaUsed, "something shows the file"),
            MediaError::NotReady => ErrorCode::MediaNotReady.into(),
            MediaError::Refused(refusal) => {
                Self { reason: Some(refusal.name()), ..Self::from(Code::MediaRefused) }
            }
            MediaError::Busy => ErrorCode::Busy.into(),
            MediaError::DirectUnavailable => Code::MediaDirectOff.into(),
            // Where files are kept, and what is wrong there, is the operator's business.
            MediaError::Full => Self { cause: Some(text.into()), ..Self::from(Code::MediaFull) },
            MediaError::Unavailable(_) => {
                Self { cause: Some(text.into()), ..Self::from(ErrorCode::Unavailable) }
            }
            MediaError::Chats(error) => error.into(),
            MediaError::Store(error) => error.into(),
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
