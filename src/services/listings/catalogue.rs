//! The tree of categories that the operator chose, or the one that comes with the server.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use barterline_domain::catalogue::Catalogue;

/// The tree that comes with the server.
const OURS: &str = include_str!("catalogue.json");

/// Why a tree cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    /// No such file, or not for this user.
    #[error("`listings.catalogue`: {path} cannot be read")]
    Io {
        /// Which.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// No tree.
    #[error("`listings.catalogue`: {path} is no tree of categories")]
    Invalid {
        /// Which.
        path: String,
        /// Why, and where.
        source: serde_json::Error,
    },
}

/// The tree of this file, or the one that comes with the server.
pub fn open(path: Option<&Path>) -> Result<Arc<Catalogue>, CatalogueError> {
    let shown = path.unwrap_or(Path::new("catalogue.json")).display().to_string();
    let text = match path.map(fs::read_to_string) {
        None => OURS.to_owned(),
        Some(Ok(text)) => text,
        Some(Err(source)) => return Err(CatalogueError::Io { path: shown, source }),
    };
    let tree = serde_json::from_str(&text);
    tree.map(Arc::new).map_err(|source| CatalogueError::Invalid { path: shown, source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_that_comes_with_the_server_holds_together() {
        let tree = open(None).expect("a tree");
        let tree = serde_json::to_value(&*tree).expect("JSON");
        let categories = tree["categories"].as_array().expect("categories");
        assert!(categories.len() > 40);
        for category in categories {
            assert!(category["names"]["en"].is_string(), "{category}");
            for attribute in category["attributes"].as_array().into_iter().flatten() {
                assert!(attribute["names"]["en"].is_string(), "{category}, {attribute}");
            }
        }
    }
}
