//! The server's own log, on standard error.

use std::io::IsTerminal;
use std::panic;

use tracing_subscriber::EnvFilter;

/// What the database's driver may say unless it is asked for more: it has a line for every connection,
/// and at each start a warning about timeouts that are meant (`barterline_storage::scylla::session`).
const DRIVER: &str = "scylla=warn,scylla::client::session_builder=error";

/// Starts writing what `level` asks for, as text or as one JSON object a line. A panic becomes a
/// line of it.
pub fn start(level: &str, json: bool) {
    let filter = EnvFilter::try_new(format!("{DRIVER},{level}"));
    let filter = filter.unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        // A line that cannot be written (the disk is full) would be told of on standard error, which
        // cannot be written: that is a panic, in the place of a request.
        .log_internal_errors(false)
        .with_ansi(std::io::stderr().is_terminal());
    // A second start (in tests) keeps the first.
    let _ = if json { builder.json().try_init() } else { builder.try_init() };
    panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let reason = panic.payload_as_str().unwrap_or("no reason given");
        tracing::error!(%place, "a task panicked: {reason}");
    }));
}
