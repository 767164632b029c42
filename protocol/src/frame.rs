//! The frame around every message.

use crate::codec::DecodeError;

/// Longest kind that is quoted back, in characters.
const KIND_CHARS_MAX: usize = 32;
/// Longest reason for refusing a body, in characters.
const REASON_CHARS_MAX: usize = 160;

/// One frame: a message, and the client's number of the request it asks or answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame<M> {
    /// Chosen by the client, echoed in the answer. Absent in pushes.
    pub reference: Option<u32>,
    /// The message.
    pub message: M,
}

/// A closed set of messages, each with the kind that names it on the wire.
pub trait Message: Sized {
    /// The kind.
    fn kind(&self) -> &'static str;

    /// Appends the body as `MessagePack`.
    fn write_msgpack(&self, out: &mut Vec<u8>);

    /// Appends the body as JSON.
    fn write_json(&self, out: &mut Vec<u8>);

    /// Reads the body of `kind`; `None` when there is no such kind.
    fn read_msgpack(kind: &str, body: &[u8]) -> Option<Result<Self, String>>;

    /// Reads the body of `kind`; `None` when there is no such kind.
    fn read_json(kind: &str, body: &str) -> Option<Result<Self, String>>;
}

/// Why [`Message::read_msgpack`] gave no message, with the frame's own words.
pub(crate) fn settle<M>(
    outcome: Option<Result<M, String>>,
    kind: &str,
    reference: Option<u32>,
) -> Result<Frame<M>, DecodeError> {
    match outcome {
        Some(Ok(message)) => Ok(Frame { reference, message }),
        // The codecs quote what they refuse: cut it, or a large frame makes a large answer.
        Some(Err(reason)) => Err(DecodeError::InvalidBody {
            reference,
            reason: reason.chars().take(REASON_CHARS_MAX).collect(),
        }),
        None => Err(DecodeError::UnknownKind {
            reference,
            kind: kind.chars().take(KIND_CHARS_MAX).collect(),
        }),
    }
}

/// Whether a flag is left out of a frame.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
pub(crate) fn is_false(value: &bool) -> bool {
    !value
}

/// Declares an enum of messages with their kinds, in one table.
macro_rules! frames {
    ($(#[$doc:meta])* pub enum $name:ident {
        $($(#[$variant_doc:meta])* $kind:literal => $variant:ident($body:ty),)+
    }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum $name {
            $($(#[$variant_doc])* $variant($body),)+
        }

        impl $name {
            /// Every kind, in the order of the enum.
            pub const KINDS: &'static [&'static str] = &[$($kind),+];
        }

        impl $crate::frame::Message for $name {
            fn kind(&self) -> &'static str {
                match self { $(Self::$variant(_) => $kind,)+ }
            }

            fn write_msgpack(&self, out: &mut Vec<u8>) {
                match self { $(Self::$variant(body) => $crate::codec::msgpack::write_body(body, out),)+ }
            }

            fn write_json(&self, out: &mut Vec<u8>) {
                match self { $(Self::$variant(body) => $crate::codec::json::write_body(body, out),)+ }
            }

            fn read_msgpack(kind: &str, body: &[u8]) -> Option<Result<Self, String>> {
                match kind {
                    $($kind => Some($crate::codec::msgpack::read_body(body).map(Self::$variant)),)+
                    _ => None,
                }
            }

            fn read_json(kind: &str, body: &str) -> Option<Result<Self, String>> {
                match kind {
                    $($kind => Some($crate::codec::json::read_body(body).map(Self::$variant)),)+
                    _ => None,
                }
            }
        }
    };
}
pub(crate) use frames;
