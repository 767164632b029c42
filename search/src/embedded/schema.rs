//! How a listing lies in the index: words in fields, the rest in columns. Nothing is kept to be read
//! back, as the store has the listings.

use std::collections::BTreeMap;

use barterline_domain::catalogue::attribute::{AttributeKey, AttributeValue};
use barterline_domain::catalogue::category::CategoryId;
use barterline_domain::clock::Timestamp;
use barterline_domain::ids::{ListingId, UserId};
use barterline_domain::listing::details::Condition;
use barterline_domain::listing::{Listing, ListingStatus};
use tantivy::schema::{
    FAST, Field, INDEXED, IndexRecordOption, JsonObjectOptions, OwnedValue, STRING, Schema,
    SchemaBuilder, TextFieldIndexing, TextOptions,
};
use tantivy::tokenizer::TokenizerManager;
use tantivy::{TantivyDocument, Term};

use crate::cursor::GROUPS;

use super::language::Language;
use super::suggest;
use super::text::{Splitter, fold};

/// To be raised when a listing lies in the index in another way: older indexes are made anew.
pub const FORMAT: u32 = 1;

/// Columns, by their names.
pub mod column {
    pub const ID_HIGH: &str = "id_high";
    pub const ID_LOW: &str = "id_low";
    pub const CATEGORY: &str = "category";
    pub const PRICE: &str = "price";
    pub const SAID: &str = "said";
    pub const NUMBERS: &str = "numbers";
    pub const CONDITION: &str = "condition";
    pub const STATUS: &str = "status";
    pub const CREATED: &str = "created_at";
    pub const EXPIRES: &str = "expires_at";
    pub const LAT: &str = "lat";
    pub const LON: &str = "lon";
}

/// In the order of their numbers in the index.
pub const CONDITIONS: [Condition; 5] =
    [Condition::New, Condition::LikeNew, Condition::Good, Condition::Fair, Condition::ForParts];
/// In the order of their numbers in the index.
pub const STATUSES: [ListingStatus; 6] = [
    ListingStatus::Draft,
    ListingStatus::Active,
    ListingStatus::Reserved,
    ListingStatus::Sold,
    ListingStatus::Withdrawn,
    ListingStatus::Expired,
];

/// One kind of words: as they are written, and without endings in each language.
#[derive(Debug, Clone)]
pub struct Group {
    pub exact: Field,
    pub stems: Vec<Field>,
}

/// The fields of an index.
#[derive(Debug, Clone)]
pub struct Fields {
    pub schema: Schema,
    pub languages: Vec<Language>,
    /// Titles, then categories, attributes and places, then descriptions.
    pub groups: [Group; GROUPS],
    pub id: Field,
    pub seller: Field,
    pub category: Field,
    pub currency: Field,
    /// What attributes are: see [`said`].
    pub said: Field,
    /// Phrases of the title: see [`suggest::phrases`].
    pub phrase: Field,
    id_high: Field,
    id_low: Field,
    price: Field,
    numbers: Field,
    condition: Field,
    status: Field,
    created: Field,
    expires: Field,
    lat: Field,
    lon: Field,
}

impl Fields {
    /// The fields of an index in these languages.
    pub fn new(languages: &[Language]) -> Self {
        let mut schema = Schema::builder();
        let groups = ["title", "extra", "body"].map(|name| Group {
            exact: schema.add_text_field(name, words("exact")),
            stems: stems(&mut schema, name, languages),
        });
        Self {
            groups,
            languages: languages.to_vec(),
            id: schema.add_bytes_field("id", INDEXED),
            seller: schema.add_bytes_field("seller", INDEXED),
            category: schema.add_text_field(column::CATEGORY, STRING | FAST),
            currency: schema.add_text_field("currency", STRING),
            said: schema.add_text_field(column::SAID, STRING | FAST),
            phrase: schema.add_text_field("phrase", STRING),
            id_high: schema.add_u64_field(column::ID_HIGH, FAST),
            id_low: schema.add_u64_field(column::ID_LOW, FAST),
            price: schema.add_u64_field(column::PRICE, FAST),
            numbers: schema
                .add_json_field(column::NUMBERS, JsonObjectOptions::default().set_fast("raw")),
            condition: schema.add_u64_field(column::CONDITION, FAST),
            status: schema.add_u64_field(column::STATUS, FAST),
            created: schema.add_u64_field(column::CREATED, FAST),
            expires: schema.add_u64_field(column::EXPIRES, FAST),
            lat: schema.add_f64_field(column::LAT, FAST),
            lon: schema.add_f64_field(column::LON, FAST),
            schema: schema.build(),
        }
    }

    /// How text becomes words, by the names in the schema.
    pub fn analyzers(&self) -> TokenizerManager {
        let analyzers = TokenizerManager::default();
        analyzers.register("exact", Splitter::Listing.exact());
        for language in &self.languages {
            analyzers.register(language.code(), Splitter::Listing.stems(*language));
        }
        analyzers
    }

    /// The term of a listing.
    pub fn id(&self, listing: &ListingId) -> Term {
        Term::from_field_bytes(self.id, listing.as_bytes())
    }

    /// The term of a seller.
    pub fn seller(&self, seller: &UserId) -> Term {
        Term::from_field_bytes(self.seller, seller.as_bytes())
    }

    /// A listing as it lies in the index.
    pub fn document(&self, listing: &Listing) -> TantivyDocument {
        let mut document = TantivyDocument::default();
        document.add_bytes(self.id, listing.id.as_bytes());
        let (high, low) = halves(listing.id);
        document.add_u64(self.id_high, high);
        document.add_u64(self.id_low, low);
        document.add_bytes(self.seller, listing.seller.as_bytes());
        document.add_u64(self.price, listing.price.minor);
        document.add_text(self.currency, listing.price.currency.code());
        document.add_u64(self.status, listing.status as u64);
        document.add_u64(self.created, listing.created_at.as_millis());
        if let Some(end) = listing.expires_at {
            document.add_u64(self.expires, end.as_millis());
        }
        if let Some(condition) = listing.details.condition {
            document.add_u64(self.condition, condition as u64);
        }
        if let Some(place) = &listing.details.place {
            let point = place.cell.middle();
            document.add_f64(self.lat, point.lat);
            document.add_f64(self.lon, point.lon);
        }
        for category in listing.details.category.iter().flat_map(CategoryId::line) {
            document.add_text(self.category, category.as_str());
        }
        self.add_attributes(listing, &mut document);
        for phrase in suggest::phrases(listing.text.title()) {
            document.add_text(self.phrase, phrase);
        }
        let texts = [
            listing.text.title().to_owned(),
            extra(listing),
            listing.text.description().to_owned(),
        ];
        for (group, text) in self.groups.iter().zip(texts) {
            for field in [group.exact].iter().chain(&group.stems) {
                document.add_text(*field, &text);
            }
        }
        document
    }

    fn add_attributes(&self, listing: &Listing, document: &mut TantivyDocument) {
        let mut numbers = BTreeMap::new();
        for (key, value) in &listing.details.attributes {
            match value {
                AttributeValue::Text(text) => {
                    document.add_text(self.said, format!("{}{text}", said_text(key, text)));
                }
                AttributeValue::Number(steps, decimals) => {
                    let written = written(*steps, *decimals);
                    document.add_text(self.said, said(key, &written));
                    let thousandths = thousandths(*steps, *decimals);
                    numbers.insert(key.to_string(), OwnedValue::I64(thousandths));
                }
                AttributeValue::Flag(flag) => {
                    document.add_text(self.said, said(key, &flag.to_string()));
                }
                AttributeValue::One(one) => {
                    document.add_text(self.said, said(key, one.as_str()));
                }
                AttributeValue::Many(many) => {
                    for one in many {
                        document.add_text(self.said, said(key, one.as_str()));
                    }
                }
            }
        }
        if !numbers.is_empty() {
            document.add_object(self.numbers, numbers);
        }
    }
}

/// Words with how often they are there, and how many there are in all.
fn words(analyzer: &str) -> TextOptions {
    let indexing = TextFieldIndexing::default()
        .set_tokenizer(analyzer)
        .set_index_option(IndexRecordOption::WithFreqs);
    TextOptions::default().set_indexing_options(indexing)
}

fn stems(schema: &mut SchemaBuilder, name: &str, languages: &[Language]) -> Vec<Field> {
    let field = |language: &Language| {
        schema.add_text_field(&format!("{name}_{language}"), words(language.code()))
    };
    languages.iter().map(field).collect()
}

/// An id in two columns.
pub fn halves(id: ListingId) -> (u64, u64) {
    let both = u128::from_be_bytes(*id.as_bytes());
    ((both >> 64) as u64, both as u64)
}

/// An id from two columns.
pub fn joined(high: u64, low: u64) -> ListingId {
    ListingId::from_bytes((u128::from(high) << 64 | u128::from(low)).to_be_bytes())
}

/// Where a listing stands at `now`, by what is in the index: see [`Listing::status_at`].
pub fn status_at(status: u64, expires_at: Option<u64>, now: Timestamp) -> u64 {
    const ACTIVE: u64 = ListingStatus::Active as u64;
    const EXPIRED: u64 = ListingStatus::Expired as u64;
    let is_over = expires_at.is_some_and(|end| end <= now.as_millis());
    if status == ACTIVE && is_over { EXPIRED } else { status }
}

/// The term of what an attribute is.
pub fn said(key: &AttributeKey, value: &str) -> String {
    format!("{key}={value}")
}

/// What the terms of a text begin with, whatever its case; behind it is the text as it was written.
pub fn said_text(key: &AttributeKey, text: &str) -> String {
    format!("{key}={}\0", fold(text))
}

/// A number in thousandths: 2^53 steps at most, so that whole ones fit.
pub fn thousandths(steps: i64, decimals: u8) -> i64 {
    steps.saturating_mul(10_i64.pow(3_u32.saturating_sub(u32::from(decimals))))
}

/// A number as people write it, without zeros at its end.
pub fn written(steps: i64, decimals: u8) -> String {
    let thousandths = thousandths(steps, decimals);
    let (whole, part) = (thousandths.unsigned_abs() / 1_000, thousandths.unsigned_abs() % 1_000);
    let sign = if thousandths < 0 { "-" } else { "" };
    let written = format!("{sign}{whole}.{part:03}");
    written.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// What else a listing is found by: what kind of thing it is, what is said of it, and where it is.
pub fn extra(listing: &Listing) -> String {
    let details = &listing.details;
    let mut words: Vec<String> = Vec::new();
    words.extend(details.category.as_ref().map(|category| category.as_str().replace('-', " ")));
    for value in details.attributes.values() {
        match value {
            AttributeValue::Text(text) => words.push(text.clone()),
            AttributeValue::One(one) => words.push(one.to_string()),
            AttributeValue::Many(many) => words.extend(many.iter().map(ToString::to_string)),
            // "12" and "true" say nothing by themselves.
            AttributeValue::Number(..) | AttributeValue::Flag(_) => {}
        }
    }
    let name = details.place.as_ref().and_then(|place| place.name.clone());
    words.extend(name.map(String::from));
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_and_statuses_stand_at_their_numbers() {
        assert!(CONDITIONS.iter().enumerate().all(|(at, it)| *it as usize == at));
        assert!(STATUSES.iter().enumerate().all(|(at, it)| *it as usize == at));
    }

    #[test]
    fn numbers_are_written_short() {
        let texts =
            [(125, 1), (-5, 1), (2_012, 0), (1_500, 3), (100, 2)].map(|(s, d)| written(s, d));
        assert_eq!(texts, ["12.5", "-0.5", "2012", "1.5", "1"]);
    }
}
