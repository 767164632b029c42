//! Proves which way the doors open: no part names one above it, and no crate depends on one it must
//! not know. Reads source and manifests as text, so it needs no build and can be tested on a copy.
//!
//! What it cannot see: a path that is pieced together by a macro, or a re-export under another
//! name. Both would have to be written on purpose.

mod table;

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use table::{COMMON, CRATES, Crate, KEYS, PARTS, STRANGERS};

/// An arrow that may not be.
#[derive(Debug, PartialEq, Eq)]
pub struct Arrow {
    place: String,
    what: String,
}

impl fmt::Display for Arrow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}

/// Every forbidden arrow of the workspace at `root`.
pub fn check(root: &Path) -> Result<Vec<Arrow>> {
    let mut wrong = Vec::new();
    for file in sources(&root.join("src"))? {
        check_file(root, &file, &mut wrong)?;
    }
    for rules in CRATES {
        check_manifest(root, rules, &mut wrong)?;
    }
    wrong.extend(unlisted_members(root)?);
    Ok(wrong)
}

/// Every Rust file below `folder`, in a fixed order.
pub fn sources(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let entries = fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(sources(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn check_file(root: &Path, file: &Path, wrong: &mut Vec<Arrow>) -> Result<()> {
    let inside = file.strip_prefix(root.join("src")).context("a file of src/")?;
    let inside = inside.to_string_lossy().replace('\\', "/");
    let part = inside.split(['/', '.']).next().unwrap_or_default();
    // Tests stand on whatever they need, and so do they in a file of their own.
    if part == "lib" || inside.ends_with("/tests.rs") {
        return Ok(());
    }
    let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
    let code = code_of(&text);
    let mut refuse = |what: String| {
        wrong.push(Arrow { place: format!("src/{inside}"), what });
    };

    let Some(rules) = PARTS.iter().find(|rules| rules.name == part) else {
        refuse(format!("`{part}` has no place in the table of parts"));
        return Ok(());
    };
    let free = rules.may_use.contains(&"*");
    for named in parts_named(&code) {
        let known = PARTS.iter().any(|rules| rules.name == named);
        let allowed = free
            || named == part
            || COMMON.contains(&named.as_str())
            || rules.may_use.contains(&named.as_str());
        if known && !allowed {
            refuse(format!("`{part}` may not name `{named}`"));
        }
    }
    for key in KEYS {
        let holder = key.held_by.iter().any(|path| inside.starts_with(path));
        if !holder && names(&code, key.word) {
            refuse(format!("may not name `{}`: {}", key.word, key.because));
        }
    }
    for stranger in STRANGERS.iter().filter(|stranger| stranger.part == part) {
        let without =
            stranger.except.iter().fold(code.clone(), |code, path| code.replace(path, ""));
        for name in stranger.crates.iter().filter(|name| names(&without, name)) {
            refuse(format!("may not name `{name}`: {}", stranger.because));
        }
    }
    Ok(())
}

/// A file without its tests, which stand at the end and may reach further.
pub fn production(text: &str) -> &str {
    text.split("\n#[cfg(test)]").next().unwrap_or_default()
}

/// The production code, as one line without comments: a use declaration may span many lines.
fn code_of(text: &str) -> String {
    let lines =
        production(text).lines().map(|line| line.split("//").next().unwrap_or_default().trim());
    lines.collect::<Vec<_>>().join(" ")
}

/// Whether `word` stands in `code` as a whole path segment or path.
fn names(code: &str, word: &str) -> bool {
    let part_of_a_word = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        let after = code[at + word.len()..].chars().next();
        !before.is_some_and(part_of_a_word) && !after.is_some_and(part_of_a_word)
    })
}

/// The parts named by paths: `crate::hub::…`, `crate::{auth::…, hub::…}`, `use barterline::rest`.
fn parts_named(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    // The package's own name is a path only in a declaration: log filters hold it in strings.
    for origin in ["crate::", "use barterline::"] {
        for (at, _) in code.match_indices(origin) {
            let preceding = code[..at].chars().next_back();
            if preceding.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '$') {
                continue;
            }
            let rest = &code[at + origin.len()..];
            match rest.strip_prefix('{') {
                Some(group) => found.extend(heads_of(group)),
                None => found.extend(first_word(rest)),
            }
        }
    }
    found.sort();
    found.dedup();
    found
}

/// The first word of each branch of a group, up to its closing brace.
fn heads_of(group: &str) -> Vec<String> {
    let mut depth = 0_usize;
    let mut branches = vec![String::new()];
    for c in group.chars() {
        match c {
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            '{' => depth += 1,
            ',' if depth == 0 => branches.push(String::new()),
            _ if depth == 0 => branches.last_mut().into_iter().for_each(|branch| branch.push(c)),
            _ => {}
        }
    }
    branches.iter().filter_map(|branch| first_word(branch.trim())).collect()
}

fn first_word(text: &str) -> Option<String> {
    let word: String = text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    (!word.is_empty()).then_some(word)
}

fn manifest(path: &Path) -> Result<toml::Table> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    text.parse().with_context(|| path.display().to_string())
}

fn check_manifest(root: &Path, rules: &Crate, wrong: &mut Vec<Arrow>) -> Result<()> {
    let path = root.join(rules.folder).join("Cargo.toml");
    let manifest = manifest(&path)?;
    let package = |key: &str| manifest.get("package")?.get(key)?.as_str();
    let own = package("name").unwrap_or_default();
    // What only tests use stays out of it.
    for section in ["dependencies", "build-dependencies"] {
        let Some(dependencies) = manifest.get(section).and_then(|table| table.as_table()) else {
            continue;
        };
        for name in dependencies.keys() {
            let ours = name == "barterline" || name.starts_with("barterline-");
            let allowed = name == own || !ours || rules.ours.contains(&name.as_str());
            let never = rules.never.iter().any(|beginning| name.starts_with(beginning));
            if !allowed || never {
                wrong.push(Arrow {
                    place: format!("{}/Cargo.toml", rules.folder),
                    what: format!("`{own}` may not depend on `{name}`"),
                });
            }
        }
    }
    Ok(())
}

/// Members of the workspace that have no row in the table.
fn unlisted_members(root: &Path) -> Result<Vec<Arrow>> {
    let manifest = manifest(&root.join("Cargo.toml"))?;
    let members = manifest.get("workspace").and_then(|workspace| workspace.get("members"));
    let members = members.and_then(|members| members.as_array()).context("members")?;
    let unlisted = members
        .iter()
        .filter_map(|member| member.as_str())
        .filter(|member| CRATES.iter().all(|rules| rules.folder != *member));
    let arrow = |member: &str| Arrow {
        place: "Cargo.toml".to_owned(),
        what: format!("`{member}` has no place in the table of crates"),
    };
    Ok(unlisted.map(arrow).collect())
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    fn workspace() -> &'static Path {
        Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
    }

    /// A copy of what the check reads.
    fn copy() -> TempDir {
        fn copy_sources(from: &Path, to: &Path) {
            for file in sources(from).expect("sources") {
                let target = to.join(file.strip_prefix(from).expect("inside"));
                fs::create_dir_all(target.parent().expect("a folder")).expect("folder");
                fs::copy(&file, target).expect("copied");
            }
        }
        let copy = tempfile::tempdir().expect("a folder");
        copy_sources(&workspace().join("src"), &copy.path().join("src"));
        for rules in CRATES {
            let folder = copy.path().join(rules.folder);
            fs::create_dir_all(&folder).expect("folder");
            let manifest = workspace().join(rules.folder).join("Cargo.toml");
            fs::copy(manifest, folder.join("Cargo.toml")).expect("copied");
        }
        copy
    }

    /// Plants `line` at the top of a file and expects a complaint about it, with `what`.
    fn plant(file: &str, line: &str, what: &str) {
        let copy = copy();
        let path = copy.path().join(file);
        fs::create_dir_all(path.parent().expect("a folder")).expect("folder");
        let before = fs::read_to_string(&path).unwrap_or_default();
        fs::write(&path, format!("{line}\n{before}")).expect("planted");
        let wrong = check(copy.path()).expect("checked");
        let texts: Vec<_> = wrong.iter().map(ToString::to_string).collect();
        assert!(
            texts.iter().any(|text| text.starts_with(file) && text.contains(what)),
            "{line} in {file}: {texts:?}"
        );
    }

    #[test]
    fn the_tree_is_clean() {
        let wrong = check(workspace()).expect("checked");
        let texts: Vec<_> = wrong.iter().map(ToString::to_string).collect();
        assert!(texts.is_empty(), "{texts:#?}");
    }

    /// The complaints about a copy, as text.
    fn complaints(copy: &TempDir) -> Vec<String> {
        let wrong = check(copy.path()).expect("checked");
        wrong.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_planted_arrow_between_parts_is_found_in_each_direction() {
        let copy = copy();
        let mut expected = Vec::new();
        // For each part, an arrow to every part that it may not name.
        for from in PARTS.iter().filter(|part| !part.may_use.contains(&"*")) {
            let forbidden = PARTS.iter().filter(|to| {
                from.name != to.name
                    && !COMMON.contains(&to.name)
                    && !from.may_use.contains(&to.name)
            });
            let folder = copy.path().join("src").join(from.name);
            fs::create_dir_all(&folder).expect("folder");
            for to in forbidden {
                let file = format!("planted_{}.rs", to.name);
                fs::write(folder.join(&file), format!("use crate::{}::thing;", to.name))
                    .expect("planted");
                expected.push(format!(
                    "src/{}/{file}: `{}` may not name `{}`",
                    from.name, from.name, to.name
                ));
            }
        }
        assert!(expected.len() > 100, "{}", expected.len());
        let found = complaints(&copy);
        for arrow in expected {
            assert!(found.contains(&arrow), "{arrow}");
        }
    }

    #[test]
    fn an_arrow_is_found_in_every_way_of_writing_it() {
        for line in [
            "use crate::rest::problem;",
            "pub use crate::rest;",
            "use crate::{rest::problem, telemetry};",
            "use crate::{\n    telemetry::{metrics, tracing},\n    rest::problem,\n};",
            "fn f() { crate::rest::problem::answer() }",
            "use barterline::rest::problem;",
        ] {
            plant("src/hub/planted.rs", line, "`hub` may not name `rest`");
        }
    }

    #[test]
    fn what_is_no_arrow_is_let_pass() {
        let copy = copy();
        let path = copy.path().join("src/hub/planted.rs");
        fs::create_dir_all(path.parent().expect("a folder")).expect("folder");
        let harmless = "// use crate::rest;\nuse crate::hub::ring;\nuse crate::telemetry::metrics;\n\
                        use other_crate::rest::x;\n#[cfg(test)]\nmod tests { use crate::app; }\n";
        fs::write(&path, harmless).expect("planted");
        assert_eq!(check(copy.path()).expect("checked"), Vec::new());
    }

    #[test]
    fn a_key_in_the_wrong_hands_is_found() {
        for (file, line, what) in [
            (
                "src/hub/planted.rs",
                "use barterline_storage::credentials::Credentials;",
                "Credentials",
            ),
            ("src/services/listings/planted.rs", "fn f(c: Arc<dyn Credentials>) {}", "Credentials"),
            ("src/hub/planted.rs", "use barterline_storage::embedded::Embedded;", "embedded"),
            ("src/rest/planted.rs", "use barterline_storage::chat_log::ChatLog;", "ChatLog"),
            ("src/services/planted.rs", "use barterline_protocol::Frame;", "barterline_protocol"),
            ("src/hub/planted.rs", "use tokio_tungstenite::WebSocketStream;", "tokio_tungstenite"),
            ("src/cellar/planted.rs", "", "has no place"),
        ] {
            plant(file, line, what);
        }
    }

    #[test]
    fn a_planted_dependency_is_found_in_each_direction() {
        let copy = copy();
        let mut expected = Vec::new();
        for rules in CRATES {
            let path = copy.path().join(rules.folder).join("Cargo.toml");
            let mut manifest = manifest(&path).expect("manifest");
            let own = manifest["package"]["name"].as_str().expect("a name").to_owned();
            let dependencies = manifest["dependencies"].as_table_mut().expect("dependencies");
            let ours = ["", "-domain", "-protocol", "-storage", "-push", "-loadtest"]
                .map(|end| format!("barterline{end}"));
            let forbidden = ours
                .iter()
                .map(String::as_str)
                .filter(|name| *name != own && !rules.ours.contains(name))
                .chain(rules.never.iter().copied());
            for name in forbidden {
                dependencies.insert(name.to_owned(), toml::Value::from("1"));
                expected.push(format!(
                    "{}/Cargo.toml: `{own}` may not depend on `{name}`",
                    rules.folder
                ));
            }
            fs::write(&path, manifest.to_string()).expect("planted");
        }
        let found = complaints(&copy);
        for arrow in expected {
            assert!(found.contains(&arrow), "{arrow}");
        }
    }

    #[test]
    fn a_crate_without_a_place_is_found() {
        let copy = copy();
        let path = copy.path().join("Cargo.toml");
        let manifest = fs::read_to_string(&path).expect("manifest");
        fs::write(&path, manifest.replacen("\"domain\"", "\"domain\", \"cellar\"", 1))
            .expect("planted");
        let wrong = check(copy.path()).expect("checked");
        assert!(wrong.iter().any(|arrow| arrow.what.contains("cellar")), "{wrong:?}");
    }
}
