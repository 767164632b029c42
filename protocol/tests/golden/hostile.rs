//! What a stranger may send: each decoder answers it, alike in both encodings, and takes no memory
//! on a stranger's word.

use barterline_protocol::limits::{DEPTH_MAX, FRAME_BYTES_MAX};
use barterline_protocol::request::{Auth, Ping};
use barterline_protocol::{DecodeError, Encoding, Frame, Request};

use crate::files::unhex;

fn msgpack(hex: &str) -> Result<Frame<Request>, DecodeError> {
    Encoding::MsgPack.decode(&unhex(hex))
}

/// `["ping", nil, {"a": VALUE}]`.
fn with_unknown_field(value: &str) -> Result<Frame<Request>, DecodeError> {
    msgpack(&format!("93a470696e67c081a161{value}"))
}

const PING: Frame<Request> =
    Frame { reference: None, message: Request::Ping(Ping { cursor: None }) };

#[test]
fn an_unknown_field_of_any_type_is_ignored() {
    let values = [
        "00",
        "7f",
        "e0",
        "c0",
        "c2",
        "c3",
        "ccff",
        "cdffff",
        "ceffffffff",
        "cfffffffffffffffff",
        "d080",
        "d18000",
        "d280000000",
        "d38000000000000000",
        "ca7fc00000",
        "cb7ff8000000000000",
        "a0",
        "a178",
        "d90178",
        "da000178",
        "db0000000178",
        "c40100",
        "c5000100",
        "c60000000100",
        "d40100",
        "d5010000",
        "d60100000000",
        "d7010000000000000000",
        "d80100000000000000000000000000000000",
        "c7010100",
        "c800010100",
        "c90000000101ff",
        "90",
        "9101",
        "dc000101",
        "dd0000000101",
        "80",
        "810102",
        "de00010102",
        "df000000010102",
        "9291019101",
    ];
    for value in values {
        assert_eq!(with_unknown_field(value), Ok(PING), "{value}");
    }
    let json = br#"["ping",null,{"a":[1,-2.5e3,"x\u0000",null,true,{"b":{}}],"z":"]]}}"}]"#;
    assert_eq!(Encoding::Json.decode(json), Ok(PING));
}

#[test]
fn every_truncation_of_a_frame_is_malformed() {
    let mut bytes = Vec::new();
    for encoding in Encoding::ALL {
        let message = Request::Auth(Auth { token: "t".repeat(300) });
        bytes.clear();
        encoding.encode(Some(70_000), &message, &mut bytes);
        for end in 0..bytes.len() {
            let result = encoding.decode::<Request>(&bytes[..end]);
            assert!(matches!(result, Err(DecodeError::Malformed(_))), "{end}: {result:?}");
        }
    }
}

#[test]
fn both_encodings_count_nesting_alike() {
    let nested = |levels: usize| {
        // Frame and body are the first two levels, the innermost array is empty.
        let inner = levels - 2;
        let msgpack = with_unknown_field(&("91".repeat(inner - 1) + "90"));
        let text = format!(r#"["ping",null,{{"a":{}{}}}]"#, "[".repeat(inner), "]".repeat(inner));
        (msgpack, Encoding::Json.decode::<Request>(text.as_bytes()))
    };
    assert_eq!(nested(DEPTH_MAX), (Ok(PING), Ok(PING)));
    for levels in [DEPTH_MAX + 1, DEPTH_MAX + 2, 30_000] {
        let deep = DecodeError::Malformed("nested too deeply");
        assert_eq!(nested(levels), (Err(deep.clone()), Err(deep)), "{levels}");
    }
}

#[test]
fn a_declared_length_is_held_against_the_frame_at_every_level() {
    let heads = ["dd", "df", "db", "c6", "c9"];
    for head in heads {
        for outer in ["", "91", "9291c0", "8101"] {
            for length in ["ffffffff", "7fffffff", "00010000"] {
                let result = with_unknown_field(&format!("{outer}{head}{length}00"));
                assert!(matches!(result, Err(DecodeError::Malformed(_))), "{outer}{head}{length}");
            }
        }
    }
    // A list that is read, not ignored: `have` with 4,294,967,295 entries.
    let have = msgpack("93a568656c6c6f0181a468617665ddffffffff");
    assert_eq!(have, Err(DecodeError::Malformed("the frame ends early")));
}

#[test]
fn a_refusal_quotes_little() {
    let token = "x".repeat(FRAME_BYTES_MAX);
    let text = format!(r#"["mark",1,{{"chat":"{token}"}}]"#);
    let Err(DecodeError::InvalidBody { reason, .. }) =
        Encoding::Json.decode::<Request>(text.as_bytes())
    else {
        panic!("the chat is no id");
    };
    assert!(reason.chars().count() <= 160, "{}", reason.len());

    let text = format!(r#"["{token}",1,{{}}]"#);
    let Err(DecodeError::UnknownKind { kind, .. }) =
        Encoding::Json.decode::<Request>(text.as_bytes())
    else {
        panic!("no such kind");
    };
    assert_eq!(kind.len(), 32);
}

#[test]
fn nil_in_an_optional_field_is_absence() {
    assert_eq!(msgpack("93a470696e67c081a6637572736f72c0"), Ok(PING));
    assert_eq!(Encoding::Json.decode(br#"["ping",null,{"cursor":null}]"#), Ok(PING));
}

#[test]
fn white_space_and_escapes_in_json_change_nothing() {
    let text = b" [ \"p\\u0069ng\" ,\n null\t, { } ] \r\n";
    assert_eq!(Encoding::Json.decode(text), Ok(PING));
}

#[test]
fn json_that_is_not_utf8_is_malformed() {
    let result = Encoding::Json.decode::<Request>(b"[\"ping\",null,{\"a\":\"\xff\"}]");
    assert_eq!(result, Err(DecodeError::Malformed("the text is not UTF-8")));
}
