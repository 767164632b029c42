//! Compares the error codes that stand in the sources of the HTTP edges with docs/errors.md. (The
//! codes that sockets know are compared by the protocol's own tests.)

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::doors::{production, sources};

/// Where answers of HTTP are made.
const EDGES: [&str; 3] = ["src/rest", "src/admin", "src/gateway"];

/// Endings of names that look like codes, and are files.
const FILES: [&str; 2] = ["css", "html"];

/// What the document lacks, and what it has too much.
pub fn check(root: &Path) -> Result<Vec<String>> {
    let mut spoken = BTreeSet::new();
    for folder in EDGES {
        for file in sources(&root.join(folder))? {
            let text = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
            spoken.extend(codes_between(production(&text), '"'));
        }
    }
    let document = fs::read_to_string(root.join("docs/errors.md")).context("docs/errors.md")?;
    let firsts = document.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").next());
    let listed: BTreeSet<_> = firsts.flat_map(|cell| codes_between(cell, '`')).collect();
    let (_, http_only) = document.split_once("## Over HTTP only").context("its second table")?;
    let http_only: BTreeSet<_> = http_only
        .lines()
        .filter(|line| line.starts_with("| `"))
        .filter_map(|line| codes_between(line, '`').next())
        .collect();

    let lacking = spoken.iter().filter(|code| !listed.contains(*code));
    let idle = http_only.iter().filter(|code| !spoken.contains(*code));
    let lacking = lacking.map(|code| format!("docs/errors.md lacks `{code}`"));
    let idle = idle.map(|code| format!("docs/errors.md lists `{code}`, which nobody says"));
    Ok(lacking.chain(idle).collect())
}

/// Every `noun.what` between two `quote`s.
fn codes_between(text: &str, quote: char) -> impl Iterator<Item = String> {
    let word =
        |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    let code = move |piece: &&str| {
        let code = piece.split_once('.').filter(|(noun, what)| word(noun) && word(what));
        code.is_some_and(|(_, what)| !FILES.contains(&what))
    };
    text.split(quote).filter(code).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_and_the_code_agree() {
        let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
        assert_eq!(check(root).expect("checked"), Vec::<String>::new());
    }

    #[test]
    fn a_code_is_a_noun_and_what_became_of_it() {
        let found: Vec<_> =
            codes_between(r#"("a.b", "no", "x.Y", "c_d.e", "page.html")"#, '"').collect();
        assert_eq!(found, ["a.b", "c_d.e"]);
    }
}
