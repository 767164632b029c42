//! Values that people register with.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::text::{is_seen, seen_line};

/// Longest address that mail can carry (RFC 5321, section 4.5.3.1.3, less the brackets).
pub const EMAIL_BYTES_MAX: usize = 254;
/// Shortest password, in characters (NIST SP 800-63B, section 5.1.1).
pub const PASSWORD_CHARS_MIN: usize = 8;
/// Longest password, in bytes: bounds what a stranger can make the server hash.
pub const PASSWORD_BYTES_MAX: usize = 256;
/// Longest display name, in characters.
pub const NAME_CHARS_MAX: usize = 60;
/// Name of an account that was erased: what others see in its place.
pub const ERASED_NAME: &str = "Deleted account";
/// Longest text about oneself, in characters.
pub const BIO_CHARS_MAX: usize = 1_000;
/// Longest language tag (RFC 5646, section 4.4.1), in bytes.
pub const LOCALE_BYTES_MAX: usize = 35;
/// Longest name of a session or key, in characters.
pub const LABEL_CHARS_MAX: usize = 64;
/// Longest name of a client program, in bytes.
pub const CLIENT_BYTES_MAX: usize = 256;

/// An e-mail address, lower-cased: the name people log in by.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Email(String);

/// A password in clear. Never printed, never stored.
#[derive(Clone)]
pub struct Password(String);

/// The name others see.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DisplayName(String);

/// What people say about themselves; may be empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Bio(String);

/// A language tag, for texts that are sent to people: `de`, `pt-BR`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Locale(String);

/// What the owner of a session calls it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SessionName(String);

/// What the owner of an API key calls it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ApiKeyName(String);

/// What a client program says it is (`User-Agent`). Proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClientName(String);

/// Why a value of a profile, session or key was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidProfile {
    /// Too long, or with control characters other than the end of a line.
    #[error("the text about oneself is longer than 1000 characters, or holds control characters")]
    Bio,
    /// No language tag.
    #[error("the language is not of the form de or pt-BR, of 35 bytes at most")]
    Locale,
    /// Empty, too long, or with characters that nobody sees.
    #[error("the name is empty, longer than 64 characters, or holds characters that nobody sees")]
    Label,
    /// Empty, too long, or not of printable ASCII.
    #[error("the client's name is empty, longer than 256 bytes, or not of printable ASCII")]
    Client,
}

/// Why a value of an account was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAccount {
    /// Not of the form `name@domain`.
    #[error("the e-mail address is not of the form name@domain")]
    Email,
    /// Shorter than [`PASSWORD_CHARS_MIN`] characters.
    #[error("the password is shorter than 8 characters")]
    PasswordTooShort,
    /// Longer than [`PASSWORD_BYTES_MAX`] bytes.
    #[error("the password is longer than 256 bytes")]
    PasswordTooLong,
    /// Empty, too long, or with characters that control text or are not seen.
    #[error(
        "the display name is empty, longer than 60 characters, or holds control characters or \
         characters that are not seen"
    )]
    Name,
}

impl Email {
    /// Reads an address: one `@`, a local part, a domain with a dot, no white space or controls.
    pub fn parse(text: &str) -> Result<Self, InvalidAccount> {
        let text = text.trim();
        let (local, domain) = text.rsplit_once('@').ok_or(InvalidAccount::Email)?;
        let clean = |part: &str| {
            !part.is_empty() && !part.chars().any(|c| c.is_whitespace() || c.is_control())
        };
        let sound = text.len() <= EMAIL_BYTES_MAX
            && local.len() <= 64
            && clean(local)
            && clean(domain)
            && !local.contains('@')
            && domain.contains('.')
            && domain.split('.').all(|label| !label.is_empty());
        if sound { Ok(Self(text.to_lowercase())) } else { Err(InvalidAccount::Email) }
    }

    /// Reads an address that somebody registers by: one in which everything is seen.
    pub fn choose(text: &str) -> Result<Self, InvalidAccount> {
        let email = Self::parse(text)?;
        // A joiner, which names may have, shapes no address.
        let joined = email.0.contains(['\u{200c}', '\u{200d}']);
        if is_seen(&email.0) && !joined { Ok(email) } else { Err(InvalidAccount::Email) }
    }

    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Identifies a person: not for logs.
        f.write_str("Email(…)")
    }
}

impl Password {
    /// Takes a password of sound length. Everything else about it is the person's choice.
    pub fn parse(text: String) -> Result<Self, InvalidAccount> {
        if text.len() > PASSWORD_BYTES_MAX {
            return Err(InvalidAccount::PasswordTooLong);
        }
        if text.chars().count() < PASSWORD_CHARS_MIN {
            return Err(InvalidAccount::PasswordTooShort);
        }
        Ok(Self(text))
    }

    /// Takes what somebody shows as theirs, whether it could be one or not: every guess counts as one.
    pub fn shown(text: String) -> Self {
        Self(text)
    }

    /// The password, for the hash alone.
    pub fn expose(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

impl DisplayName {
    /// Takes a name, trimmed.
    pub fn parse(text: &str) -> Result<Self, InvalidAccount> {
        let text = text.trim();
        let sound = !text.is_empty()
            && text.chars().count() <= NAME_CHARS_MAX
            && !text.chars().any(char::is_control);
        if sound { Ok(Self(text.to_owned())) } else { Err(InvalidAccount::Name) }
    }

    /// Takes a name that somebody chooses: one in which everything is seen.
    pub fn choose(text: &str) -> Result<Self, InvalidAccount> {
        let name = Self::parse(text)?;
        if is_seen(&name.0) { Ok(name) } else { Err(InvalidAccount::Name) }
    }

    /// The name of an account that was erased: [`ERASED_NAME`].
    pub fn erased() -> Self {
        Self(ERASED_NAME.to_owned())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Bio {
    /// Takes a text, trimmed. Of control characters it may hold the end of a line.
    pub fn parse(text: &str) -> Result<Self, InvalidProfile> {
        let text = text.trim();
        let sound = text.chars().count() <= BIO_CHARS_MAX
            && !text.chars().any(|c| c.is_control() && c != '\n');
        if sound { Ok(Self(text.to_owned())) } else { Err(InvalidProfile::Bio) }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Locale {
    /// Takes a tag of a language of two or three small letters, and parts of two to eight letters
    /// and digits behind it. Whether there is such a language is not looked up.
    pub fn parse(text: &str) -> Result<Self, InvalidProfile> {
        let mut parts = text.split('-');
        let language = parts.next().unwrap_or_default();
        let sound = text.len() <= LOCALE_BYTES_MAX
            && (2..=3).contains(&language.len())
            && language.bytes().all(|b| b.is_ascii_lowercase())
            && parts.all(|part| {
                (2..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric())
            });
        if sound { Ok(Self(text.to_owned())) } else { Err(InvalidProfile::Locale) }
    }

    /// The tag.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A name that somebody tells things apart by, trimmed.
fn label(text: &str) -> Result<String, InvalidProfile> {
    seen_line(text, LABEL_CHARS_MAX).map(str::to_owned).ok_or(InvalidProfile::Label)
}

impl SessionName {
    /// Takes a name, trimmed.
    pub fn parse(text: &str) -> Result<Self, InvalidProfile> {
        label(text).map(Self)
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl ApiKeyName {
    /// Takes a name, trimmed.
    pub fn parse(text: &str) -> Result<Self, InvalidProfile> {
        label(text).map(Self)
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl ClientName {
    /// Takes what a client says, trimmed.
    pub fn parse(text: &str) -> Result<Self, InvalidProfile> {
        let text = text.trim();
        let sound = !text.is_empty()
            && text.len() <= CLIENT_BYTES_MAX
            && text.bytes().all(|b| b == b' ' || b.is_ascii_graphic());
        if sound { Ok(Self(text.to_owned())) } else { Err(InvalidProfile::Client) }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What an account may do beyond a stranger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum AccountRole {
    /// Buys and sells.
    User,
    /// Judges reports.
    Moderator,
    /// Runs the place.
    Admin,
    /// A program.
    Service,
}

impl AccountRole {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::User, Self::Moderator, Self::Admin, Self::Service];

    /// The stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Moderator => "moderator",
            Self::Admin => "admin",
            Self::Service => "service",
        }
    }

    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }

    /// The names of several, with spaces between.
    pub fn names(roles: &[Self]) -> String {
        let names: Vec<_> = roles.iter().map(|role| role.name()).collect();
        names.join(" ")
    }
}

/// What the bearer of an API key may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Reads chats.
    ReadChats,
    /// Writes in chats.
    WriteChats,
    /// Reads one's own listings as their seller.
    ReadListings,
    /// Makes and changes listings.
    WriteListings,
    /// Reads one's own profile.
    ReadProfile,
    /// Changes one's own profile.
    WriteProfile,
}

impl Scope {
    /// Every one.
    pub const ALL: [Self; 6] = [
        Self::ReadChats,
        Self::WriteChats,
        Self::ReadListings,
        Self::WriteListings,
        Self::ReadProfile,
        Self::WriteProfile,
    ];

    /// The stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ReadChats => "chats:read",
            Self::WriteChats => "chats:write",
            Self::ReadListings => "listings:read",
            Self::WriteListings => "listings:write",
            Self::ReadProfile => "profile:read",
            Self::WriteProfile => "profile:write",
        }
    }

    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn emails_have_a_name_and_a_domain() {
        assert_eq!(Email::parse(" Ana@Example.org ").map(|e| e.0), Ok("ana@example.org".into()));
        for wrong in ["", "ana", "@x.org", "ana@", "a b@x.org", "a@b@x.org", "a@x", "a@.org"] {
            assert_eq!(Email::parse(wrong), Err(InvalidAccount::Email), "{wrong}");
        }
        assert!(Email::parse(&format!("{}@x.org", "a".repeat(65))).is_err());
    }

    #[test]
    fn passwords_are_bounded_and_never_printed() {
        let check = |text: &str| Password::parse(text.to_owned()).map(|p| format!("{p:?}"));
        assert_eq!(check("correct horse"), Ok("Password(…)".to_owned()));
        assert_eq!(check("short"), Err(InvalidAccount::PasswordTooShort));
        assert_eq!(check(&"x".repeat(257)), Err(InvalidAccount::PasswordTooLong));
    }

    #[test]
    fn names_are_trimmed_and_bounded() {
        assert_eq!(DisplayName::parse(" Ana ").map(|n| n.0), Ok("Ana".to_owned()));
        for wrong in ["", "  ", "a\nb", &"x".repeat(61)] {
            assert_eq!(DisplayName::parse(wrong), Err(InvalidAccount::Name), "{wrong}");
        }
    }

    #[test]
    fn texts_about_oneself_have_lines_and_an_end() {
        let check = |text: &str| Bio::parse(text).map(|bio| bio.0);
        assert_eq!(check(" Bikes.\nAnd more. "), Ok("Bikes.\nAnd more.".to_owned()));
        assert_eq!(check(""), Ok(String::new()));
        assert!(check(&"é".repeat(BIO_CHARS_MAX)).is_ok());
        for wrong in ["a\tb", "a\rb", &"x".repeat(BIO_CHARS_MAX + 1)] {
            assert_eq!(check(wrong), Err(InvalidProfile::Bio), "{wrong}");
        }
    }

    #[test]
    fn languages_are_tags() {
        for sound in ["de", "gsw", "pt-BR", "zh-Hant-TW", "de-1996"] {
            assert_eq!(Locale::parse(sound).map(|it| it.0), Ok(sound.to_owned()));
        }
        let long = format!("de{}", "-abcdefgh".repeat(4));
        for wrong in ["", "d", "DE", "germ", "de-", "de--DE", "de_DE", "de-x", "de-é1", &long] {
            assert_eq!(Locale::parse(wrong), Err(InvalidProfile::Locale), "{wrong}");
        }
    }

    #[test]
    fn names_to_tell_things_apart_hold_what_can_be_seen() {
        let check = |text: &str| SessionName::parse(text).map(|name| name.0);
        assert_eq!(check(" Ana's phone ☎ "), Ok("Ana's phone ☎".to_owned()));
        assert!(check(&"é".repeat(LABEL_CHARS_MAX)).is_ok());
        let long = "x".repeat(LABEL_CHARS_MAX + 1);
        for wrong in ["", " ", "a\nb", "a\u{202e}b", "a\u{200b}", "\u{2066}a", "\u{feff}a", &long] {
            assert_eq!(check(wrong), Err(InvalidProfile::Label), "{wrong:?}");
            assert_eq!(ApiKeyName::parse(wrong), Err(InvalidProfile::Label), "{wrong:?}");
        }
    }

    #[test]
    fn clients_are_named_in_ascii() {
        let check = |text: &str| ClientName::parse(text).map(|name| name.0);
        assert_eq!(check(" app/1.0 (x; y) "), Ok("app/1.0 (x; y)".to_owned()));
        for wrong in ["", " ", "a\tb", "é", &"x".repeat(CLIENT_BYTES_MAX + 1)] {
            assert_eq!(check(wrong), Err(InvalidProfile::Client), "{wrong}");
        }
    }

    #[test]
    fn every_scope_is_found_by_its_name() {
        for scope in Scope::ALL {
            assert_eq!(Scope::named(scope.name()), Some(scope));
        }
        assert_eq!(Scope::named("chats:rule"), None);
    }

    #[test]
    fn roles_have_the_names_they_are_stored_under() {
        for name in ["user", "moderator", "admin", "service"] {
            let role = AccountRole::named(name).expect(name);
            assert_eq!(role.name(), name);
        }
        assert_eq!(AccountRole::named("king"), None);
    }

    #[test]
    fn what_is_chosen_is_seen_and_what_was_kept_is_read() {
        let name = "A\u{200b}na";
        assert_eq!(DisplayName::choose(name), Err(InvalidAccount::Name));
        assert_eq!(DisplayName::parse(name).map(|n| n.0), Ok(name.to_owned()));
        assert!(DisplayName::choose(" \u{645}\u{6cc}\u{200c}\u{62e} ").is_ok());
        for wrong in ["a\u{200b}@x.org", "a\u{202e}@x.org", "\u{645}\u{200d}\u{645}@x.org"] {
            assert_eq!(Email::choose(wrong), Err(InvalidAccount::Email), "{wrong:?}");
            assert!(Email::parse(wrong).is_ok());
        }
        assert!(Email::choose("j\u{f6}rg@ex\u{e4}mple.org").is_ok());
    }
}
