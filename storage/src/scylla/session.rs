//! The way to the database: contact points, log-in, timeouts and policies of the driver.
//!
//! The driver's defaults wait too long for people who talk (30 s for an answer, 30 s and 30 s to
//! notice a dead node): measured with one of three nodes stopped, they stalled every writer for 8 to
//! 10 s; with those below nobody got an error, and one in a hundred waited 0.1 to 0.2 s.

use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use scylla::client::execution_profile::ExecutionProfile;
use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;
use scylla::policies::load_balancing::DefaultPolicy;
use scylla::policies::speculative_execution::SimpleSpeculativeExecutionPolicy;
use scylla::policies::timestamp_generator::{MonotonicTimestampGenerator, TimestampGenerator as _};
use scylla::statement::SerialConsistency;

use super::error::ConnectError;
use super::metrics::Metrics;
use super::retry::Bounded;
use super::schema::Keyspaces;
use crate::gate::Gate;
use crate::record::sealing::Sealing;

/// For an answer, all attempts together.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(2);
/// For a change of the schema, which every node has to take up.
const SCHEMA_TIMEOUT: Duration = Duration::from_mins(1);
/// For the first connections to stand, and everything to be known about the nodes.
const START_TIMEOUT: Duration = Duration::from_secs(20);
/// For a connection to stand.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Between two signs of life of a connection, and again for the answer: a node that is gone without
/// a word is noticed within twice this. (How fast the driver connects anew is not ours to say: after
/// 50 ms, then twice as long each time, up to 10 s.)
const KEEPALIVE: Duration = Duration::from_secs(1);
/// For a node to answer until another is asked as well, where asking twice is asking once.
const SPECULATE_AFTER: Duration = Duration::from_millis(100);
/// Others that are asked so.
const SPECULATIONS: usize = 2;

/// How many copies have to answer, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consistency {
    /// Most copies of all datacenters: conditional writes from anywhere exclude each other.
    Quorum,
    /// Most copies of the own datacenter: sound only where every server writes to the same one.
    LocalQuorum,
}

/// Where the database is, and how it is spoken to.
#[derive(Clone)]
pub struct Options {
    /// HOST:PORT of some nodes; the others are learnt from them.
    pub contact_points: Vec<String>,
    /// Who logs in, if the database asks.
    pub login: Option<Login>,
    /// How the nodes are known under TLS; `None`: nothing is encrypted.
    pub tls: Option<Arc<ClientConfig>>,
    /// The datacenter whose nodes are asked.
    pub datacenter: String,
    /// How many copies have to answer.
    pub consistency: Consistency,
    /// What the names of all keyspaces begin with.
    pub keyspace_prefix: String,
    /// What counts the requests.
    pub metrics: Metrics,
    /// Lets writes through.
    pub gate: Gate,
    /// How the words of events are kept.
    pub sealing: Sealing,
}

/// A role of the database with its password.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// The role.
    pub user: String,
    /// Its password.
    pub password: String,
}

/// The database. Cheap to clone.
#[derive(Clone)]
pub struct Database(Arc<Inner>);

struct Inner {
    session: Session,
    keyspaces: Keyspaces,
    datacenter: String,
    profiles: Profiles,
    metrics: Metrics,
    gate: Gate,
    sealing: Sealing,
    stamps: MonotonicTimestampGenerator,
}

/// How statements are treated, by what sending them twice would do.
pub(super) struct Profiles {
    /// Twice is once: sent again, and to several nodes.
    pub repeatable: ExecutionProfile,
    /// Sent once.
    pub once: ExecutionProfile,
    /// Changes of the schema.
    pub schema: ExecutionProfile,
    /// The consistency of reads that settle what a conditional write left open.
    pub serial: scylla::statement::Consistency,
}

impl Database {
    /// Connects. Asks the nodes for each other, and needs the datacenter to be among theirs.
    pub async fn connect(options: &Options) -> Result<Self, ConnectError> {
        let keyspaces = Keyspaces::new(&options.keyspace_prefix);
        let profiles = Profiles::new(options);
        let mut builder = SessionBuilder::new()
            .known_nodes(&options.contact_points)
            .connection_timeout(CONNECT_TIMEOUT)
            .hostname_resolution_timeout(Some(CONNECT_TIMEOUT))
            .keepalive_interval(KEEPALIVE)
            .keepalive_timeout(KEEPALIVE)
            .schema_agreement_timeout(SCHEMA_TIMEOUT)
            .keyspaces_to_fetch(keyspaces.names())
            .tls_context(options.tls.clone())
            .default_execution_profile_handle(profiles.once.clone().into_handle());
        if let Some(Login { user, password }) = &options.login {
            builder = builder.user(user, password);
        }
        // The driver waits for ever for one who takes the connection and says nothing.
        let built = tokio::time::timeout(START_TIMEOUT, builder.build()).await;
        let silent = |_| ConnectError::Unreachable {
            contact_points: options.contact_points.join(" "),
            reason: format!("no answer within {} s", START_TIMEOUT.as_secs()),
        };
        let session = built.map_err(silent)?.map_err(|error| ConnectError::of(&error, options))?;
        let database = Self(Arc::new(Inner {
            session,
            keyspaces,
            datacenter: options.datacenter.clone(),
            profiles,
            metrics: options.metrics.clone(),
            gate: options.gate.clone(),
            sealing: options.sealing.clone(),
            stamps: MonotonicTimestampGenerator::new(),
        }));
        let datacenters = database.datacenters();
        if !datacenters.iter().any(|(name, _)| *name == options.datacenter) {
            let known = datacenters.into_iter().map(|(name, _)| name).collect::<Vec<_>>();
            let wanted = options.datacenter.clone();
            return Err(ConnectError::NoSuchDatacenter { wanted, known: known.join(", ") });
        }
        Ok(database)
    }

    /// How the words of events are kept.
    pub fn sealing(&self) -> &Sealing {
        &self.0.sealing
    }

    /// The names of the keyspaces.
    pub fn keyspaces(&self) -> &Keyspaces {
        &self.0.keyspaces
    }

    /// The datacenters by name, each with the number of its nodes.
    pub fn datacenters(&self) -> Vec<(String, usize)> {
        let mut datacenters = std::collections::BTreeMap::new();
        for node in self.0.session.get_cluster_state().get_nodes_info() {
            *datacenters.entry(node.datacenter.clone().unwrap_or_default()).or_default() += 1;
        }
        datacenters.into_iter().collect()
    }

    /// Why nothing can be asked at the moment: no node has a connection. Passes by itself.
    pub fn unreachable(&self) -> Option<String> {
        let (known, connected) = self.nodes();
        (connected == 0).then(|| format!("none of {known} database nodes is connected"))
    }

    /// Nodes that are known, and those of them with a connection.
    pub(super) fn nodes(&self) -> (usize, usize) {
        let cluster = self.0.session.get_cluster_state();
        let nodes = cluster.get_nodes_info();
        (nodes.len(), nodes.iter().filter(|node| node.is_connected()).count())
    }

    /// What was counted.
    pub fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    /// The datacenter whose nodes are asked.
    pub fn datacenter(&self) -> &str {
        &self.0.datacenter
    }

    /// The time for cells whose newest value wins, in microseconds: the wall clock's, but never the
    /// same twice and never back on this node. Bound as `USING TIMESTAMP ?`, one for all attempts of
    /// a statement; else an attempt that comes late would pass for a newer choice.
    pub fn stamp(&self) -> i64 {
        self.0.stamps.next_timestamp()
    }

    /// Lets writes through or, while the store is moved, none.
    pub(super) fn gate(&self) -> &Gate {
        &self.0.gate
    }

    /// The driver.
    pub(super) fn session(&self) -> &Session {
        &self.0.session
    }

    pub(super) fn profiles(&self) -> &Profiles {
        &self.0.profiles
    }
}

impl Profiles {
    fn new(options: &Options) -> Self {
        use scylla::statement::Consistency as Copies;
        let (copies, conditional, serial) = match options.consistency {
            Consistency::Quorum => (Copies::Quorum, SerialConsistency::Serial, Copies::Serial),
            Consistency::LocalQuorum => {
                (Copies::LocalQuorum, SerialConsistency::LocalSerial, Copies::LocalSerial)
            }
        };
        let once = ExecutionProfile::builder()
            .consistency(copies)
            .serial_consistency(Some(conditional))
            .request_timeout(Some(REQUEST_TIMEOUT))
            .load_balancing_policy(
                DefaultPolicy::builder()
                    .token_aware(true)
                    .prefer_datacenter(options.datacenter.clone())
                    .permit_dc_failover(options.consistency == Consistency::Quorum)
                    .build(),
            )
            .retry_policy(Arc::new(Bounded { retries: options.metrics.retries() }))
            .speculative_execution_policy(None)
            .build();
        let speculation = SimpleSpeculativeExecutionPolicy {
            max_retry_count: SPECULATIONS,
            retry_interval: SPECULATE_AFTER,
        };
        let repeatable =
            once.to_builder().speculative_execution_policy(Some(Arc::new(speculation))).build();
        let schema = once.to_builder().request_timeout(Some(SCHEMA_TIMEOUT)).build();
        Self { repeatable, once, schema, serial }
    }
}
