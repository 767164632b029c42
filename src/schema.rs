//! `barterline schema`: the tables of the cluster, looked at or made. Says what to do when it cannot.

mod tls;

use barterline_domain::clock::Clock;
use barterline_storage::gate::Gate;
use barterline_storage::record::sealing::Sealing;
use barterline_storage::scylla::clocks;
use barterline_storage::scylla::databases::Databases;
use barterline_storage::scylla::error::ConnectError;
use barterline_storage::scylla::metrics::Metrics;
use barterline_storage::scylla::schema::{self, Area, KNOWN, Keyspaces, Replication, SchemaError};
use barterline_storage::scylla::session::{Consistency, Database, Login, Options};

use crate::config::{Role, Scylla, ScyllaRoles, Settings};

/// What to do about the tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// Say what is missing.
    Plan,
    /// Make it.
    Apply,
    /// Fail if anything is.
    Check,
}

/// Does it; gives what to print.
pub fn run(settings: &Scylla, task: Task) -> anyhow::Result<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(on_cluster(settings, task))
}

/// The cluster, when its tables are those that this program knows, and its clocks not too far off.
pub async fn databases(
    settings: &Settings,
    sealing: Sealing,
    clock: &dyn Clock,
) -> anyhow::Result<Databases> {
    let login = |(area, Role { user, password, .. }): (Area, Role<'_>)| {
        (area, Login { user: user.to_owned(), password: password.expose().to_owned() })
    };
    let own: Vec<_> = own_roles(&settings.scylla_roles).into_iter().map(login).collect();
    let connected =
        Databases::connect(&Options { sealing, ..options(&settings.scylla)? }, &own).await;
    let databases = connected.map_err(|error| unreached(&error))?;
    let copies = Replication(settings.scylla.copies());
    schema::check(databases.common(), &copies).await.map_err(advised)?;
    let readings = clocks::read(databases.common(), clock).await;
    if let Some(ahead_ms) = clocks::too_far(&readings) {
        let (apart_s, side) =
            (ahead_ms.unsigned_abs() / 1000, if ahead_ms < 0 { "ahead of" } else { "behind" });
        anyhow::bail!(
            "the clock of this machine is {apart_s} s {side} the database's: have both follow NTP"
        );
    }
    Ok(databases)
}

/// The keyspaces that have a role of their own.
fn own_roles(settings: &ScyllaRoles) -> Vec<(Area, Role<'_>)> {
    let roles = settings.all().into_iter().filter(|role| !role.user.is_empty());
    roles.filter_map(|role| Some((Area::named(role.keyspace)?, role))).collect()
}

/// What the roles of the settings have to be granted: for an operator to say to the database, as one
/// who may grant. No password stands in it.
pub fn grants(settings: &Settings) -> anyhow::Result<String> {
    let Settings { scylla, scylla_roles, .. } = settings;
    anyhow::ensure!(
        !scylla.user.is_empty(),
        "there is no role to grant anything: set `scylla.user`"
    );
    let own: Vec<_> =
        own_roles(scylla_roles).into_iter().map(|(area, role)| (area, role.user)).collect();
    let keyspaces = Keyspaces::new(&scylla.keyspace_prefix);
    let statements = schema::grants(&keyspaces, &scylla.user, &own).join(";\n");
    Ok(format!(
        "-- Behind `barterline schema apply`. Then, for each role:\n\
         -- ALTER ROLE \"…\" WITH PASSWORD = '…'\n{statements};"
    ))
}

async fn on_cluster(settings: &Scylla, task: Task) -> anyhow::Result<String> {
    let connected = Database::connect(&options(settings)?).await;
    let database = connected.map_err(|error| unreached(&error))?;
    let replication = Replication(settings.copies());
    let done = match task {
        Task::Plan => schema::plan(&database, &replication).await.map(|plan| {
            if plan.statements.is_empty() {
                return format!("-- nothing to do: the schema stands at step {}", plan.version);
            }
            let made = format!("-- from step {} to step {KNOWN}\n", plan.version);
            made + &plan.statements.join(";\n\n") + ";"
        }),
        Task::Apply => schema::apply(&database, &replication)
            .await
            .map(|found| format!("the schema stands at step {KNOWN}, it was at {found}")),
        Task::Check => schema::check(&database, &replication)
            .await
            .map(|()| format!("the schema stands at step {KNOWN}")),
    };
    done.map_err(advised)
}

fn advised(error: SchemaError) -> anyhow::Error {
    match unusable(&error) {
        Some(advice) => anyhow::anyhow!("{error}: {advice}"),
        None => error.into(),
    }
}

fn options(settings: &Scylla) -> anyhow::Result<Options> {
    let login =
        Login { user: settings.user.clone(), password: settings.password.expose().to_owned() };
    Ok(Options {
        contact_points: settings.contact_points(),
        login: (!login.user.is_empty()).then_some(login),
        tls: tls::client(settings)?,
        datacenter: settings.datacenter.clone(),
        consistency: match settings.consistency.as_str() {
            "local_quorum" => Consistency::LocalQuorum,
            _ => Consistency::Quorum,
        },
        keyspace_prefix: settings.keyspace_prefix.clone(),
        metrics: Metrics::default(),
        gate: Gate::default(),
        sealing: Sealing::default(),
    })
}

/// Why there is no way to the database, with what to do.
fn unreached(error: &ConnectError) -> anyhow::Error {
    let advice = match error {
        ConnectError::NoAddress { .. } => "check `scylla.contact_points`",
        ConnectError::Unreachable { .. } => {
            "check `scylla.contact_points`, and that the database runs"
        }
        ConnectError::LoginMissing => "set `scylla.user` and `scylla.password`",
        ConnectError::LoginRefused { .. } => {
            "check `scylla.user` and `scylla.password`, or its own in `[scylla_roles]`"
        }
        ConnectError::NotTrusted { .. } => "check `scylla.tls_ca`, and the nodes' certificates",
        ConnectError::OtherName { .. } => "set `scylla.tls_name` to what stands there, or make new",
        ConnectError::NoTls { .. } => {
            "check `scylla.tls_certificate`, and that the database speaks TLS at that port"
        }
        ConnectError::NoSuchDatacenter { .. } => "set `scylla.datacenter` to one of these",
    };
    anyhow::anyhow!("{error}: {advice}")
}

/// What to do when the tables are not as they should be.
fn unusable(error: &SchemaError) -> Option<&'static str> {
    Some(match error {
        SchemaError::Missing { .. } | SchemaError::Older { .. } => "run `barterline schema apply`",
        SchemaError::Newer { .. } => "use the release that made it, or a newer one",
        SchemaError::OtherReplication { .. } => {
            "change `scylla.replication`, or the keyspace as docs/storage.md says"
        }
        SchemaError::NoSuchDatacenter { .. } => "name one of these in `scylla.replication`",
        SchemaError::TooFewNodes { .. } => "start more nodes, or lower `scylla.replication`",
        SchemaError::Busy => "try again when it is done",
        SchemaError::Store(_) => return None,
    })
}
