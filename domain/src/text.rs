//! What makes a short text deceive: characters that are not seen, or that turn the others around.

/// Whether everything in a name is seen, and in its order. Two names that look the same and are not,
/// or one that looks like nothing, are no names.
pub fn is_seen(text: &str) -> bool {
    let mut before = None;
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        // Joiners shape Persian, Indic scripts and emoji. Beside a letter of ASCII they do nothing.
        let joins = |other: Option<char>| other.is_some_and(|other| !other.is_ascii());
        let idle = is_joiner(c) && !(joins(before) && joins(rest.peek().copied()));
        if idle || is_unseen(c) {
            return false;
        }
        before = Some(c);
    }
    true
}

/// A line of 1 to `chars_max` characters, trimmed, in which everything is seen; `None`: it is none.
pub fn seen_line(text: &str, chars_max: usize) -> Option<&str> {
    let text = text.trim();
    let fits = (1..=chars_max).contains(&text.chars().count());
    (fits && !text.chars().any(char::is_control) && is_seen(text)).then_some(text)
}

/// Zero-width non-joiner and joiner.
fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200c}' | '\u{200d}')
}

/// What is blank or has no shape, and what turns text around (Unicode, `Default_Ignorable_Code_Point`
/// and `Bidi_Control`, less joiners and the variation selectors of emoji, more the blanks that are no
/// white space).
pub(crate) fn is_unseen(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}'
        | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}'
        | '\u{200b}' | '\u{200e}' | '\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{2800}' | '\u{3164}'
        | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
        | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_any_script_is_seen() {
        for name in [
            "Ana",
            "Zoë O’Brien",
            "Ѝван",
            "اَلْعَرَبِيَّة",
            "می\u{200c}خواهم",
            "さくら",
            "👨\u{200d}👩\u{200d}👧 ❤\u{fe0f}",
            "𐍈𠜎",
        ] {
            assert!(is_seen(name), "{name:?}");
        }
    }

    #[test]
    fn what_is_not_seen_or_turns_text_around_is_found() {
        for name in [
            "Ana\u{202e}",
            "\u{2066}Ana",
            "A\u{200b}na",
            "A\u{200d}na",
            "Ana\u{200c}",
            "\u{200d}",
            "Ana\u{feff}",
            "\u{3164}",
            "\u{2800}",
            "Ana\u{e0041}",
            "a\u{2028}b",
            "a\u{ad}b",
            "a\u{200f}b",
            "a\u{61c}b",
            "é\u{200d}",
        ] {
            assert!(!is_seen(name), "{name:?}");
        }
    }
}
