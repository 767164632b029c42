//! Mails by SMTP, to a relay that takes them further: each over a connection of its own, as they are
//! few.

use std::time::Duration;

use lettre::transport::smtp::Error;
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor};

use super::SendError;
use crate::mail::stationery::Written;

/// For each step of the conversation; the try as a whole has an end of its own.
const STEP_TIMEOUT: Duration = Duration::from_secs(10);

/// How what is said to a relay is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// TLS from the first byte.
    Tls,
    /// TLS before anything that counts; a relay without it gets nothing.
    StartTls,
    /// Not at all: for a relay on this machine.
    None,
}

/// Where a relay is, and who we are to it.
pub struct RelaySettings {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How what is said is protected.
    pub security: Security,
    /// Name and password, if it asks for them.
    pub log_in: Option<(String, String)>,
}

/// TLS cannot be spoken with a relay of this name, or the system has no authorities.
#[derive(Debug, thiserror::Error)]
#[error("no TLS with the relay")]
pub struct RelayError(#[source] Error);

/// A relay.
pub struct Relay(AsyncSmtpTransport<Tokio1Executor>);

impl Relay {
    /// A relay by its settings. Nothing is said to it yet.
    pub fn new(settings: RelaySettings) -> Result<Self, RelayError> {
        let RelaySettings { host, port, security, log_in } = settings;
        let builder = match security {
            Security::Tls => AsyncSmtpTransport::<Tokio1Executor>::relay(&host),
            Security::StartTls => AsyncSmtpTransport::<Tokio1Executor>::starttls_relay(&host),
            Security::None => Ok(AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&host)),
        };
        let mut builder = builder.map_err(RelayError)?.port(port).timeout(Some(STEP_TIMEOUT));
        if let Some((user, password)) = log_in {
            builder = builder.credentials((user, password).into());
        }
        Ok(Self(builder.build()))
    }

    pub(super) async fn send(&self, mail: &Written) -> Result<(), SendError> {
        let sent = self.0.send_raw(&mail.envelope, &mail.bytes).await;
        sent.map(drop).map_err(|error| reason(&error))
    }
}

/// What failed, without what was said.
fn reason(error: &Error) -> SendError {
    if let Some(status) = error.status() {
        return SendError::Answered(status.into());
    }
    if error.is_client() {
        return SendError::Lacking;
    }
    SendError::Silent(match error {
        error if error.is_tls() => "TLS",
        error if error.is_timeout() => "time",
        error if error.is_response() => "it speaks no SMTP",
        _ => "connection",
    })
}
