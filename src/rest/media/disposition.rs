//! Under which name a file is kept by whoever fetches it, and whether it is shown at all (RFC 6266).

use axum::http::HeaderValue;
use barterline_domain::media::FileName;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What stands as it is in an extended value (RFC 8187, `attr-char`), as far as names have it.
const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_');

/// Types that may be served, with the endings that go with each, the usual one first.
const ENDINGS: [(&str, &[&str]); 13] = [
    ("image/jpeg", &["jpg", "jpeg"]),
    ("image/png", &["png"]),
    ("image/webp", &["webp"]),
    ("image/gif", &["gif"]),
    ("video/mp4", &["mp4", "m4v"]),
    ("video/quicktime", &["mov"]),
    ("video/webm", &["webm"]),
    ("audio/mpeg", &["mp3"]),
    ("audio/mp4", &["m4a", "mp4"]),
    ("audio/ogg", &["ogg", "oga", "opus"]),
    ("audio/wav", &["wav"]),
    ("audio/flac", &["flac"]),
    ("application/pdf", &["pdf"]),
];

/// Of what nobody knows.
const UNKNOWN: &[&str] = &["bin"];

/// Pictures, films and sounds are shown where they stand; everything else is to be kept, as it is opened by
/// who knows what.
pub fn disposition(name: &FileName, media_type: &str) -> HeaderValue {
    let is_shown = ["image/", "video/", "audio/"].iter().any(|kind| media_type.starts_with(kind));
    let kind = if is_shown { "inline" } else { "attachment" };
    let name = ended(name.as_str(), media_type);
    let plain = name.chars().map(|c| if is_plain(c) { c } else { '_' }).collect::<String>();
    let full = utf8_percent_encode(&name, KEPT);
    let value = format!("{kind}; filename=\"{plain}\"; filename*=UTF-8''{full}");
    HeaderValue::try_from(value).unwrap_or(HeaderValue::from_static("attachment"))
}

/// The name with an ending that goes with what is in the file: nobody is to keep a picture as a program.
fn ended(name: &str, media_type: &str) -> String {
    let known = ENDINGS.iter().find(|(of, _)| *of == media_type);
    let endings = known.map_or(UNKNOWN, |(_, endings)| *endings);
    let theirs = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    if endings.iter().any(|ending| ending.eq_ignore_ascii_case(theirs)) {
        return name.to_owned();
    }
    format!("{name}.{}", endings[0])
}

/// What stands in a quoted string as it is, to every client there ever was.
fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || " !#$&'()+,-.=@[]^_`{}~".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_kept_under_a_name_that_says_what_it_is() {
        let check = |name: &str, media_type: &str, expected: &str| {
            assert_eq!(disposition(&FileName::of(name), media_type), expected, "{name}");
        };
        check("bike.JPG", "image/jpeg", "inline; filename=\"bike.JPG\"; filename*=UTF-8''bike.JPG");
        check(
            "page.html",
            "image/jpeg",
            "inline; filename=\"page.html.jpg\"; filename*=UTF-8''page.html.jpg",
        );
        check("a", "application/pdf", "attachment; filename=\"a.pdf\"; filename*=UTF-8''a.pdf");
        check(
            "set up.exe",
            "application/zip",
            "attachment; filename=\"set up.exe.bin\"; filename*=UTF-8''set%20up.exe.bin",
        );
        check(
            "Köln 5%.mp3",
            "audio/mpeg",
            "inline; filename=\"K_ln 5_.mp3\"; filename*=UTF-8''K%C3%B6ln%205%25.mp3",
        );
        check(
            "x\"; filename=\"evil.exe",
            "video/mp4",
            "inline; filename=\"x filename=evil.exe.mp4\"; \
             filename*=UTF-8''x%20filename%3Devil.exe.mp4",
        );
    }
}
