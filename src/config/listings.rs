//! Things for sale.

use std::path::PathBuf;
use std::time::Duration;

use super::section::{Any, section};

section! {
    /// Things for sale.
    pub struct Listings = "listings" {
        /// The kinds of things there are, and what is said of each: a file like the one that
        /// `GET /v1/catalogue` answers with. All servers of a cluster have the same.
        catalogue: Option<PathBuf> = None, Any("a file, or \"\" for the one that comes with the server");
        /// For how many days something is for sale, unless its seller renews it; 0: until the seller says
        /// otherwise. Sellers may choose less.
        days: u64 = 60, 0..=366;
    }
}

impl Listings {
    /// For how long something is for sale, where that ends by itself.
    pub fn lifetime(&self) -> Option<Duration> {
        (self.days > 0).then(|| Duration::from_hours(24 * self.days))
    }
}
