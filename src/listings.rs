//! `barterline listings`: things for sale, by hand.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use serde_json::{Value, json};

use crate::admin::client::{self, Question};
use crate::admin::listings::Done;
use crate::config::Settings;

/// Lines of one request, and their bytes: the server takes 500, and 2 MiB.
const LINES_MAX: usize = 200;
const BYTES_MAX: usize = 1 << 20;
/// Longest line: the longest listing, every character of it escaped, takes about 200,000.
const LINE_BYTES_MAX: usize = 256 << 10;
/// For the server to put up as many.
const TIMEOUT: Duration = Duration::from_mins(1);
/// Refusals that are told one by one.
const TOLD_MAX: usize = 20;

/// What a file has, read line by line.
struct Import<'a> {
    settings: &'a Settings,
    seller: &'a str,
    /// Lines that are not asked for yet, with their numbers.
    lines: Vec<(usize, Value)>,
    bytes: usize,
    made: usize,
    refused: usize,
}

/// Has the server put up what a file has: a body of `POST /v1/listings` in each line. Gives what to print; says
/// on standard error what was refused.
pub fn import(
    settings: &Settings,
    file: &Path,
    seller: &str,
    from_line: usize,
) -> anyhow::Result<String> {
    let opened = File::open(file).with_context(|| file.display().to_string())?;
    let mut import = Import { settings, seller, lines: Vec::new(), bytes: 0, made: 0, refused: 0 };
    for (number, line) in (1..).zip(BufReader::new(opened).lines()) {
        let line = line.with_context(|| format!("line {number}"))?;
        if number < from_line || line.trim().is_empty() {
            continue;
        }
        ensure!(line.len() <= LINE_BYTES_MAX, "line {number} is longer than any listing");
        import.bytes += line.len();
        match serde_json::from_str(&line) {
            Ok(listing) => import.lines.push((number, listing)),
            Err(error) => import.refuse(number, &format!("no JSON: {error}")),
        }
        if import.lines.len() >= LINES_MAX || import.bytes >= BYTES_MAX {
            import.send()?;
        }
    }
    import.send()?;
    let Import { made, refused, .. } = import;
    if refused > 0 {
        bail!("put up for sale: {made}; refused: {refused}");
    }
    Ok(format!("put up for sale: {made}"))
}

impl Import<'_> {
    fn send(&mut self) -> anyhow::Result<()> {
        let (numbers, listings): (Vec<_>, Vec<_>) = self.lines.drain(..).unzip();
        self.bytes = 0;
        let Some(first) = numbers.first() else { return Ok(()) };
        let body = json!({ "seller": self.seller, "listings": listings }).to_string();
        let question = Question { method: "POST", path: "/listings", body: Some(&body) };
        let answer = client::ask_within(TIMEOUT, &self.settings.storage.data, &question);
        let answer = answer.with_context(|| {
            format!("up to line {} all was put up; go on with --from-line {first}", first - 1)
        })?;
        let done: Done = serde_json::from_str(&answer).context("the server's answer")?;
        self.made += done.made;
        for refused in done.refused {
            let number = numbers.get(refused.at).copied().unwrap_or_default();
            let why = refused.problem["detail"].as_str().unwrap_or_default().to_owned();
            self.refuse(number, &why);
        }
        Ok(())
    }

    fn refuse(&mut self, number: usize, why: &str) {
        self.refused += 1;
        if self.refused <= TOLD_MAX {
            // Nobody may be there to read it.
            let _ = writeln!(std::io::stderr(), "line {number}: {why}");
        }
    }
}
