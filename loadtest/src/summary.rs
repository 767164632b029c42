//! `summary`: medians of several reports, and what the server costs in floors.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, ensure};

use crate::report::Report;

/// Reports of one load, by who was measured.
type Loads = BTreeMap<String, BTreeMap<String, Vec<Report>>>;

/// Prints the table for a directory of `LOAD-WHO-NUMBER.json`.
pub fn print(directory: &Path) -> anyhow::Result<()> {
    let loads = read(directory)?;
    ensure!(!loads.is_empty(), "no report in {}", directory.display());
    std::io::stdout().write_all(table(&loads)?.as_bytes())?;
    Ok(())
}

fn read(directory: &Path) -> anyhow::Result<Loads> {
    let mut loads = Loads::new();
    for entry in
        std::fs::read_dir(directory).with_context(|| format!("reading {}", directory.display()))?
    {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let parts: Vec<&str> = name
            .and_then(|name| name.strip_suffix(".json"))
            .map(|name| name.split('-').collect())
            .unwrap_or_default();
        if let [load, who, _] = parts[..] {
            let report: Report = serde_json::from_slice(&std::fs::read(&path)?)
                .with_context(|| format!("reading {}", path.display()))?;
            let load = loads.entry(load.to_owned()).or_default();
            load.entry(who.to_owned()).or_default().push(report);
        }
    }
    Ok(loads)
}

/// Reads one figure out of a report.
type Figure = fn(&Report) -> f64;

const FIGURES: &[(&str, Figure)] = &[
    ("messages/s", |report| report.throughput_per_s),
    ("CPU µs/message", |report| report.server.cpu_us_per_message.unwrap_or(f64::NAN)),
    ("ack p50 µs", |report| report.latency_us.ack.p50 as f64),
    ("ack p99 µs", |report| report.latency_us.ack.p99 as f64),
    ("deliver p50 µs", |report| report.latency_us.deliver.p50 as f64),
    ("deliver p99 µs", |report| report.latency_us.deliver.p99 as f64),
    ("harness CPU %", |report| report.loadgen.cpu_percent),
    ("other CPU %", |report| report.loadgen.other_cpu_percent.unwrap_or(f64::NAN)),
];

fn table(loads: &Loads) -> Result<String, std::fmt::Error> {
    let mut out = String::from(
        "| load | figure | floor (min–max) | server (min–max) | server ÷ floor |\n\
         | --- | --- | --- | --- | --- |\n",
    );
    for (load, by) in loads {
        for (name, figure) in FIGURES {
            let of = |who: &str| by.get(who).map(|reports| spread(reports, *figure));
            let (floor, server) = (of("floor"), of("server"));
            let ratio = floor.zip(server).map_or_else(
                || "–".to_owned(),
                |(floor, server)| format!("{:.2}", server.median / floor.median),
            );
            let shown =
                |spread: Option<Spread>| spread.map_or_else(|| "–".to_owned(), Spread::shown);
            let (floor, server) = (shown(floor), shown(server));
            writeln!(out, "| {load} | {name} | {floor} | {server} | {ratio} |")?;
        }
        for (who, reports) in by {
            let bad =
                reports.iter().filter(|report| !report.valid || !report.violations.none()).count();
            if bad > 0 {
                let all = reports.len();
                writeln!(out, "| {load} | {who}: {bad} of {all} broken or invalid | | | |")?;
            }
        }
    }
    Ok(out)
}

#[derive(Clone, Copy)]
struct Spread {
    min: f64,
    median: f64,
    max: f64,
}

impl Spread {
    fn shown(self) -> String {
        let digits = usize::from(self.median < 100.0);
        format!("{:.digits$} ({:.digits$}–{:.digits$})", self.median, self.min, self.max)
    }
}

fn spread(reports: &[Report], figure: Figure) -> Spread {
    let mut values: Vec<f64> = reports.iter().map(figure).collect();
    values.sort_by(f64::total_cmp);
    let last = values.len() - 1;
    Spread {
        min: values[0],
        median: f64::midpoint(values[last / 2], values[last.div_ceil(2)]),
        max: values[last],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::report;

    fn with_throughput(throughput_per_s: f64) -> Report {
        Report { throughput_per_s, ..report() }
    }

    #[test]
    fn medians_and_ratios_are_printed_by_load() {
        let directory = tempfile::tempdir().expect("a directory");
        for (name, throughput) in [
            ("c2-floor-1", 100.0),
            ("c2-floor-2", 300.0),
            ("c2-floor-3", 200.0),
            ("c2-server-1", 400.0),
        ] {
            let path = directory.path().join(format!("{name}.json"));
            with_throughput(throughput).write(&path).expect("written");
        }
        let table = table(&read(directory.path()).expect("reports")).expect("a table");
        assert!(
            table.contains("| c2 | messages/s | 200 (100–300) | 400 (400–400) | 2.00 |"),
            "{table}"
        );
    }
}
