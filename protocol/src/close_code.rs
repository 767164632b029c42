//! Why the server closes a connection. The range of the code is the verdict, so that a client
//! that knows only the ranges does the right thing.

/// What a client does after a close.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// 4000–4099: connect again now, or after the wait in `bye` if it has one.
    RetryNow,
    /// 4100–4199: connect again after the wait in `bye`, with jitter.
    RetryAfter,
    /// 4200–4299: get a new access token first.
    RefreshFirst,
    /// 4300–4399: do not connect again on your own.
    Final,
    /// 4400–4499: a bug in the client. Connecting again would meet it again.
    ClientBug,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $code:literal, $name:literal;)+) => {
        /// A close code.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum CloseCode {
            $($(#[$doc])* $variant,)+
        }

        impl CloseCode {
            /// Every code, in ascending order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The number in the close frame (RFC 6455, section 7.4.2: 4000–4999 are private).
            pub const fn code(self) -> u16 {
                match self { $(Self::$variant => $code,)+ }
            }

            /// The name in `bye.reason` and the close frame's reason. Never changes.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }
        }
    };
}

codes! {
    /// The server is going away; another takes over.
    GoingAway = 4000, "going_away";
    /// Nothing was heard from the client for three heartbeats.
    Silent = 4001, "silent";
    /// The server has too much to do.
    Overloaded = 4100, "overloaded";
    /// A fault in the server.
    Internal = 4101, "internal";
    /// The account has as many connections as it may have.
    TooManyConnections = 4102, "too_many_connections";
    /// Again and again over a limit.
    TooManyRequests = 4103, "too_many_requests";
    /// The token expired and no new one came in-band.
    TokenExpired = 4200, "token_expired";
    /// The token is not one of this server.
    TokenInvalid = 4201, "token_invalid";
    /// The session was logged out or revoked.
    SessionRevoked = 4300, "session_revoked";
    /// Staff suspended the account.
    Suspended = 4301, "suspended";
    /// The same device connected anew.
    Replaced = 4302, "replaced";
    /// The API key may not read chats.
    OutOfScope = 4303, "out_of_scope";
    /// The account has to have a second factor, and has none.
    FactorRequired = 4304, "second_factor_required";
    /// The frame is not well-formed, or nested too deeply.
    Malformed = 4400, "malformed";
    /// The first frame was not `hello`.
    HelloExpected = 4401, "hello_expected";
    /// No `hello` came in time.
    HelloTimeout = 4402, "hello_timeout";
    /// A second `hello`.
    HelloTwice = 4403, "hello_twice";
    /// A frame larger than the limit.
    FrameTooLarge = 4404, "frame_too_large";
    /// Text on the binary subprotocol, or binary on the JSON one.
    WrongFrameType = 4405, "wrong_frame_type";
    /// None of the client's versions is spoken here.
    VersionUnsupported = 4406, "version_unsupported";
    /// The bytes break RFC 6455.
    WebSocketViolation = 4407, "websocket_violation";
}

impl CloseCode {
    /// The verdict that the code's range carries.
    pub const fn verdict(self) -> Verdict {
        match self.code() / 100 {
            40 => Verdict::RetryNow,
            41 => Verdict::RetryAfter,
            42 => Verdict::RefreshFirst,
            43 => Verdict::Final,
            _ => Verdict::ClientBug,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_ascending_and_in_a_verdict_range() {
        assert!(CloseCode::ALL.windows(2).all(|pair| pair[0].code() < pair[1].code()));
        assert!(CloseCode::ALL.iter().all(|code| (4000..4500).contains(&code.code())));
        assert_eq!(CloseCode::TokenExpired.verdict(), Verdict::RefreshFirst);
    }
}
