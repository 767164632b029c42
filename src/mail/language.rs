//! The languages that mails are written in. To add one: a folder of templates, a line here and one in
//! letter.rs.

/// A language.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Language {
    /// English: for everybody whose language is not here.
    #[default]
    English,
    /// German.
    German,
}

impl Language {
    /// Every one.
    pub const ALL: [Self; 2] = [Self::English, Self::German];

    /// Its tag (RFC 5646).
    pub const fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
        }
    }

    /// The language of a tag, whatever its region.
    pub fn of(tag: &str) -> Option<Self> {
        let language = tag.trim().split('-').next()?;
        Self::ALL.into_iter().find(|known| known.tag().eq_ignore_ascii_case(language))
    }

    /// The one that a client likes best (`Accept-Language`: RFC 9110, section 12.5.4).
    pub fn accepted(header: &str) -> Self {
        let mut best = (Self::default(), 0.0);
        for range in header.split(',') {
            let (tag, weight) = range.split_once(';').unwrap_or((range, "q=1"));
            let weight = weight.trim().to_ascii_lowercase();
            let quality = weight.strip_prefix("q=").and_then(|quality| quality.parse::<f32>().ok());
            let quality = quality.unwrap_or(0.0);
            if let Some(known) = Self::of(tag).filter(|_| quality > best.1) {
                best = (known, quality);
            }
        }
        best.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_liked_language_that_is_there_is_taken() {
        let check = |header: &str, expected: &str| {
            assert_eq!(Language::accepted(header).tag(), expected, "{header}");
        };
        check("de-AT, en;q=0.9", "de");
        check("fr, DE;q=0.4, en;q=0.3", "de");
        check("de;q=0.1, en-GB", "en");
        check("en;q=0.5, de; q=0.9", "de");
        check("en;Q=0.5, de;Q=0.9", "de");
        check("de;q=0", "en");
        check("de;q=x", "en");
        check("fr", "en");
        check("*", "en");
        check("", "en");
    }
}
