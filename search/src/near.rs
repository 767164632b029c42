//! What is around a place.

use barterline_domain::place::Point;

/// A place, and how far around it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Near {
    /// From where to measure.
    pub point: Point,
    /// How far at most, in kilometres; `None`: anywhere, also where it is not known.
    pub km: Option<f64>,
}

/// Kilometres of a degree of latitude, a little less than they are (111.19), so that a box is rather
/// too large than too small.
const DEGREE_KM: f64 = 111.1;

/// The points within a distance. A box of degrees around them is asked first: two comparisons in place
/// of five sines.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reach {
    point: Point,
    km: f64,
    /// Degrees north and south.
    lat: f64,
    /// Degrees east and west; 180: all around, as a pole is within.
    lon: f64,
}

impl Reach {
    /// What is within `km` of `point`.
    pub fn new(point: Point, km: f64) -> Self {
        let lat = km / DEGREE_KM;
        let to_pole = 90.0 - point.lat.abs();
        // The meridian that a circle touches: sin(lon) = sin(radius) / cos(lat).
        let lon = if lat >= to_pole {
            180.0
        } else {
            (lat.to_radians().sin() / point.lat.to_radians().cos()).min(1.0).asin().to_degrees()
        };
        Self { point, km, lat, lon }
    }

    /// Whether it is there.
    pub fn contains(&self, other: Point) -> bool {
        let lon = (other.lon - self.point.lon).abs();
        // The shorter way may be across the date line.
        let is_in_box =
            (other.lat - self.point.lat).abs() <= self.lat && lon.min(360.0 - lon) <= self.lon;
        is_in_box && self.point.distance_km(other) <= self.km
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_box_leaves_nothing_out(
            lat in -90.0..=90.0, lon in -180.0..=180.0, up in -90.0..=90.0, along in -180.0..=180.0,
            km in 0.1..20_100.0,
        ) {
            let (point, other) = (Point { lat, lon }, Point { lat: up, lon: along });
            let expected = point.distance_km(other) <= km;
            prop_assert_eq!(Reach::new(point, km).contains(other), expected);
        }

        #[test]
        fn the_box_leaves_nothing_out_nearby(
            lat in -90.0..=90.0_f64, lon in 179.0..=180.0, up in -1.0..=1.0, along in -180.0..=-179.0,
            km in 0.1..300.0,
        ) {
            let up = f64::clamp(lat + up, -90.0, 90.0);
            let (point, other) = (Point { lat, lon }, Point { lat: up, lon: along });
            let expected = point.distance_km(other) <= km;
            prop_assert_eq!(Reach::new(point, km).contains(other), expected);
        }
    }
}
