//! What is sent a second time, and how often.

use prometheus_client::metrics::counter::Counter;
use scylla::errors::{DbError, RequestAttemptError};
use scylla::policies::retry::{RequestInfo, RetryDecision, RetryPolicy, RetrySession};

/// Attempts after the first. Each goes to another node, and the request's timeout bounds them all.
const AGAIN_MAX: u32 = 2;

/// Sends again what may be sent twice, at most [`AGAIN_MAX`] times. The driver's own policies do not
/// repeat a write that timed out, though the next node may well take it.
#[derive(Debug)]
pub struct Bounded {
    /// Counts what is sent again.
    pub retries: Counter,
}

struct Left {
    attempts: u32,
    retries: Counter,
}

impl RetryPolicy for Bounded {
    fn new_session(&self) -> Box<dyn RetrySession> {
        Box::new(Left { attempts: AGAIN_MAX, retries: self.retries.clone() })
    }
}

impl RetrySession for Left {
    fn decide_should_retry(&mut self, request: RequestInfo<'_>) -> RetryDecision {
        if !request.is_idempotent
            || self.attempts == 0
            || !another_node_may_do_better(request.error)
        {
            return RetryDecision::DontRetry;
        }
        self.attempts -= 1;
        self.retries.inc();
        RetryDecision::RetryNextTarget(None)
    }

    fn reset(&mut self) {
        self.attempts = AGAIN_MAX;
    }
}

fn another_node_may_do_better(error: &RequestAttemptError) -> bool {
    match error {
        RequestAttemptError::BrokenConnectionError(_)
        | RequestAttemptError::UnableToAllocStreamId => true,
        RequestAttemptError::DbError(error, _) => matches!(
            error,
            DbError::Unavailable { .. }
                | DbError::Overloaded
                | DbError::IsBootstrapping
                | DbError::TruncateError
                | DbError::ServerError
                | DbError::ReadTimeout { .. }
                | DbError::ReadFailure { .. }
                | DbError::WriteTimeout { .. }
                | DbError::WriteFailure { .. }
        ),
        // Wrong everywhere.
        _ => false,
    }
}
