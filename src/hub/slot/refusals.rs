//! What is refused on a connection, told in the log.

use barterline_domain::bearer::Proof;
use barterline_protocol::Outgoing;
use barterline_protocol::error_code::ErrorCode;
use barterline_protocol::response::ErrorBody;

use super::Slot;
use crate::telemetry::refusals::{Kind, Means, Refusal};

impl Slot {
    /// Has a refusal told in the log that says something of who is on this connection. Here, because all
    /// that is said on it comes by here: services, rooms and the edge refuse.
    pub(super) fn note_error(&self, message: &Outgoing) {
        let Outgoing::Error(ErrorBody { code, scope, .. }) = message else { return };
        let mut codes = ErrorCode::ALL.iter().copied();
        let Some(code) = codes.find(|known| known.name() == code) else { return };
        if let Some(kind) = Kind::of(code) {
            self.note_refusal(kind, code.name(), scope.as_deref());
        }
    }

    /// Has a refusal told in the log.
    pub fn note_refusal(&self, kind: Kind, code: &'static str, scope: Option<&str>) {
        let means = match self.proof {
            Proof::Session(_) => Some(Means::Token),
            Proof::ApiKey(key, _) => Some(Means::Key(key)),
            Proof::Server => None,
        };
        let (user, client, route) = (Some(self.user), self.client, "/v1/socket");
        let refusal = Refusal { code, scope, user, means, client, route, request: None };
        self.refusals.note(kind, &refusal);
    }
}
