//! Settings in writing: the effective ones, and the reference in docs/config.toml.

use std::fmt::Write as _;

use super::{REDACTED, Settings, is_secret};

/// Widest line of the reference.
const WIDTH: usize = 96;

impl Settings {
    /// The effective settings as TOML, without secrets.
    pub fn to_toml(&self) -> String {
        let mut text = String::new();
        for section in self.shown().into_iter().filter(|section| !section.is_example) {
            if !text.is_empty() {
                text.push('\n');
            }
            let _ = writeln!(text, "[{}]", section.name);
            for entry in section.entries {
                if is_secret(entry.key) {
                    let _ = writeln!(text, "# {} = {REDACTED}", entry.key);
                } else {
                    let _ = writeln!(text, "{} = {}", entry.key, entry.value);
                }
            }
        }
        text
    }

    /// Every setting with its default, what is allowed, and what it is for.
    pub fn reference() -> String {
        let mut text = String::from(
            "# Every setting of `barterline serve` with its default. Generated from the code by\n\
             # `barterline config --reference`; a test compares.\n\
             #\n\
             # Stronger than this file are variables of the environment (BARTERLINE_SERVER__LISTEN\n\
             # is `listen` in [server]; BARTERLINE_LISTEN, BARTERLINE_ADMIN_LISTEN,\n\
             # BARTERLINE_TLS_LISTEN, BARTERLINE_TLS_CERTIFICATE, BARTERLINE_TLS_KEY,\n\
             # BARTERLINE_DATA and BARTERLINE_CONFIG are called like their flags; NAME in [section.NAME]\n\
             # stands between, as in BARTERLINE_PROVIDERS__NAME__CLIENT_SECRET), and stronger than those\n\
             # are flags.\n",
        );
        for section in Self::default().shown() {
            text.push('\n');
            write_comment(&mut text, section.doc);
            // There is none of its name before somebody gives it one.
            let out = if section.is_example { "# " } else { "" };
            let _ = writeln!(text, "{out}[{}]", section.name);
            for entry in section.entries {
                text.push('\n');
                write_comment(&mut text, entry.doc);
                write_comment(&mut text, &format!("Allowed: {}.", entry.allowed));
                let _ = writeln!(text, "{out}{} = {}", entry.key, entry.value);
            }
        }
        text
    }
}

/// Writes a comment, filled to [`WIDTH`].
fn write_comment(text: &mut String, comment: &str) {
    let mut line = String::from("#");
    for word in comment.split_whitespace() {
        if line.len() + 1 + word.len() > WIDTH {
            let _ = writeln!(text, "{line}");
            line.truncate(1);
        }
        line.push(' ');
        line.push_str(word);
    }
    let _ = writeln!(text, "{line}");
}
