//! A server that the harness runs itself. It dies with the harness, also when that panics.

use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStdout, Command};

/// Longest wait for the first line: the start of a large store is in it.
const START_TIMEOUT: Duration = Duration::from_mins(1);

/// What the first line on the server's standard output says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
struct FirstLine {
    listening: SocketAddr,
    admin: Option<SocketAddr>,
}

/// A running server process.
#[derive(Debug)]
pub struct Server {
    command: Vec<String>,
    /// Killed when dropped.
    child: Child,
    first_line: FirstLine,
    /// Kept open: a server that prints more must not get SIGPIPE.
    _stdout: BufReader<ChildStdout>,
}

impl Server {
    /// Starts `command`, split at white space (single or double quotes hold a word together), and
    /// waits for its first line.
    pub async fn start(command: &str) -> anyhow::Result<Self> {
        let command = words(command)?;
        Self::start_words(command).await
    }

    async fn start_words(command: Vec<String>) -> anyhow::Result<Self> {
        let (program, arguments) = command.split_first().context("--spawn is empty")?;
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            // A ctrl-C is for the harness, which still needs the server for its report.
            .process_group(0)
            .spawn()
            .with_context(|| format!("starting {program}"))?;
        let stdout = child.stdout.take().context("no standard output")?;
        let mut stdout = BufReader::new(stdout);
        let mut line = String::new();
        tokio::time::timeout(START_TIMEOUT, stdout.read_line(&mut line))
            .await
            .with_context(|| format!("{program} printed no first line"))??;
        if line.is_empty() {
            bail!("{program} ended before its first line: {}", child.wait().await?);
        }
        let first_line = serde_json::from_str(&line)
            .with_context(|| format!("the first line of {program} is {line:?}"))?;
        Ok(Self { command, child, first_line, _stdout: stdout })
    }

    /// Where it takes connections.
    pub fn listening(&self) -> SocketAddr {
        self.first_line.listening
    }

    /// Its admin listener, if it has one.
    pub fn admin(&self) -> Option<SocketAddr> {
        self.first_line.admin
    }

    /// Its process id; `None` once it has ended and been waited for.
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Waits for the end of a killed server and starts it again on the same ports.
    pub async fn restart(&mut self) -> anyhow::Result<()> {
        self.child.wait().await?;
        let mut command = self.command.clone();
        set_option(&mut command, "--listen", &self.first_line.listening.to_string());
        if let Some(admin) = self.first_line.admin {
            set_option(&mut command, "--admin-listen", &admin.to_string());
        }
        let before = self.first_line;
        *self = Self::start_words(command).await?;
        ensure!(self.first_line == before, "the server came back on other ports");
        Ok(())
    }

    /// Ends it with SIGTERM, as an operator would; SIGKILL if that takes longer than 15 s.
    pub async fn stop(mut self) {
        if let Some(pid) =
            self.child.id().and_then(|pid| rustix::process::Pid::from_raw(pid.cast_signed()))
        {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        let patience = Duration::from_secs(15);
        if tokio::time::timeout(patience, self.child.wait()).await.is_err() {
            tracing::warn!("the server did not end in 15 s: killed");
        }
    }
}

/// Gives an option of a command line a value, whether it has one already or not.
fn set_option(command: &mut Vec<String>, option: &str, value: &str) {
    let assigned = format!("{option}=");
    for index in 0..command.len() {
        if command[index] == option && index + 1 < command.len() {
            value.clone_into(&mut command[index + 1]);
            return;
        }
        if command[index].starts_with(&assigned) {
            command[index] = format!("{assigned}{value}");
            return;
        }
    }
    command.extend([option.to_owned(), value.to_owned()]);
}

fn words(command: &str) -> anyhow::Result<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for c in command.chars() {
        match quote {
            Some(open) if c == open => quote = None,
            None if matches!(c, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            None if c.is_whitespace() => words.extend(word.take()),
            Some(_) | None => word.get_or_insert_default().push(c),
        }
    }
    ensure!(quote.is_none(), "a quote in --spawn is not closed");
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_split_as_a_shell_would() {
        let split = |command| words(command).expect("closed quotes");
        assert_eq!(split(" a  'b c' --d=\"e f\" ''"), ["a", "b c", "--d=e f", ""]);
        assert!(words("a 'b").is_err());
    }

    #[test]
    fn ports_are_kept_over_a_restart() {
        let mut command = words("serve --listen 127.0.0.1:0 --data x").expect("words");
        set_option(&mut command, "--listen", "127.0.0.1:80");
        set_option(&mut command, "--admin-listen", "127.0.0.1:81");
        assert_eq!(
            command.join(" "),
            "serve --listen 127.0.0.1:80 --data x --admin-listen 127.0.0.1:81"
        );
    }

    #[tokio::test]
    async fn the_first_line_says_where() {
        let broken = Server::start("echo not JSON").await.err();
        let broken = broken.map(|error| format!("{error:#}"));
        assert!(broken.is_some_and(|error| error.starts_with("the first line of echo")));
        let server =
            Server::start("printf '{\"listening\":\"127.0.0.1:9\"}'").await.expect("a first line");
        assert_eq!(server.listening().port(), 9);
        assert_eq!(server.admin(), None);
    }
}
