//! A thing as its system writes it: in webhooks, and where it is asked.

use barterline_domain::ids::UserId;
use barterline_domain::listing::details::Condition;
use barterline_domain::listing::external::{ExternalId, ExternalUrl, InvalidExternal};
use barterline_domain::listing::{ListingStatus, ListingText};
use barterline_domain::money::MINOR_MAX;
use serde::Deserialize;
use url::Url;
use utoipa::ToSchema;

use crate::rest::extract::json;
use crate::rest::listings::Price;
use crate::rest::listings::said::{PlaceAsked, Values, category, given, once};
use crate::rest::problem::Problem;
use crate::services::listings::Said;
use crate::services::sources::{Item, Seller};

/// Highest revision: what a JSON number carries exactly (RFC 8259, section 6).
const REVISION_MAX: u64 = MINOR_MAX;

/// A thing for sale. A field that is misspelt must not look as if it had been taken.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SourceListing)]
pub struct Request {
    /// What it is called there, for good.
    #[schema(min_length = 1, max_length = 200, examples("17"))]
    id: String,
    /// Which of its states this is: what has a lower one is older. A number that grows, or a time.
    #[schema(maximum = 9_007_199_254_740_991_u64)]
    revision: u64,
    seller: SellerAsked,
    #[schema(min_length = 1, max_length = 120, examples("City bike"))]
    title: String,
    #[serde(default)]
    #[schema(max_length = 10_000)]
    description: String,
    price: Price,
    /// One of `GET /v1/catalogue`.
    #[schema(max_length = 163, examples("vehicles/bicycles"))]
    category: Option<String>,
    /// What the category's attributes are, by their keys.
    #[serde(default, deserialize_with = "once")]
    #[schema(value_type = BTreeMap<String, serde_json::Value>)]
    attributes: Values,
    condition: Option<Condition>,
    place: Option<PlaceAsked>,
    #[serde(default)]
    status: StatusAsked,
    /// Its page there, by http or https.
    #[schema(max_length = 2_000, examples("https://shop.example/things/17"))]
    url: Option<String>,
}

/// Who sells it: an `account` of this server, or the `subject` of the issuer that the operator named for the source.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SourceSeller)]
pub struct SellerAsked {
    account: Option<UserId>,
    #[schema(min_length = 1, max_length = 255)]
    subject: Option<String>,
    /// What they are called, if there is no account yet.
    name: Option<String>,
}

/// Where it stands. Nothing is a draft, and nothing expires: its system says when it is over.
#[derive(Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = SourceStatus)]
pub enum StatusAsked {
    /// For sale.
    #[default]
    Active,
    /// Held for one buyer.
    Reserved,
    /// Gone.
    Sold,
    /// Taken back.
    Withdrawn,
}

impl Request {
    /// What it says the thing is called.
    pub fn id(&self) -> &str {
        &self.id
    }
}

impl From<StatusAsked> for ListingStatus {
    fn from(asked: StatusAsked) -> Self {
        match asked {
            StatusAsked::Active => Self::Active,
            StatusAsked::Reserved => Self::Reserved,
            StatusAsked::Sold => Self::Sold,
            StatusAsked::Withdrawn => Self::Withdrawn,
        }
    }
}

impl TryFrom<SellerAsked> for Seller {
    type Error = Problem;

    fn try_from(asked: SellerAsked) -> Result<Self, Problem> {
        match asked {
            SellerAsked { account: Some(account), subject: None, name: None } => {
                Ok(Self::Account(account))
            }
            SellerAsked { account: None, subject: Some(subject), name } => {
                Ok(Self::Subject { subject, name })
            }
            _ => Err(Problem::invalid("seller: say `account`, or `subject` and perhaps `name`")),
        }
    }
}

impl TryFrom<Request> for Item {
    type Error = Problem;

    fn try_from(request: Request) -> Result<Self, Problem> {
        let refuse = |error: InvalidExternal| Problem::invalid(error.to_string());
        if request.revision > REVISION_MAX {
            return Err(Problem::invalid(format!("revision: {REVISION_MAX} at most")));
        }
        Ok(Self {
            id: ExternalId::parse(&request.id).map_err(refuse)?,
            revision: request.revision,
            url: request.url.as_deref().map(page).transpose().map_err(refuse)?,
            seller: request.seller.try_into()?,
            text: ListingText::choose(&request.title, request.description)?,
            price: request.price.try_into()?,
            said: Said {
                category: request.category.map(category).transpose()?,
                attributes: given(request.attributes)?,
                condition: request.condition,
                place: request.place.map(TryInto::try_into).transpose()?,
                ..Said::default()
            },
            status: request.status.into(),
        })
    }
}

/// The address of a page, as it is read by whoever follows it.
fn page(text: &str) -> Result<ExternalUrl, InvalidExternal> {
    // Whoever follows an address reads some of what is not seen as if it were not there.
    let is_clean = text.chars().all(|c| c.is_ascii_graphic());
    let url = Url::parse(text).ok().filter(|_| is_clean).ok_or(InvalidExternal::Url)?;
    ExternalUrl::parse(url.as_str())
}

/// Reads what a system answers when it is asked; the error has nothing of what it says.
pub fn read(answer: &[u8]) -> Result<Item, String> {
    let item = json::<Request>(answer).and_then(Item::try_from);
    item.map_err(|problem| format!("{}: {}", problem.name(), problem.words()))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn with(more: &Value) -> String {
        let mut item = json!({
            "id": "17", "revision": 3, "title": "City bike",
            "seller": { "subject": "ana" }, "price": { "minor": 12_000, "currency": "EUR" },
        });
        for (key, value) in more.as_object().expect("fields") {
            item[key] = value.clone();
        }
        item.to_string()
    }

    #[test]
    fn an_item_is_read_as_it_is_written() {
        let item = read(with(&json!({})).as_bytes()).expect("an item");
        assert_eq!((item.id.as_str(), item.revision, &item.url), ("17", 3, &None));
        assert_eq!(item.status, ListingStatus::Active);
        assert_eq!(item.seller, Seller::Subject { subject: "ana".to_owned(), name: None });
        let page = "https://shop.example/things/17?a=b#c";
        let more = json!({
            "status": "sold", "url": page, "condition": "good", "description": "Steel",
            "seller": { "account": "01a20741-33b3-7000-a03f-60e573858ff7" },
            "place": { "cell": "u33db" },
        });
        let item = read(with(&more).as_bytes()).expect("an item");
        let url = item.url.as_ref().map(ExternalUrl::as_str);
        assert_eq!((url, item.status), (Some(page), ListingStatus::Sold));
        assert!(item.said.place.is_some() && matches!(item.seller, Seller::Account(_)));
    }

    #[test]
    fn what_is_no_item_is_refused() {
        for (more, said) in [
            (json!({ "id": "" }), "request.invalid"),
            (json!({ "id": "a\nb" }), "request.invalid"),
            (json!({ "id": "x".repeat(201) }), "request.invalid"),
            (json!({ "id": 17 }), "request.invalid"),
            (json!({ "revision": -1 }), "request.invalid"),
            (json!({ "revision": 9_007_199_254_740_992_u64 }), "request.invalid"),
            (json!({ "revision": 1.5 }), "request.invalid"),
            (json!({ "stauts": "sold" }), "request.invalid"),
            (json!({ "status": "draft" }), "request.invalid"),
            (json!({ "status": "expired" }), "request.invalid"),
            (json!({ "seller": {} }), "request.invalid"),
            (json!({ "seller": { "name": "Ana" } }), "request.invalid"),
            (
                json!({ "seller": { "account": "01a20741-33b3-7000-a03f-60e573858ff7", "subject": "a" } }),
                "request.invalid",
            ),
            (json!({ "url": "javascript:alert(1)" }), "request.invalid"),
            (json!({ "url": "/things/17" }), "request.invalid"),
            (json!({ "url": "https://shop.example\n/" }), "request.invalid"),
            (json!({ "url": "https://shop.example@evil.example/" }), "request.invalid"),
            (json!({ "url": "https:\\\\shop.example@evil.example/" }), "request.invalid"),
            (
                json!({ "url": format!("https://shop.example/{}", "x".repeat(2_000)) }),
                "request.invalid",
            ),
            (json!({ "title": " " }), "listing.title_invalid"),
            (json!({ "title": "\u{202e}ekib" }), "listing.title_invalid"),
            (json!({ "description": "x".repeat(10_001) }), "listing.description_too_long"),
            (json!({ "price": { "minor": 1, "currency": "XXX" } }), "listing.price_invalid"),
            (json!({ "category": "Bikes!" }), "listing.category_unknown"),
            (json!({ "attributes": { "brand": null } }), "listing.attributes_invalid"),
            (json!({ "place": {} }), "listing.place_invalid"),
        ] {
            let refused = read(with(&more).as_bytes()).expect_err("no item");
            assert!(refused.starts_with(said), "{more}: {refused}");
        }
        for none in ["", "{}", "[]", "null", "hunter2", "\u{feff}{}"] {
            let refused = read(none.as_bytes()).expect_err("no item");
            assert!(!refused.contains("hunter2"), "{refused}");
        }
    }
}
