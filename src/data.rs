//! `barterline data`: everything into an archive, or from one into a store that nobody has served.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use barterline_domain::clock::Clock as _;
use barterline_storage::bulk::Kind;
use barterline_storage::bulk::archive::{Archive, Manifest};
use barterline_storage::bulk::export::{Export, PART_BYTES, export};
use barterline_storage::bulk::import::{checked, import, wanted};
use barterline_storage::bulk::standing::next_epoch;

use crate::admin::client;
use crate::admin::data::ExportState;
use crate::app;
use crate::clock::SystemClock;
use crate::config::Settings;
use crate::data_dir::{DataDir, DataDirError};

/// Between two looks at an export that a server makes.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// What to do.
#[derive(Debug)]
pub enum Task {
    /// Write everything into an archive, or what changed since another.
    Export {
        /// The archive's directory.
        dir: PathBuf,
        /// The other.
        since: Option<PathBuf>,
    },
    /// Fill a store.
    Import {
        /// The archive's directory.
        dir: PathBuf,
    },
    /// Read an archive.
    Verify {
        /// The archive's directory.
        dir: PathBuf,
    },
}

/// Does it; gives what to print. Says how far it has come on standard error.
pub fn run(settings: &Settings, task: Task) -> anyhow::Result<String> {
    if let Task::Verify { dir } = task {
        return Ok(summary("is sound", checked(&dir)?.manifest()));
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        match task {
            Task::Export { dir, since } => export_from(settings, &dir, since.as_deref()).await,
            Task::Import { dir } => import_into(settings, Archive::open(&dir)?).await,
            Task::Verify { .. } => bail!("an archive alone needs no store"),
        }
    })
}

async fn export_from(
    settings: &Settings,
    dir: &Path,
    since: Option<&Path>,
) -> anyhow::Result<String> {
    let at = &settings.storage.data;
    // A cluster's server keeps its keys there only; they may be elsewhere.
    if settings.storage.backend == "embedded" && !at.is_dir() {
        bail!("there is no data directory {}: name it with --data", at.display());
    }
    let data = match DataDir::take(at) {
        // It has the store, so it does the work.
        Err(DataDirError::InUse { .. }) => {
            return export_by_server(settings, dir, since).await;
        }
        taken => taken?,
    };
    let source = app::open_source(settings, &data).await?;
    let order = Export {
        dir,
        base: since,
        now: SystemClock.now(),
        part_bytes: PART_BYTES,
        progress: &progress("read"),
    };
    Ok(summary("has", &export(&*source, order).await?))
}

/// Has the server of the data directory export; waits until it has.
async fn export_by_server(
    settings: &Settings,
    dir: &Path,
    since: Option<&Path>,
) -> anyhow::Result<String> {
    let server = &settings.storage.data;
    let since = since.map(in_query).transpose()?;
    let since = since.map(|since| format!("&since={since}")).unwrap_or_default();
    client::ask(server, "POST", &format!("/export?dir={}{since}", in_query(dir)?))?;
    let progress = progress("read");
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let answer = client::ask(server, "GET", "/export")?;
        match serde_json::from_str(&answer).context("the server's answer")? {
            ExportState::Running { kind, items, events } => {
                if let Some(kind) = Kind::ALL.into_iter().find(|known| known.name() == kind) {
                    progress(kind, items, events);
                }
            }
            ExportState::Done { manifest } => return Ok(summary("has", &manifest)),
            ExportState::Failed { error } => bail!(error),
            ExportState::None => bail!(
                "the server was started anew, and takes writes again: say `read-only on` if it was \
                 said, and export into another directory"
            ),
        }
    }
}

/// A path as a value of a query.
fn in_query(path: &Path) -> anyhow::Result<String> {
    let path = std::path::absolute(path)?;
    let text = path.to_str().context("the path is not UTF-8")?;
    let encoded: Vec<String> = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
    Ok(encoded.concat())
}

async fn import_into(settings: &Settings, archive: Archive) -> anyhow::Result<String> {
    // All of it, words as well, before anything is written.
    let archive = archive.sealed_as(app::sealing_beside(settings)?);
    archive.verify()?;
    if app::is_kept_by_others(settings, &archive)? {
        bail!(
            "the archive keeps addresses by other keys than those in {}: put its keys/data-keys.json there",
            settings.keys_directory().display()
        );
    }
    let data = DataDir::take(&settings.storage.data)?;
    let epoch = next_epoch(archive.manifest().epoch, SystemClock.now());
    let target = app::open_target(settings, &data, wanted(&archive, epoch)).await?;
    import(target, &archive, &progress("written")).await?;
    Ok(summary("was imported, read back and compared", archive.manifest()))
}

/// Says on standard error, each second, how far it has come.
fn progress(done: &'static str) -> impl Fn(Kind, u64, u64) + Send + Sync {
    let last = parking_lot::Mutex::new(std::time::Instant::now());
    move |kind, items, events| {
        let mut last = last.lock();
        if last.elapsed() >= Duration::from_secs(1) {
            *last = std::time::Instant::now();
            let events = if events > 0 { format!(", {events} events") } else { String::new() };
            // Where nobody listens there is nobody to tell.
            let line = format!("barterline: {}: {items} {done}{events}", kind.name());
            let _ = writeln!(std::io::stderr(), "{line}");
        }
    }
}

fn summary(what: &str, manifest: &Manifest) -> String {
    let contents = manifest.kinds.iter().map(|(kind, contents)| {
        let events = if contents.events > 0 {
            format!(" with {} events", contents.events)
        } else {
            String::new()
        };
        format!("{} {kind}{events}", contents.items)
    });
    let difference = match (manifest.base, manifest.held) {
        (Some(_), Some(_)) => " (a difference, read-only throughout)",
        (Some(_), None) => " (a difference, while it could be written)",
        (None, Some(_)) => " (read-only throughout)",
        (None, None) => "",
    };
    let contents = contents.collect::<Vec<_>>().join(", ");
    format!("archive {}{difference} {what}: {contents}", manifest.archive)
}
