//! `GET /v1/listings`: what is for sale.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use barterline_domain::ids::UserId;
use barterline_domain::money::Currency;
use barterline_domain::place::{Cell, Point};
use barterline_search::cursor::Cursor;
use barterline_search::near::Near;
use barterline_search::page::Counted;
use barterline_search::{Facet, PriceRange, QueryError, Sort, Words};
use serde::de::value::{Error as WordError, StrDeserializer};
use serde::de::{DeserializeOwned, IntoDeserializer as _};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{ListingView, said};
use crate::rest::Rest;
use crate::rest::extract::{Query, limit};
use crate::rest::problem::{Code, Problem};
use crate::services::search::{Asked, Found, SearchError, Wanted};

/// In which order.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = SearchSort)]
pub enum SortAsked {
    /// The best match first; takes a `text`.
    Relevance,
    /// The newest first.
    Newest,
    /// The cheapest first; takes a `currency`.
    PriceUp,
    /// The dearest first; takes a `currency`.
    PriceDown,
    /// The nearest first; takes `near`.
    Distance,
}

/// What somebody looks for; nothing: all that is for sale.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Search {
    /// Words, as somebody types them: what has all of them comes first, the last one may be unfinished.
    #[param(min_length = 1, max_length = 200, example = "city bike")]
    text: Option<String>,
    /// This category and all below it.
    #[param(example = "vehicles/bicycles")]
    category: Option<String>,
    /// What attributes of the category have to be, as a JSON object: `true` or `false`; a choice or text, or a
    /// list of them, of which one will do; `{"min": 50, "max": 60}`.
    #[param(example = r#"{"type":["city","trekking"],"frame":{"min":54,"max":58}}"#)]
    attributes: Option<String>,
    /// Of which currency prices are: goes with the next two, and with an order by price.
    #[param(value_type = Option<Currency>, example = "EUR")]
    currency: Option<String>,
    /// The least, in the currency's smallest unit.
    price_min: Option<u64>,
    /// The greatest, likewise.
    price_max: Option<u64>,
    /// From where to measure: latitude and longitude with a comma between them, or a cell.
    #[param(example = "52.52,13.405")]
    near: Option<String>,
    /// Kilometres around it, as far as places are known: to the middle of a cell.
    #[param(minimum = 0, exclusive_minimum = 0)]
    within_km: Option<f64>,
    /// One of these conditions, with commas between them.
    #[param(example = "new,like_new")]
    condition: Option<String>,
    /// One of these states, with commas between them; `active,reserved` unless said. Drafts are not found.
    #[param(example = "active")]
    status: Option<String>,
    /// Whose it is.
    seller: Option<UserId>,
    /// In which order: by relevance to a text, else the newest first.
    #[param(inline)]
    sort: Option<SortAsked>,
    /// Whether values are to be counted.
    #[serde(default)]
    facets: bool,
    /// Behind which part: `next` of the part before.
    after: Option<String>,
    /// How many at most.
    #[param(minimum = 1, maximum = 100, default = 50)]
    limit: Option<usize>,
}

/// Something that was found.
#[derive(Serialize, ToSchema)]
#[schema(as = SearchHit)]
pub struct Hit {
    listing: ListingView,
    /// How far it is from where it was asked for, if its place is known.
    #[schema(required)]
    distance_km: Option<f64>,
}

/// The values of something, and how many have each, the most frequent first.
#[derive(Serialize, ToSchema)]
#[schema(as = SearchFacet)]
pub struct FacetView {
    of: FacetOf,
    /// Which attribute, if it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    attribute: Option<String>,
    values: Vec<ValueView>,
}

/// What is counted.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum FacetOf {
    /// The categories right below the one that was asked for.
    Category,
    Condition,
    Status,
    Attribute,
}

/// A value, as it is asked for.
#[derive(Serialize, ToSchema)]
#[schema(as = SearchFacetValue)]
pub struct ValueView {
    value: String,
    count: u64,
}

/// The answer; `next` is the `after` of the next part.
#[derive(Serialize, ToSchema)]
#[schema(as = SearchResults)]
pub struct Results {
    listings: Vec<Hit>,
    /// How many there are in all parts, now.
    total: u64,
    /// Only if asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    facets: Option<Vec<FacetView>>,
    #[schema(required)]
    next: Option<String>,
}

/// Answers with a part of what was found.
#[utoipa::path(
    get,
    path = "/v1/listings",
    tag = "listings",
    operation_id = "searchListings",
    summary = "What is for sale",
    description = "Whoever pages on sees what did not change meanwhile once, and in order. A part may have fewer \
                   than `limit`, as long as there is a `next`. docs/search.md",
    params(Search),
    responses((status = 200, description = "A part of it", body = Results)),
    extensions(("x-codes" = json!([
        "search.invalid", "search.off", "listing.category_unknown", "listing.attributes_invalid", "server.busy",
    ]))),
    security(()),
)]
pub async fn handle(
    State(rest): State<Rest>,
    Query(search): Query<Search>,
) -> Result<Json<Results>, Problem> {
    let with_facets = search.facets;
    let service = rest.search.as_ref().ok_or(SearchError::Off)?;
    let Found { listings, total, facets, next } = service.find(search.asked()?).await?;
    let now = rest.listings.now();
    let hit = |(listing, distance_km)| Hit { listing: ListingView::at(now, listing), distance_km };
    Ok(Json(Results {
        listings: listings.into_iter().map(hit).collect(),
        total,
        facets: with_facets.then(|| facets.into_iter().map(Into::into).collect()),
        next: next.map(|next| next.to_string()),
    }))
}

impl Search {
    /// The same in words of the service.
    pub fn asked(self) -> Result<Asked, Problem> {
        let text = self.text.map(|text| Words::parse(&text)).transpose();
        let attributes = self.attributes.as_deref().map(wanted).transpose()?;
        let after = self.after.map(|after| after.parse::<Cursor>()).transpose();
        Ok(Asked {
            text: text.map_err(SearchError::from)?,
            category: self.category.map(said::category).transpose()?,
            attributes: attributes.unwrap_or_default(),
            price: price(self.currency.as_deref(), self.price_min, self.price_max)?,
            near: near(self.near.as_deref(), self.within_km)?,
            conditions: words("condition", self.condition.as_deref())?,
            statuses: words("status", self.status.as_deref())?,
            seller: self.seller,
            sort: self.sort.map(Into::into),
            with_facets: self.facets,
            after: after.map_err(SearchError::from)?,
            limit: limit(self.limit)?,
        })
    }
}

fn refuse(what: impl Into<String>) -> Problem {
    Problem::new(Code::SearchInvalid, what.into())
}

/// Attributes, each key once.
fn wanted(text: &str) -> Result<BTreeMap<String, Wanted>, Problem> {
    let json = &mut serde_json::Deserializer::from_str(text);
    let values = said::once(&mut *json).and_then(|values| json.end().map(|()| values));
    let values =
        values.map_err(|error| refuse(format!("attributes are no JSON object: {error}")))?;
    let wanted = |(key, value)| match serde_json::from_value(value) {
        Ok(wanted) => Ok((key, wanted)),
        Err(_) => Err(refuse(
            "an attribute has to be true or false, a text, a list of texts, or \
             {\"min\": 1, \"max\": 2}",
        )),
    };
    values.into_iter().map(wanted).collect()
}

fn price(
    currency: Option<&str>,
    min: Option<u64>,
    max: Option<u64>,
) -> Result<Option<PriceRange>, Problem> {
    let Some(currency) = currency else {
        return match (min, max) {
            (None, None) => Ok(None),
            _ => Err(refuse("prices are of a currency: say which")),
        };
    };
    let currency = Currency::parse(currency).map_err(|error| refuse(error.to_string()))?;
    Ok(Some(PriceRange { currency, min, max }))
}

fn near(near: Option<&str>, km: Option<f64>) -> Result<Option<Near>, Problem> {
    let Some(near) = near else {
        return match km {
            None => Ok(None),
            Some(_) => Err(SearchError::from(QueryError::NoPlace).into()),
        };
    };
    let point = match near.split_once(',') {
        Some((lat, lon)) => match (lat.trim().parse(), lon.trim().parse()) {
            (Ok(lat), Ok(lon)) => Point::new(lat, lon),
            _ => return Err(refuse("near is two numbers with a comma between them, or a cell")),
        },
        None => Cell::try_from(near.to_owned()).map(Cell::middle),
    };
    let point = point.map_err(|error| refuse(format!("near: {error}")))?;
    Ok(Some(Near { point, km }))
}

/// Words with commas between them, each one of those that there are.
fn words<T: DeserializeOwned>(name: &str, text: Option<&str>) -> Result<Vec<T>, Problem> {
    let word = |word: &str| {
        let from: StrDeserializer<'_, WordError> = word.trim().into_deserializer();
        T::deserialize(from).map_err(|error| refuse(format!("{name}: {error}")))
    };
    text.into_iter().flat_map(|text| text.split(',')).map(word).collect()
}

impl From<SortAsked> for Sort {
    fn from(sort: SortAsked) -> Self {
        match sort {
            SortAsked::Relevance => Self::Relevance,
            SortAsked::Newest => Self::Newest,
            SortAsked::PriceUp => Self::PriceUp,
            SortAsked::PriceDown => Self::PriceDown,
            SortAsked::Distance => Self::Distance,
        }
    }
}

impl From<Counted> for FacetView {
    fn from(counted: Counted) -> Self {
        let (of, attribute) = match counted.facet {
            Facet::Category => (FacetOf::Category, None),
            Facet::Condition => (FacetOf::Condition, None),
            Facet::Status => (FacetOf::Status, None),
            Facet::Attribute(key) => (FacetOf::Attribute, Some(key.to_string())),
        };
        let values = counted.values.into_iter();
        let values = values.map(|it| ValueView { value: it.value, count: it.count }).collect();
        Self { of, attribute, values }
    }
}
