//! A listing as it lies in the index. What is read back of it is its place and its title; the rest is
//! only found.

use std::collections::BTreeSet;

use barterline_domain::catalogue::attribute::{AttributeKey, AttributeValue};
use barterline_domain::catalogue::category::CategoryId;
use barterline_domain::clock::Timestamp;
use barterline_domain::ids::ListingId;
use barterline_domain::listing::Listing;
use serde_json::{Value, json};

use crate::embedded::Language;
use crate::embedded::schema::{extra, said, said_text, thousandths, written};
use crate::embedded::suggest::phrases;
use crate::embedded::text::fold;

use super::words::{listing_stems, listing_words};

/// What attributes are, in three fields.
#[derive(Default)]
struct Said {
    /// To be filtered by: keys with folded values.
    terms: Vec<String>,
    /// To be counted: behind a text the way it is written.
    counted: Vec<String>,
    /// Numbers, in an order that is theirs.
    number: Vec<String>,
}

/// Lines that put a listing.
pub fn put(listing: &Listing, languages: &[Language]) -> String {
    let action = json!({"index": {
        "_id": listing.id.to_string(),
        "version": listing.version,
        "version_type": "external_gte",
    }});
    format!("{action}\n{}\n", document(listing, languages))
}

/// The line that takes a listing out. It counts as the next version: whoever comes late with the one that
/// is there does not bring it back.
pub fn remove(listing: ListingId, version: u64) -> String {
    let action = json!({"delete": {
        "_id": listing.to_string(),
        "version": version.saturating_add(1),
        "version_type": "external_gte",
    }});
    format!("{action}\n")
}

fn document(listing: &Listing, languages: &[Language]) -> Value {
    let details = &listing.details;
    let title = listing.text.title();
    let Said { terms, counted, number } = Said::of(listing);
    let place = details.place.as_ref().map(|place| place.cell.middle());
    let folded = phrases(title)
        .into_iter()
        .filter_map(|phrase| phrase.split_once('\0').map(|(folded, _)| folded.to_owned()));
    let mut document = json!({
        "id": listing.id.to_string(),
        "seller": listing.seller.to_string(),
        "category": details.category.as_ref().map(CategoryId::line).unwrap_or_default(),
        "currency": listing.price.currency.code(),
        "price": listing.price.minor,
        "condition": details.condition,
        "status": listing.status,
        "created_at": listing.created_at.as_millis(),
        "expires_at": listing.expires_at.map(Timestamp::as_millis),
        "place": place.map(|point| json!({"lat": point.lat, "lon": point.lon})),
        "said": terms,
        "counted": counted,
        "number": number,
        "phrase": folded.collect::<BTreeSet<_>>(),
        "shown": title,
    });
    let texts = [
        ("title", "title_stems", title.to_owned()),
        ("extra", "extra_stems", extra(listing)),
        ("body", "body_stems", listing.text.description().to_owned()),
    ];
    for (words, stems, text) in texts {
        document[words] = json!(listing_words(&text));
        document[stems] = json!(listing_stems(&text, languages));
    }
    document
}

impl Said {
    fn of(listing: &Listing) -> Self {
        let mut all = Self::default();
        for (key, value) in &listing.details.attributes {
            match value {
                AttributeValue::Text(text) => {
                    all.terms.push(said(key, &fold(text)));
                    all.counted.push(format!("{}{text}", said_text(key, text)));
                }
                AttributeValue::Number(steps, decimals) => {
                    all.add(key, &written(*steps, *decimals));
                    all.number.push(number(key, thousandths(*steps, *decimals)));
                }
                AttributeValue::Flag(flag) => all.add(key, &flag.to_string()),
                AttributeValue::One(one) => all.add(key, one.as_str()),
                AttributeValue::Many(many) => {
                    for one in many {
                        all.add(key, one.as_str());
                    }
                }
            }
        }
        all
    }

    fn add(&mut self, key: &AttributeKey, value: &str) {
        self.terms.push(said(key, value));
        self.counted.push(said(key, value));
    }
}

/// A number of an attribute as a text that sorts as numbers do: there is no field for each attribute, of
/// which an operator may have thousands.
pub fn number(key: &AttributeKey, thousandths: i64) -> String {
    said(key, &format!("{:016x}", thousandths.cast_unsigned() ^ (1 << 63)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_sort_as_numbers() {
        let key = AttributeKey::try_from("frame".to_owned()).expect("a key");
        let numbers = [i64::MIN, -1_500, -1, 0, 1, 999, 1_000, i64::MAX];
        let texts = numbers.map(|at| number(&key, at));
        assert!(texts.is_sorted_by(|one, other| one < other), "{texts:?}");
        assert_eq!(texts[3], "frame=8000000000000000");
    }

    #[test]
    fn what_is_taken_out_is_of_the_next_version() {
        let line = remove(ListingId::from_bytes([7; 16]), 3);
        let action: Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!(action["delete"]["version"], 4);
        assert_eq!(action["delete"]["version_type"], "external_gte");
        assert_eq!(action["delete"]["_id"], ListingId::from_bytes([7; 16]).to_string());
    }
}
