//! The documents say what the crate does: generated examples, and tables held against the enums.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use barterline_domain::message::{BODY_BYTES_MAX, BODY_CHARS_MAX, EXTENSION_DATA_BYTES_MAX};
use barterline_protocol::close_code::{CloseCode, Verdict};
use barterline_protocol::error_code::{Advice, ErrorCode};
use barterline_protocol::limits;
use barterline_protocol::{Outgoing, Request};
use serde_json::Value;

use crate::files::{Direction, Vector, load, load_all, read, updating, workspace};

const PROTOCOL: &str = "docs/protocol.md";
const ERRORS: &str = "docs/errors.md";

/// Puts each field of the body on a line of its own.
fn spread(json: &str) -> String {
    let mut out = String::new();
    let (mut depth, mut quoted, mut escaped) = (0, false, false);
    for c in json.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '[' | '{' if !quoted => depth += 1,
            ']' | '}' if !quoted => {
                if depth == 2 && !out.ends_with('{') {
                    out.push('\n');
                }
                depth -= 1;
            }
            _ => {}
        }
        out.push(c);
        match c {
            '{' if !quoted && depth == 2 && !json.ends_with("{}]") => out.push_str("\n  "),
            ',' if !quoted && depth == 2 => out.push_str("\n  "),
            ',' | ':' if !quoted => out.push(' '),
            _ => {}
        }
    }
    out
}

/// Breaks hexadecimal into lines of 32 bytes.
fn lines_of(hex: &str) -> String {
    let chars: Vec<char> = hex.chars().collect();
    let lines: Vec<String> = chars.chunks(64).map(String::from_iter).collect();
    lines.join("\n")
}

fn example(vector: &Vector) -> String {
    format!(
        "{}\n\n```json\n{}\n```\n\n```text\n{}\n```\n",
        vector.meaning,
        spread(vector.json.get()),
        lines_of(&vector.msgpack)
    )
}

fn session() -> String {
    let mut out = String::new();
    for (index, vector) in load("session").iter().enumerate() {
        let speaker = match vector.direction {
            Direction::Client => "Client",
            Direction::Server => "Server",
        };
        let _ = write!(
            out,
            "**{}. {speaker}.** {}\n\n```json\n{}\n```\n\n```text\n{}\n```\n\n",
            index + 1,
            vector.meaning,
            vector.json.get(),
            lines_of(&vector.msgpack)
        );
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

/// The document with every generated block made anew, and the names of the blocks.
fn regenerate(document: &str) -> (String, Vec<String>) {
    let vectors = load_all();
    let mut out = String::new();
    let mut names = Vec::new();
    let mut skipping = false;
    for line in document.lines() {
        if line == "<!-- end -->" {
            skipping = false;
        }
        if !skipping {
            out.push_str(line);
            out.push('\n');
        }
        let opened = line.strip_prefix("<!-- example ").and_then(|rest| rest.strip_suffix(" -->"));
        if let Some(name) = opened {
            let content = if name == "session" {
                session()
            } else {
                let vector = vectors.iter().find(|vector| vector.name == name);
                example(vector.unwrap_or_else(|| panic!("no vector {name}")))
            };
            out.push_str(&content);
            names.push(name.to_owned());
            skipping = true;
        }
    }
    assert!(!skipping, "a generated block is not closed");
    (out, names)
}

#[test]
fn the_examples_are_the_vectors() {
    let path = workspace(PROTOCOL);
    let document = read(&path);
    let (fresh, names) = regenerate(&document);
    if updating() {
        fs::write(&path, &fresh).expect("the document can be written");
    } else {
        assert!(document == fresh, "{PROTOCOL} is stale: run `cargo xtask golden`");
    }
    assert!(names.iter().any(|name| name == "session"));
}

/// The text from the heading that names `kind` to the next heading.
fn section<'a>(document: &'a str, kind: &str) -> &'a str {
    let quoted = format!("`{kind}`");
    let mut from = None;
    let mut at = 0;
    for line in document.split_inclusive('\n') {
        if line.starts_with('#') {
            if let Some(from) = from {
                return &document[from..at];
            }
            if line.starts_with("### ") && line.contains(&quoted) {
                from = Some(at);
            }
        }
        at += line.len();
    }
    from.map_or_else(|| panic!("{PROTOCOL} has no section for {kind}"), |from| &document[from..])
}

#[test]
fn every_kind_has_a_section_with_every_field_and_an_example() {
    let document = read(&workspace(PROTOCOL));
    let mut fields: BTreeMap<(&str, String), Vec<String>> = BTreeMap::new();
    for file in ["client", "server"] {
        for vector in load(file) {
            let (kind, _, body): (String, Value, serde_json::Map<String, Value>) =
                serde_json::from_str(vector.json.get()).expect("a frame");
            fields.entry((file, kind)).or_default().extend(body.keys().cloned());
        }
    }
    assert_eq!(fields.len(), Request::KINDS.len() + Outgoing::KINDS.len());
    for ((_, kind), keys) in fields {
        let section = section(&document, &kind);
        assert!(section.contains("<!-- example "), "{kind} has no example");
        for key in keys {
            assert!(section.contains(&format!("| `{key}` |")), "{kind}: `{key}` has no row");
        }
    }
}

#[test]
fn the_fields_of_an_event_and_a_row_have_their_tables() {
    let document = read(&workspace(PROTOCOL));
    let vectors = load("server");
    let body = |name: &str| -> Value {
        let vector = vectors.iter().find(|vector| vector.name == name).expect(name);
        let (_, _, body): (String, Value, Value) =
            serde_json::from_str(vector.json.get()).expect("a frame");
        body
    };
    let check = |kind: &str, value: &Value| {
        for key in value.as_object().expect("a map").keys() {
            assert!(section(&document, kind).contains(&format!("| `{key}` |")), "{kind}: {key}");
        }
    };
    check("row", &body("rows")["rows"][0]);
    for name in ["event", "event_amended", "event_gone", "event_withheld", "event_listing"] {
        check("event", &body(name));
    }
    check("welcome", &body("welcome")["limits"]);
}

/// The cells of every table row whose first cell is in backquotes or a number.
fn rows(document: &str) -> Vec<Vec<String>> {
    document
        .lines()
        .filter(|line| line.starts_with("| "))
        .map(|line| {
            let cells = line.trim_matches('|').split(" | ");
            cells.map(|cell| cell.trim().trim_matches('`').to_owned()).collect()
        })
        .collect()
}

#[test]
fn every_error_code_is_documented_with_its_advice() {
    let advice = |code: ErrorCode| match code.advice() {
        Advice::Retry => "retry",
        Advice::Mend => "mend",
        Advice::GiveUp => "give up",
    };
    let expected: Vec<_> =
        ErrorCode::ALL.iter().map(|code| (code.name().to_owned(), advice(*code))).collect();
    for file in [ERRORS, PROTOCOL] {
        let table = rows(&read(&workspace(file)));
        let codes = || {
            let advice = ["retry", "mend", "give up"];
            table.iter().filter(move |cells| cells.len() > 3 && advice.contains(&cells[1].as_str()))
        };
        let documented: Vec<_> =
            codes().map(|cells| (cells[0].clone(), cells[1].as_str())).collect();
        assert_eq!(documented, expected, "{file}");
        for cells in codes() {
            assert!(cells.last().is_some_and(|cell| cell.len() > 10), "{file}: {cells:?}");
        }
    }
}

#[test]
fn every_close_code_is_documented_with_its_verdict() {
    let verdict = |code: CloseCode| match code.verdict() {
        Verdict::RetryNow => "retry now",
        Verdict::RetryAfter => "retry after",
        Verdict::RefreshFirst => "refresh first",
        Verdict::Final => "final",
        Verdict::ClientBug => "client bug",
    };
    let expected: Vec<_> = CloseCode::ALL
        .iter()
        .map(|code| (code.code().to_string(), code.name().to_owned(), verdict(*code)))
        .collect();
    let table = rows(&read(&workspace(PROTOCOL)));
    let documented: Vec<_> = table
        .iter()
        .filter(|cells| cells[0].len() == 4 && cells[0].parse::<u16>().is_ok())
        .map(|cells| (cells[0].clone(), cells[1].clone(), cells[2].as_str()))
        .collect();
    assert_eq!(documented, expected);
}

#[test]
fn the_limits_are_documented_with_their_numbers() {
    let document = read(&workspace(PROTOCOL));
    let table = rows(&document);
    let expected = [
        ("frame_bytes", limits::FRAME_BYTES_MAX),
        ("text_chars", BODY_CHARS_MAX),
        ("text_bytes", BODY_BYTES_MAX),
        ("in_flight", limits::IN_FLIGHT_MAX),
        ("page_events", limits::PAGE_EVENTS_MAX),
        ("have", limits::HAVE_MAX),
        ("data_bytes", EXTENSION_DATA_BYTES_MAX),
        ("edit_window_ms", limits::EDIT_WINDOW_MS as usize),
        ("delete_window_ms", limits::DELETE_WINDOW_MS as usize),
        ("reactions", limits::REACTIONS.split(' ').count()),
        ("watch_ms", limits::WATCH_MS as usize),
        ("nesting", limits::DEPTH_MAX),
        ("rows in one `rows` frame", limits::ROWS_MAX),
        ("base distance", limits::BASE_DISTANCE_MAX as usize),
        ("events pushed of one chat", limits::PUSH_EVENTS_MAX as usize),
    ];
    for (name, number) in expected {
        let found = table.iter().any(|cells| cells[0] == name && cells[1] == number.to_string());
        assert!(found, "{name} is to be documented as {number}");
    }
}
