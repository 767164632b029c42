//! `PUT` and `DELETE /read-only`, `POST` and `GET /export`: a store that moves while it is served.

use std::path::PathBuf;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use barterline_domain::clock::Clock as _;
use barterline_protocol::error_code::ErrorCode;
use barterline_storage::audit::Actor;
use barterline_storage::bulk::Source;
use barterline_storage::bulk::archive::Manifest;
use barterline_storage::bulk::export::{Export, PART_BYTES, export};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use super::Admin;
use crate::clock::SystemClock;
use crate::rest::extract::Query;
use crate::rest::problem::{Code, Problem};
use crate::services::audit::{Action, Note};

/// The store, and the export that is under way or was the last.
#[derive(Clone)]
pub struct Keeper {
    source: Arc<dyn Source>,
    state: Arc<Mutex<ExportState>>,
}

/// How far the last export has come.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum ExportState {
    /// There was none.
    #[default]
    None,
    /// It is under way.
    Running {
        /// What is being read.
        kind: String,
        /// How many of it were looked at.
        items: u64,
        /// How many events were written.
        events: u64,
    },
    /// It is whole.
    Done {
        /// What it holds.
        manifest: Manifest,
    },
    /// It ended early; the same again goes on from there.
    Failed {
        /// Why.
        error: String,
    },
}

/// What to write where: absolute paths on this server's machine.
#[derive(Deserialize)]
pub struct Order {
    dir: PathBuf,
    since: Option<PathBuf>,
}

impl Keeper {
    /// Over this store.
    pub fn new(source: Arc<dyn Source>) -> Self {
        Self { source, state: Arc::default() }
    }

    /// The store, to be read whole.
    pub fn source(&self) -> &dyn Source {
        &*self.source
    }

    fn begin(&self, order: Order) -> Result<(), Problem> {
        if !order.dir.is_absolute() || order.since.as_ref().is_some_and(|dir| !dir.is_absolute()) {
            return Err(Problem::invalid("dir and since must be absolute"));
        }
        {
            let mut state = self.state.lock();
            if matches!(*state, ExportState::Running { .. }) {
                return Err(Code::ExportRunning.into());
            }
            let kind = String::new();
            *state = ExportState::Running { kind, items: 0, events: 0 };
        }
        let keeper = self.clone();
        let runtime = tokio::runtime::Handle::current();
        // A thread of its own: files are written as they come.
        let thread = std::thread::Builder::new().name("export".to_owned());
        let run = move || {
            let ended = Ended(keeper.clone());
            let state = runtime.block_on(keeper.run(&order));
            *ended.0.state.lock() = state;
        };
        let failed = |error: std::io::Error| {
            let error = error.to_string();
            *self.state.lock() = ExportState::Failed { error };
            Problem::from(ErrorCode::Unavailable)
        };
        thread.spawn(run).map(drop).map_err(failed)
    }

    async fn run(&self, order: &Order) -> ExportState {
        let progress = |kind: barterline_storage::bulk::Kind, items, events| {
            let kind = kind.name().to_owned();
            *self.state.lock() = ExportState::Running { kind, items, events };
        };
        let wanted = Export {
            dir: &order.dir,
            base: order.since.as_deref(),
            now: SystemClock.now(),
            part_bytes: PART_BYTES,
            progress: &progress,
        };
        match export(&*self.source, wanted).await {
            Ok(manifest) => ExportState::Done { manifest },
            Err(error) => ExportState::Failed { error: error.to_string() },
        }
    }
}

/// Sees to it that an export ends, also by a panic.
struct Ended(Keeper);

impl Drop for Ended {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        if matches!(*state, ExportState::Running { .. }) {
            let error = "it ended without a word: see the server's log".to_owned();
            *state = ExportState::Failed { error };
        }
    }
}

/// Begins an export into a directory of this machine.
pub async fn begin_export(
    State(admin): State<Admin>,
    Query(order): Query<Order>,
) -> Result<StatusCode, Problem> {
    let note = Note::new(Actor::Operator, Action::ExportBegin).about(&order.dir.display());
    // A store that is read-only is exported as well, though it takes no entry.
    admin.staff_tools()?.note_done(note).await;
    admin.keeper()?.begin(order)?;
    Ok(StatusCode::ACCEPTED)
}

/// Says how far the export has come.
pub async fn export_state(State(admin): State<Admin>) -> Result<Json<ExportState>, Problem> {
    Ok(Json(admin.keeper()?.state.lock().clone()))
}

/// Takes no writes from here on.
pub async fn close(State(admin): State<Admin>) -> Result<StatusCode, Problem> {
    set(&admin, true).await
}

/// Takes writes again.
pub async fn open(State(admin): State<Admin>) -> Result<StatusCode, Problem> {
    set(&admin, false).await
}

async fn set(admin: &Admin, on: bool) -> Result<StatusCode, Problem> {
    let (keeper, staff) = (admin.keeper()?, admin.staff_tools()?);
    // While it is read-only it takes no entry either.
    if on && keeper.source.held().is_none() {
        staff.note_done(Note::new(Actor::Operator, Action::ReadOnlyOn)).await;
    }
    keeper.source.set_read_only(on).await?;
    if !on {
        staff.note_done(Note::new(Actor::Operator, Action::ReadOnlyOff)).await;
    }
    Ok(StatusCode::NO_CONTENT)
}
