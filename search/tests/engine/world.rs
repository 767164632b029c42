//! An index in a directory of its own, and listings in it.

use std::path::PathBuf;

use barterline_domain::catalogue::attribute::{AttributeKey, AttributeValue};
use barterline_domain::catalogue::category::CategoryId;
use barterline_domain::clock::Timestamp;
use barterline_domain::ids::{ListingId, UserId};
use barterline_domain::listing::details::Condition;
use barterline_domain::listing::{Listing, ListingStatus, ListingText};
use barterline_domain::money::{Currency, Money};
use barterline_domain::place::{Cell, Place, PlaceName, Point};
use barterline_search::embedded::{EmbeddedEngine, Found, Language, Settings, open};
use barterline_search::page::Page;
use barterline_search::{
    Change, Facet, Filter, Position, Query, SearchEngine as _, SearchError, Sort, Words,
};

pub struct World {
    pub engine: EmbeddedEngine,
    applied: u64,
    dir: tempfile::TempDir,
}

pub fn languages(codes: &[&str]) -> Vec<Language> {
    codes.iter().map(|code| Language::parse(code).expect("a language")).collect()
}

impl World {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let (engine, found) = open_in(dir.path().into(), &["en", "de"]).expect("an engine");
        assert_eq!(found, Found::Nothing);
        Self { engine, applied: 0, dir }
    }

    pub async fn with(listings: impl IntoIterator<Item = Thing>) -> Self {
        let mut world = Self::new();
        world.put(listings).await;
        world
    }

    pub fn dir(&self) -> PathBuf {
        self.dir.path().into()
    }

    /// Closes the engine and opens another on the same directory.
    pub fn reopen(self) -> (Self, Found) {
        let Self { engine, applied, dir } = self;
        drop(engine);
        let (engine, found) = open_in(dir.path().into(), &["en", "de"]).expect("an engine");
        (Self { engine, applied, dir }, found)
    }

    pub async fn put(&mut self, things: impl IntoIterator<Item = Thing>) {
        let changes = things.into_iter().map(|thing| Change::Put(Box::new(thing.0))).collect();
        self.apply(changes).await.expect("applied");
    }

    pub async fn remove(&mut self, numbers: impl IntoIterator<Item = u64>) {
        let changes = numbers.into_iter().map(|number| Change::Remove(id(number))).collect();
        self.apply(changes).await.expect("applied");
    }

    pub async fn apply(&mut self, changes: Vec<Change>) -> Result<(), SearchError> {
        let position = Position((self.applied + 1).to_be_bytes().to_vec());
        self.engine.apply(changes, position).await?;
        self.applied += 1;
        Ok(())
    }

    pub async fn page(&self, query: Query) -> Page {
        self.engine.search(query).await.expect("a page")
    }

    /// Numbers of the listings that are found, in their order.
    pub async fn found(&self, query: Query) -> Vec<u64> {
        numbers(&self.page(query).await)
    }

    pub async fn found_by(&self, text: &str) -> Vec<u64> {
        self.found(words(text)).await
    }
}

pub fn open_in(dir: PathBuf, codes: &[&str]) -> Result<(EmbeddedEngine, Found), SearchError> {
    let settings = Settings { writer_bytes: 15_000_000, ..Settings::new(dir, languages(codes)) };
    open(settings).map(|opened| (opened.engine, opened.found))
}

pub fn numbers(page: &Page) -> Vec<u64> {
    page.hits.iter().map(|hit| number(hit.listing)).collect()
}

pub fn id(number: u64) -> ListingId {
    ListingId::from_bytes(u128::from(number).to_be_bytes())
}

pub fn number(id: ListingId) -> u64 {
    u64::try_from(u128::from_be_bytes(*id.as_bytes())).expect("a number")
}

pub fn user(number: u8) -> UserId {
    UserId::from_bytes([number; 16])
}

pub fn eur() -> Currency {
    Currency::parse("EUR").expect("a currency")
}

pub fn key(text: &str) -> AttributeKey {
    AttributeKey::try_from(text.to_owned()).expect("a key")
}

pub fn category(text: &str) -> CategoryId {
    CategoryId::try_from(text.to_owned()).expect("a category")
}

pub const NOW: Timestamp = Timestamp::from_millis(1_000_000);

/// Everything, the newest first.
pub fn everything() -> Query {
    Query {
        text: None,
        filter: Filter::default(),
        sort: Sort::Newest,
        facets: Vec::new(),
        after: None,
        limit: 100,
        now: NOW,
    }
}

/// What has words, the best first.
pub fn words(text: &str) -> Query {
    let text = Some(Words::parse(text).expect("words"));
    Query { text, sort: Sort::Relevance, ..everything() }
}

pub fn filtered(filter: Filter) -> Query {
    Query { filter, ..everything() }
}

pub fn counting(facets: &[Facet], filter: Filter) -> Query {
    Query { facets: facets.to_vec(), ..filtered(filter) }
}

/// A listing that is being made up.
#[derive(Clone)]
pub struct Thing(pub Listing);

impl Thing {
    pub fn new(number: u64, title: &str) -> Self {
        let text = ListingText::parse(title, String::new()).expect("a text");
        let price = Money::new(number, eur()).expect("an amount");
        let created = Timestamp::from_millis(number);
        Self(Listing::offered(id(number), user(1), text, price, created))
    }

    pub fn says(mut self, description: &str) -> Self {
        let title = self.0.text.title().to_owned();
        self.0.text = ListingText::parse(&title, description.to_owned()).expect("a text");
        self
    }

    pub fn costs(mut self, minor: u64, currency: &str) -> Self {
        let currency = Currency::parse(currency).expect("a currency");
        self.0.price = Money::new(minor, currency).expect("an amount");
        self
    }

    pub fn of(mut self, seller: u8) -> Self {
        self.0.seller = user(seller);
        self
    }

    pub fn is(mut self, id: &str) -> Self {
        self.0.details.category = Some(category(id));
        self
    }

    pub fn has(mut self, name: &str, value: AttributeValue) -> Self {
        self.0.details.attributes.insert(key(name), value);
        self
    }

    pub fn chosen(self, name: &str, choice: &str) -> Self {
        self.has(name, AttributeValue::One(key(choice)))
    }

    pub fn used(mut self, condition: Condition) -> Self {
        self.0.details.condition = Some(condition);
        self
    }

    pub fn stands(mut self, status: ListingStatus) -> Self {
        self.0.status = status;
        self
    }

    pub fn until(mut self, end: Timestamp) -> Self {
        self.0.expires_at = Some(end);
        self
    }

    pub fn at(mut self, lat: f64, lon: f64, name: Option<&str>) -> Self {
        let cell = Cell::of(Point::new(lat, lon).expect("a point"));
        let name = name.map(|name| PlaceName::try_from(name.to_owned()).expect("a name"));
        self.0.details.place = Some(Place { cell, name });
        self
    }
}
