//! One target for each decoder; the crate's documentation says how to run them for longer.

use barterline_fuzz::{Introductions, LogHeaders, Pictures, Seeds, Signed, Stored};
use barterline_protocol::{Encoding, Outgoing, Request};

#[test]
fn msgpack_request() {
    let seeds = Seeds::of_clients(Encoding::MsgPack);
    bolero::check!().for_each(|input: &[u8]| seeds.feed::<Request>(input));
}

#[test]
fn json_request() {
    let seeds = Seeds::of_clients(Encoding::Json);
    bolero::check!().for_each(|input: &[u8]| seeds.feed::<Request>(input));
}

#[test]
fn msgpack_outgoing() {
    let seeds = Seeds::of_servers(Encoding::MsgPack);
    bolero::check!().for_each(|input: &[u8]| seeds.feed::<Outgoing>(input));
}

#[test]
fn json_outgoing() {
    let seeds = Seeds::of_servers(Encoding::Json);
    bolero::check!().for_each(|input: &[u8]| seeds.feed::<Outgoing>(input));
}

#[test]
fn stored_records_and_rows() {
    let seeds = Stored::golden();
    bolero::check!().for_each(|input: &[u8]| seeds.feed(input));
}

#[test]
fn log_headers() {
    let seeds = LogHeaders::sound();
    bolero::check!().for_each(|input: &[u8]| seeds.feed(input));
}

#[test]
fn access_tokens() {
    let seeds = Signed::fresh();
    bolero::check!().for_each(|input: &[u8]| seeds.feed(input));
}

#[test]
fn introductions_by_proxies() {
    let seeds = Introductions::sound();
    bolero::check!().for_each(|input: &[u8]| seeds.feed(input));
}

#[test]
fn media_image() {
    let seeds = Pictures::small();
    bolero::check!().for_each(|input: &[u8]| seeds.feed(input));
}
