//! `barterline schema`: the tables of the cluster, looked at or made. Says what to do when it cannot.

mod tls;

use barterline_storage::scylla::error::ConnectError;
use barterline_storage::scylla::metrics::Metrics;
use barterline_storage::scylla::schema::{self, KNOWN, Replication, SchemaError};
use barterline_storage::scylla::session::{Consistency, Database, Login, Options};

use crate::config::Scylla;

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

/// The cluster, when its tables are those that this program knows.
pub async fn database(settings: &Scylla) -> anyhow::Result<Database> {
    let database = connect(settings).await?;
    schema::check(&database, &Replication(settings.copies())).await.map_err(advised)?;
    Ok(database)
}

async fn connect(settings: &Scylla) -> anyhow::Result<Database> {
    let connected = Database::connect(&options(settings)?).await;
    connected.map_err(|error| anyhow::anyhow!("{error}: {}", unreached(&error)))
}

async fn on_cluster(settings: &Scylla, task: Task) -> anyhow::Result<String> {
    let database = connect(settings).await?;
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
    })
}

/// What to do when there is no way to the database.
fn unreached(error: &ConnectError) -> &'static str {
    match error {
        ConnectError::NoAddress { .. } => "check `scylla.contact_points`",
        ConnectError::Unreachable { .. } => {
            "check `scylla.contact_points`, and that the database runs"
        }
        ConnectError::LoginMissing => "set `scylla.user` and `scylla.password`",
        ConnectError::LoginRefused { .. } => "check `scylla.user` and `scylla.password`",
        ConnectError::NotTrusted { .. } => "check `scylla.tls_ca`, and the nodes' certificates",
        ConnectError::OtherName { .. } => "set `scylla.tls_name` to what stands there, or make new",
        ConnectError::NoTls { .. } => {
            "check `scylla.tls_certificate`, and that the database speaks TLS at that port"
        }
        ConnectError::NoSuchDatacenter { .. } => "set `scylla.datacenter` to one of these",
    }
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
