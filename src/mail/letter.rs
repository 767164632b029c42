//! What is written to people. The texts are files beside the code, in a folder for each language: the
//! first line of the text is the subject; the page holds the same words.
//!
//! No letter holds what a stranger chose, such as the name somebody registers by: mail of ours
//! carries nobody's advertisements.

use barterline_domain::account::Email;

use super::language::Language;

/// One letter.
pub enum Letter {
    /// To an address that somebody registers by.
    Confirm {
        /// Shows that the mail came to its owner.
        token: String,
    },
    /// To the owner of an account by whose address somebody registers, or wants to be known.
    Taken,
    /// To the owner of an account who forgot the password.
    Reset {
        /// Sets another.
        code: String,
    },
    /// The password of an account is another now.
    PasswordChanged,
    /// Log-ins take a code from here on.
    FactorOn,
    /// Log-ins take no code any more.
    FactorOff,
    /// A recovery code was used, or all are others.
    RecoveryCodes,
    /// Somebody made an API key to an account.
    KeyMade,
    /// Somebody signs in by an identity at a provider from here on.
    IdentityLinked,
    /// Nobody signs in by one any more.
    IdentityUnlinked,
    /// To an address that an account is to move to.
    ChangeEmail {
        /// Moves it.
        code: String,
    },
    /// An account is being erased.
    Erasure,
    /// An account has moved to another address. To both.
    EmailChanged {
        /// What it was.
        old: Email,
        /// What it is.
        new: Email,
    },
}

/// The texts of a letter.
pub(super) struct Template {
    /// The subject, an empty line, and the text.
    pub text: &'static str,
    /// The page's body.
    pub html: &'static str,
}

macro_rules! template {
    ($language:literal, $name:literal) => {
        Template {
            text: include_str!(concat!("templates/", $language, "/", $name, ".txt")),
            html: include_str!(concat!("templates/", $language, "/", $name, ".html")),
        }
    };
}

macro_rules! choose {
    ($letter:expr, $language:literal) => {
        match $letter {
            Letter::Confirm { .. } => template!($language, "confirm"),
            Letter::Taken => template!($language, "taken"),
            Letter::Reset { .. } => template!($language, "reset"),
            Letter::PasswordChanged => template!($language, "password_changed"),
            Letter::FactorOn => template!($language, "factor_on"),
            Letter::FactorOff => template!($language, "factor_off"),
            Letter::RecoveryCodes => template!($language, "recovery_codes"),
            Letter::KeyMade => template!($language, "key_made"),
            Letter::IdentityLinked => template!($language, "identity_linked"),
            Letter::IdentityUnlinked => template!($language, "identity_unlinked"),
            Letter::ChangeEmail { .. } => template!($language, "change_email"),
            Letter::Erasure => template!($language, "erasure"),
            Letter::EmailChanged { .. } => template!($language, "email_changed"),
        }
    };
}

impl Letter {
    /// Its texts in a language.
    pub(super) fn template(&self, language: Language) -> Template {
        match language {
            Language::English => choose!(self, "en"),
            Language::German => choose!(self, "de"),
        }
    }

    /// What a link of it carries behind `#`: what for, and the token or code.
    pub(super) fn secret(&self) -> Option<(&'static str, &str)> {
        match self {
            Self::Confirm { token } => Some(("confirm", token)),
            Self::Reset { code } => Some(("reset", code)),
            Self::ChangeEmail { code } => Some(("email", code)),
            Self::Taken
            | Self::PasswordChanged
            | Self::FactorOn
            | Self::FactorOff
            | Self::RecoveryCodes
            | Self::KeyMade
            | Self::IdentityLinked
            | Self::IdentityUnlinked
            | Self::Erasure
            | Self::EmailChanged { .. } => None,
        }
    }
}
