//! Checks and generators behind make.

mod asvs;
mod backends;
mod defences;
mod doors;
mod errors;
mod planted;

use std::env;
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result, bail};

const HELP: &str = "\
cargo xtask doors     proves which way the house's doors open
cargo xtask errors    compares the codes that HTTP answers with docs/errors.md
cargo xtask defences  holds docs/security.md and docs/asvs.md against what they name
cargo xtask backends  runs every suite on both backends and compares docs/storage.md with it
                      (--write: puts what came of it there); BARTERLINE_TEST_CQL names a database
cargo xtask planted   plants faults in the server and wants the harness to catch them
cargo xtask golden    fills in new vectors and rewrites the examples of docs/protocol.md";

fn main() -> ExitCode {
    let outcome = match env::args().nth(1).as_deref() {
        Some("doors") => doors(),
        Some("errors") => errors(),
        Some("defences") => defences(),
        Some("golden") => golden(),
        Some("backends") => backends::check(workspace(), env::args().nth(2).as_deref()),
        Some("planted") => planted::check(workspace()),
        _ => {
            eprintln!("{HELP}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn workspace() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// Cargo, without what the one that runs this says of this package: a package that looks at it in its
/// build script (ring does) would be built anew each time, and all that stands on it.
fn cargo(workspace: &Path) -> Command {
    let mut cargo = Command::new(env!("CARGO"));
    for (name, _) in env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
            cargo.env_remove(&*name);
        }
    }
    cargo.current_dir(workspace);
    cargo
}

fn doors() -> Result<()> {
    let wrong = doors::check(workspace())?;
    if wrong.is_empty() {
        println!("doors: every arrow points the way it may");
        return Ok(());
    }
    for arrow in &wrong {
        eprintln!("{arrow}");
    }
    bail!("{} forbidden arrow(s); the table stands in xtask/src/doors/table.rs", wrong.len())
}

fn errors() -> Result<()> {
    let wrong = errors::check(workspace())?;
    if wrong.is_empty() {
        println!("errors: docs/errors.md and the code agree");
        return Ok(());
    }
    bail!("{}", wrong.join("\n"));
}

fn defences() -> Result<()> {
    let wrong = defences::check(workspace())?;
    if wrong.is_empty() {
        println!("defences: docs/security.md and docs/asvs.md name what there is");
        return Ok(());
    }
    bail!("{}", wrong.join("\n"));
}

fn golden() -> Result<()> {
    // Twice: the documents are made of vectors whose bytes the first run fills in.
    for _ in 0..2 {
        let status = cargo(workspace())
            .args(["test", "--quiet", "--profile", "ci", "-p", "barterline-protocol"])
            .args(["--test", "golden", "--", "vectors::every_vector", "documents::the_examples"])
            .env("UPDATE_GOLDEN", "1")
            .status()
            .context("cargo does not start")?;
        if !status.success() {
            bail!("a vector and the crate disagree");
        }
    }
    Ok(())
}
