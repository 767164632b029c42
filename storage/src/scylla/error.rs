//! What the driver says, as what the caller can do about it.

use std::io;

use rustls::CertificateError;
use scylla::errors::{
    BrokenConnectionErrorKind, ConnectionError, ConnectionPoolError,
    ConnectionSetupRequestErrorKind, DbError, ExecutionError, FrameHeaderParseError, MetadataError,
    NewSessionError, RequestAttemptError,
};
use scylla::statement::Consistency;

use super::session::Options;
use crate::error::StoreError;

/// Why there is no way to the database.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// No contact point has an address.
    #[error("none of the contact points {contact_points} has an address")]
    NoAddress {
        /// Those that were tried.
        contact_points: String,
    },
    /// Nobody answers.
    #[error("no database answers at {contact_points}: {reason}")]
    Unreachable {
        /// Those that were tried.
        contact_points: String,
        /// What the last one said.
        reason: String,
    },
    /// The database asks who is there.
    #[error("the database wants a user and a password")]
    LoginMissing,
    /// The database does not know this user with this password.
    #[error("the database refuses the user {user} with this password")]
    LoginRefused {
        /// Who tried.
        user: String,
    },
    /// Who answers shows a certificate that nobody trusted has signed, or whose time is over.
    #[error("the database's certificate cannot be trusted ({reason})")]
    NotTrusted {
        /// What is wrong with it.
        reason: String,
    },
    /// Who answers shows a certificate for others.
    #[error("the database's certificate is for others ({reason})")]
    OtherName {
        /// Whom it should be for, and whom it is for.
        reason: String,
    },
    /// There is no agreement upon TLS, or the database does not take our certificate.
    #[error("the database refuses TLS as it is set ({reason})")]
    NoTls {
        /// What was said.
        reason: String,
    },
    /// The datacenter is not one of the cluster's.
    #[error("the cluster has no datacenter {wanted}; it has {known}")]
    NoSuchDatacenter {
        /// What was asked for.
        wanted: String,
        /// What there is.
        known: String,
    },
}

impl ConnectError {
    pub(super) fn of(error: &NewSessionError, options: &Options) -> Self {
        let contact_points = options.contact_points.join(" ");
        let last = match error {
            NewSessionError::FailedToResolveAnyHostname(_) => {
                return Self::NoAddress { contact_points };
            }
            NewSessionError::MetadataError(MetadataError::ConnectionPoolError(
                ConnectionPoolError::Broken { last_connection_error },
            )) => last_connection_error,
            other => return Self::Unreachable { contact_points, reason: one_line(other) },
        };
        if let Some(error) = under_tls(last) {
            return Self::of_tls(error);
        }
        if let ConnectionError::ConnectionSetupRequestError(refused) = last {
            match refused.get_error() {
                ConnectionSetupRequestErrorKind::MissingAuthentication => {
                    return Self::LoginMissing;
                }
                ConnectionSetupRequestErrorKind::DbError(DbError::AuthenticationError, _) => {
                    let user = options.login.as_ref().map(|login| login.user.clone());
                    return Self::LoginRefused { user: user.unwrap_or_default() };
                }
                _ => {}
            }
        }
        Self::Unreachable { contact_points, reason: one_line(last) }
    }

    fn of_tls(error: &rustls::Error) -> Self {
        let reason = one_line(error);
        match error {
            rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            ) => Self::OtherName { reason },
            rustls::Error::InvalidCertificate(_) => Self::NotTrusted { reason },
            _ => Self::NoTls { reason },
        }
    }
}

/// What TLS said, if a connection failed by it: at its beginning, or, as the database looks at our
/// certificate last, when the first answer was read.
fn under_tls(error: &ConnectionError) -> Option<&rustls::Error> {
    let error: &io::Error = match error {
        ConnectionError::IoError(error) => error,
        ConnectionError::ConnectionSetupRequestError(request) => match request.get_error() {
            ConnectionSetupRequestErrorKind::BrokenConnection(broken) => {
                match broken.downcast_ref()? {
                    BrokenConnectionErrorKind::FrameHeaderParseError(
                        FrameHeaderParseError::HeaderIoError(error),
                    ) => error,
                    _ => return None,
                }
            }
            _ => return None,
        },
        _ => return None,
    };
    error.get_ref()?.downcast_ref()
}

/// A read failed: nothing changed.
pub(super) fn unread(operation: &'static str, error: impl std::fmt::Display) -> StoreError {
    StoreError::unavailable(operation, one_line(error))
}

/// A write failed that may be sent twice. Earlier attempts may have reached somebody, whatever the
/// last one says.
pub(super) fn unwritten(operation: &'static str, error: &ExecutionError) -> StoreError {
    match error {
        ExecutionError::BadQuery(_) | ExecutionError::EmptyPlan => unread(operation, error),
        ExecutionError::LastAttemptError(attempt) if is_refusal(attempt) => {
            unread(operation, error)
        }
        _ => {
            tracing::debug!(operation, %error, "nobody knows whether this was written");
            StoreError::Unknown { operation }
        }
    }
}

/// Whether a statement that was sent once can have had no effect, by the error it came back with.
pub(super) fn never_happened(error: &ExecutionError) -> bool {
    match error {
        ExecutionError::BadQuery(_)
        | ExecutionError::EmptyPlan
        | ExecutionError::PrepareError(_)
        // Sent once: no attempt went out before this one found nobody.
        | ExecutionError::ConnectionPoolError(_) => true,
        ExecutionError::LastAttemptError(attempt) => is_refusal(attempt),
        _ => false,
    }
}

/// The node looked at the statement and turned it down, or it was never sent. Too few copies for the
/// rounds of a conditional write refuse it; too few for its commit come too late for that.
fn is_refusal(error: &RequestAttemptError) -> bool {
    match error {
        RequestAttemptError::SerializationError(_)
        | RequestAttemptError::CqlRequestSerialization(_)
        | RequestAttemptError::UnableToAllocStreamId => true,
        RequestAttemptError::DbError(error, _) => matches!(
            error,
            DbError::Unavailable {
                consistency: Consistency::Serial | Consistency::LocalSerial,
                ..
            } | DbError::SyntaxError
                | DbError::Invalid
                | DbError::Unauthorized
                | DbError::AuthenticationError
                | DbError::ConfigError
                | DbError::ProtocolError
                | DbError::Unprepared { .. }
                | DbError::IsBootstrapping
        ),
        _ => false,
    }
}

/// The text of an error without its line breaks: what operators read is one line.
pub(super) fn one_line(error: impl std::fmt::Display) -> String {
    error.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
}
