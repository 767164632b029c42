//! What is said of things of one kind: what it can be, and what somebody says.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::text::seen_line;

/// Longest text, in characters.
pub const TEXT_CHARS_MAX: usize = 200;
/// Most choices of an attribute.
pub const CHOICES_MAX: usize = 500;
/// Most of them that are said at once.
pub const CHOSEN_MAX: usize = 20;
/// Most decimal places of a number.
const DECIMALS_MAX: u8 = 3;
/// The largest number, in its smallest steps: what a JSON number carries exactly.
const STEPS_MAX: i64 = (1 << 53) - 1;

/// What an attribute or a choice is called: `a-z`, `0-9`, `_` and `-`, up to 40 characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AttributeKey(String);

/// Not a name of an attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("attributes and choices are called by 1 to 40 characters of a-z, 0-9, _ and -")]
pub struct InvalidKey;

/// Something that is said of things.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Attribute {
    /// What it is called.
    pub key: AttributeKey,
    /// What people call it, by language.
    pub names: BTreeMap<String, String>,
    /// What it can be.
    pub kind: AttributeKind,
    /// Whether nothing is for sale without it.
    #[serde(default)]
    pub required: bool,
    /// Whether a search counts its values.
    #[serde(default)]
    pub facet: bool,
}

/// What an attribute can be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "type", rename_all = "lowercase", deny_unknown_fields)]
pub enum AttributeKind {
    /// A line of text. (In braces, as else fields that do not belong there would not be refused.)
    Text {},
    /// A number, in steps of a power of ten.
    Number {
        /// Decimal places, three at most.
        #[serde(default)]
        decimals: u8,
        /// The least, in its smallest steps: 125 is 12.5 with one decimal place.
        min: i64,
        /// The greatest, likewise.
        max: i64,
        /// What it is counted in, such as `km`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        unit: Option<String>,
    },
    /// Yes or no.
    Flag {},
    /// One of several, or some of them.
    Choice {
        /// Which, and what people call them by language.
        of: BTreeMap<AttributeKey, BTreeMap<String, String>>,
        /// Several may be said at once.
        #[serde(default)]
        many: bool,
    },
}

/// What somebody says, in JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum GivenValue {
    /// Yes or no.
    Flag(bool),
    /// A whole number.
    Whole(i64),
    /// Another number.
    Number(f64),
    /// A text, or one choice.
    Text(String),
    /// Choices.
    Many(Vec<String>),
}

/// What is said; sound once it exists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum AttributeValue {
    /// A line of text.
    Text(String),
    /// A number, in its smallest steps, and how many decimal places these are.
    Number(i64, u8),
    /// Yes or no.
    Flag(bool),
    /// One of several.
    One(AttributeKey),
    /// Some of several, ascending, none twice.
    Many(Vec<AttributeKey>),
}

/// Why somebody cannot say this.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidValue {
    /// A text where a number belongs, and the like.
    #[error("not {0}")]
    Kind(&'static str),
    /// Empty, too long, or with characters that are not seen.
    #[error("not a line of 1 to 200 characters that are all seen")]
    Text,
    /// Too small, too great, or between the steps.
    #[error("not a number from {min} to {max} with at most {decimals} decimal places")]
    Number {
        /// The least.
        min: String,
        /// The greatest.
        max: String,
        /// Decimal places.
        decimals: u8,
    },
    /// Another, one twice, none, or too many.
    #[error("not among the choices, twice, none, or more than 20")]
    Choice,
}

impl TryFrom<String> for AttributeKey {
    type Error = InvalidKey;

    fn try_from(text: String) -> Result<Self, InvalidKey> {
        let plain = |c: u8| matches!(c, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-');
        let sound = (1..=40).contains(&text.len()) && text.bytes().all(plain);
        if sound { Ok(Self(text)) } else { Err(InvalidKey) }
    }
}

impl From<AttributeKey> for String {
    fn from(key: AttributeKey) -> Self {
        key.0
    }
}

impl fmt::Display for AttributeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AttributeKey {
    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl AttributeKind {
    /// Says what is wrong with it, if no value could be of it.
    pub fn check(&self) -> Result<(), &'static str> {
        match self {
            Self::Number { decimals, .. } if *decimals > DECIMALS_MAX => {
                Err("more than three decimal places")
            }
            Self::Number { min, max, .. } if min > max => Err("its least is above its greatest"),
            Self::Number { min, max, .. } if *min < -STEPS_MAX || *max > STEPS_MAX => {
                Err("beyond 9007199254740991 steps")
            }
            Self::Choice { of, .. } if of.is_empty() || of.len() > CHOICES_MAX => {
                Err("not 1 to 500 choices")
            }
            Self::Text {} | Self::Number { .. } | Self::Flag {} | Self::Choice { .. } => Ok(()),
        }
    }

    /// What somebody says, if it can be that.
    pub fn value(&self, given: GivenValue) -> Result<AttributeValue, InvalidValue> {
        match (self, given) {
            (Self::Flag {}, GivenValue::Flag(flag)) => Ok(AttributeValue::Flag(flag)),
            (Self::Flag {}, _) => Err(InvalidValue::Kind("true or false")),
            (Self::Text {}, GivenValue::Text(text)) => {
                let text = seen_line(&text, TEXT_CHARS_MAX).ok_or(InvalidValue::Text)?;
                Ok(AttributeValue::Text(text.to_owned()))
            }
            (Self::Text {}, _) => Err(InvalidValue::Kind("a text")),
            (Self::Number { decimals, min, max, .. }, given) => {
                let steps = match given {
                    GivenValue::Whole(number) => number.checked_mul(scale(*decimals)),
                    GivenValue::Number(number) => steps_of(number, *decimals),
                    _ => return Err(InvalidValue::Kind("a number")),
                };
                let refused = || InvalidValue::Number {
                    min: written(*min, *decimals),
                    max: written(*max, *decimals),
                    decimals: *decimals,
                };
                let steps =
                    steps.filter(|steps| (min..=max).contains(&steps)).ok_or_else(refused)?;
                Ok(AttributeValue::Number(steps, *decimals))
            }
            (Self::Choice { of, many: false }, GivenValue::Text(one)) => {
                let key = AttributeKey::try_from(one).ok().filter(|key| of.contains_key(key));
                key.map(AttributeValue::One).ok_or(InvalidValue::Choice)
            }
            (Self::Choice { of, many: true }, GivenValue::Many(several)) => choices(of, several),
            (Self::Choice { many: true, .. }, _) => Err(InvalidValue::Kind("a list of choices")),
            (Self::Choice { .. }, _) => Err(InvalidValue::Kind("a choice")),
        }
    }
}

fn choices(
    of: &BTreeMap<AttributeKey, BTreeMap<String, String>>,
    given: Vec<String>,
) -> Result<AttributeValue, InvalidValue> {
    let keys = given.into_iter().map(|key| AttributeKey::try_from(key).ok());
    let keys: Option<Vec<_>> = keys.collect();
    let mut keys = keys.ok_or(InvalidValue::Choice)?;
    keys.sort_unstable();
    let sound = (1..=CHOSEN_MAX).contains(&keys.len())
        && keys.iter().all(|key| of.contains_key(key))
        && keys.windows(2).all(|pair| pair[0] != pair[1]);
    if sound { Ok(AttributeValue::Many(keys)) } else { Err(InvalidValue::Choice) }
}

impl From<AttributeValue> for GivenValue {
    /// As somebody would say it.
    #[expect(clippy::cast_precision_loss, reason = "2^53 steps at most")]
    fn from(value: AttributeValue) -> Self {
        match value {
            AttributeValue::Text(text) => Self::Text(text),
            AttributeValue::Number(steps, 0) => Self::Whole(steps),
            AttributeValue::Number(steps, decimals) => {
                Self::Number(steps as f64 / scale(decimals) as f64)
            }
            AttributeValue::Flag(flag) => Self::Flag(flag),
            AttributeValue::One(key) => Self::Text(key.0),
            AttributeValue::Many(keys) => Self::Many(keys.into_iter().map(|key| key.0).collect()),
        }
    }
}

/// How many of its smallest steps a whole one has.
fn scale(decimals: u8) -> i64 {
    10_i64.pow(u32::from(decimals.min(DECIMALS_MAX)))
}

/// A number in its smallest steps; `None`: it is between two, or beyond all.
#[expect(clippy::cast_precision_loss, reason = "2^53 steps at most")]
#[expect(clippy::cast_possible_truncation, reason = "whole, and 2^53 at most")]
fn steps_of(number: f64, decimals: u8) -> Option<i64> {
    let scaled = number * scale(decimals) as f64;
    let steps = scaled.round();
    // What a person wrote with so many places is as near to a step as a float gets.
    let near = (scaled - steps).abs() <= scaled.abs() * f64::EPSILON * 4.0;
    let fits = steps.abs() <= STEPS_MAX as f64;
    (near && fits).then_some(steps as i64)
}

/// Steps as people write them.
fn written(steps: i64, decimals: u8) -> String {
    if decimals == 0 {
        return steps.to_string();
    }
    let scale = scale(decimals).unsigned_abs();
    let (whole, part) = (steps.unsigned_abs() / scale, steps.unsigned_abs() % scale);
    let sign = if steps < 0 { "-" } else { "" };
    format!("{sign}{whole}.{part:0width$}", width = usize::from(decimals))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> AttributeKey {
        AttributeKey::try_from(text.to_owned()).expect("a key")
    }

    #[test]
    fn numbers_stand_on_their_steps() {
        let kind = AttributeKind::Number { decimals: 1, min: -5, max: 1_000, unit: None };
        let value = |number| kind.value(GivenValue::Number(number));
        assert_eq!(value(12.5), Ok(AttributeValue::Number(125, 1)));
        assert_eq!(value(0.3), Ok(AttributeValue::Number(3, 1)));
        assert_eq!(value(-0.5), Ok(AttributeValue::Number(-5, 1)));
        let said = |number| value(number).map(GivenValue::from);
        assert_eq!(said(12.5), Ok(GivenValue::Number(12.5)), "it is told as it was said");
        assert_eq!(kind.value(GivenValue::Whole(12)), Ok(AttributeValue::Number(120, 1)));
        assert!(kind.value(GivenValue::Whole(i64::MAX)).is_err());
        for wrong in [12.55, -0.6, 100.1, f64::NAN, f64::INFINITY, 1e300] {
            let refused = value(wrong).expect_err("a refusal").to_string();
            assert_eq!(refused, "not a number from -0.5 to 100.0 with at most 1 decimal places");
        }
        assert_eq!(
            kind.value(GivenValue::Text("5".to_owned())),
            Err(InvalidValue::Kind("a number"))
        );
    }

    #[test]
    fn choices_are_among_those_that_there_are_and_none_is_twice() {
        let of = ["red", "blue"].map(|name| (key(name), BTreeMap::new())).into();
        let one = AttributeKind::Choice { of, many: false };
        let AttributeKind::Choice { of, .. } = one.clone() else { unreachable!() };
        let some = AttributeKind::Choice { of, many: true };
        let text = |text: &str| GivenValue::Text(text.to_owned());
        let many = |of: &[&str]| GivenValue::Many(of.iter().map(|it| (*it).to_owned()).collect());
        assert_eq!(one.value(text("red")), Ok(AttributeValue::One(key("red"))));
        assert!(one.value(many(&["red"])).is_err());
        let both = AttributeValue::Many(vec![key("blue"), key("red")]);
        assert_eq!(some.value(many(&["red", "blue"])), Ok(both));
        for wrong in [many(&[]), many(&["red", "red"]), many(&["green"]), text("red")] {
            assert!(some.value(wrong.clone()).is_err(), "{wrong:?}");
        }
        assert_eq!(one.value(text("Red")), Err(InvalidValue::Choice));
    }

    #[test]
    fn texts_are_one_line_that_is_seen() {
        let value = |text: &str| AttributeKind::Text {}.value(GivenValue::Text(text.to_owned()));
        assert_eq!(value("  Trek  "), Ok(AttributeValue::Text("Trek".to_owned())));
        for wrong in ["", " ", "a\nb", "a\u{202e}b", &"x".repeat(201)] {
            assert_eq!(value(wrong), Err(InvalidValue::Text), "{wrong:?}");
        }
    }
}
