//! A line of the log for whatever was refused because of who asked, how much, or how: a proof that is none,
//! what is not permitted, a limit, what is not sound. Whether or not each request has a line.
//!
//! Strangers make refusals as fast as they like: of each kind, no second has more than
//! `LINES_PER_SECOND` lines. What is left out is told by the next line of its kind, and all of it is counted
//! (`barterline_refusals_total`). A line holds ids, names of ours, and as much of an address as the log may
//! have; nothing that anybody writes freely, and no secret.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use barterline_domain::ids::{ApiKeyId, UserId};
use barterline_protocol::close_code::CloseCode;
use barterline_protocol::error_code::ErrorCode;
use parking_lot::Mutex;
use prometheus_client::registry::Registry;
use tracing::field::display;

use super::addresses::Addresses;
use super::metrics::RefusalMetrics;

/// So that an operator can ask for these lines alone, or not at all.
const TARGET: &str = "barterline::refused";
/// Of each kind. An attack shows in ten as in a thousand, and 50 lines a second of some 300 bytes are
/// 1.3 GB a day, which a collector can take.
const LINES_PER_SECOND: u32 = 10;
/// How long a second is.
const SECOND: Duration = Duration::from_secs(1);

/// Why something was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A token, a key or a code is none, or is worth nothing any more.
    Proof,
    /// What was shown does not do any more, or not alone: clients know what to do, and do it all the time.
    Asked,
    /// Whoever asked may not do that, or it is nobody's business but others'.
    Permission,
    /// Too much, or too often.
    Limit,
    /// Nothing that a sound client sends.
    Input,
}

impl Kind {
    /// Every kind, in the order of the enum.
    pub const ALL: [Self; 5] =
        [Self::Proof, Self::Asked, Self::Permission, Self::Limit, Self::Input];

    /// The name in the metric.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Proof => "proof",
            Self::Asked => "asked",
            Self::Permission => "permission",
            Self::Limit => "limit",
            Self::Input => "input",
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Proof => "a proof was refused",
            Self::Asked => "another proof was asked for",
            Self::Permission => "not permitted",
            Self::Limit => "over a limit",
            Self::Input => "unsound input",
        }
    }

    /// What a code says of who asked. `None`: nothing, as with what is gone or failed on our side.
    pub const fn of(code: ErrorCode) -> Option<Self> {
        match code {
            ErrorCode::TokenInvalid => Some(Self::Proof),
            ErrorCode::TokenExpired => Some(Self::Asked),
            // A chat of others is answered like one that is not there.
            ErrorCode::ChatNotFound
            | ErrorCode::MediaNotFound
            | ErrorCode::TargetNotYours
            | ErrorCode::TargetTooOld
            | ErrorCode::OwnListing
            | ErrorCode::OutOfScope => Some(Self::Permission),
            ErrorCode::RateLimited | ErrorCode::InboxFull | ErrorCode::HiddenFull => {
                Some(Self::Limit)
            }
            ErrorCode::UnknownKind
            | ErrorCode::InvalidRequest
            | ErrorCode::TextEmpty
            | ErrorCode::TextTooLong
            | ErrorCode::TextControl
            | ErrorCode::KindUnsupported
            | ErrorCode::ReactionUnsupported
            | ErrorCode::DataTooLong
            | ErrorCode::SeqAhead => Some(Self::Input),
            ErrorCode::ListingNotFound
            | ErrorCode::ListingClosed
            | ErrorCode::TargetNotFound
            | ErrorCode::TargetGone
            | ErrorCode::MediaNotReady
            | ErrorCode::MediaUsed
            | ErrorCode::UserNotFound
            | ErrorCode::BaseOld
            | ErrorCode::IdConflict
            | ErrorCode::AfterRefused
            | ErrorCode::Busy
            | ErrorCode::Unavailable
            | ErrorCode::Damaged => None,
        }
    }

    /// What the refusal of a `hello` says of who sent it.
    pub const fn of_hello(code: CloseCode) -> Option<Self> {
        match code {
            CloseCode::TokenInvalid | CloseCode::SessionRevoked => Some(Self::Proof),
            CloseCode::TokenExpired => Some(Self::Asked),
            CloseCode::Suspended | CloseCode::OutOfScope | CloseCode::FactorRequired => {
                Some(Self::Permission)
            }
            code => Self::of_close(code),
        }
    }

    /// What the end of a connection says of who is on it. Nothing where a log-in ended elsewhere.
    pub const fn of_close(code: CloseCode) -> Option<Self> {
        match code {
            CloseCode::TooManyConnections | CloseCode::TooManyRequests => Some(Self::Limit),
            CloseCode::Malformed
            | CloseCode::HelloExpected
            | CloseCode::HelloTimeout
            | CloseCode::HelloTwice
            | CloseCode::FrameTooLarge
            | CloseCode::WrongFrameType
            | CloseCode::VersionUnsupported
            | CloseCode::WebSocketViolation => Some(Self::Input),
            CloseCode::GoingAway
            | CloseCode::Silent
            | CloseCode::Overloaded
            | CloseCode::Internal
            | CloseCode::TokenExpired
            | CloseCode::TokenInvalid
            | CloseCode::SessionRevoked
            | CloseCode::Suspended
            | CloseCode::Replaced
            | CloseCode::FactorRequired
            | CloseCode::OutOfScope => None,
        }
    }
}

/// What somebody showed to be let in, whatever it is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Means {
    /// An access token.
    Token,
    /// An API key, by the id that it says.
    Key(ApiKeyId),
}

/// What was refused to whom.
#[derive(Debug, Clone, Copy)]
pub struct Refusal<'a> {
    /// The stable name of the reason.
    pub code: &'static str,
    /// Of what there was too much.
    pub scope: Option<&'a str>,
    /// Whose request it was, as far as that is proven.
    pub user: Option<UserId>,
    /// What was shown.
    pub means: Option<Means>,
    /// Where it came from.
    pub client: IpAddr,
    /// At which door, as it is declared.
    pub route: &'a str,
    /// The request, over HTTP: its name and method.
    pub request: Option<(&'a str, &'a str)>,
}

/// Writes the lines.
#[derive(Debug, Clone)]
pub struct Refusals(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    addresses: Addresses,
    metrics: RefusalMetrics,
    seconds: [Mutex<Second>; Kind::ALL.len()],
}

impl Refusals {
    /// Lines with so much of clients' addresses.
    pub fn new(addresses: Addresses, metrics: RefusalMetrics) -> Self {
        let seconds = Kind::ALL.map(|_| Mutex::new(Second::default()));
        Self(Arc::new(Inner { addresses, metrics, seconds }))
    }

    /// Adds the numbers of refusals.
    pub fn register(&self, registry: &mut Registry) {
        self.0.metrics.register(registry);
    }

    /// Counts a refusal, and writes a line if this second has room for it.
    pub fn note(&self, kind: Kind, refusal: &Refusal<'_>) {
        self.0.metrics.refused(kind.name());
        let Some(left_out) = self.0.seconds[kind as usize].lock().take(Instant::now()) else {
            return;
        };
        let left_out = (left_out > 0).then_some(left_out);
        let Refusal { code, scope, user, means, client, route, request } = *refusal;
        let client = self.0.addresses.shown(client).map(display);
        let user = user.map(display);
        let by = means.map(|means| if means == Means::Token { "token" } else { "key" });
        let key = means.and_then(|means| match means {
            Means::Token => None,
            Means::Key(key) => Some(display(key)),
        });
        let (id, method) = (request.map(|(id, _)| id), request.map(|(_, method)| method));
        macro_rules! line {
            ($level:ident) => {
                tracing::$level!(
                    target: TARGET,
                    code, scope, user, by, key, client, route, method, id, left_out,
                    "{}", kind.words()
                )
            };
        }
        match kind {
            Kind::Proof | Kind::Permission | Kind::Limit => line!(warn),
            Kind::Asked | Kind::Input => line!(info),
        }
    }
}

/// Lines of one kind in one second, and those that were left out since the last.
#[derive(Debug, Default)]
struct Second {
    began: Option<Instant>,
    lines: u32,
    left_out: u64,
}

impl Second {
    /// Takes a line: gives how many were left out before it. `None`: it is left out as well.
    fn take(&mut self, now: Instant) -> Option<u64> {
        if self.began.is_none_or(|began| now.saturating_duration_since(began) >= SECOND) {
            (self.began, self.lines) = (Some(now), 0);
        }
        if self.lines == LINES_PER_SECOND {
            self.left_out = self.left_out.saturating_add(1);
            return None;
        }
        self.lines += 1;
        Some(std::mem::take(&mut self.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_refusals_has_few_lines_and_all_are_told() {
        let (mut second, began) = (Second::default(), Instant::now());
        let at = |ms: u64| began + Duration::from_millis(ms);
        let written = (0..1_000).filter_map(|ms| second.take(at(ms))).collect::<Vec<_>>();
        assert_eq!(written, vec![0; 10], "the first ones, and nothing was left out before them");
        assert_eq!(second.take(at(1_000)), Some(990));
        assert_eq!(second.take(at(1_001)), Some(0));
        // A clock that stands, or one that others read earlier, is no way around it.
        let written = (0..100).filter_map(|_| second.take(at(900))).count();
        assert_eq!(written, 8);
        assert_eq!(second.take(at(60_000)), Some(92));
    }

    #[test]
    fn kinds_are_counted_where_they_stand() {
        for (at, kind) in Kind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, at);
        }
    }

    #[test]
    fn a_log_in_that_ended_elsewhere_is_no_refusal() {
        for code in [CloseCode::SessionRevoked, CloseCode::TokenExpired, CloseCode::Suspended] {
            assert!(Kind::of_hello(code).is_some() && Kind::of_close(code).is_none(), "{code:?}");
        }
    }
}
