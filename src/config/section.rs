//! One declaration for each setting: name, type, default, what is allowed, and why it is there.
//!
//! Reading, checking, printing and the reference all follow from it, so that none can go stale.

use std::fmt::Display;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;

use ipnet::IpNet;
use toml::Value;

/// A type that a setting can have.
pub trait Setting: Sized {
    /// Reads a value; `None` when it is of another type.
    fn read(value: &Value) -> Option<Self>;

    /// The value as it stands in a file.
    fn show(&self) -> Value;
}

/// Which values of a setting are allowed.
pub trait Allowed<T> {
    /// Whether this one is.
    fn allows(&self, value: &T) -> bool;

    /// The same in words, for the reference and for mistakes.
    fn describe(&self) -> String;
}

/// Every value of the type; the text says what that is.
pub struct Any(pub &'static str);

/// One of these words.
pub struct Word(pub &'static [&'static str]);

impl Allowed<String> for Word {
    fn allows(&self, value: &String) -> bool {
        self.0.contains(&value.as_str())
    }

    fn describe(&self) -> String {
        self.0.join(" or ")
    }
}

/// A setting as the reference shows it.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its name within the section.
    pub key: &'static str,
    /// What it is for.
    pub doc: &'static str,
    /// What is allowed.
    pub allowed: String,
    /// Its value.
    pub value: Value,
}

/// A named group of settings.
pub trait Section {
    /// The group's name in the file.
    const NAME: &'static str;

    /// What the group is about.
    const DOC: &'static str;

    /// Puts `value` in the place of setting `key`. The refusal says what is allowed.
    fn set(&mut self, key: &str, value: &Value) -> Result<(), Refusal>;

    /// All settings with their present values, in the order of the reference.
    fn entries(&self) -> Vec<Entry>;
}

/// Why a setting was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// No setting has this name.
    UnknownKey,
    /// The value is not allowed; the text says what is.
    NotAllowed(String),
}

impl<T> Allowed<T> for Any {
    fn allows(&self, _: &T) -> bool {
        true
    }

    fn describe(&self) -> String {
        self.0.to_owned()
    }
}

impl<T: PartialOrd + Display> Allowed<T> for RangeInclusive<T> {
    fn allows(&self, value: &T) -> bool {
        self.contains(value)
    }

    fn describe(&self) -> String {
        format!("{} to {}", self.start(), self.end())
    }
}

/// A range of numbers, or one other with a meaning of its own.
pub struct RangeOr<T>(pub RangeInclusive<T>, pub T, pub &'static str);

impl<T: PartialOrd + Display> Allowed<T> for RangeOr<T> {
    fn allows(&self, value: &T) -> bool {
        let Self(range, special, _) = self;
        value == special || range.contains(value)
    }

    fn describe(&self) -> String {
        let Self(range, special, meaning) = self;
        format!("{}, or {special}: {meaning}", range.describe())
    }
}

/// The multiples of a step within a range.
pub struct RangeInSteps(pub RangeInclusive<u64>, pub u64);

impl Allowed<u64> for RangeInSteps {
    fn allows(&self, value: &u64) -> bool {
        let Self(range, step) = self;
        range.contains(value) && value.is_multiple_of(*step)
    }

    fn describe(&self) -> String {
        let Self(range, step) = self;
        format!("{}, a multiple of {step}", range.describe())
    }
}

impl Setting for u64 {
    fn read(value: &Value) -> Option<Self> {
        match value {
            Value::Integer(number) => Self::try_from(*number).ok(),
            // The environment has only text.
            Value::String(text) => text.parse().ok(),
            _ => None,
        }
    }

    fn show(&self) -> Value {
        Value::Integer(i64::try_from(*self).unwrap_or(i64::MAX))
    }
}

impl Setting for usize {
    fn read(value: &Value) -> Option<Self> {
        Self::try_from(u64::read(value)?).ok()
    }

    fn show(&self) -> Value {
        Value::Integer(i64::try_from(*self).unwrap_or(i64::MAX))
    }
}

impl Setting for bool {
    fn read(value: &Value) -> Option<Self> {
        match value {
            Value::Boolean(value) => Some(*value),
            Value::String(text) => text.parse().ok(),
            _ => None,
        }
    }

    fn show(&self) -> Value {
        Value::Boolean(*self)
    }
}

impl Setting for String {
    fn read(value: &Value) -> Option<Self> {
        value.as_str().map(str::to_owned)
    }

    fn show(&self) -> Value {
        Value::String(self.clone())
    }
}

impl Setting for SocketAddr {
    fn read(value: &Value) -> Option<Self> {
        value.as_str()?.parse().ok()
    }

    fn show(&self) -> Value {
        Value::String(self.to_string())
    }
}

impl Setting for PathBuf {
    fn read(value: &Value) -> Option<Self> {
        value.as_str().filter(|text| !text.is_empty()).map(Self::from)
    }

    fn show(&self) -> Value {
        Value::String(self.display().to_string())
    }
}

/// Networks, or single addresses, with a space or a comma between.
impl Setting for Vec<IpNet> {
    fn read(value: &Value) -> Option<Self> {
        let network = |text: &str| {
            let network = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
            network.ok().map(|network| network.trunc())
        };
        list(value.as_str()?).map(network).collect()
    }

    fn show(&self) -> Value {
        Value::String(self.iter().map(IpNet::to_string).collect::<Vec<_>>().join(" "))
    }
}

/// The items of a list that is written as one text.
pub fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c.is_whitespace() || c == ',').filter(|item| !item.is_empty())
}

/// A text that is never printed, whatever prints the settings.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The text, for those who need it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Setting for Secret {
    fn read(value: &Value) -> Option<Self> {
        String::read(value).map(Self)
    }

    fn show(&self) -> Value {
        Value::String(String::new())
    }
}

/// A setting that may be absent: TOML has no other word for that than an empty string.
impl<T: Setting> Setting for Option<T> {
    fn read(value: &Value) -> Option<Self> {
        if value.as_str() == Some("") { Some(None) } else { T::read(value).map(Some) }
    }

    fn show(&self) -> Value {
        self.as_ref().map_or_else(|| Value::String(String::new()), T::show)
    }
}

/// Declares a section. A field reads: `name: Type = default, allowed;`.
macro_rules! section {
    (
        $(#[doc = $section_doc:literal])+
        pub struct $section:ident = $section_name:literal {
            $(
                $(#[doc = $doc:literal])+
                $field:ident: $type:ty = $default:expr, $allowed:expr;
            )+
        }
    ) => {
        $(#[doc = $section_doc])+
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $section {
            $($(#[doc = $doc])+ pub $field: $type,)+
        }

        impl Default for $section {
            fn default() -> Self {
                Self { $($field: $default,)+ }
            }
        }

        impl $crate::config::section::Section for $section {
            const NAME: &'static str = $section_name;
            const DOC: &'static str = concat!($($section_doc, "\n"),+);

            fn set(
                &mut self,
                key: &str,
                value: &toml::Value,
            ) -> Result<(), $crate::config::section::Refusal> {
                use $crate::config::section::{Allowed, Refusal, Setting};
                match key {
                    $(stringify!($field) => {
                        let allowed = &$allowed;
                        let read = <$type as Setting>::read(value)
                            .filter(|read| Allowed::<$type>::allows(allowed, read));
                        match read {
                            Some(read) => self.$field = read,
                            None => {
                                let allowed = Allowed::<$type>::describe(allowed);
                                return Err(Refusal::NotAllowed(allowed));
                            }
                        }
                    })+
                    _ => return Err(Refusal::UnknownKey),
                }
                Ok(())
            }

            fn entries(&self) -> Vec<$crate::config::section::Entry> {
                use $crate::config::section::{Allowed, Entry, Setting};
                vec![$(Entry {
                    key: stringify!($field),
                    doc: concat!($($doc, "\n"),+),
                    allowed: Allowed::<$type>::describe(&$allowed),
                    value: Setting::show(&self.$field),
                }),+]
            }
        }
    };
}

pub(crate) use section;
