//! Errors of the inner house as error frames.
use barterline_domain::ids::{ChatId, ClientId};
use barterline_domain::message::InvalidBody;
use barterline_protocol::Outgoing;
use barterline_protocol::error_code::{Advice, ErrorCode};
use barterline_protocol::response::ErrorBody;
use barterline_storage::error::StoreError;

use crate::limits::Exceeded;
use crate::services::chats::ChatError;
use crate::wire;

/// What a client waits before it tries a refused request again, in milliseconds.
const RETRY_AFTER_MS: u64 = 1_000;

/// An error frame with nothing but its code.
pub fn error(code: ErrorCode) -> ErrorBody {
    ErrorBody {
        code: code.name().to_owned(),
        message: wire::explain(code).to_owned(),
        retry_after_ms: (code.advice() == Advice::Retry).then_some(RETRY_AFTER_MS),
        ..ErrorBody::default()
    }
}

/// An error frame that says how long to wait, and why.
pub fn limited(exceeded: Exceeded) -> ErrorBody {
    let Exceeded { scope, wait } = exceeded;
    ErrorBody {
        scope: Some(scope.name().to_owned()),
        // Rounded up: whoever comes then is within the limit.
        retry_after_ms: u64::try_from(wait.as_micros().div_ceil(1_000)).ok(),
        ..error(ErrorCode::RateLimited)
    }
}

/// The frame that tells of a refused request.
pub fn refused(refusal: &ChatError, chat: Option<ChatId>, id: Option<ClientId>) -> Outgoing {
    let (code, head) = match refusal {
        ChatError::Unpermitted(_) => (ErrorCode::OutOfScope, None),
        ChatError::NotFound => (ErrorCode::ChatNotFound, None),
        ChatError::OwnListing => (ErrorCode::OwnListing, None),
        ChatError::ListingNotFound => (ErrorCode::ListingNotFound, None),
        ChatError::ListingClosed => (ErrorCode::ListingClosed, None),
        ChatError::Text(InvalidBody::Empty) => (ErrorCode::TextEmpty, None),
        ChatError::Text(InvalidBody::TooLong) => (ErrorCode::TextTooLong, None),
        ChatError::Text(InvalidBody::Control) => (ErrorCode::TextControl, None),
        ChatError::KindUnsupported => (ErrorCode::KindUnsupported, None),
        ChatError::Incomplete(_) => (ErrorCode::InvalidRequest, None),
        ChatError::DataTooLong => (ErrorCode::DataTooLong, None),
        ChatError::HiddenFull => (ErrorCode::HiddenFull, None),
        ChatError::InboxFull => (ErrorCode::InboxFull, None),
        ChatError::Limited(_) => (ErrorCode::RateLimited, None),
        ChatError::SeqAhead { head } => (ErrorCode::SeqAhead, Some(*head)),
        ChatError::Store(StoreError::Corrupt { .. }) => (ErrorCode::Damaged, None),
        ChatError::Store(StoreError::Unavailable { .. } | StoreError::Unknown { .. }) => {
            (ErrorCode::Unavailable, None)
        }
    };
    if let ChatError::Store(cause) = refusal {
        tracing::warn!(error = %cause, "a request failed in the store");
    }
    let mut body = ErrorBody { chat, id, head, ..error(code) };
    if let ChatError::Limited(exceeded) = refusal {
        body = ErrorBody { chat, id, ..limited(*exceeded) };
    }
    if let ChatError::Incomplete(what) = refusal {
        (*what).clone_into(&mut body.message);
    }
    Outgoing::Error(body)
}
