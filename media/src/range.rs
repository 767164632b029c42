//! Which part of a file a request asks for (RFC 9110, section 14).

use std::ops::Range;

/// The part that was asked for lies outside: 416.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no byte of it is in the range")]
pub struct Unsatisfiable;

/// The bytes that the value of a `Range` field asks for, of `len`; never none, never one outside. `None`:
/// all of it, as the field is to be ignored: it is malformed, of another unit, or wants several parts.
pub fn parse(header: &str, len: u64) -> Result<Option<Range<u64>>, Unsatisfiable> {
    let Some((unit, set)) = header.trim().split_once('=') else { return Ok(None) };
    if !unit.eq_ignore_ascii_case("bytes") {
        return Ok(None);
    }
    let parts = set.split(',').map(|part| part.trim_matches([' ', '\t']));
    let mut parts = parts.filter(|part| !part.is_empty());
    let (Some(part), None) = (parts.next(), parts.next()) else { return Ok(None) };
    let Some((first, last)) = part.split_once('-') else { return Ok(None) };
    match (first.is_empty(), last.is_empty()) {
        (true, _) => number(last).map(|bytes| suffix(bytes, len)).transpose(),
        (false, true) => number(first).map(|first| between(first, u64::MAX, len)).transpose(),
        (false, false) => match (number(first), number(last)) {
            (Some(first), Some(last)) if first <= last => between(first, last, len).map(Some),
            _ => Ok(None),
        },
    }
}

/// Digits alone. More than fit stand for more than there is.
fn number(digits: &str) -> Option<u64> {
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().unwrap_or(u64::MAX))
}

fn suffix(bytes: u64, len: u64) -> Result<Range<u64>, Unsatisfiable> {
    if bytes == 0 || len == 0 {
        return Err(Unsatisfiable);
    }
    Ok(len.saturating_sub(bytes)..len)
}

fn between(first: u64, last: u64, len: u64) -> Result<Range<u64>, Unsatisfiable> {
    if first >= len {
        return Err(Unsatisfiable);
    }
    Ok(first..last.saturating_add(1).min(len))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_range_is_cut_to_what_there_is() {
        for (header, range) in [
            ("bytes=0-0", 0..1),
            ("bytes=0-99", 0..100),
            ("bytes=10-", 10..100),
            ("bytes=90-1000", 90..100),
            ("bytes=-1", 99..100),
            ("bytes=-1000", 0..100),
            ("bytes=99-99999999999999999999999", 99..100),
            ("bytes=-99999999999999999999999", 0..100),
            ("Bytes=5-6", 5..7),
            ("bytes= 5-6 , ,", 5..7),
        ] {
            assert_eq!(parse(header, 100), Ok(Some(range)), "{header}");
        }
    }

    #[test]
    fn what_lies_outside_is_refused() {
        for header in ["bytes=100-", "bytes=100-200", "bytes=-0", "bytes=99999999999999999999-"] {
            assert_eq!(parse(header, 100), Err(Unsatisfiable), "{header}");
        }
        for header in ["bytes=0-", "bytes=0-0", "bytes=-1"] {
            assert_eq!(parse(header, 0), Err(Unsatisfiable), "{header}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_ignored() {
        for header in [
            "",
            "bytes",
            "bytes=",
            "bytes=,",
            "bytes=-",
            "bytes=5",
            "bytes=6-5",
            "bytes=a-b",
            "bytes=+1-2",
            "bytes=1-2-3",
            "bytes=--1",
            "bytes=1 - 2",
            "bytes=0-1,5-6",
            "items=0-5",
        ] {
            assert_eq!(parse(header, 100), Ok(None), "{header}");
        }
    }

    proptest! {
        #[test]
        fn a_range_is_never_empty_and_never_outside(
            header in "(bytes=)?[0-9, -]{0,24}", len in any::<u64>(),
        ) {
            if let Ok(Some(range)) = parse(&header, len) {
                prop_assert!(range.start < range.end && range.end <= len);
            }
        }

        #[test]
        fn a_range_that_was_asked_for_is_given(first: u64, last: u64, len: u64) {
            let answer = parse(&format!("bytes={first}-{last}"), len);
            if first > last {
                prop_assert_eq!(answer, Ok(None));
            } else if first >= len {
                prop_assert_eq!(answer, Err(Unsatisfiable));
            } else {
                let end = last.min(len - 1) + 1;
                prop_assert_eq!(answer, Ok(Some(first..end)));
            }
        }
    }
}
