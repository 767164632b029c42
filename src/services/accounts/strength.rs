//! What somebody may choose as a password: what would not be guessed soon. No rules about kinds of
//! characters (NIST SP 800-63B, section 3.1.1.2).

use std::sync::Arc;

use barterline_domain::account::Password;
use zxcvbn::feedback::{Feedback, Warning};
use zxcvbn::{Score, zxcvbn};

use super::{Accounts, HashingBusy};
use crate::adapters::breached_passwords::BreachedPasswords;

/// What new passwords are held against.
#[derive(Clone, Default)]
pub struct PasswordRules {
    /// Least score by zxcvbn, 0 to 4: of 3, some 100 million guesses. Its lists have the passwords that
    /// are used most.
    pub score_min: u64,
    /// Words of this place, of which nobody makes a password.
    pub words: Vec<String>,
    /// Passwords that leaked; `None`: nobody looks.
    pub breached: Option<Arc<dyn BreachedPasswords>>,
}

/// As many characters of a password are judged.
const JUDGED_CHARS: usize = 40;
/// What people write for letters, as the estimate knows it.
const STAND_INS: &str = "4@8({[<3691!|70$5+%2";
/// Kinds of them that are judged: with four, an estimate takes 2 ms (ci profile), with all 1.5 s.
const STAND_INS_MAX: usize = 4;

/// Why a password may not be chosen.
#[derive(Debug, thiserror::Error)]
pub enum ChoiceError {
    /// Guessed soon.
    #[error("{}", .0.map_or("the password is easy to guess", explained))]
    Weak(Option<Warning>),
    /// It leaked somewhere.
    #[error("the password is known from a breach of another site")]
    Breached,
    /// Too many passwords are being hashed.
    #[error(transparent)]
    Busy(#[from] HashingBusy),
    /// The list of passwords that leaked cannot be read.
    #[error("new passwords cannot be checked now")]
    Unchecked,
}

impl Accounts {
    /// Hashes a password that somebody chooses who is known by `about`, if nobody would guess it.
    pub(super) async fn choose(
        &self,
        password: Password,
        about: &[&str],
    ) -> Result<String, ChoiceError> {
        let least = self.0.password_rules.score_min;
        if least > 0 {
            let words = self.0.password_rules.words.iter().map(String::as_str);
            let about: Vec<_> = about.iter().copied().chain(words).collect();
            let (guessed, about) = (password.clone(), parts(&about));
            // Takes some 5 ms of a core at most.
            let judged = self.0.hashing.run(move || judge(&guessed, &about, least)).await?;
            judged.map_err(ChoiceError::Weak)?;
        }
        if let Some(list) = &self.0.password_rules.breached {
            match list.contains(password.expose()).await {
                Ok(true) => return Err(ChoiceError::Breached),
                Ok(false) => {}
                // Whoever has a list wants every password looked up.
                Err(error) => {
                    tracing::error!(%error, "cannot look for breached passwords");
                    return Err(ChoiceError::Unchecked);
                }
            }
        }
        Ok(self.0.hashing.hash(password).await?)
    }
}

/// What is known of somebody, in the parts that a password would be made of.
fn parts(about: &[&str]) -> Vec<String> {
    let parts = about.iter().flat_map(|known| known.split(|c: char| !c.is_alphanumeric()));
    let parts = parts.filter(|part| part.chars().count() > 2).map(str::to_lowercase);
    about.iter().map(|known| known.to_lowercase()).chain(parts).collect()
}

fn judge(password: &Password, about: &[String], least: u64) -> Result<(), Option<Warning>> {
    let password = cut_short(password);
    let mut about: Vec<_> = about.iter().map(String::as_str).collect();
    about.push("barterline");
    let estimate = zxcvbn(&password, &about);
    if score(estimate.score()) >= least {
        return Ok(());
    }
    Err(estimate.feedback().and_then(Feedback::warning))
}

/// A password as it is judged: who is long is not weaker for what comes behind. Of characters that
/// stand for others (`@` for `a`), some kinds count: the estimate tries all that they may mean
/// together, 800 ways for all kinds, and strangers choose what we judge.
fn cut_short(password: &Password) -> String {
    // What is no text cannot be chosen: a password comes as one.
    let password = str::from_utf8(password.expose()).unwrap_or_default();
    let mut kinds = Vec::new();
    let judged = password.chars().take(JUDGED_CHARS).map(|c| {
        if !STAND_INS.contains(c) || kinds.contains(&c) {
            return c;
        }
        if kinds.len() == STAND_INS_MAX {
            return '~';
        }
        kinds.push(c);
        c
    });
    judged.collect()
}

fn score(score: Score) -> u64 {
    match score {
        Score::Zero => 0,
        Score::One => 1,
        Score::Two => 2,
        Score::Three => 3,
        _ => 4,
    }
}

/// What is wrong with a password, in our words.
fn explained(warning: Warning) -> &'static str {
    match warning {
        Warning::StraightRowsOfKeysAreEasyToGuess
        | Warning::ShortKeyboardPatternsAreEasyToGuess => {
            "keys that lie in a row are easy to guess"
        }
        Warning::RepeatsLikeAaaAreEasyToGuess
        | Warning::RepeatsLikeAbcAbcAreOnlySlightlyHarderToGuess => "repeats are easy to guess",
        Warning::SequencesLikeAbcAreEasyToGuess => "sequences like abc or 6543 are easy to guess",
        Warning::RecentYearsAreEasyToGuess | Warning::DatesAreOftenEasyToGuess => {
            "years and dates are easy to guess"
        }
        Warning::ThisIsATop10Password
        | Warning::ThisIsATop100Password
        | Warning::ThisIsACommonPassword => "this is one of the passwords that are used most",
        Warning::ThisIsSimilarToACommonlyUsedPassword => {
            "this is much like one of the passwords that are used most"
        }
        Warning::AWordByItselfIsEasyToGuess => "a word by itself is easy to guess",
        Warning::NamesAndSurnamesByThemselvesAreEasyToGuess
        | Warning::CommonNamesAndSurnamesAreEasyToGuess => "names are easy to guess",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_guessed_soon_is_weak_whatever_it_is_made_of() {
        let ana = parts(&["ana.fahrradfreund@example.org", "Ana Lovelace"]);
        let check = |password: &str, expected: bool| {
            let parsed = Password::parse(password.to_owned()).expect("a password");
            assert_eq!(judge(&parsed, &ana, 3).is_ok(), expected, "{password}");
        };
        for weak in [
            "password",
            "Passw0rd!",
            "12345678",
            "qwertyuiop",
            "aaaaaaaaaaaa",
            "iloveyou2",
            "barterline1",
            "fahrradfreund",
            "Lovelace1",
            "ana.fahrradfreund@example.org",
            "01.01.2026",
        ] {
            check(weak, false);
        }
        for good in
            ["correct horse", "tr0ub4dor&3", "пароль-на-каждый-день", "馬が正しい電池の留め金"]
        {
            check(good, true);
        }
        let costly = Password::parse("4@8({[<3691!|70$5+%2".repeat(12)).expect("a password");
        let judged = cut_short(&costly);
        assert_eq!(judged, format!("4@8({0}4@8({0}", "~".repeat(16)));
        let longest = Password::parse("aB3$".repeat(64)).expect("a password");
        assert!(judge(&longest, &ana, 3).is_err(), "a repeat, however long");
    }
}
