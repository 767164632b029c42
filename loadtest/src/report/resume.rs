//! `resume`: what catching up took.

use std::fmt::Write;

use serde::{Deserialize, Serialize};

/// A device that caught up. Times count from its connect.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CatchUp {
    /// `returning`, with a cursor, or `new`, without.
    pub device: String,
    /// Chats it has in the end.
    pub chats: usize,
    /// Messages it stored.
    pub messages: u64,
    /// To `live`.
    pub live_ms: f64,
    /// To the first page, complete; absent if it had to ask for none.
    pub first_page_ms: Option<f64>,
    /// Until everything was there.
    pub complete_ms: f64,
    /// Stored a second, over all of that time.
    pub messages_per_s: f64,
    /// Bytes received after the upgrade.
    pub bytes: u64,
    /// Pages it asked for.
    pub pulls: u64,
    /// Times it was told that more waits than is pushed.
    pub behind: u64,
    /// CPU time of the server for each message.
    pub cpu_us_per_message: Option<f64>,
    /// Resident memory of the server before the connect.
    pub rss_start_bytes: Option<u64>,
    /// The most until everything was there, of readings every 20 ms.
    pub rss_max_bytes: Option<u64>,
    /// When everything was there.
    pub rss_end_bytes: Option<u64>,
}

impl CatchUp {
    /// Appends lines for people.
    pub fn summarize(&self, out: &mut impl Write) -> std::fmt::Result {
        let name = format!("{} device", self.device);
        writeln!(
            out,
            "  {name}: {} messages in {} chats; live after {:.1} ms, first page {}, all {:.1} ms",
            self.messages,
            self.chats,
            self.live_ms,
            self.first_page_ms.map_or_else(|| "–".to_owned(), |ms| format!("{ms:.1} ms")),
            self.complete_ms,
        )?;
        writeln!(
            out,
            "    {:.0} messages/s, {} KiB received, {} pulls, {} times behind",
            self.messages_per_s,
            self.bytes / 1_024,
            self.pulls,
            self.behind
        )?;
        let memory = self.rss_start_bytes.zip(self.rss_max_bytes).zip(self.rss_end_bytes);
        let Some(((start, max), end)) = memory else { return Ok(()) };
        writeln!(
            out,
            "    server: {:.1} µs a message; {} KiB resident before, {} at most, {} after",
            self.cpu_us_per_message.unwrap_or(0.0),
            start / 1_024,
            max / 1_024,
            end / 1_024
        )
    }
}
