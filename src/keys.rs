//! The operator's command for the keys of a data directory: prepares the next, and has it used.

use std::fs;
use std::os::unix::fs::MetadataExt as _;

use anyhow::{Context as _, ensure};
use serde_json::json;

use crate::auth::data_keys::{self, DataKeys, Masters};
use crate::auth::keyring::{self, Keyring};
use crate::config::Settings;
use crate::ids::SystemIds;

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub enum Task {
    /// A key that is to be used next stands behind the others.
    Prepare,
    /// The prepared one, or a fresh one, is used for what is new.
    Rotate,
}

/// Does it to what signs tokens and to what seals values; gives the names of all keys, those in use first.
/// Servers take them with their next start.
pub fn run(settings: &Settings, task: Task) -> anyhow::Result<String> {
    let data = settings.keys_directory();
    ensure!(
        data.is_dir(),
        "there is no directory {}: name the data directory with --data",
        data.display()
    );
    let (of_tokens, of_data) = (data.join(keyring::FILE), data.join(data_keys::FILE));
    for file in [&of_tokens, &of_data] {
        let there = fs::metadata(file).with_context(|| format!("{}: no keys", file.display()))?;
        // What root wrote the server's user could not read, at some start weeks later.
        let (owner, own) = (there.uid(), rustix::process::geteuid().as_raw());
        ensure!(owner == own, "{} belongs to user {owner}: run this as that user", file.display());
    }
    let mut tokens = Keyring::open(&of_tokens)?;
    let mut values = DataKeys::open(&of_data, Masters::of(settings.keys.masters()), &SystemIds)?;
    match task {
        Task::Prepare => {
            tokens.prepare();
            values.prepare(&SystemIds);
        }
        Task::Rotate => {
            tokens.rotate();
            values.rotate(&SystemIds);
        }
    }
    // What was sealed is kept for good: first the keys that open it.
    values.save(&of_data, &SystemIds)?;
    tokens.save(&of_tokens).context("the keys of sealed values are changed already")?;
    let tokens: Vec<_> = tokens.names().collect();
    let values: Vec<_> = values.names().collect();
    Ok(json!({ "access_tokens": tokens, "data_keys": values }).to_string())
}
