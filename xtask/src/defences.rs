//! Holds docs/security.md against the tests and the defaults that it names, and docs/asvs.md against its
//! tests.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::asvs;
use crate::doors::sources;

/// Where tests stand.
const FOLDERS: [&str; 4] = ["src", "tests", "domain/src", "fuzz/tests"];

/// What the document says and nothing bears out.
pub fn check(root: &Path) -> Result<Vec<String>> {
    let mut tests = BTreeSet::new();
    for folder in FOLDERS {
        for file in sources(&root.join(folder))? {
            let text = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
            tests.extend(tests_of(&text));
        }
    }
    let read = |path: &str| fs::read_to_string(root.join(path)).context(path.to_owned());
    let settings = settings_of(&read("docs/config.toml")?);
    let rows = rows_of(&read("docs/security.md")?);
    let mut wrong = Vec::new();
    if rows.is_empty() {
        wrong.push("docs/security.md has no table of defaults".to_owned());
    }
    for Row { what, defaults, named } in rows {
        if named.is_empty() {
            wrong.push(format!("docs/security.md: no test for \"{what}\""));
        }
        let missing = named.iter().filter(|test| !tests.contains(*test));
        wrong.extend(missing.map(|test| format!("docs/security.md: there is no test `{test}`")));
        let other = defaults.iter().filter(|default| !settings.contains(*default));
        wrong.extend(other.map(|default| format!("docs/config.toml does not say `{default}`")));
    }
    wrong.extend(asvs::check(&read("docs/asvs.md")?, &tests));
    Ok(wrong)
}

/// A line of the table.
struct Row {
    what: String,
    defaults: Vec<String>,
    named: Vec<String>,
}

fn rows_of(document: &str) -> Vec<Row> {
    let lines = document.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    let rows = lines.filter_map(|line| {
        let [what, defaults, named] = line.split('|').collect::<Vec<_>>().try_into().ok()?;
        let quoted = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        let what = str::trim(what).to_owned();
        Some(Row { what, defaults: quoted(defaults), named: quoted(named) })
    });
    rows.filter(|row| row.what != "what" && row.what != "---").collect()
}

/// Every function under `#[test]` or `#[tokio::test]`.
fn tests_of(text: &str) -> impl Iterator<Item = String> {
    let lines: Vec<_> = text.lines().map(str::trim).collect();
    let tests = lines.windows(2).filter_map(|pair| {
        let [attribute, function] = pair else { return None };
        let is_test = attribute.starts_with("#[test]") || attribute.starts_with("#[tokio::test");
        let name = function.trim_start_matches("async ").strip_prefix("fn ")?.split('(').next()?;
        is_test.then(|| name.to_owned())
    });
    tests.collect::<Vec<_>>().into_iter()
}

/// Every `section.key = value` of the reference.
fn settings_of(reference: &str) -> BTreeSet<String> {
    let mut section = "";
    let mut settings = BTreeSet::new();
    for line in reference.lines() {
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']');
        } else if !line.starts_with('#') && line.contains(" = ") {
            settings.insert(format!("{section}.{line}"));
        }
    }
    settings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_document_says_is_so() {
        let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
        assert_eq!(check(root).expect("checked"), Vec::<String>::new());
    }

    #[test]
    fn what_is_named_and_not_there_is_found() {
        let dir = std::env::temp_dir().join(format!("barterline-defences-{}", std::process::id()));
        for folder in FOLDERS.iter().chain(&["docs"]) {
            fs::create_dir_all(dir.join(folder)).expect("a folder");
        }
        let write = |path: &str, text: &str| fs::write(dir.join(path), text).expect("a file");
        write("src/a.rs", "#[test]\nfn there() {}\nfn no_test() {}\n");
        write("docs/asvs.md", asvs::tests::SOUND);
        write("docs/config.toml", "[a]\n# b = 9\nb = 1\n");
        write(
            "docs/security.md",
            "| what | default | tests |\n| --- | --- | --- |\n| x | `a.b = 1` | `there` |\n\
             | y | `a.b = 2` | `there`, `no_test` |\n| z | | |\n",
        );
        let wrong = check(&dir).expect("checked");
        fs::remove_dir_all(&dir).expect("removed");
        assert_eq!(
            wrong,
            [
                "docs/security.md: there is no test `no_test`",
                "docs/config.toml does not say `a.b = 2`",
                "docs/security.md: no test for \"z\"",
            ]
        );
    }
}
