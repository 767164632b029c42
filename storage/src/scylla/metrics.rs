//! What requests to the database come to, counted by the kind of their statements.
//!
//! Our own, as the driver's counts know no kinds, its times nothing under a millisecond, and neither
//! knows a conflict from a success.

use tokio::time::Instant;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric as _};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use scylla::errors::{DbError, ExecutionError, RequestAttemptError};

use super::databases::Databases;

/// What may be done with a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Reads what most copies have.
    Read,
    /// Reads what is settled.
    SerialRead,
    /// Writes, and may be made twice.
    Write,
    /// Writes on a condition.
    Conditional,
    /// Adds to a counter.
    Addition,
}

/// The counts. All clones are one.
#[derive(Debug, Clone)]
pub struct Metrics {
    seconds: Family<OfKind, Histogram, fn() -> Histogram>,
    errors: Family<OfError, Counter>,
    unknown: Family<OfKind, Counter>,
    conflicts: Counter,
    retries: Counter,
    apart_ms: Gauge,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfKind {
    kind: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfError {
    kind: &'static str,
    error: &'static str,
}

/// How many nodes there are, looked at when somebody asks.
struct Nodes(Databases);

impl Kind {
    const fn label(self) -> OfKind {
        OfKind { kind: self.name() }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::SerialRead => "serial_read",
            Self::Write => "write",
            Self::Conditional => "conditional",
            Self::Addition => "addition",
        }
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            seconds: Family::new_with_constructor(times),
            errors: Family::default(),
            unknown: Family::default(),
            conflicts: Counter::default(),
            retries: Counter::default(),
            apart_ms: Gauge::default(),
        }
    }
}

/// From half a millisecond, which a node beside this one needs, to four seconds: twice what a
/// request is waited for.
fn times() -> Histogram {
    Histogram::new(exponential_buckets(0.000_5, 2.0, 14))
}

impl Metrics {
    /// Adds them to a registry, with the nodes there are.
    pub fn register(&self, databases: Databases, registry: &mut Registry) {
        let of = registry.sub_registry_with_prefix("database");
        let help = "Seconds until a request was answered, all attempts together";
        of.register("request_seconds", help, self.seconds.clone());
        of.register("errors", "Requests that failed", self.errors.clone());
        of.register("unknown", "Writes of unknown outcome", self.unknown.clone());
        let help = "Conditional writes whose condition did not hold";
        of.register("conflicts", help, self.conflicts.clone());
        of.register("retries", "Attempts after the first", self.retries.clone());
        let help =
            "Milliseconds between the clocks of this server and of the node furthest from it";
        of.register("clock_skew_ms", help, self.apart_ms.clone());
        of.register_collector(Box::new(Nodes(databases)));
    }

    /// What counts attempts after the first.
    pub(super) fn retries(&self) -> Counter {
        self.retries.clone()
    }

    /// A request came to an end.
    pub(super) fn ended<T>(&self, kind: Kind, began: Instant, result: &Result<T, ExecutionError>) {
        self.seconds.get_or_create(&kind.label()).observe(began.elapsed().as_secs_f64());
        if let Err(error) = result {
            let label = OfError { kind: kind.name(), error: word(error) };
            self.errors.get_or_create(&label).inc();
        }
    }

    /// Nobody knows what came of a write.
    pub(super) fn lost_sight(&self, kind: Kind) {
        self.unknown.get_or_create(&kind.label()).inc();
    }

    /// The clocks of this server and a node are so many milliseconds apart.
    pub(super) fn apart(&self, apart_ms: u64) {
        self.apart_ms.set(i64::try_from(apart_ms).unwrap_or(i64::MAX));
    }

    /// A condition did not hold.
    pub(super) fn conflicted(&self) {
        self.conflicts.inc();
    }
}

/// An error by what an operator would look at.
fn word(error: &ExecutionError) -> &'static str {
    match error {
        ExecutionError::RequestTimeout(_) => "timeout",
        ExecutionError::EmptyPlan | ExecutionError::ConnectionPoolError(_) => "no_connection",
        ExecutionError::LastAttemptError(attempt) => match attempt {
            RequestAttemptError::BrokenConnectionError(_) => "no_connection",
            RequestAttemptError::DbError(error, _) => match error {
                DbError::ReadTimeout { .. } | DbError::WriteTimeout { .. } => "timeout",
                DbError::Unavailable { .. } => "too_few_copies",
                DbError::Overloaded | DbError::RateLimitReached { .. } => "overloaded",
                DbError::Unauthorized => "not_allowed",
                _ => "other",
            },
            _ => "other",
        },
        _ => "other",
    }
}

impl Collector for Nodes {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let (known, connected) = self.0.nodes();
        for (name, help, value) in [
            ("nodes", "Nodes of the database that are known", known),
            (
                "nodes_connected",
                "Nodes of the database that every session has a connection to",
                connected,
            ),
        ] {
            let gauge = ConstGauge::new(u64::try_from(value).unwrap_or(u64::MAX));
            gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)?;
        }
        Ok(())
    }
}

impl std::fmt::Debug for Nodes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Nodes")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn errors_are_told_apart() {
        let by_database = |error| {
            ExecutionError::LastAttemptError(RequestAttemptError::DbError(error, String::new()))
        };
        for (error, name) in [
            (ExecutionError::RequestTimeout(Duration::from_secs(2)), "timeout"),
            (ExecutionError::EmptyPlan, "no_connection"),
            (by_database(DbError::Overloaded), "overloaded"),
            (by_database(DbError::Unauthorized), "not_allowed"),
            (by_database(DbError::SyntaxError), "other"),
        ] {
            assert_eq!(word(&error), name, "{error}");
        }
    }
}
