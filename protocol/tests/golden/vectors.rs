//! Every vector means the same in both encodings, and encodes to exactly its bytes.

use std::collections::BTreeSet;
use std::fmt::Debug;

use barterline_protocol::frame::Message;
use barterline_protocol::{DecodeError, Encoding, Frame, Outgoing, Request};

use crate::files::{
    Class, Direction, FILES, Input, Vector, hex, load, load_all, load_invalid, store, unhex,
    updating,
};

fn encode<M: Message>(encoding: Encoding, frame: &Frame<M>) -> Vec<u8> {
    let mut out = Vec::new();
    encoding.encode(frame.reference, &frame.message, &mut out);
    out
}

fn check<M: Message + PartialEq + Debug>(vector: &Vector) {
    let name = &vector.name;
    let text = vector.json.get();
    let from_json: Frame<M> =
        Encoding::Json.decode(text.as_bytes()).unwrap_or_else(|error| panic!("{name}: {error}"));
    let from_msgpack: Frame<M> = Encoding::MsgPack
        .decode(&unhex(&vector.msgpack))
        .unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(from_json, from_msgpack, "{name}: one frame in two encodings");
    let json = String::from_utf8(encode(Encoding::Json, &from_json)).expect("JSON is UTF-8");
    assert_eq!(json, text, "{name}: JSON");
    let msgpack = hex(&encode(Encoding::MsgPack, &from_json));
    assert_eq!(msgpack, vector.msgpack, "{name}: MessagePack");
}

fn fill_in(vector: &mut Vector) {
    fn bytes<M: Message>(vector: &Vector) -> String {
        let text = vector.json.get().as_bytes();
        let frame: Frame<M> = Encoding::Json.decode(text).expect("a new vector decodes");
        hex(&encode(Encoding::MsgPack, &frame))
    }
    vector.msgpack = match vector.direction {
        Direction::Client => bytes::<Request>(vector),
        Direction::Server => bytes::<Outgoing>(vector),
    };
}

#[test]
fn every_vector_means_the_same_in_both_encodings() {
    for file in FILES {
        let mut vectors = load(file);
        if updating() && vectors.iter().any(|vector| vector.msgpack.is_empty()) {
            vectors.iter_mut().filter(|vector| vector.msgpack.is_empty()).for_each(fill_in);
            store(file, &vectors);
        }
        for vector in &vectors {
            match vector.direction {
                Direction::Client => check::<Request>(vector),
                Direction::Server => check::<Outgoing>(vector),
            }
        }
    }
}

#[test]
fn names_are_unique_and_stand_in_the_file_of_their_direction() {
    let mut names = BTreeSet::new();
    for vector in load_all() {
        assert!(!vector.meaning.is_empty(), "{}", vector.name);
        assert!(names.insert(vector.name.clone()), "{} stands twice", vector.name);
    }
    assert!(load("client").iter().all(|vector| vector.direction == Direction::Client));
    assert!(load("server").iter().all(|vector| vector.direction == Direction::Server));
}

fn kind_and_body(vector: &Vector) -> (String, serde_json::Map<String, serde_json::Value>) {
    let (kind, _, body): (String, serde_json::Value, _) =
        serde_json::from_str(vector.json.get()).expect("a frame");
    (kind, body)
}

#[test]
fn every_kind_has_a_vector() {
    let kinds = |file: &str| -> BTreeSet<String> {
        load(file).iter().map(|vector| kind_and_body(vector).0).collect()
    };
    let all = |kinds: &[&str]| kinds.iter().map(ToString::to_string).collect::<BTreeSet<_>>();
    assert_eq!(kinds("client"), all(Request::KINDS));
    assert_eq!(kinds("server"), all(Outgoing::KINDS));
}

#[test]
fn every_optional_field_is_shown_present_and_absent() {
    let optional = [
        ("client", "hello", "cursor"),
        ("client", "hello", "have"),
        ("client", "send", "text"),
        ("client", "mark", "delivered"),
        ("client", "mark", "read"),
        ("client", "pull", "after"),
        ("client", "pull", "before"),
        ("client", "pull", "limit"),
        ("server", "ack", "repeat"),
        ("server", "event", "text"),
        ("server", "event", "listing"),
        ("server", "ping", "cursor"),
        ("server", "error", "chat"),
        ("server", "error", "id"),
        ("server", "error", "head"),
        ("server", "error", "retry_after_ms"),
        ("server", "bye", "retry_after_ms"),
    ];
    for (file, kind, field) in optional {
        let shown: BTreeSet<bool> = load(file)
            .iter()
            .map(kind_and_body)
            .filter(|(vector_kind, _)| vector_kind == kind)
            .map(|(_, body)| body.contains_key(field))
            .collect();
        assert_eq!(shown.len(), 2, "{kind}.{field} is to be shown present and absent");
    }
}

fn class_of(error: &DecodeError) -> (Class, Option<u32>) {
    match error {
        DecodeError::Malformed(_) => (Class::Malformed, None),
        DecodeError::UnknownKind { reference, .. } => (Class::UnknownKind, *reference),
        DecodeError::InvalidBody { reference, .. } => (Class::InvalidBody, *reference),
    }
}

#[test]
fn every_invalid_input_is_refused_as_it_says() {
    for invalid in load_invalid() {
        let result = match &invalid.input {
            Input::MsgPack { bytes } => Encoding::MsgPack.decode::<Request>(&unhex(bytes)),
            Input::Json { text } => Encoding::Json.decode::<Request>(text.as_bytes()),
        };
        let error = result.expect_err(&invalid.name);
        assert_eq!(
            class_of(&error),
            (invalid.error, invalid.reference),
            "{}: {} ({error})",
            invalid.name,
            invalid.meaning
        );
    }
}
