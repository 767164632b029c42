//! Makes up negotiations with the shape of real ones: how many things are said and how long they
//! are, how long people pause, who speaks, how it ends. The same seed gives the same negotiations.

use rand::rngs::SmallRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};

use super::words::{QUALITIES, TALK, THINGS};
use super::{Act, Line, Negotiation};
use crate::message::Side;

/// A distribution by some of its quantiles, straight lines between them.
type Shape = [(f64, f64)];

const EVENTS: &Shape =
    &[(0.0, 2.0), (0.1, 4.0), (0.25, 7.0), (0.5, 9.0), (0.75, 12.0), (0.9, 14.0), (1.0, 20.0)];
const BODY_BYTES: &Shape = &[
    (0.0, 2.0),
    (0.1, 14.0),
    (0.25, 29.0),
    (0.5, 53.0),
    (0.75, 89.0),
    (0.9, 132.0),
    (0.99, 240.0),
    (1.0, 540.0),
];
const PAUSE_MS: &Shape = &[
    (0.0, 50.0),
    (0.1, 4_600.0),
    (0.25, 13_000.0),
    (0.5, 28_000.0),
    (0.75, 47_000.0),
    (0.9, 71_000.0),
    (0.99, 145_000.0),
    (1.0, 500_000.0),
];
const FIRST_MS: &Shape =
    &[(0.0, 0.0), (0.25, 3_000.0), (0.5, 9_000.0), (0.9, 26_000.0), (1.0, 90_000.0)];
const PRICE_CENTS: &Shape = &[
    (0.0, 200.0),
    (0.1, 2_000.0),
    (0.25, 7_500.0),
    (0.5, 33_000.0),
    (0.75, 220_000.0),
    (0.9, 550_000.0),
    (1.0, 3_000_000.0),
];
const TITLE_BYTES: &Shape = &[(0.0, 8.0), (0.25, 24.0), (0.5, 39.0), (0.75, 54.0), (1.0, 70.0)];
const DESCRIPTION_BYTES: &Shape =
    &[(0.0, 94.0), (0.25, 180.0), (0.5, 330.0), (0.75, 600.0), (1.0, 1_350.0)];

/// The buyer opens, more often than not.
const BUYER_FIRST: f64 = 0.58;
/// Somebody speaks twice in a row.
const SAME_AGAIN: f64 = 0.11;
/// The talk ends in an offer that is answered; otherwise somebody leaves or it just stops.
const OFFER: f64 = 0.85;
const ACCEPTED: f64 = 0.9;

/// Makes up `count` negotiations.
pub fn generate(count: usize, seed: u64) -> Vec<Negotiation> {
    let mut rng = SmallRng::seed_from_u64(seed);
    (0..count).map(|_| negotiation(&mut rng)).collect()
}

fn negotiation(rng: &mut SmallRng) -> Negotiation {
    let price_cents = draw(PRICE_CENTS, rng) / 100 * 100 + 100;
    let thing = pick(THINGS, rng);
    let title = {
        let bytes = draw(TITLE_BYTES, rng) as usize;
        capitalised(&format!("{} {thing} {}", pick(QUALITIES, rng), talk(bytes, rng)), bytes)
    };
    let description_bytes = draw(DESCRIPTION_BYTES, rng) as usize;
    let description = talk(description_bytes, rng);
    let events = draw(EVENTS, rng) as usize;
    let mut at_ms = draw(FIRST_MS, rng);
    let mut side = if rng.random_bool(BUYER_FIRST) { Side::Buyer } else { Side::Seller };
    let ending = ending(price_cents, rng);
    let spoken = events.saturating_sub(ending.len()).max(1);
    let mut lines = Vec::with_capacity(spoken + ending.len());
    let acts = ending.into_iter().map(Some);
    for act in std::iter::repeat_n(None, spoken).chain(acts) {
        let text = if let Some(act) = act {
            Act::in_words(act)
        } else {
            let bytes = draw(BODY_BYTES, rng) as usize;
            talk(bytes, rng)
        };
        lines.push(Line { at_ms, side, text });
        at_ms += draw(PAUSE_MS, rng);
        // An offer is answered by the other side.
        if matches!(act, Some(Act::Offer { .. })) || !rng.random_bool(SAME_AGAIN) {
            side = side.other();
        }
    }
    Negotiation { title, description, price_cents, lines }
}

fn ending(price_cents: u64, rng: &mut SmallRng) -> Vec<Act> {
    if !rng.random_bool(OFFER) {
        return vec![Act::Quit];
    }
    let price_cents = price_cents * rng.random_range(60..=100) / 100;
    let answer = if rng.random_bool(ACCEPTED) { Act::Accept } else { Act::Reject };
    vec![Act::Offer { price_cents: Some(price_cents) }, answer]
}

/// A value whose quantile is random.
fn draw(shape: &Shape, rng: &mut SmallRng) -> u64 {
    let quantile: f64 = rng.random();
    let between = shape
        .windows(2)
        .find(|pair| quantile <= pair[1].0)
        .map_or((shape[0], shape[0]), |pair| (pair[0], pair[1]));
    let ((from, low), (to, high)) = between;
    let part = if to > from { (quantile - from) / (to - from) } else { 0.0 };
    (low + (high - low) * part).round() as u64
}

fn pick<'a>(words: &[&'a str], rng: &mut SmallRng) -> &'a str {
    words.choose(rng).copied().unwrap_or("thing")
}

/// Small talk of exactly so many bytes (at least one).
fn talk(bytes: usize, rng: &mut SmallRng) -> String {
    let mut text = pick(TALK, rng).to_owned();
    while text.len() < bytes {
        text.push(' ');
        text.push_str(pick(TALK, rng));
    }
    capitalised(&text, bytes.max(1))
}

/// Cut to `bytes`, with a capital first and a stop last. ASCII in, ASCII out.
fn capitalised(text: &str, bytes: usize) -> String {
    let mut text: Vec<u8> = text.bytes().take(bytes).collect();
    if let Some(first) = text.first_mut() {
        first.make_ascii_uppercase();
    }
    if let [_, .., last] = &mut text[..] {
        *last = b'.';
    }
    String::from_utf8_lossy(&text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quantile(values: &mut [u64], q: f64) -> u64 {
        values.sort_unstable();
        values[((values.len() - 1) as f64 * q) as usize]
    }

    /// `value` lies within 15 % of `expected`.
    fn near(what: &str, value: u64, expected: u64) {
        let (low, high) = (expected * 85 / 100, expected * 115 / 100);
        assert!((low..=high).contains(&value), "{what}: {value}, expected about {expected}");
    }

    #[test]
    fn the_shape_is_that_of_real_negotiations() {
        let all = generate(2_000, 7);
        let mut events: Vec<u64> = all.iter().map(|n| n.lines.len() as u64).collect();
        near("median of events", quantile(&mut events, 0.5), 9);
        let lines = || all.iter().flat_map(|negotiation| &negotiation.lines);
        let starts_of_acts = ["My offer", "Agreed", "No, I", "I am not"];
        let mut bytes: Vec<u64> = lines()
            .filter(|line| !starts_of_acts.iter().any(|act| line.text.starts_with(act)))
            .map(|line| line.text.len() as u64)
            .collect();
        near("median body", quantile(&mut bytes, 0.5), 53);
        near("p90 body", quantile(&mut bytes, 0.9), 132);
        near("p99 body", quantile(&mut bytes, 0.99), 240);
        let mut lengths: Vec<u64> = all
            .iter()
            .filter_map(|negotiation| negotiation.lines.last())
            .map(|line| line.at_ms)
            .collect();
        near("median length", quantile(&mut lengths, 0.5), 290_000);
        let offers = lines().filter(|line| line.text.starts_with("My offer")).count();
        near("negotiations with an offer", offers as u64, 1_700);
    }

    #[test]
    fn everything_can_be_sent() {
        use barterline_domain::listing::ListingText;
        use barterline_domain::message::Body;
        for negotiation in generate(500, 1) {
            for line in &negotiation.lines {
                Body::parse(line.text.clone()).expect("a body");
            }
            ListingText::parse(&negotiation.title, negotiation.description).expect("a listing");
            assert!(negotiation.lines.is_sorted_by_key(|line| line.at_ms));
        }
    }

    #[test]
    fn the_same_seed_gives_the_same() {
        assert_eq!(generate(5, 3), generate(5, 3));
        assert_ne!(generate(5, 3), generate(5, 4));
    }
}
