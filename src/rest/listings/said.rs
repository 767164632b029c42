//! What is said of a thing beside its texts and its price, as clients write and read it.

use std::collections::BTreeMap;
use std::fmt::{self, Formatter};

use barterline_domain::catalogue::attribute::{AttributeKey, GivenValue};
use barterline_domain::catalogue::category::CategoryId;
use barterline_domain::place::{Cell, Place, PlaceName, Point};
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::rest::problem::{Code, Problem};

/// A field that may be left out, `null`, or given.
pub type Nullable<T> = Option<Option<T>>;

/// What is said of things of a kind, by attribute, in any JSON.
pub type Values = BTreeMap<String, Value>;

/// A field that is there, be it `null`.
pub fn even_null<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    from: D,
) -> Result<Nullable<T>, D::Error> {
    Option::deserialize(from).map(Some)
}

/// A field that may be left out, and is not `null`.
pub fn not_null<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

/// Values, each key once: of two of one name nobody knows which was meant.
pub fn once<'de, D: Deserializer<'de>>(from: D) -> Result<Values, D::Error> {
    struct Once;

    impl<'de> Visitor<'de> for Once {
        type Value = Values;

        fn expecting(&self, f: &mut Formatter<'_>) -> fmt::Result {
            f.write_str("attributes by their keys")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Values, A::Error> {
            let mut values = Values::new();
            while let Some((key, value)) = map.next_entry()? {
                if values.insert(key, value).is_some() {
                    return Err(A::Error::custom("duplicate field in the attributes"));
                }
            }
            Ok(values)
        }
    }

    from.deserialize_map(Once)
}

/// The same, of what may be left out.
pub fn once_or_absent<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Values>, D::Error> {
    once(from).map(Some)
}

/// The same as far as attributes can be that.
pub fn given(values: Values) -> Result<BTreeMap<String, GivenValue>, Problem> {
    let given = |(key, value): (String, Value)| {
        if let Ok(value) = serde_json::from_value(value) {
            return Ok((key, value));
        }
        let refuse = |what: String| Problem::new(Code::Attributes, what);
        let key = AttributeKey::try_from(key).map_err(|error| refuse(error.to_string()))?;
        let kinds = "a text, a number, true, false, or a list of texts";
        Err(refuse(format!("{key}: not {kinds}")))
    };
    values.into_iter().map(given).collect()
}

/// Where a thing is: `lat` and `lon`, of which only the cell is kept, or the `cell` itself.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PlaceAsked)]
pub struct PlaceAsked {
    #[schema(minimum = -90, maximum = 90, examples(52.52))]
    lat: Option<f64>,
    #[schema(minimum = -180, maximum = 180, examples(13.405))]
    lon: Option<f64>,
    /// A geohash of five characters.
    #[schema(pattern = "^[0-9b-hjkmnp-z]{5}$", examples("u33db"))]
    cell: Option<String>,
    /// What people call the place.
    #[schema(min_length = 1, max_length = 80, examples("Berlin"))]
    name: Option<String>,
}

/// Where a thing is, as anybody may know it.
#[derive(Serialize, ToSchema)]
#[schema(as = Place)]
pub struct PlaceView {
    /// A geohash of five characters: five kilometres wide and high at most.
    cell: String,
    /// The middle of the cell.
    lat: f64,
    lon: f64,
    #[schema(required)]
    name: Option<String>,
}

/// The category of this name, if it can be one.
pub fn category(text: String) -> Result<CategoryId, Problem> {
    CategoryId::try_from(text)
        .map_err(|error| Problem::new(Code::CategoryUnknown, error.to_string()))
}

impl TryFrom<PlaceAsked> for Place {
    type Error = Problem;

    fn try_from(asked: PlaceAsked) -> Result<Self, Problem> {
        let PlaceAsked { lat, lon, cell, name } = asked;
        let refuse = |what: &str| Problem::new(Code::PlaceInvalid, what.to_owned());
        let cell = match (lat, lon, cell) {
            (Some(lat), Some(lon), None) => Point::new(lat, lon).map(Cell::of),
            (None, None, Some(cell)) => Cell::try_from(cell),
            _ => return Err(refuse("say `lat` and `lon`, or `cell`")),
        };
        let cell = cell.map_err(|error| refuse(&error.to_string()))?;
        let name = name.map(PlaceName::try_from).transpose();
        let name = name.map_err(|error| refuse(&error.to_string()))?;
        Ok(Self { cell, name })
    }
}

impl From<Place> for PlaceView {
    fn from(Place { cell, name }: Place) -> Self {
        let Point { lat, lon } = cell.middle();
        Self { cell: cell.into(), lat, lon, name: name.map(Into::into) }
    }
}
