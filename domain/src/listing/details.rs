//! What is said of a thing beside its texts and its price.

use serde::{Deserialize, Serialize};

use crate::catalogue::Attributes;
use crate::catalogue::category::CategoryId;
use crate::ids::MediaId;
use crate::listing::external::External;
use crate::place::Place;

/// Most photos of a thing.
pub const PHOTOS_MAX: usize = 20;

/// How much a thing was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// Never.
    New,
    /// It does not show.
    LikeNew,
    /// It shows, and all works.
    Good,
    /// It shows much, and all that matters works.
    Fair,
    /// Something does not work.
    ForParts,
}

/// What is said of a thing; nothing of it has to be.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Details {
    /// What kind of thing it is.
    pub category: Option<CategoryId>,
    /// What is said of each thing of that kind.
    pub attributes: Attributes,
    /// How much it was used.
    pub condition: Option<Condition>,
    /// Where it is.
    pub place: Option<Place>,
    /// What it looks like, in its seller's order: [`PHOTOS_MAX`] at most, each once.
    #[serde(default)]
    pub photos: Vec<Photo>,
    /// Where it is kept, if that is elsewhere.
    #[serde(default)]
    pub external: Option<External>,
}

/// A photo of a thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Photo {
    /// The file.
    pub media: MediaId,
    /// Pixels across, of the largest there is.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
}
