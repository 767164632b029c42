//! How an index is made: every field is said beforehand, and no other is taken.

use data_encoding::BASE64;
use serde_json::{Value, json};

use crate::embedded::Language;
use crate::engine::Position;

/// To be raised when a listing lies in the index in another way: older indexes are made anew.
const FORMAT: u32 = 1;

/// The document that says how far the feed was read; no listing is called so.
pub const POSITION_ID: &str = "position";

/// What there is to know of an index before it is used.
pub fn meta(languages: &[Language]) -> Value {
    let languages: Vec<_> = languages.iter().map(|language| language.code()).collect();
    json!({"barterline": {"format": FORMAT, "languages": languages}})
}

/// The body of the request that makes an index.
pub fn made(languages: &[Language], gate: &str) -> Value {
    json!({
        "settings": {"index": {
            // Scores and counts are those of all listings.
            "number_of_shards": 1,
            "auto_expand_replicas": "0-1",
            // Whoever writes says when it is to be found.
            "refresh_interval": "-1",
            // For as long nobody brings back what was taken out: longer than a request lasts.
            "gc_deletes": "10m",
        }},
        "aliases": {gate: {"is_write_index": true}},
        "mappings": {
            "_meta": meta(languages),
            "dynamic": "strict",
            "_source": {"includes": ["place", "shown", "position"]},
            "properties": properties(),
        },
    })
}

fn properties() -> Value {
    let key = json!({"type": "keyword"});
    let whole = json!({"type": "long"});
    // Words with how often they are there, and how many there are in all.
    let words = |all: &str| {
        let (kind, options) = ("text", "freqs");
        json!({"type": kind, "analyzer": "whitespace", "index_options": options, "copy_to": all})
    };
    // Only whether they are there.
    let all =
        json!({"type": "text", "analyzer": "whitespace", "index_options": "docs", "norms": false});
    let kept = json!({"type": "keyword", "index": false, "doc_values": false});
    json!({
        "id": key,
        "seller": key,
        "category": key,
        "currency": key,
        "price": whole,
        "condition": key,
        "status": key,
        "created_at": whole,
        "expires_at": whole,
        "place": {"type": "geo_point"},
        "said": key,
        "counted": key,
        "number": key,
        "phrase": key,
        "title": words("words"),
        "extra": words("words"),
        "body": words("words"),
        "words": all,
        "title_stems": words("stems"),
        "extra_stems": words("stems"),
        "body_stems": words("stems"),
        "stems": all,
        "shown": kept,
        "position": kept,
    })
}

/// The document of a position.
pub fn position(position: &Position) -> Value {
    json!({"position": BASE64.encode(&position.0)})
}

/// What [`position`] wrote.
pub fn read_position(source: &Value) -> Option<Position> {
    let text = source.get("position")?.as_str()?;
    BASE64.decode(text.as_bytes()).ok().map(Position)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_read_what_they_write() {
        let bytes = Position(vec![0, 7, 255]);
        assert_eq!(read_position(&position(&bytes)), Some(bytes));
        for wrong in [json!({}), json!({"position": 7}), json!({"position": "?"})] {
            assert_eq!(read_position(&wrong), None, "{wrong}");
        }
    }

    #[test]
    fn an_index_of_other_languages_is_another() {
        let language = |code| Language::parse(code).expect("a language");
        assert_ne!(meta(&[language("en")]), meta(&[language("en"), language("de")]));
        let made = made(&[language("en")], "gate");
        assert_eq!(made["mappings"]["_meta"], meta(&[language("en")]));
        assert_eq!(made["aliases"]["gate"]["is_write_index"], true);
    }
}
