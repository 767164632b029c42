//! A bar on a terminal; nothing anywhere else.

use std::io::IsTerminal as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tokio::task::JoinHandle;

use crate::engine::Engine;

/// A bar that follows a run until it is dropped.
#[derive(Debug)]
pub struct Progress(Option<(ProgressBar, JoinHandle<()>)>);

impl Progress {
    /// Follows `share`, from 0 to 1.
    pub fn follow(engine: &Engine, share: impl Fn() -> f64 + 'static) -> Self {
        if !std::io::stderr().is_terminal() {
            return Self(None);
        }
        let bar = ProgressBar::new(1_000);
        if let Ok(style) = ProgressStyle::with_template("{elapsed:>5} {wide_bar} {msg}") {
            bar.set_style(style);
        }
        let (shown, engine) = (bar.clone(), engine.clone());
        let task = tokio::task::spawn_local(async move {
            loop {
                shown.set_position((share().clamp(0.0, 1.0) * 1_000.0) as u64);
                shown.set_message(engine.with(|state| {
                    format!(
                        "{} live, {} acked, {} delivered",
                        state.live(),
                        state.acked(),
                        state.delivered()
                    )
                }));
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        });
        Self(Some((bar, task)))
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some((bar, task)) = &self.0 {
            task.abort();
            bar.finish_and_clear();
        }
    }
}
