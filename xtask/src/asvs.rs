//! Holds docs/asvs.md against the tests that it names, and its sums against its rows.

use std::collections::{BTreeMap, BTreeSet};

/// Rows of a chapter: met, not applicable, open.
type Sums = [usize; 3];

const STATES: [&str; 3] = ["met", "n/a", "open"];

/// What the document says and nothing bears out.
pub fn check(document: &str, tests: &BTreeSet<String>) -> Vec<String> {
    let (mut wrong, mut sums) = (Vec::new(), BTreeMap::<&str, Sums>::new());
    let cells = document.lines().filter_map(cells);
    let rows = cells.clone().filter_map(|cells| <[&str; 3]>::try_from(cells).ok());
    for [number, state, place] in rows {
        let chapter = number.split('.').next().unwrap_or_default();
        if chapter.is_empty() || !chapter.bytes().all(|byte| byte.is_ascii_digit()) {
            continue;
        }
        let Some(at) = STATES.iter().position(|known| *known == state) else {
            wrong.push(format!("docs/asvs.md, {number}: no state is {state:?}"));
            continue;
        };
        for chapter in [chapter, "all"] {
            sums.entry(chapter).or_default()[at] += 1;
        }
        if place.is_empty() {
            wrong.push(format!("docs/asvs.md, {number}: nothing says where"));
        }
        let named = place.split('`').skip(1).step_by(2).filter(|name| !tests.contains(*name));
        wrong
            .extend(named.map(|test| format!("docs/asvs.md, {number}: there is no test `{test}`")));
    }
    let mut told = BTreeMap::<&str, Sums>::new();
    for [chapter, counts @ ..] in cells.filter_map(|cells| <[&str; 4]>::try_from(cells).ok()) {
        let chapter = chapter.split(' ').next().unwrap_or_default().trim_start_matches('V');
        if let [Ok(met), Ok(not), Ok(open)] = counts.map(str::parse) {
            told.insert(chapter, [met, not, open]);
        }
    }
    if sums.is_empty() {
        wrong.push("docs/asvs.md has no rows".to_owned());
    }
    if told != sums {
        let differ = sums.iter().filter(|(chapter, sums)| told.get(*chapter) != Some(sums));
        let differ: Vec<_> = differ.collect();
        wrong.push(format!("docs/asvs.md: its rows come to {differ:?}"));
    }
    wrong
}

/// The cells of a table's line.
fn cells(line: &str) -> Option<Vec<&str>> {
    let line = line.strip_prefix("| ")?.strip_suffix(" |")?;
    Some(line.split(" | ").map(str::trim).collect())
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A document that is as it says.
    pub const SOUND: &str = "| chapter | met | n/a | open |\n| --- | --- | --- | --- |\n\
                         | V1 Text | 1 | 0 | 1 |\n| V2 More | 0 | 1 | 0 |\n| all | 1 | 1 | 1 |\n\
                         | number | state | where |\n| --- | --- | --- |\n\
                         | 1.1.1 | met | `there` |\n| 1.1.2 | open | nowhere |\n\
                         | 2.1.1 | n/a | none |\n";

    #[test]
    fn what_is_named_and_counted_is_there() {
        let tests = BTreeSet::from(["there".to_owned()]);
        assert_eq!(check(SOUND, &tests), Vec::<String>::new());
        let other = SOUND.replace("`there`", "`gone`");
        assert_eq!(check(&other, &tests), ["docs/asvs.md, 1.1.1: there is no test `gone`"]);
        let other = SOUND.replace("| open |", "| perhaps |");
        let [state, sums] = &check(&other, &tests)[..] else { panic!("two are wrong") };
        assert_eq!(state, "docs/asvs.md, 1.1.2: no state is \"perhaps\"");
        assert!(sums.contains("its rows come to"), "{sums}");
        let other = SOUND.replace("| all | 1 | 1 | 1 |", "| all | 1 | 1 | 2 |");
        let wrong = ["docs/asvs.md: its rows come to [(\"all\", [1, 1, 1])]"];
        assert_eq!(check(&other, &tests), wrong);
    }
}
