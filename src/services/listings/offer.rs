//! What sellers say of a thing, and what becomes of it.

use std::collections::BTreeMap;
use std::time::Duration;

use barterline_domain::catalogue::Attributes;
use barterline_domain::catalogue::attribute::GivenValue;
use barterline_domain::catalogue::category::CategoryId;
use barterline_domain::clock::Timestamp;
use barterline_domain::ids::MediaId;
use barterline_domain::listing::details::{Condition, Details};
use barterline_domain::listing::{EndReason, InvalidListing, Listing, ListingStatus, ListingText};
use barterline_domain::money::Money;
use barterline_domain::place::Place;

use super::Rules;
use super::photos::chosen;

const DAY: Duration = Duration::from_hours(24);
/// Latest end of a listing where nothing ends by itself.
const END_MAX: Duration = Duration::from_hours(366 * 24);

/// A thing that is offered.
#[derive(Debug, Clone)]
pub struct Offer {
    /// Title and description.
    pub text: ListingText,
    /// What it costs.
    pub price: Money,
    /// What else is said of it.
    pub said: Said,
    /// Nobody else is to see it yet.
    pub is_draft: bool,
    /// Until when it is for sale; `None`: as long as is usual here.
    pub expires_at: Option<Timestamp>,
}

/// What is said of a thing beside its texts and its price, before it is checked.
#[derive(Debug, Clone, Default)]
pub struct Said {
    /// What kind of thing it is.
    pub category: Option<CategoryId>,
    /// What is said of each thing of that kind.
    pub attributes: BTreeMap<String, GivenValue>,
    /// How much it was used.
    pub condition: Option<Condition>,
    /// Where it is.
    pub place: Option<Place>,
    /// What it looks like.
    pub photos: Vec<MediaId>,
}

/// What a seller changes; what is absent stays, and what is there and empty goes.
#[derive(Debug, Clone, Default)]
pub struct Edit {
    /// The title.
    pub title: Option<String>,
    /// The description.
    pub description: Option<String>,
    /// The price.
    pub price: Option<Money>,
    /// What kind of thing it is.
    pub category: Option<Option<CategoryId>>,
    /// All that is said of things of that kind.
    pub attributes: Option<BTreeMap<String, GivenValue>>,
    /// How much it was used.
    pub condition: Option<Option<Condition>>,
    /// Where it is.
    pub place: Option<Option<Place>>,
    /// What it looks like: all its photos.
    pub photos: Option<Vec<MediaId>>,
    /// Where it stands.
    pub status: Option<ListingStatus>,
    /// Why it is over.
    pub reason: Option<EndReason>,
    /// Until when it is for sale; empty: as long as is usual, from now.
    pub expires_at: Option<Option<Timestamp>>,
    /// Only if this is the stored version.
    pub if_version: Option<u64>,
}

impl Offer {
    /// Something with a text and a price, of which nothing else is said.
    pub fn plain(text: ListingText, price: Money) -> Self {
        Self { text, price, said: Said::default(), is_draft: false, expires_at: None }
    }
}

impl Edit {
    /// Where the listing stands and why, after this.
    fn standing(
        &self,
        stored: &Listing,
        now: Timestamp,
    ) -> Result<(ListingStatus, Option<EndReason>), InvalidListing> {
        let stands = stored.status_at(now);
        // Whoever sends back what they were told changes nothing.
        let to = self.status.filter(|to| *to != stands || *to == ListingStatus::Active);
        let status = to.map_or(Ok(stored.status), |to| stands.to(to))?;
        if let Some(reason) = self.reason.filter(|reason| !reason.fits(status)) {
            return Err(InvalidListing::Reason { reason, status });
        }
        Ok((status, self.reason.or(stored.reason)))
    }
}

impl Rules {
    /// What the edit makes of a listing, before it is counted.
    pub(super) fn edited(
        &self,
        stored: &Listing,
        edit: &Edit,
        now: Timestamp,
    ) -> Result<Listing, InvalidListing> {
        let title = edit.title.as_deref().unwrap_or(stored.text.title());
        let description = edit.description.as_deref().unwrap_or(stored.text.description());
        // A title that stands is not chosen now.
        let parse = if edit.title.is_some() { ListingText::choose } else { ListingText::parse };
        let (status, reason) = edit.standing(stored, now)?;
        let begins_anew = edit.status == Some(ListingStatus::Active)
            && (stored.status == ListingStatus::Draft
                || stored.expires_at.is_some_and(|end| end <= now));
        let expires_at = match edit.expires_at {
            Some(_) if status.is_final() => return Err(InvalidListing::Renewal),
            Some(Some(end)) => Some(self.end(end, now)?),
            Some(None) if status == ListingStatus::Draft => None,
            Some(None) => self.end_from(now),
            None if begins_anew && stored.status == ListingStatus::Draft => match stored.expires_at
            {
                // Chosen when it was a draft, and past by now.
                Some(end) => Some(self.end(end, now)?),
                None => self.end_from(now),
            },
            None if begins_anew => self.end_from(now),
            None => stored.expires_at,
        };
        Ok(Listing {
            text: parse(title, description.to_owned())?,
            price: edit.price.unwrap_or(stored.price),
            details: self.edited_details(stored, edit, status)?,
            status,
            reason,
            expires_at,
            ..stored.clone()
        })
    }

    fn edited_details(
        &self,
        stored: &Listing,
        edit: &Edit,
        status: ListingStatus,
    ) -> Result<Details, InvalidListing> {
        let before = &stored.details;
        let Edit { category, attributes, condition, place, photos, .. } = edit.clone();
        let photos =
            photos.map_or(Ok(before.photos.clone()), |all| chosen(&all, &before.photos))?;
        let external = before.external.clone();
        let is_published = stored.status == ListingStatus::Draft && status == ListingStatus::Active;
        // What stands was checked by the categories of its time.
        let is_said_anew = category.is_some() || attributes.is_some() || is_published;
        // What is of no category any more has nothing that is said of its things.
        let attributes = attributes.or_else(|| (category == Some(None)).then(BTreeMap::new));
        let category = category.unwrap_or_else(|| before.category.clone());
        let condition = condition.unwrap_or(before.condition);
        let place = place.unwrap_or_else(|| before.place.clone());
        if !is_said_anew {
            let attributes = before.attributes.clone();
            return Ok(Details { category, attributes, condition, place, photos, external });
        }
        let attributes = attributes.unwrap_or_else(|| {
            let said = before.attributes.iter();
            said.map(|(key, value)| (key.to_string(), value.clone().into())).collect()
        });
        let said = Said { category, attributes, condition, place, photos: Vec::new() };
        let details = self.details(said, status == ListingStatus::Draft)?;
        Ok(Details { photos, external, ..details })
    }

    /// What is said of a thing, checked. Its photos have no sizes until they are claimed.
    pub(super) fn details(&self, said: Said, is_draft: bool) -> Result<Details, InvalidListing> {
        let Said { category, attributes, condition, place, photos } = said;
        let attributes = match &category {
            Some(category) => self.catalogue.check(category, attributes, is_draft)?,
            None if attributes.is_empty() => Attributes::new(),
            None => return Err(InvalidListing::NoCategory),
        };
        let photos = chosen(&photos, &[])?;
        Ok(Details { category, attributes, condition, place, photos, external: None })
    }

    /// When something that is put up for sale now ends.
    pub(super) fn end_from(&self, now: Timestamp) -> Option<Timestamp> {
        self.lifetime.map(|lifetime| now.plus(lifetime))
    }

    /// An end that a seller chose.
    pub(super) fn end(&self, end: Timestamp, now: Timestamp) -> Result<Timestamp, InvalidListing> {
        let most = self.lifetime.unwrap_or(END_MAX);
        let days = most.as_secs() / DAY.as_secs();
        let sound = end > now && end <= now.plus(most);
        if sound { Ok(end) } else { Err(InvalidListing::Expiry { days }) }
    }
}
