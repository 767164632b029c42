//! The command line. Scripts rely on these names.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::wire::Adapter;

/// Loads a Barterline server like real clients, injures it if asked to, and checks every stream.
///
/// Exit code 0: every promise kept. 1: a promise broken. 2: the run says nothing (wrong usage, the
/// server could not be reached, a kill did not hit, something never got an answer).
#[derive(Debug, Parser)]
#[command(version)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub scenario: Scenario,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Scenario {
    /// Plays negotiations as accounts, listings, chats and messages, all at once.
    Replay(Replay),
    /// Rooms in which both sides talk, at a rate or as fast as answers come.
    Run(Run),
    /// Connections that only listen.
    Idle(Idle),
    /// A device that comes back after everybody wrote, and one that was never there.
    Resume(Resume),
    /// Somebody who asks for chats of other people, and for chats that do not exist.
    Strangers(Strangers),
    /// Medians of the reports in a directory, and the server's ratios to the floor.
    Summary {
        /// Holds reports named LOAD-WHO-NUMBER.json, WHO being `floor` or `server`.
        directory: PathBuf,
    },
}

/// Arguments of `replay`.
#[derive(Debug, Args)]
pub struct Replay {
    /// Where and how.
    #[command(flatten)]
    pub common: Common,
    /// Who takes part.
    #[command(flatten)]
    pub crowd: Crowd,
    /// One negotiation a line; without it, negotiations of the same shape are made up.
    #[arg(long)]
    pub corpus: Option<PathBuf>,
    /// Plays at most so many; made up: exactly so many (default 100).
    #[arg(long)]
    pub negotiations: Option<usize>,
    /// So many times faster than people type.
    #[arg(long, default_value_t = 1.0, value_parser = positive)]
    pub speed: f64,
}

/// Arguments of `run`.
#[derive(Debug, Args)]
pub struct Run {
    /// Where and how.
    #[command(flatten)]
    pub common: Common,
    /// Who takes part.
    #[command(flatten)]
    pub crowd: Crowd,
    /// Rooms of two.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub rooms: u32,
    /// Messages a second in all; who speaks is random. Without it: closed loop.
    #[arg(long, value_parser = positive, conflicts_with = "in_flight")]
    pub rate: Option<f64>,
    /// Closed loop: messages under way in each room, half of them from each side.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=128))]
    pub in_flight: u32,
    /// How long to measure.
    #[arg(long, default_value = "20s", value_parser = duration)]
    pub duration: Duration,
    /// How long to talk before measuring.
    #[arg(long, default_value = "3s", value_parser = duration)]
    pub warmup: Duration,
    /// Length of a message.
    #[arg(long, default_value_t = 120, value_parser = clap::value_parser!(u32).range(1..=4_000))]
    pub body_bytes: u32,
}

/// Arguments of `idle`.
#[derive(Debug, Args)]
pub struct Idle {
    /// Where and how.
    #[command(flatten)]
    pub common: Common,
    /// Connections in all.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub connections: u32,
    /// Connections at the first memory reading.
    #[arg(long, default_value_t = 0)]
    pub baseline: u32,
    /// How long to stay.
    #[arg(long, default_value = "30s", value_parser = duration)]
    pub duration: Duration,
}

/// Arguments of `resume`.
#[derive(Debug, Args)]
pub struct Resume {
    /// Where and how.
    #[command(flatten)]
    pub common: Common,
    /// Chats of the one who is away.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub chats: u32,
    /// Messages that are said meanwhile, over all chats.
    #[arg(
        long,
        default_value_t = 100_000,
        value_parser = clap::value_parser!(u32).range(1..=10_000_000)
    )]
    pub messages: u32,
    /// Events in one page.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub page: u32,
    /// Pages under way at a time.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub pulls: u32,
    /// Chats that the returning device has on screen: their events are pushed.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(0..=64))]
    pub on_screen: u32,
    /// Length of a message.
    #[arg(long, default_value_t = 120, value_parser = clap::value_parser!(u32).range(1..=4_000))]
    pub body_bytes: u32,
}

/// Arguments of `strangers`.
#[derive(Debug, Args)]
pub struct Strangers {
    /// Where and how.
    #[command(flatten)]
    pub common: Common,
    /// Requests of each kind, half of them for chats that exist.
    #[arg(long, default_value_t = 4_000, value_parser = clap::value_parser!(u32).range(2..=1_000_000))]
    pub requests: u32,
}

/// Who takes part, and how well they behave.
#[derive(Debug, Args)]
pub struct Crowd {
    /// Devices of each person, each with a connection of its own. What is said on one must reach all
    /// others, those of the same person included.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=16))]
    pub devices: u8,
    /// Disconnects each device at random, on average once in so many seconds, with a close frame or
    /// in the middle of a frame. It comes back at once and resumes.
    #[arg(long, value_name = "SECONDS", value_parser = some_time)]
    pub flap: Option<Duration>,
    /// Sends this share of messages twice, at once or later, also over another device of the same
    /// person.
    #[arg(long, value_name = "PERCENT", default_value_t = 0.0, value_parser = percent)]
    pub duplicate: f64,
    /// Devices mark what they got as delivered a few times a second, and at times as read.
    #[arg(long)]
    pub marks: bool,
    /// So many further devices, spread over all people, do not read while the others talk. When they
    /// read again, they must get everything.
    #[arg(long, value_name = "CONNECTIONS", default_value_t = 0)]
    pub stall: u32,
}

/// Where and how.
#[derive(Debug, Args)]
pub struct Common {
    /// The server. With --spawn it follows from the server's first line.
    #[arg(long, default_value = "ws://127.0.0.1:8080")]
    pub target: String,
    /// Its admin listener.
    #[arg(long, default_value = "http://127.0.0.1:8081")]
    pub admin: String,
    /// A file with the admin listener's token, should it ask for one.
    #[arg(long)]
    pub admin_token_file: Option<PathBuf>,
    /// Whose protocol to speak.
    #[arg(long, value_enum, default_value = "barterline")]
    pub adapter: Adapter,
    /// The server's process, for its CPU time and memory.
    #[arg(long, conflicts_with = "spawn")]
    pub server_pid: Option<u32>,
    /// Starts the server with this command, and ends it afterwards.
    #[arg(long)]
    pub spawn: Option<String>,
    /// Kills the spawned server so many times, and starts it again.
    #[arg(long, default_value_t = 0, requires = "spawn")]
    pub kills: usize,
    /// Appends that must be in flight for a kill.
    #[arg(long, default_value_t = 100, value_parser = positive_count)]
    pub kill_in_flight: usize,
    /// Longest wait for anything to move while the last answers come in.
    #[arg(long, default_value = "30s", value_parser = duration)]
    pub patience: Duration,
    /// Writes the report here.
    #[arg(long)]
    pub json: Option<PathBuf>,
    /// Repeats a run: who speaks, what is made up, when kills strike. Default: random.
    #[arg(long)]
    pub seed: Option<u64>,
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() && number > 0.0 => Ok(number),
        _ => Err("must be a number above 0".to_owned()),
    }
}

fn positive_count(text: &str) -> Result<usize, String> {
    match text.parse::<usize>() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err("must be a whole number above 0".to_owned()),
    }
}

/// Reads `300ms`, `20s`, `2m`; a bare number counts seconds.
fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let seconds = match &text[digits.len()..] {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" => 60.0,
        "h" => 3_600.0,
        _ => return Err("units are ms, s, m, h".to_owned()),
    };
    let number: f64 = digits.parse().map_err(|_| "must look like 20s".to_owned())?;
    Duration::try_from_secs_f64(number * seconds).map_err(|error| error.to_string())
}

fn percent(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if (0.0..=100.0).contains(&number) => Ok(number),
        _ => Err("must be a number from 0 to 100".to_owned()),
    }
}

fn some_time(text: &str) -> Result<Duration, String> {
    duration(text)
        .and_then(|time| if time.is_zero() { Err("must be above 0".to_owned()) } else { Ok(time) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units() {
        assert_eq!(duration("300ms"), Ok(Duration::from_millis(300)));
        assert_eq!(duration("20s"), Ok(Duration::from_secs(20)));
        assert_eq!(duration("1.5m"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("7"), Ok(Duration::from_secs(7)));
        assert!(duration("20 parsecs").is_err());
        assert!(duration("-1s").is_err());
    }

    #[test]
    fn the_command_line_is_sound() {
        use clap::CommandFactory as _;
        Cli::command().debug_assert();
    }
}
