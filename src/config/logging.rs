//! What the server says on standard error.

use super::section::{Any, choice, section};

choice! {
    /// How much is said.
    pub enum Level {
        /// What somebody must mend.
        Error = "error",
        /// What somebody should look at.
        Warn = "warn",
        /// What an operator wants to have read afterwards.
        Info = "info",
        /// Each request.
        Debug = "debug",
        /// Everything.
        Trace = "trace",
    }
}

choice! {
    /// How it is said.
    pub enum Format {
        /// For people.
        Human = "human",
        /// An object a line, for programs.
        Json = "json",
    }
}

section! {
    /// The log on standard error. Never holds secrets or the text of messages.
    pub struct Logging = "logging" {
        /// How much is said.
        level: Level = Level::Info, Any(Level::NAMES);
        /// How it is said.
        format: Format = Format::Human, Any(Format::NAMES);
    }
}
