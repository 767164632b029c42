//! Reads the vectors, and writes the bytes of new ones.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::value::RawValue;

/// The files of valid frames.
pub const FILES: [&str; 3] = ["client", "server", "session"];

/// Who says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    Client,
    Server,
}

/// One frame in both encodings.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vector {
    pub name: String,
    pub direction: Direction,
    pub meaning: String,
    pub json: Box<RawValue>,
    /// In hexadecimal.
    pub msgpack: String,
}

/// One input that is no frame.
#[derive(Debug, Deserialize)]
pub struct Invalid {
    pub name: String,
    pub meaning: String,
    #[serde(flatten)]
    pub input: Input,
    pub error: Class,
    #[serde(rename = "ref")]
    pub reference: Option<u32>,
}

/// What is fed to the decoder.
#[derive(Debug, Deserialize)]
#[serde(tag = "encoding", rename_all = "lowercase")]
pub enum Input {
    MsgPack { bytes: String },
    Json { text: String },
}

/// The kinds of decoding errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    Malformed,
    UnknownKind,
    InvalidBody,
}

/// Whether the generated parts are to be written instead of compared.
pub fn updating() -> bool {
    std::env::var_os("UPDATE_GOLDEN").is_some()
}

/// A path from the root of the workspace.
pub fn workspace(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

pub fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn path_of(file: &str) -> PathBuf {
    workspace(&format!("protocol/vectors/{file}.json"))
}

pub fn load(file: &str) -> Vec<Vector> {
    serde_json::from_str(&read(&path_of(file))).unwrap_or_else(|error| panic!("{file}: {error}"))
}

pub fn load_all() -> Vec<Vector> {
    FILES.iter().flat_map(|file| load(file)).collect()
}

pub fn load_invalid() -> Vec<Invalid> {
    serde_json::from_str(&read(&path_of("invalid"))).expect("invalid.json")
}

/// Writes vectors back in the form in which they are kept: a frame on one line.
pub fn store(file: &str, vectors: &[Vector]) {
    let quoted = |text: &str| serde_json::to_string(text).expect("a string");
    let mut out = String::from("[\n");
    for (index, vector) in vectors.iter().enumerate() {
        let direction = match vector.direction {
            Direction::Client => "client",
            Direction::Server => "server",
        };
        let comma = if index + 1 < vectors.len() { "," } else { "" };
        let _ = write!(
            out,
            "  {{\n    \"name\": {},\n    \"direction\": \"{direction}\",\n    \"meaning\": {},\n    \
             \"json\": {},\n    \"msgpack\": \"{}\"\n  }}{comma}\n",
            quoted(&vector.name),
            quoted(&vector.meaning),
            vector.json.get(),
            vector.msgpack,
        );
    }
    out.push_str("]\n");
    fs::write(path_of(file), out).expect("vectors can be written");
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

pub fn unhex(text: &str) -> Vec<u8> {
    assert!(text.len().is_multiple_of(2), "hexadecimal comes in pairs: {text}");
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).expect("hexadecimal"))
        .collect()
}
