//! Whether a webhook is of whom it says it is (Standard Webhooks, symmetric signatures).
//!
//! What was signed is good for a few minutes, and in these as often as it comes. That it changes nothing the second
//! time is for what it says: each thing in it has a revision.

use std::time::Duration;

use barterline_domain::clock::Timestamp;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;

/// How far the clocks of both may be apart, with the way between.
const APART_MAX: Duration = Duration::from_mins(5);
/// Longest name of a webhook.
const ID_BYTES_MAX: usize = 255;
/// Longest time: seconds until the year 33658.
const TIME_DIGITS_MAX: usize = 12;
/// Signatures that are looked at: one by the secret that is, one by the secret that was, and room.
const SIGNATURES_MAX: usize = 8;
/// Beginning of a signature by a secret that both know.
const SYMMETRIC: &str = "v1,";

/// What a webhook bears beside its body.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a> {
    /// `webhook-id`
    pub id: &'a str,
    /// `webhook-timestamp`
    pub time: &'a str,
    /// `webhook-signature`
    pub signatures: &'a str,
}

/// Whether somebody who has the key signed this not long ago.
pub(super) fn is_signed(key: &[u8], shown: Shown<'_>, body: &[u8], now: Timestamp) -> bool {
    let Shown { id, time, signatures } = shown;
    if !is_id(id) || !is_present(time, now) {
        return false;
    }
    let signed = Hmac::<Sha256>::new_from_slice(key).expect("of any length");
    let signed = [id.as_bytes(), b".", time.as_bytes(), b".", body]
        .into_iter()
        .fold(signed, Hmac::chain_update);
    let symmetric = signatures.split(' ').filter_map(|signature| signature.strip_prefix(SYMMETRIC));
    symmetric.take(SIGNATURES_MAX).any(|encoded| {
        // Takes as long wherever the two differ.
        STANDARD.decode(encoded).is_ok_and(|bytes| signed.clone().verify_slice(&bytes).is_ok())
    })
}

/// Without a full stop, which ends it where it is signed: else it could be cut elsewhere.
fn is_id(id: &str) -> bool {
    let is_sound = |c: char| c.is_ascii_graphic() && c != '.';
    (1..=ID_BYTES_MAX).contains(&id.len()) && id.chars().all(is_sound)
}

fn is_present(time: &str, now: Timestamp) -> bool {
    let is_number =
        (1..=TIME_DIGITS_MAX).contains(&time.len()) && time.chars().all(|c| c.is_ascii_digit());
    let seconds = Some(time).filter(|_| is_number).and_then(|time| time.parse::<u64>().ok());
    seconds.is_some_and(|seconds| {
        Timestamp::from_millis(seconds.saturating_mul(1_000)).apart(now) <= APART_MAX
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example that implementations of Standard Webhooks have in common.
    const KEY: &str = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const TIME: u64 = 1_614_265_330;
    const BODY: &str = r#"{"test": 2432232314}"#;
    const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    fn key() -> Vec<u8> {
        STANDARD.decode(KEY).expect("a key")
    }

    fn shown(signatures: &str) -> bool {
        let shown = Shown { id: ID, time: &TIME.to_string(), signatures };
        is_signed(&key(), shown, BODY.as_bytes(), Timestamp::from_millis(TIME * 1_000))
    }

    fn sign(id: &str, time: &str, body: &str) -> String {
        let mac = Hmac::<Sha256>::new_from_slice(&key()).expect("a key");
        let mac = mac.chain_update(format!("{id}.{time}.{body}")).finalize().into_bytes();
        format!("v1,{}", STANDARD.encode(mac))
    }

    #[test]
    fn one_good_signature_of_several_is_enough() {
        assert!(shown(SIGNATURE));
        let other = "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=";
        let public = "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg==";
        assert!(shown(&format!("{other} {public} {SIGNATURE}")));
        let bare = SIGNATURE.strip_prefix("v1,").expect("a signature");
        for wrong in [
            "",
            "v1,",
            " ",
            other,
            public,
            bare,
            &SIGNATURE[..SIGNATURE.len() - 1],
            &format!("v1a,{bare}"),
            &format!("v2,{bare}"),
            &format!("V1,{bare}"),
            &format!("v1={bare}"),
            &format!("v1,{bare},{other}"),
            &format!("v1,{}", &bare[..12]),
            &format!("{}{SIGNATURE}", "v1,AAAA ".repeat(SIGNATURES_MAX)),
        ] {
            assert!(!shown(wrong), "{wrong}");
        }
    }

    #[test]
    fn what_was_signed_is_what_is_taken() {
        let now = Timestamp::from_millis(TIME * 1_000);
        let time = TIME.to_string();
        let check = |id: &str, time: &str, body: &str, signatures: &str, expected: bool| {
            let shown = Shown { id, time, signatures };
            let signed = is_signed(&key(), shown, body.as_bytes(), now);
            assert_eq!(signed, expected, "{id} {time} {body}");
        };
        check(ID, &time, BODY, SIGNATURE, true);
        check("msg_other", &time, BODY, SIGNATURE, false);
        check(ID, &(TIME + 1).to_string(), BODY, SIGNATURE, false);
        check(ID, &time, r#"{"test": 2432232315}"#, SIGNATURE, false);
        check(ID, &time, "", SIGNATURE, false);
        // The same bytes, cut elsewhere.
        let cut = sign("a", &time, &format!("{time}.{BODY}"));
        check("a", &time, &format!("{time}.{BODY}"), &cut, true);
        check(&format!("a.{time}"), &time, BODY, &cut, false);
        for id in ["", "a b", "a.b", "ä", &"x".repeat(256)] {
            check(id, &time, BODY, &sign(id, &time, BODY), false);
        }
        let longest = "x".repeat(255);
        check(&longest, &time, BODY, &sign(&longest, &time, BODY), true);
        let other = Shown { id: ID, time: &time, signatures: SIGNATURE };
        assert!(!is_signed(b"another key of another source", other, BODY.as_bytes(), now));
    }

    #[test]
    fn what_was_signed_long_ago_or_is_to_come_is_not_taken() {
        let check = |time: &str, expected: bool| {
            let signatures = sign(ID, time, BODY);
            let shown = Shown { id: ID, time, signatures: &signatures };
            let now = Timestamp::from_millis(TIME * 1_000);
            assert_eq!(is_signed(&key(), shown, BODY.as_bytes(), now), expected, "{time}");
        };
        for (apart, expected) in [(0, true), (300, true), (301, false), (86_400, false)] {
            check(&(TIME + apart).to_string(), expected);
            check(&(TIME - apart).to_string(), expected);
        }
        let milliseconds = (TIME * 1_000).to_string();
        for no_time in
            ["", "0", "-1", "+1614265330", " 1614265330", "1614265330.0", "now", &milliseconds]
        {
            check(no_time, false);
        }
        check("18446744073709551615", false);
        check("99999999999999999999999", false);
    }
}
