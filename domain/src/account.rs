//! Values that people register with.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::text::is_seen;

/// Longest address that mail can carry (RFC 5321, section 4.5.3.1.3, less the brackets).
pub const EMAIL_BYTES_MAX: usize = 254;
/// Shortest password, in characters (NIST SP 800-63B, section 5.1.1).
pub const PASSWORD_CHARS_MIN: usize = 8;
/// Longest password, in bytes: bounds what a stranger can make the server hash.
pub const PASSWORD_BYTES_MAX: usize = 256;
/// Longest display name, in characters.
pub const NAME_CHARS_MAX: usize = 60;

/// An e-mail address, lower-cased: the name people log in by.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Email(String);

/// A password in clear. Never printed, never stored.
pub struct Password(String);

/// The name others see.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DisplayName(String);

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

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What an account may do beyond a stranger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
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
