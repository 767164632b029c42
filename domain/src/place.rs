//! Where a thing is, as coarsely as strangers may know it: a cell of a grid (a geohash of five
//! characters, 4.9 km wide and high at most; Niemeyer, 2008). The exact place is not kept at all.

use serde::{Deserialize, Serialize};

use crate::text::seen_line;

/// Characters of a cell.
const CHARS: usize = 5;
const ALPHABET: &[u8; 32] = b"0123456789bcdefghjkmnpqrstuvwxyz";
/// Mean radius of the earth in kilometres (IUGG).
const EARTH_KM: f64 = 6_371.008_8;

/// A cell of the grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Cell([u8; CHARS]);

/// Not a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPlace {
    /// Beyond the poles, or around the earth.
    #[error("a latitude is from -90 to 90 degrees, a longitude from -180 to 180")]
    Degrees,
    /// Not a geohash.
    #[error("a cell is a geohash of five characters")]
    Cell,
    /// No name.
    #[error("a place has a name of 1 to 80 characters that are all seen, in one line")]
    Name,
}

/// Longest name of a place, in characters.
const NAME_CHARS_MAX: usize = 80;

/// Where a thing is, as strangers may know it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The cell of the grid.
    pub cell: Cell,
    /// What people call the place, such as a town.
    pub name: Option<PlaceName>,
}

/// What people call a place; a line of 80 characters at most.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PlaceName(String);

/// Degrees north and east.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// North of the equator.
    pub lat: f64,
    /// East of Greenwich.
    pub lon: f64,
}

impl Point {
    /// Degrees that there are.
    pub fn new(lat: f64, lon: f64) -> Result<Self, InvalidPlace> {
        let sound = (-90.0..=90.0).contains(&lat) && (-180.0..=180.0).contains(&lon);
        if sound { Ok(Self { lat, lon }) } else { Err(InvalidPlace::Degrees) }
    }

    /// Kilometres over the ground (haversine).
    pub fn distance_km(self, other: Self) -> f64 {
        let (one, two) = (self.lat.to_radians(), other.lat.to_radians());
        let up = ((other.lat - self.lat).to_radians() / 2.0).sin();
        let along = ((other.lon - self.lon).to_radians() / 2.0).sin();
        let part = up * up + one.cos() * two.cos() * along * along;
        2.0 * EARTH_KM * part.sqrt().min(1.0).asin()
    }
}

impl Cell {
    /// The cell in which a point is.
    pub fn of(point: Point) -> Self {
        let (mut lat, mut lon) = ((-90.0, 90.0), (-180.0, 180.0));
        let mut cell = [0; CHARS];
        let mut even = true;
        for char in &mut cell {
            let mut bits = 0;
            for _ in 0..5 {
                let (range, value) =
                    if even { (&mut lon, point.lon) } else { (&mut lat, point.lat) };
                let middle = f64::midpoint(range.0, range.1);
                let above = value >= middle;
                *range = if above { (middle, range.1) } else { (range.0, middle) };
                bits = bits << 1 | usize::from(above);
                even = !even;
            }
            *char = ALPHABET[bits];
        }
        Self(cell)
    }

    /// Its middle: where things in it are shown, and measured from.
    pub fn middle(self) -> Point {
        let (mut lat, mut lon) = ((-90.0, 90.0), (-180.0, 180.0));
        let mut even = true;
        for char in self.0 {
            let bits = ALPHABET.iter().position(|known| *known == char).unwrap_or_default();
            for bit in (0..5).rev() {
                let range = if even { &mut lon } else { &mut lat };
                let middle = f64::midpoint(range.0, range.1);
                let above = bits >> bit & 1 == 1;
                *range = if above { (middle, range.1) } else { (range.0, middle) };
                even = !even;
            }
        }
        Point { lat: f64::midpoint(lat.0, lat.1), lon: f64::midpoint(lon.0, lon.1) }
    }
}

impl TryFrom<String> for PlaceName {
    type Error = InvalidPlace;

    fn try_from(text: String) -> Result<Self, InvalidPlace> {
        let name = seen_line(&text, NAME_CHARS_MAX).ok_or(InvalidPlace::Name)?;
        Ok(Self(name.to_owned()))
    }
}

impl From<PlaceName> for String {
    fn from(name: PlaceName) -> Self {
        name.0
    }
}

impl TryFrom<String> for Cell {
    type Error = InvalidPlace;

    fn try_from(text: String) -> Result<Self, InvalidPlace> {
        let cell: [u8; CHARS] = text.as_bytes().try_into().map_err(|_| InvalidPlace::Cell)?;
        let sound = cell.iter().all(|char| ALPHABET.contains(char));
        if sound { Ok(Self(cell)) } else { Err(InvalidPlace::Cell) }
    }
}

impl From<Cell> for String {
    fn from(cell: Cell) -> Self {
        cell.0.map(char::from).iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_geohashes() {
        // The example of the first description: 57.64911, 10.40744 is u4pruydqqvj.
        let cell = Cell::of(Point::new(57.649_11, 10.407_44).expect("a point"));
        assert_eq!(String::from(cell), "u4pru");
        let away = cell.middle().distance_km(Point { lat: 57.649_11, lon: 10.407_44 });
        assert!(away < 3.5, "{away}");
        for wrong in ["", "u4pr", "u4pruy", "u4pra", "U4PRU", "é4pr"] {
            assert_eq!(Cell::try_from(wrong.to_owned()), Err(InvalidPlace::Cell), "{wrong}");
        }
        for (lat, lon) in [(-90.0, -180.0), (90.0, 180.0), (0.0, 0.0)] {
            let cell = Cell::of(Point::new(lat, lon).expect("a point"));
            assert_eq!(Cell::try_from(String::from(cell)), Ok(cell));
        }
        assert!(Point::new(f64::NAN, 0.0).is_err() && Point::new(0.0, 180.1).is_err());
    }

    #[test]
    fn distances_are_those_of_the_map() {
        let (berlin, paris) =
            (Point { lat: 52.52, lon: 13.405 }, Point { lat: 48.8566, lon: 2.3522 });
        let km = berlin.distance_km(paris);
        assert!((877.0..879.0).contains(&km), "{km}");
    }
}
