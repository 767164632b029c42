//! The floor: the least that a durable relay between two people can cost on this machine.
//!
//! A frame that arrives is appended to one write-ahead log; when the group it is in has been
//! synced, it goes to the other side of its room, and a small acknowledgement to its sender. There
//! is no account, no number, no memory of what was said: what the server needs on top of this is
//! the price of being a marketplace. It deliberately does nothing clever: one `send` for each
//! frame, no merging, so that its figure is easy to repeat and hard to argue with.
//!
//! Spoken by `barterline-loadtest --adapter raw-ack`: one binary message is one frame whose first
//! 16 bytes name it; the acknowledgement is `ack!` and those 16 bytes.

mod frame;
mod log;
mod relay;
mod upgrade;

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Parser;

/// A durable relay that does the least possible.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// The write-ahead log. Overwritten.
    #[arg(long, default_value = "floor.wal")]
    wal: PathBuf,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let log = log::start(&args.wal).with_context(|| format!("opening {}", args.wal.display()))?;
    let listener = tokio::net::TcpListener::bind(args.listen)
        .await
        .with_context(|| format!("listening on {}", args.listen))?;
    // The first line on standard output says where, as the server's does.
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{{\"listening\":\"{}\"}}", listener.local_addr()?)?;
    stdout.flush()?;
    drop(stdout);
    tokio::task::LocalSet::new().run_until(relay::serve(listener, log)).await
}
