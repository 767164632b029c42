//! What kinds of things are for sale, and what is said of each kind: a tree of categories, each with
//! attributes of its own beside those of the categories above it.

pub mod attribute;
pub mod category;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use attribute::{Attribute, AttributeKey, AttributeValue, GivenValue, InvalidKey, InvalidValue};
use category::{Category, CategoryId};

/// Most attributes that a listing has.
pub const ATTRIBUTES_MAX: usize = 32;
/// Most categories of a tree.
pub const CATEGORIES_MAX: usize = 5_000;

/// A tree of categories; sound once it exists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Catalogue(BTreeMap<CategoryId, Category>);

/// A tree as it is written: in any order.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = Catalogue))]
#[serde(deny_unknown_fields)]
struct Written {
    categories: Vec<WrittenCategory>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = Category))]
#[serde(deny_unknown_fields)]
struct WrittenCategory {
    id: CategoryId,
    /// What people call it, by language (BCP 47).
    names: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    attributes: Vec<Attribute>,
}

/// Why a tree is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCatalogue {
    /// Nothing can be sold.
    #[error("there is no category")]
    Empty,
    /// Too many.
    #[error("more than 5000 categories")]
    TooMany,
    /// Twice.
    #[error("category {0} is there twice")]
    Twice(CategoryId),
    /// The one above it is missing.
    #[error("category {0} is below one that is not there")]
    Orphan(CategoryId),
    /// One of its own, or of those above it, has that key already.
    #[error("category {0} says twice what {1} is")]
    AttributeTwice(CategoryId, AttributeKey),
    /// With those of the categories above it.
    #[error("category {0} has more than 32 attributes")]
    TooManyAttributes(CategoryId),
    /// An attribute that no value has.
    #[error("category {0}, {1}: {2}")]
    Attribute(CategoryId, AttributeKey, &'static str),
}

/// What is said of a thing, by attribute.
pub type Attributes = BTreeMap<AttributeKey, AttributeValue>;

/// Why attributes were refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAttributes {
    /// No such category.
    #[error("there is no category {0}")]
    Category(String),
    /// The category has no such attribute.
    #[error("the category has no attribute {0}")]
    Unknown(AttributeKey),
    /// No category has any that is called so.
    #[error("{InvalidKey}")]
    Key(#[from] InvalidKey),
    /// It has to be said.
    #[error("{0} is missing")]
    Missing(AttributeKey),
    /// Not what it can be.
    #[error("{0}: {1}")]
    Value(AttributeKey, InvalidValue),
}

impl TryFrom<Written> for Catalogue {
    type Error = InvalidCatalogue;

    fn try_from(written: Written) -> Result<Self, InvalidCatalogue> {
        if written.categories.is_empty() {
            return Err(InvalidCatalogue::Empty);
        }
        if written.categories.len() > CATEGORIES_MAX {
            return Err(InvalidCatalogue::TooMany);
        }
        let mut tree = BTreeMap::new();
        for WrittenCategory { id, names, attributes } in written.categories {
            let category = Category { names, attributes };
            if tree.insert(id.clone(), category).is_some() {
                return Err(InvalidCatalogue::Twice(id));
            }
        }
        let tree = Self(tree);
        for id in tree.0.keys() {
            tree.check_category(id)?;
        }
        Ok(tree)
    }
}

impl From<Catalogue> for Written {
    fn from(tree: Catalogue) -> Self {
        let written =
            |(id, Category { names, attributes })| WrittenCategory { id, names, attributes };
        Self { categories: tree.0.into_iter().map(written).collect() }
    }
}

#[cfg(feature = "openapi")]
impl utoipa::PartialSchema for Catalogue {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        Written::schema()
    }
}

#[cfg(feature = "openapi")]
impl utoipa::ToSchema for Catalogue {
    fn name() -> std::borrow::Cow<'static, str> {
        "Catalogue".into()
    }

    fn schemas(all: &mut Vec<(String, utoipa::openapi::RefOr<utoipa::openapi::Schema>)>) {
        Written::schemas(all);
    }
}

impl Catalogue {
    fn check_category(&self, id: &CategoryId) -> Result<(), InvalidCatalogue> {
        if id.above().is_some_and(|above| !self.0.contains_key(&above)) {
            return Err(InvalidCatalogue::Orphan(id.clone()));
        }
        let mut keys = BTreeSet::new();
        for attribute in self.attributes(id) {
            let key = &attribute.key;
            if !keys.insert(key) {
                return Err(InvalidCatalogue::AttributeTwice(id.clone(), key.clone()));
            }
            let said = |what| InvalidCatalogue::Attribute(id.clone(), key.clone(), what);
            attribute.kind.check().map_err(said)?;
        }
        if keys.len() > ATTRIBUTES_MAX {
            return Err(InvalidCatalogue::TooManyAttributes(id.clone()));
        }
        Ok(())
    }

    /// Whether there is such a category.
    pub fn has(&self, id: &CategoryId) -> bool {
        self.0.contains_key(id)
    }

    /// The attributes of a category: those of the topmost first, its own last.
    pub fn attributes(&self, id: &CategoryId) -> impl Iterator<Item = &Attribute> {
        let line = id.line().into_iter().filter_map(|id| self.0.get(&id));
        line.flat_map(|category| &category.attributes)
    }

    /// What is said of a thing of this category, if it can be. What has to be said may be missing of a draft.
    pub fn check(
        &self,
        id: &CategoryId,
        mut given: BTreeMap<String, GivenValue>,
        is_draft: bool,
    ) -> Result<Attributes, InvalidAttributes> {
        if !self.has(id) {
            return Err(InvalidAttributes::Category(id.to_string()));
        }
        let mut attributes = Attributes::new();
        for Attribute { key, kind, required, .. } in self.attributes(id) {
            match given.remove(key.as_str()) {
                Some(value) => {
                    let refused = |error| InvalidAttributes::Value(key.clone(), error);
                    attributes.insert(key.clone(), kind.value(value).map_err(refused)?);
                }
                None if *required && !is_draft => {
                    return Err(InvalidAttributes::Missing(key.clone()));
                }
                None => {}
            }
        }
        match given.into_keys().next() {
            Some(unknown) => Err(InvalidAttributes::Unknown(unknown.try_into()?)),
            None => Ok(attributes),
        }
    }
}

#[cfg(test)]
mod tests;
