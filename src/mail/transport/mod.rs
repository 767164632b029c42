//! How mail leaves.

mod folder;
mod relay;

use std::io;

use super::stationery::Written;
pub use folder::Folder;
pub use relay::{Relay, RelayError, RelaySettings, Security};

/// A way out.
pub enum Transport {
    /// Into a directory, for development and tests.
    File(Folder),
    /// By SMTP.
    Smtp(Relay),
}

/// Why a mail did not leave. Never what the other side said of it, which may name a person.
#[derive(Debug, thiserror::Error)]
pub(super) enum SendError {
    /// The relay refuses it.
    #[error("the relay answered {0}")]
    Answered(u16),
    /// The relay lacks what the mail or the log-in needs.
    #[error("the relay lacks what the mail or the log-in needs")]
    Lacking,
    /// The relay cannot be spoken with.
    #[error("no conversation with the relay: {0}")]
    Silent(&'static str),
    /// It took too long.
    #[error("it took too long")]
    Late,
    /// The file system says no.
    #[error("the mail cannot be written")]
    File(#[from] io::Error),
}

impl SendError {
    /// Whether another try leads nowhere (RFC 5321, section 4.2.1).
    pub fn is_final(&self) -> bool {
        match self {
            Self::Answered(status) => *status >= 500,
            Self::Lacking => true,
            Self::Silent(_) | Self::Late | Self::File(_) => false,
        }
    }
}

impl Transport {
    /// Sends a mail, once.
    pub(super) async fn send(&self, mail: &Written) -> Result<(), SendError> {
        match self {
            Self::File(folder) => folder.put(mail).await,
            Self::Smtp(relay) => relay.send(mail).await,
        }
    }
}
