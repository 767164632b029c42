//! Categories, and how they are called.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::attribute::Attribute;

/// Deepest category.
const DEPTH_MAX: usize = 4;
/// Longest part of a name, in characters.
const PART_CHARS_MAX: usize = 40;

/// A category's name and place in one: `vehicles/bicycles`. Parts are of `a-z`, `0-9` and `-`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CategoryId(String);

/// Not a category's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a category is called by one to four parts of a-z, 0-9 and -, with / between them")]
pub struct InvalidCategoryId;

/// A kind of things.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Category {
    /// What people call it, by language (BCP 47).
    pub names: BTreeMap<String, String>,
    /// What is said of each thing, beside what is said in the categories above.
    pub attributes: Vec<Attribute>,
}

impl TryFrom<String> for CategoryId {
    type Error = InvalidCategoryId;

    fn try_from(text: String) -> Result<Self, InvalidCategoryId> {
        let is_sound = |part: &str| {
            let plain = |c: u8| matches!(c, b'a'..=b'z' | b'0'..=b'9' | b'-');
            !part.is_empty() && part.len() <= PART_CHARS_MAX && part.bytes().all(plain)
        };
        let parts = text.split('/').count();
        let sound = parts <= DEPTH_MAX && text.split('/').all(is_sound);
        if sound { Ok(Self(text)) } else { Err(InvalidCategoryId) }
    }
}

impl From<CategoryId> for String {
    fn from(id: CategoryId) -> Self {
        id.0
    }
}

impl fmt::Display for CategoryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl CategoryId {
    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The category above it.
    pub fn above(&self) -> Option<Self> {
        self.0.rsplit_once('/').map(|(above, _)| Self(above.to_owned()))
    }

    /// The topmost category above it first, itself last.
    pub fn line(&self) -> Vec<Self> {
        let ends = self.0.match_indices('/').map(|(at, _)| at).chain([self.0.len()]);
        ends.map(|end| Self(self.0[..end].to_owned())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> CategoryId {
        CategoryId::try_from(text.to_owned()).expect("a category")
    }

    #[test]
    fn names_say_where_a_category_stands() {
        for wrong in ["", "/", "a/", "/a", "a//b", "A", "a b", "ä", "a/b/c/d/e", &"x".repeat(41)] {
            assert!(CategoryId::try_from(wrong.to_owned()).is_err(), "{wrong}");
        }
        let bicycles = id("vehicles/bicycles");
        assert_eq!(bicycles.above(), Some(id("vehicles")));
        assert_eq!(id("vehicles").above(), None);
        assert_eq!(bicycles.line(), [id("vehicles"), id("vehicles/bicycles")]);
    }
}
