//! Reads negotiations, one JSON object a line.

use std::io::BufRead as _;
use std::path::Path;

use anyhow::{Context as _, ensure};
use serde::Deserialize;

use super::{Act, Line, Negotiation};
use crate::message::Side;

#[derive(Deserialize)]
struct Record {
    listing: Listing,
    events: Vec<Event>,
}

#[derive(Deserialize)]
struct Listing {
    title: String,
    description: String,
    price_cents: u64,
}

#[derive(Deserialize)]
struct Event {
    at_ms: u64,
    by: By,
    #[serde(flatten)]
    what: What,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum By {
    Buyer,
    Seller,
}

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum What {
    Message { text: String },
    Offer { price_cents: Option<u64> },
    Accept,
    Reject,
    Quit,
}

/// Times above this were written by a clock, not counted from the start of the negotiation.
const SINCE_START_MS_MAX: u64 = 24 * 3_600 * 1_000;

/// Reads a file of negotiations.
pub fn read(path: &Path) -> anyhow::Result<Vec<Negotiation>> {
    let file = std::fs::File::open(path).with_context(|| format!("opening {}", path.display()))?;
    let mut all = Vec::new();
    for (index, line) in std::io::BufReader::new(file).lines().enumerate() {
        let line = line?;
        if !line.trim().is_empty() {
            let negotiation =
                parse(&line).with_context(|| format!("{}, line {}", path.display(), index + 1))?;
            all.push(negotiation);
        }
    }
    ensure!(!all.is_empty(), "{} holds no negotiation", path.display());
    Ok(all)
}

fn parse(line: &str) -> anyhow::Result<Negotiation> {
    let record: Record = serde_json::from_str(line)?;
    let first = record.events.iter().map(|event| event.at_ms).min();
    let start = first.filter(|first| *first > SINCE_START_MS_MAX).unwrap_or(0);
    let mut lines: Vec<Line> = record
        .events
        .into_iter()
        .map(|event| Line {
            at_ms: event.at_ms - start,
            side: match event.by {
                By::Buyer => Side::Buyer,
                By::Seller => Side::Seller,
            },
            text: match event.what {
                What::Message { text } => text,
                What::Offer { price_cents } => Act::Offer { price_cents }.in_words(),
                What::Accept => Act::Accept.in_words(),
                What::Reject => Act::Reject.in_words(),
                What::Quit => Act::Quit.in_words(),
            },
        })
        .collect();
    lines.sort_by_key(|line| line.at_ms);
    Ok(Negotiation {
        title: record.listing.title,
        description: record.listing.description,
        price_cents: record.listing.price_cents,
        lines,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(events: &str) -> Vec<(u64, Side, String)> {
        let record = format!(
            r#"{{"id":"x","category":"bike","listing":{{"title":"A bike","description":"Blue",
            "price_cents":12000,"images":[]}},"buyer_target_cents":1,"events":[{events}]}}"#
        );
        let negotiation = parse(&record).expect("a negotiation");
        assert_eq!(negotiation.price_cents, 12_000);
        negotiation.lines.into_iter().map(|line| (line.at_ms, line.side, line.text)).collect()
    }

    #[test]
    fn talk_is_said_as_it_is_and_acts_in_words() {
        let lines = said(
            r#"{"at_ms":900,"by":"buyer","kind":"message","typing_ms":9,"text":" hi "},
               {"at_ms":950,"by":"seller","kind":"offer","price_cents":11905},
               {"at_ms":990,"by":"buyer","kind":"accept"}"#,
        );
        assert_eq!(lines[0], (900, Side::Buyer, " hi ".to_owned()));
        assert_eq!(lines[1], (950, Side::Seller, "My offer: 119.05.".to_owned()));
        assert_eq!(lines[2].1, Side::Buyer);
    }

    #[test]
    fn times_of_the_wall_clock_are_counted_from_the_first_event() {
        let lines = said(
            r#"{"at_ms":1496794525649,"by":"buyer","kind":"quit"},
               {"at_ms":1496794526649,"by":"seller","kind":"reject"}"#,
        );
        assert_eq!((lines[0].0, lines[1].0), (0, 1_000));
    }
}
