//! Stable names of refusals. A refused request changed nothing.

/// What a client should do about a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Advice {
    /// The same request may succeed later: send it again, unchanged.
    Retry,
    /// Do what the code says first, then send the request again.
    Mend,
    /// The request can never succeed as it is: show it to the person or mend the program.
    GiveUp,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $advice:ident;)+) => {
        /// Why a request was refused.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ErrorCode {
            $($(#[$doc])* $variant,)+
        }

        impl ErrorCode {
            /// Every code, in the order of the enum.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name on the wire. Never changes.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// What to do about it.
            pub const fn advice(self) -> Advice {
                match self { $(Self::$variant => Advice::$advice,)+ }
            }
        }
    };
}

codes! {
    /// The frame's kind is not of this protocol version.
    UnknownKind = "request.unknown_kind", GiveUp;
    /// A field is missing, doubled, or of the wrong type.
    InvalidRequest = "request.invalid", GiveUp;
    /// No such chat for this user: it does not exist, or it is not theirs.
    ChatNotFound = "chat.not_found", GiveUp;
    /// A seller cannot open a chat on their own listing.
    OwnListing = "chat.own_listing", GiveUp;
    /// No such listing.
    ListingNotFound = "listing.not_found", GiveUp;
    /// The listing is sold, withdrawn or expired: no new chats.
    ListingClosed = "listing.closed", GiveUp;
    /// Nothing in the text but white space.
    TextEmpty = "text.empty", GiveUp;
    /// The text is longer than the limits say.
    TextTooLong = "text.too_long", GiveUp;
    /// The text holds a control character.
    TextControl = "text.control", GiveUp;
    /// Messages of this kind cannot be sent.
    KindUnsupported = "kind.unsupported", GiveUp;
    /// The message to edit, delete, react to or answer is none of this chat.
    TargetNotFound = "target.not_found", GiveUp;
    /// Only its author may edit or delete a message.
    TargetNotYours = "target.not_yours", GiveUp;
    /// The message was taken back.
    TargetGone = "target.gone", GiveUp;
    /// Too much time has passed since the message was said.
    TargetTooOld = "target.too_old", GiveUp;
    /// Not one of the reactions that `welcome` lists.
    ReactionUnsupported = "reaction.unsupported", GiveUp;
    /// No such upload, or of other people.
    MediaNotFound = "media.not_found", GiveUp;
    /// The upload is not whole yet, or is still being looked at.
    MediaNotReady = "media.not_ready", Retry;
    /// Another message shows the upload already.
    MediaUsed = "media.used", GiveUp;
    /// More data than a message may carry.
    DataTooLong = "data.too_long", GiveUp;
    /// One of the two has as many chats as anybody may have.
    InboxFull = "inbox.full", GiveUp;
    /// As many messages of this chat are hidden one by one as may be.
    HiddenFull = "state.hidden_full", GiveUp;
    /// No such person.
    UserNotFound = "user.not_found", GiveUp;
    /// Too many requests; wait as told. `scope` says of what.
    RateLimited = "rate.limited", Retry;
    /// A number above the chat's newest: the client's state is from another history.
    SeqAhead = "seq.ahead", Mend;
    /// `base` lies more than 4,096 events back: pull up to `head`, then retry with a newer base.
    BaseOld = "base.old", Mend;
    /// The id names another message already.
    IdConflict = "id.conflict", GiveUp;
    /// An earlier send of this connection to this chat was refused as retryable: send that one
    /// again first, then this one, so that the order holds.
    AfterRefused = "send.after_refused", Mend;
    /// The token is not valid, or of another user or session.
    TokenInvalid = "token.invalid", Mend;
    /// The token has expired.
    TokenExpired = "token.expired", Mend;
    /// The API key lacks the scope that this takes.
    OutOfScope = "key.out_of_scope", GiveUp;
    /// Too much at once; wait as told.
    Busy = "server.busy", Retry;
    /// The store does not take writes at the moment; what was acknowledged is safe.
    Unavailable = "server.unavailable", Retry;
    /// Stored data is damaged at the place asked for; the operator has been told.
    Damaged = "server.damaged", GiveUp;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique() {
        let mut names: Vec<_> = ErrorCode::ALL.iter().map(|code| code.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ErrorCode::ALL.len());
    }
}
