//! The log: to standard error, for people or for programs.

use std::panic;

use tracing::Level;
use tracing_subscriber::fmt;

/// Begins to log; once in a process. Panics are logged, with their place.
pub fn start(level: Level, json: bool) {
    let log = fmt().with_max_level(level).with_writer(std::io::stderr);
    // Whoever was first stays: only tests start twice.
    let _ = if json {
        log.json().flatten_event(true).try_init()
    } else {
        log.with_target(false).try_init()
    };
    panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        let payload = panic.payload();
        let reason = payload
            .downcast_ref::<&str>()
            .copied()
            .or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        tracing::error!(
            place = place.as_deref().unwrap_or("unknown"),
            "a task panicked: {}",
            reason.unwrap_or("no reason given")
        );
    }));
}
