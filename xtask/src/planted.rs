//! Planted faults: who misses one proves nothing about a server without any. Two are built into the
//! server, which the harness kills under load; the model test is built once with all of the others
//! (src/fault.rs), and plants one after the other.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};

/// Features of the server, each of which breaks one promise on purpose.
const FAULTS: &[&str] = &["fault-ack-before-write", "fault-no-dedupe"];
/// How the server is started: on ports that the harness keeps over restarts.
const SERVE: &str = "serve --load-test --listen 127.0.0.1:0 --admin-listen 127.0.0.1:0 --data";
/// The harness's exit code when a promise was broken.
const BROKEN: i32 = 1;

/// Runs the sound server, which has to pass, and every planted fault, which has to be caught, by
/// the harness or by the model test. That the model test passes the sound server is a test.
pub fn check(workspace: &Path) -> Result<()> {
    let scratch = tempfile::TempDir::new()?;
    let sound = build(workspace, scratch.path(), None)?;
    let code = trial(&sound, scratch.path(), "sound")?;
    ensure!(code == Some(0), "the server without a fault did not pass: exit code {code:?}");
    let (mut caught, mut missed) = model(workspace)?;
    for fault in FAULTS {
        let faulty = build(workspace, scratch.path(), Some(fault))?;
        let code = trial(&faulty, scratch.path(), fault)?;
        let noticed = code == Some(BROKEN);
        println!("{fault}: {}", if noticed { "caught" } else { "missed" });
        caught += usize::from(noticed);
        missed += usize::from(!noticed);
    }
    // The next to use the build finds the sound server again.
    build(workspace, scratch.path(), None)?;
    println!("planted faults: {caught} caught, {missed} missed");
    if missed > 0 {
        bail!("{missed} planted fault(s) went unnoticed");
    }
    Ok(())
}

/// Runs the model test with each fault; gives how many it caught and missed.
fn model(workspace: &Path) -> Result<(usize, usize)> {
    let mut test = crate::cargo(workspace);
    test.args(["test", "--workspace", "--locked", "--profile", "ci"]);
    test.args(["--features", "barterline/planted-faults", "--test", "sim"]);
    test.args(["--", "--nocapture", "every_planted_fault"]).stderr(Stdio::inherit());
    let output = String::from_utf8(test.output()?.stdout)?;
    let faults =
        output.lines().filter(|line| line.contains(": caught") || line.contains(": missed"));
    faults.for_each(|line| println!("{line}"));
    let counts = output.lines().find_map(|line| line.strip_prefix("model: "));
    let counts = counts.and_then(|line| line.split_once(" caught, "));
    let (caught, rest) = counts.context("the model test did not come to its end")?;
    Ok((caught.parse()?, rest.trim_end_matches(" missed").parse()?))
}

/// Builds server and harness as the tests do, and puts the server aside.
fn build(workspace: &Path, scratch: &Path, fault: Option<&str>) -> Result<PathBuf> {
    let mut cargo = crate::cargo(workspace);
    // The whole workspace: for some of its members alone the parts of others would be built anew.
    cargo.args(["build", "--workspace", "--locked", "--profile", "ci", "--bins"]);
    if let Some(fault) = fault {
        cargo.args(["--features", &format!("barterline/{fault}")]);
    }
    ensure!(cargo.status()?.success(), "the build failed");
    let server = scratch.join(fault.unwrap_or("sound"));
    fs::copy(built("barterline")?, &server)?;
    Ok(server)
}

/// A program of the same build as this one.
fn built(name: &str) -> Result<PathBuf> {
    let this = std::env::current_exe()?;
    let target = this.parent().and_then(Path::parent).context("no target directory")?;
    Ok(target.join("ci").join(name))
}

/// Lets the harness kill the server three times under load; gives the harness's exit code.
fn trial(server: &Path, scratch: &Path, name: &str) -> Result<Option<i32>> {
    let data = scratch.join(format!("data-{name}"));
    let spawn = [server.as_os_str(), OsStr::new(SERVE), data.as_os_str()];
    let report = scratch.join(format!("{name}.json"));
    let mut harness = Command::new(built("barterline-loadtest")?);
    harness.args([
        "run",
        "--rooms",
        "100",
        "--in-flight",
        "4",
        "--duration",
        "6s",
        "--warmup",
        "1s",
    ]);
    harness.args(["--target", "ws://127.0.0.1:0", "--admin", "http://127.0.0.1:0", "--kills", "3"]);
    harness.arg("--spawn").arg(spawn.join(OsStr::new(" ")));
    harness.arg("--json").arg(report);
    Ok(harness.status()?.code())
}
