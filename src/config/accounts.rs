//! What passwords cost and have to be, and who is asked to confirm an address.

use std::path::PathBuf;

use super::section::{Any, Word, section};

section! {
    /// Accounts.
    pub struct Accounts = "accounts" {
        /// Passwords hashed at once. Each takes 19 MiB and a core.
        hashes_at_once: usize = 2, 1..=256;
        /// Password hashes that may wait for their turn. Beyond, the answer is 503.
        hashes_waiting: usize = 64, 0..=10_000;
        /// How hard to guess a new password has to be: least score by zxcvbn. 1: 1,000 guesses, 2: a
        /// million, 3: 100 million, 4: 10,000 million. 0: anything of eight characters.
        password_score_min: u64 = 3, 0..=4;
        /// A list of passwords that leaked, none of which may be chosen: a file with a SHA-1 in upper
        /// case in each line, in ascending order, as Have I Been Pwned gives it. Empty: none.
        breached_passwords: Option<PathBuf> = None, Any("a file, or \"\" for none");
        /// Words of this place, of which no password is made, besides `site`: names of the firm, its
        /// programs and its towns, with a space between.
        words: String = String::new(), Any("words with a space between, or \"\"");
        /// Days after which a log-in ends that nobody used. People sell a thing now and then, and a phone in a
        /// drawer should not stay logged in for ever.
        session_idle_days: u64 = 30, 1..=365;
        /// Days after which every log-in ends, however much it is used: whoever has a stolen token that works
        /// unseen has it no longer than that.
        session_days: u64 = 365, 1..=3_650;
        /// Who does nothing before they turned a second factor on: nobody has to, staff (whoever has another role
        /// than `user`), or everybody who has a password. Who has none signs in elsewhere: there it is asked for.
        second_factor: String = "optional".to_owned(), Word(&["optional", "staff", "everybody"]);
        /// Whether a code of a second factor counts 30 seconds early and late as well, as clocks of phones differ
        /// and people type. Without it a code is good for its own 30 seconds alone.
        code_drift: bool = true, Any("true or false");
        /// What the programs of people that make codes for log-ins call this place.
        site: String = "Barterline".to_owned(), Any("a name");
        /// Whether an account is made only when its address is confirmed by mail. Where there is no
        /// mail (`mail.transport`), nobody is asked.
        verify_email: bool = true, Any("true or false");
    }
}
