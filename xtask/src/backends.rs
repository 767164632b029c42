//! Runs what both backends must pass, the laws of every aggregate and the public suite, and holds the
//! table in docs/storage.md to what came of it. The public suite on the embedded store is what
//! `make test` runs, whole: here its tests are counted.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};

const DOCUMENT: &str = "docs/storage.md";
const BEGIN: &str = "<!-- begin: cargo xtask backends --write -->\n";
const END: &str = "<!-- end -->";
/// Where tests find the database, and the keyspaces that their servers share.
const SERVER: &str = "BARTERLINE_TEST_CQL";
const PREFIX: &str = "BARTERLINE_TEST_CQL_PREFIX";
/// What a test prints that ends at once on a cluster, before the reason (tests/it/support/backend.rs).
const EMBEDDED_ONLY: &str = "embedded only: ";
/// Aggregates and their laws.
type Laws = BTreeMap<String, Vec<String>>;

/// What one backend passed.
struct Backend {
    laws: Run,
    public: Run,
}

/// The tests that passed.
#[derive(Debug, Default, PartialEq, Eq)]
struct Run {
    passed: BTreeSet<String>,
    /// Those among them that ended at once, with the reason.
    left_out: BTreeMap<String, String>,
}

/// Runs everything. What the document says must be what came of it, unless it is written anew.
pub fn check(workspace: &Path, option: Option<&str>) -> Result<()> {
    let write = match option {
        None => false,
        Some("--write") => true,
        Some(other) => bail!("cargo xtask backends takes --write, not {other}"),
    };
    for name in [SERVER, PREFIX] {
        ensure!(env::var_os(name).is_some(), "{name} is not set: use make test-real PART=cql");
    }
    let cargo = || {
        let mut cargo = crate::cargo(workspace);
        cargo.args(["test", "--workspace", "--locked", "--profile", "ci"]);
        cargo
    };
    let embedded = Backend {
        laws: run(cargo().args(["--test", "embedded", "--test", "embedded_log"]))?,
        public: listed(cargo().args(["--test", "it"]).env_remove(SERVER))?,
    };
    // The laws come last: they make and empty tables all the time, which slows everybody down.
    let public = run(cargo().args(["--test", "it"]))?;
    let cluster = Backend { laws: run(cargo().args(["--test", "scylla"]))?, public };

    let found = table(&laws_of(workspace)?, &embedded, &cluster)?;
    let path = workspace.join(DOCUMENT);
    let document = fs::read_to_string(&path).context(DOCUMENT)?;
    let (before, rest) = document.split_once(BEGIN).context("the place of the table")?;
    let (said, after) = rest.split_once(END).context("the end of the table")?;
    if write {
        fs::write(&path, [before, BEGIN, &found, END, after].concat()).context(DOCUMENT)?;
    } else if said != found {
        bail!("{DOCUMENT} says something else: run this with --write\n{found}");
    }
    println!("backends: what {DOCUMENT} says came of the run");
    Ok(())
}

/// Runs tests, which must all pass, and lets everybody see how they do.
fn run(tests: &mut Command) -> Result<Run> {
    tests.args(["--", "--show-output"]).stdout(Stdio::piped());
    let mut running = tests.spawn().context("cargo does not start")?;
    let mut lines = Vec::new();
    for line in BufReader::new(running.stdout.take().context("a pipe")?).lines() {
        let line = line?;
        println!("{line}");
        lines.push(line);
    }
    ensure!(running.wait()?.success(), "a test failed, or none was run");
    Ok(read(lines.iter().map(String::as_str)))
}

/// Tests that are there.
fn listed(tests: &mut Command) -> Result<Run> {
    let said = tests.args(["--", "--list"]).output().context("cargo does not start")?;
    ensure!(said.status.success(), "the tests cannot be listed");
    let said = String::from_utf8(said.stdout).context("names of tests")?;
    let names = said.lines().filter_map(|line| line.strip_suffix(": test"));
    Ok(Run { passed: names.map(str::to_owned).collect(), left_out: BTreeMap::new() })
}

/// What the test harness says, with the output of tests that passed.
fn read<'a>(lines: impl Iterator<Item = &'a str>) -> Run {
    let (mut found, mut shown) = (Run::default(), None);
    for line in lines {
        let passed = line.strip_prefix("test ").and_then(|line| line.strip_suffix(" ... ok"));
        let header = line.strip_prefix("---- ").and_then(|line| line.strip_suffix(" stdout ----"));
        if let Some(test) = passed {
            found.passed.insert(test.to_owned());
        } else if let Some(test) = header {
            shown = Some(test);
        } else if let (Some(why), Some(test)) = (line.strip_prefix(EMBEDDED_ONLY), shown) {
            found.left_out.insert(test.to_owned(), why.to_owned());
        }
    }
    found
}

fn laws_of(workspace: &Path) -> Result<Laws> {
    let mut all = Laws::new();
    let folder = "storage/src/conformance";
    for file in fs::read_dir(workspace.join(folder)).context(folder)? {
        let path = file?.path();
        if path.is_dir() {
            // The stores that break them.
            continue;
        }
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let laws = text.lines().filter_map(|line| line.strip_prefix("pub async fn "));
        let laws: Vec<_> =
            laws.filter_map(|law| law.split('(').next()).map(str::to_owned).collect();
        let aggregate = path.file_stem().and_then(|name| name.to_str()).context("a name")?;
        if !laws.is_empty() {
            all.insert(aggregate.to_owned(), laws);
        }
    }
    Ok(all)
}

/// The table, and what is tested on the embedded store alone.
fn table(laws: &Laws, embedded: &Backend, cluster: &Backend) -> Result<String> {
    let mut rows = BTreeMap::<String, (usize, usize)>::new();
    for (aggregate, laws) in laws {
        let mut all = 0;
        for law in laws {
            let keeps = |backend: &Backend| {
                let mut tests = backend.laws.passed.iter();
                tests.any(|test| test.rsplit("::").next() == Some(law))
            };
            // No test of its name on either: it is a part of others (storage/tests/embedded.rs).
            let kept = keeps(embedded);
            ensure!(kept == keeps(cluster), "one backend lacks the law {law} of {aggregate}");
            all += usize::from(kept);
        }
        if all > 0 {
            rows.insert(format!("laws of {aggregate}"), (all, all));
        }
    }
    ensure!(embedded.public.passed == cluster.public.passed, "tests/it differs by the backend");
    for test in &cluster.public.passed {
        let module = test.rsplit_once("::").map_or("main", |(module, _)| module);
        let counts = rows.entry(format!("tests/it: {}", module.replace("::", "/"))).or_default();
        counts.0 += 1;
        counts.1 += usize::from(!cluster.public.left_out.contains_key(test));
    }
    let mut text = String::from("| suite | embedded | cluster |\n|---|---|---|\n");
    for (suite, (embedded, cluster)) in &rows {
        writeln!(text, "| {suite} | {embedded} | {cluster} |")?;
    }
    let sum = |count: fn(&(usize, usize)) -> usize| rows.values().map(count).sum::<usize>();
    writeln!(text, "| all | {} | {} |", sum(|row| row.0), sum(|row| row.1))?;
    text += "\n| on the embedded store only | why |\n|---|---|\n";
    for (test, why) in &cluster.public.left_out {
        writeln!(text, "| `{test}` | {why} |")?;
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "\
running 3 tests
test flow::full ... ok
test flow::sent ... ok
test start::stops ... ok

successes:

---- flow::full stdout ----
embedded only: fills the disk

---- flow::sent stdout ----
a word

successes:
    flow::full
";

    fn backend(output: &str) -> Backend {
        Backend { laws: read("test chats::a_law ... ok".lines()), public: read(output.lines()) }
    }

    #[test]
    fn what_ends_at_once_is_not_counted_and_listed_with_its_reason() {
        let all = OUTPUT.replace("embedded only: fills the disk", "");
        let laws = Laws::from([("chat_log".to_owned(), vec!["a_law".to_owned()])]);
        let table = table(&laws, &backend(&all), &backend(OUTPUT)).expect("a table");
        for line in [
            "| laws of chat_log | 1 | 1 |",
            "| tests/it: flow | 2 | 1 |",
            "| tests/it: start | 1 | 1 |",
            "| all | 4 | 3 |",
            "| `flow::full` | fills the disk |",
        ] {
            assert!(table.lines().any(|said| said == line), "{line} in:\n{table}");
        }
    }

    #[test]
    fn a_law_or_a_test_that_one_backend_lacks_is_named() {
        let sound = || backend(OUTPUT);
        let laws = Laws::from([("chat_log".to_owned(), vec!["a_law".to_owned()])]);
        let lawless = Backend { laws: Run::default(), ..sound() };
        let refused = table(&laws, &sound(), &lawless).expect_err("a law that is not run");
        assert!(refused.to_string().contains("a_law of chat_log"), "{refused}");
        let less = OUTPUT.replace("test flow::sent ... ok", "test flow::sent ... ignored");
        table(&Laws::new(), &sound(), &backend(&less)).expect_err("a test that was not run");
    }
}
