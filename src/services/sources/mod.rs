//! Catalogues of others: systems that keep things for sale, of which people talk here. Each thing there is a listing
//! here, whose id follows from what it is called there.
//!
//! A system says what became of its things by webhooks, and is asked for a thing where nobody has heard of it, or not
//! for a while. Neither has to come in order, once, or at all: the revision of a thing says what is newer. What a
//! system says is checked as what a seller says is; which system it is, is the operator's word.

mod looks;
mod webhook;

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use barterline_domain::account::Scope;
use barterline_domain::bearer::{Bearer, Unpermitted};
use barterline_domain::clock::{Clock, Timestamp};
use barterline_domain::ids::{ListingId, UserId};
use barterline_domain::listing::external::{
    External, ExternalId, ExternalUrl, SourceName, listing_of,
};
use barterline_domain::listing::{InvalidListing, Listing, ListingStatus, ListingText};
use barterline_domain::money::Money;
use barterline_storage::accounts::Account;
use barterline_storage::error::StoreError;
use parking_lot::Mutex;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use self::looks::{Look, Looks};
pub use self::webhook::Shown;
use super::accounts::Accounts;
use super::listings::external::{Became, Kept, Word};
use super::listings::{ListingError, ListingReader as _, Listings, Said};
use super::to_the_end;
use crate::adapters::sources::{PullError, Puller};

/// How long somebody waits for news of a thing of which something is known already. Without that they wait as long
/// as it takes to ask.
const PATIENCE: Duration = Duration::from_secs(2);
/// Things of one system that are asked for at a time by those of whom nobody knows who they are: a quarter of what it
/// is asked at most, so that the rest is for who talks here.
const STRANGERS_AT_ONCE: usize = 4;
/// How often the log is told that a system is of no use: whoever asks for what there is not has it told.
const TOLD_EVERY: Duration = Duration::from_mins(1);

/// The systems that keep things for sale. All clones of the handle are one.
#[derive(Clone)]
pub struct Sources(Arc<Inner>);

struct Inner {
    sources: BTreeMap<SourceName, Source>,
    listings: Listings,
    sellers: Arc<dyn Sellers>,
    read: Reader,
    clock: Arc<dyn Clock>,
    looks: Looks,
    /// Turns of strangers at each system.
    strangers: BTreeMap<SourceName, Semaphore>,
    /// When the log was told last that a system is of no use.
    told: Mutex<BTreeMap<SourceName, Timestamp>>,
}

/// What the rules stand on.
pub struct Parts {
    /// The systems, by what the operator calls them.
    pub sources: BTreeMap<SourceName, Source>,
    /// What is for sale.
    pub listings: Listings,
    /// Who sells.
    pub sellers: Arc<dyn Sellers>,
    /// How an answer of a system is read.
    pub read: Reader,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// A system.
#[derive(Clone)]
pub struct Source {
    /// What its webhooks are signed by; `None`: it sends none.
    pub webhook_key: Option<Vec<u8>>,
    /// How it is asked; `None`: it is not.
    pub pull: Option<Arc<dyn Puller>>,
    /// For how long what is known of a thing does.
    pub fresh_for: Duration,
    /// By which issuer it names sellers; `None`: by their accounts.
    pub issuer: Option<String>,
}

/// Reads what a system answers of a thing; the error is for the log.
pub type Reader = fn(&[u8]) -> Result<Item, String>;

/// A thing, as its system says it is.
#[derive(Debug, Clone)]
pub struct Item {
    /// What it is called there.
    pub id: ExternalId,
    /// Which of its states this is.
    pub revision: u64,
    /// Its page there.
    pub url: Option<ExternalUrl>,
    /// Who sells it.
    pub seller: Seller,
    /// Title and description.
    pub text: ListingText,
    /// What it costs.
    pub price: Money,
    /// What else is said of it.
    pub said: Said,
    /// Where it stands.
    pub status: ListingStatus,
}

/// How a system names a seller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seller {
    /// By their account here.
    Account(UserId),
    /// As an issuer does.
    Subject {
        /// What the issuer calls them.
        subject: String,
        /// What they are called, if there is no account yet.
        name: Option<String>,
    },
}

/// What became of a thing that a system spoke of.
#[derive(Debug)]
pub struct Taken {
    /// Whether it is something new.
    pub outcome: Outcome,
    /// The listing as it is then.
    pub listing: Listing,
}

/// Whether what a system said was something new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Nobody had heard of the thing.
    Created,
    /// It is another now.
    Changed,
    /// That was known.
    Unchanged,
    /// Something newer is known.
    Stale,
}

/// Why a thing that a system spoke of is not taken. The same again is not, either.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// It cannot be a listing.
    #[error(transparent)]
    Invalid(#[from] InvalidListing),
    /// Not by what this system names sellers.
    #[error("the seller is named by {0}, from this source")]
    SellerForm(&'static str),
    /// Nobody is known by that.
    #[error("no such seller")]
    SellerUnknown,
    /// Staff keep them out: what they sell only ends.
    #[error("the seller's account is suspended")]
    SellerSuspended,
    /// Somebody else sold it before.
    #[error("the listing has another seller, for good")]
    SellerChanged,
    /// They are erased, with what they offered.
    #[error("the seller was erased")]
    SellerGone,
}

/// Why nothing is taken or found.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The API key is not for that.
    #[error(transparent)]
    Unpermitted(#[from] Unpermitted),
    /// No system is called so.
    #[error("no such source")]
    NotFound,
    /// It is not of that system, or not of now.
    #[error("the signature is not that of the source")]
    Signature,
    /// There is no such thing.
    #[error("no such listing")]
    ListingNotFound,
    /// The system says nothing, or nothing of use.
    #[error("the source cannot be asked now")]
    Unavailable,
    /// Others change the same listing, again and again.
    #[error("others change the listing at the same time")]
    Contended,
    /// The listings said no.
    #[error(transparent)]
    Listing(ListingError),
    /// The store said no.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Who sells, as systems name them.
#[async_trait]
pub trait Sellers: Send + Sync {
    /// Finds an account, also of who was erased.
    async fn find(&self, user: UserId) -> Result<Option<Account>, StoreError>;

    /// Finds whom an issuer calls so.
    async fn named_by(&self, issuer: &str, subject: &str) -> Result<Option<UserId>, StoreError>;

    /// The same, and makes an account where the issuer's tokens would.
    async fn known_as(
        &self,
        issuer: &str,
        subject: &str,
        name: Option<String>,
    ) -> Result<Option<UserId>, StoreError>;
}

#[async_trait]
impl Sellers for Accounts {
    async fn find(&self, user: UserId) -> Result<Option<Account>, StoreError> {
        self.profile(user).await
    }

    async fn named_by(&self, issuer: &str, subject: &str) -> Result<Option<UserId>, StoreError> {
        Self::named_by(self, issuer, subject).await
    }

    async fn known_as(
        &self,
        issuer: &str,
        subject: &str,
        name: Option<String>,
    ) -> Result<Option<UserId>, StoreError> {
        Self::known_as(self, issuer, subject, name).await
    }
}

/// Who has a system asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asker {
    /// Somebody who proved who they are.
    Caller,
    /// Anybody.
    Stranger,
}

/// A thing of a system, by its names.
struct Thing<'a> {
    name: &'a SourceName,
    source: &'a Source,
    id: ExternalId,
    listing: ListingId,
}

impl Sources {
    /// The rules over these parts.
    pub fn new(parts: Parts) -> Self {
        let Parts { sources, listings, sellers, read, clock } = parts;
        let turns = |name: &SourceName| (name.clone(), Semaphore::new(STRANGERS_AT_ONCE));
        let strangers = sources.keys().map(turns).collect();
        let (looks, told) = (Looks::default(), Mutex::default());
        Self(Arc::new(Inner { sources, listings, sellers, read, clock, looks, strangers, told }))
    }

    /// The system that a webhook is of, by its word and by what it shows.
    pub fn signed(
        &self,
        source: &str,
        shown: Option<Shown<'_>>,
        body: &[u8],
    ) -> Result<SourceName, SourceError> {
        let (name, source) = self.source(source)?;
        let (Some(key), Some(shown)) = (&source.webhook_key, shown) else {
            return Err(SourceError::Signature);
        };
        let is_signed = webhook::is_signed(key, shown, body, self.0.clock.now());
        if is_signed { Ok(name.clone()) } else { Err(SourceError::Signature) }
    }

    /// Takes what a system says of its things, one after the other; tells of each in their order. Whatever fails on
    /// our side fails as a whole: the same is to be sent again, and what was taken of it is then known.
    pub async fn take(
        &self,
        source: &SourceName,
        items: Vec<Item>,
    ) -> Result<Vec<Result<Taken, Refusal>>, SourceError> {
        let source = self.source(source.as_str())?;
        let mut taken = Vec::with_capacity(items.len());
        for item in items {
            taken.push(self.put(source, item, Word::Sent).await?);
        }
        Ok(taken)
    }

    /// The listing of a thing, for anybody. Asks its system for what nobody has heard of; for strangers with few
    /// at once.
    pub async fn read(
        &self,
        viewer: Option<Bearer>,
        source: &str,
        id: &str,
    ) -> Result<Listing, SourceError> {
        let thing = self.thing(source, id)?;
        let asker = if viewer.is_some() { Asker::Caller } else { Asker::Stranger };
        match self.0.listings.find(thing.listing).await? {
            Some(known) => Ok(known),
            None => self.ask(&thing, asker).await,
        }
    }

    /// The listing of a thing that somebody wants to talk about. Asks its system for what was not heard of for a
    /// while; if that says nothing, what is known does.
    pub async fn resolve(
        &self,
        caller: Bearer,
        source: &str,
        id: &str,
    ) -> Result<ListingId, SourceError> {
        caller.may(Scope::WriteChats)?;
        let thing = self.thing(source, id)?;
        let Some(known) = self.0.listings.find(thing.listing).await? else {
            return Ok(self.ask(&thing, Asker::Caller).await?.id);
        };
        if thing.source.pull.is_some() && !self.is_fresh(&thing, &known) {
            let asked = timeout(PATIENCE, self.ask(&thing, Asker::Caller)).await;
            if let Ok(Err(error)) = asked {
                tracing::debug!(%error, source = thing.name.as_str(), "what is known does");
            }
        }
        Ok(known.id)
    }

    fn source(&self, name: &str) -> Result<(&SourceName, &Source), SourceError> {
        let name = SourceName::parse(name).map_err(|_| SourceError::NotFound)?;
        self.0.sources.get_key_value(&name).ok_or(SourceError::NotFound)
    }

    fn thing(&self, source: &str, id: &str) -> Result<Thing<'_>, SourceError> {
        let (name, source) = self.source(source)?;
        let id = ExternalId::parse(id).map_err(|_| SourceError::ListingNotFound)?;
        let listing = listing_of(name, &id);
        Ok(Thing { name, source, id, listing })
    }

    /// Whether nobody has to be asked about what is known: it is new, somebody asked not long ago, or there is
    /// nothing to be told of it any more.
    fn is_fresh(&self, thing: &Thing<'_>, known: &Listing) -> bool {
        let now = self.0.clock.now();
        now.since(known.changed_at) < thing.source.fresh_for
            || self.0.looks.last(thing.listing, now).is_some()
            || known.details.external.is_none()
    }

    /// Asks a system for a thing, one at a time; gives its listing as it is then.
    async fn ask(&self, thing: &Thing<'_>, asker: Asker) -> Result<Listing, SourceError> {
        let Thing { source, listing, .. } = *thing;
        let Some(pull) = &source.pull else { return Err(SourceError::ListingNotFound) };
        let place = self.0.looks.line_up(listing);
        let _turn = place.turn().await;
        let known = self.0.listings.find(listing).await?;
        // Somebody may have asked meanwhile.
        match (self.0.looks.last(listing, self.0.clock.now()), known) {
            (Some(_), Some(known)) => Ok(known),
            (Some(Look::Nothing), None) => Err(SourceError::Unavailable),
            (Some(Look::Told | Look::Missing), None) => Err(SourceError::ListingNotFound),
            (None, known) => {
                let _room = self.room(thing.name, asker)?;
                self.pull(thing, &**pull, known).await
            }
        }
    }

    /// Room among strangers for one of them. Whoever is known needs none.
    fn room(
        &self,
        source: &SourceName,
        asker: Asker,
    ) -> Result<Option<SemaphorePermit<'_>>, SourceError> {
        let room = self.0.strangers.get(source).filter(|_| asker == Asker::Stranger);
        let room = room.map(Semaphore::try_acquire).transpose();
        room.map_err(|_| SourceError::Unavailable)
    }

    /// Asks, and takes what is told. Whoever stops waiting leaves a note that it was tried.
    async fn pull(
        &self,
        thing: &Thing<'_>,
        pull: &dyn Puller,
        known: Option<Listing>,
    ) -> Result<Listing, SourceError> {
        let Thing { name, source, ref id, listing } = *thing;
        let note = |look| {
            self.0.looks.note(listing, look, source.fresh_for, self.0.clock.now());
        };
        note(Look::Nothing);
        let unavailable = |error: &dyn Display| {
            // From now on: whoever stands in line does not ask the same again.
            note(Look::Nothing);
            self.tell(name, error);
            SourceError::Unavailable
        };
        let answer = match pull.pull(id).await {
            Ok(answer) => answer,
            Err(PullError::Busy) => {
                // The next may ask at once.
                self.0.looks.forget(listing);
                return Err(SourceError::Unavailable);
            }
            Err(PullError::Astray) => {
                // Nothing follows from that it cannot be asked for.
                note(Look::Missing);
                return known.ok_or(SourceError::ListingNotFound);
            }
            Err(error @ PullError::Failed(_)) => return Err(unavailable(&error)),
        };
        let Some(answer) = answer else {
            let Some(known) = known else {
                note(Look::Missing);
                return Err(SourceError::ListingNotFound);
            };
            let left = self.0.listings.take_back(&known).await.map_err(refused)?;
            note(Look::Missing);
            return Ok(left);
        };
        let item = (self.0.read)(&answer).map_err(|error| unavailable(&error))?;
        if item.id != *id {
            return Err(unavailable(&"it tells of another thing"));
        }
        // An account that is begun is made to the end.
        let (sources, name) = (self.clone(), name.clone());
        let taking = async move {
            let source = sources.source(name.as_str())?;
            sources.put(source, item, Word::Asked).await
        };
        let taken = to_the_end(taking).await?.map_err(|error| unavailable(&error))?;
        Ok(taken.listing)
    }

    /// Has the log say that a system is of no use.
    fn tell(&self, source: &SourceName, error: &dyn Display) {
        let (now, source_name) = (self.0.clock.now(), source.as_str());
        let mut told = self.0.told.lock();
        if told.get(source).is_some_and(|at| now.apart(*at) < TOLD_EVERY) {
            tracing::debug!(%error, source = source_name, "a source says nothing of use");
            return;
        }
        told.insert(source.clone(), now);
        tracing::warn!(%error, source = source_name, "a source says nothing of use");
    }

    /// Takes what a system says of a thing.
    async fn put(
        &self,
        (name, source): (&SourceName, &Source),
        item: Item,
        by: Word,
    ) -> Result<Result<Taken, Refusal>, SourceError> {
        let Item { id, revision, url, seller, text, price, said, status } = item;
        let listing = listing_of(name, &id);
        let external = External { source: name.clone(), id, revision, url };
        // Before anybody is asked who the seller is: what cannot be taken makes no account.
        let kept = match self.0.listings.kept(external, (text, price), said, status) {
            Ok(kept) => kept,
            Err(error) => return Ok(Err(error.into())),
        };
        let known = self.0.listings.find(listing).await?;
        let seller = match self.seller(source, seller, known.as_ref(), status).await? {
            Ok(seller) => seller,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let taken = self.take_from(seller, &kept, by).await?;
        if taken.is_ok() {
            let now = self.0.clock.now();
            self.0.looks.note(listing, Look::Told, source.fresh_for, now);
        }
        Ok(taken)
    }

    async fn take_from(
        &self,
        seller: UserId,
        kept: &Kept,
        by: Word,
    ) -> Result<Result<Taken, Refusal>, SourceError> {
        let (became, listing) = self.0.listings.take(seller, kept, by).await.map_err(refused)?;
        let outcome = match became {
            Became::Created => Outcome::Created,
            Became::Changed => Outcome::Changed,
            Became::Unchanged => Outcome::Unchanged,
            Became::Stale => Outcome::Stale,
            Became::OtherSeller => return Ok(Err(Refusal::SellerChanged)),
            Became::Erased => return Ok(Err(Refusal::SellerGone)),
        };
        Ok(Ok(Taken { outcome, listing }))
    }

    /// Who sells a thing, as its system names them. An account is made for something new alone.
    async fn seller(
        &self,
        source: &Source,
        named: Seller,
        known: Option<&Listing>,
        status: ListingStatus,
    ) -> Result<Result<UserId, Refusal>, StoreError> {
        if known.is_some_and(|known| known.details.external.is_none()) {
            return Ok(Err(Refusal::SellerGone));
        }
        let sellers = &self.0.sellers;
        let found = match (named, &source.issuer) {
            (Seller::Account(user), None) => Some(user),
            (Seller::Subject { subject, .. }, Some(issuer)) if known.is_some() => {
                sellers.named_by(issuer, &subject).await?
            }
            (Seller::Subject { subject, name }, Some(issuer)) => {
                sellers.known_as(issuer, &subject, name).await?
            }
            (Seller::Account(_), Some(_)) => return Ok(Err(Refusal::SellerForm("`subject`"))),
            (Seller::Subject { .. }, None) => return Ok(Err(Refusal::SellerForm("`account`"))),
        };
        // An end is not kept from a thing because its seller has another name by now.
        let found = found.or_else(|| known.filter(|_| status.is_final()).map(|it| it.seller));
        let Some(user) = found else { return Ok(Err(Refusal::SellerUnknown)) };
        Ok(match sellers.find(user).await? {
            None => Err(Refusal::SellerUnknown),
            Some(account) if account.erased_at.is_some() => Err(Refusal::SellerGone),
            Some(account) if account.suspended_at.is_some() && !status.is_final() => {
                Err(Refusal::SellerSuspended)
            }
            Some(_) => Ok(user),
        })
    }
}

/// Why a listing was not changed that nobody is refused.
fn refused(error: ListingError) -> SourceError {
    match error {
        ListingError::VersionChanged { .. } => SourceError::Contended,
        ListingError::Store(error) => SourceError::Store(error),
        other => SourceError::Listing(other),
    }
}

#[cfg(test)]
mod tests;
