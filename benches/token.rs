//! What it costs to check an access token, in microseconds of one core: `cargo bench --bench token`.
//! Its signature is made and checked once for each of many sessions, as requests come.

use std::hint::black_box;
use std::time::Instant;

use barterline::auth::keyring::Keyring;
use barterline::auth::token::{LIFETIME, Tokens};
use barterline_domain::account::AccountRole;
use barterline_domain::clock::Timestamp;
use barterline_domain::ids::{SessionId, UserId};

/// Sessions that take turns.
const SESSIONS: u8 = 100;
/// Times that each is checked in a round.
const CHECKS: u32 = 50;
/// Of so many rounds the median counts.
const ROUNDS: usize = 9;

fn main() {
    let (tokens, now) = (Tokens::new(Keyring::generate()), Timestamp::from_millis(1));
    let issue = |n: u8| {
        let (user, session) = (UserId::from_bytes([n; 16]), SessionId::from_bytes([n; 16]));
        tokens.issue(user, session, &[AccountRole::User], now, LIFETIME).0
    };
    let issued: Vec<_> = (0..SESSIONS).map(issue).collect();
    let round = || {
        let begun = Instant::now();
        for token in (0..CHECKS).flat_map(|_| &issued) {
            black_box(tokens.verify(black_box(token), now)).expect("a sound token");
        }
        begun.elapsed() / (CHECKS * u32::from(SESSIONS))
    };
    let mut rounds: Vec<_> = (0..ROUNDS).map(|_| round()).collect();
    rounds.sort();
    let [first, .., last] = rounds[..] else { return };
    println!("an access token checked: {:.1?} ({first:.1?}–{last:.1?})", rounds[ROUNDS / 2]);
}
