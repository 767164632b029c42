//! Whatever the frame, it comes back; whatever the bytes, they get an answer.

use std::fmt::Debug;

use barterline_domain::chat::Role;
use barterline_domain::clock::Timestamp;
use barterline_domain::event::{Author, Seq};
use barterline_domain::ids::{ChatId, ClientId, DeviceId, ListingId, MediaId, SessionId, UserId};
use barterline_domain::listing::ListingStatus;
use barterline_domain::marks::Marks;
use barterline_domain::money::{Currency, MINOR_MAX, Money};
use barterline_protocol::cursor::Cursor;
use barterline_protocol::frame::Message;
use barterline_protocol::hello::{Hello, Welcome};
use barterline_protocol::limits::Limits;
use barterline_protocol::push::{
    Behind, Bye, ChatState, Edited, Event, ListingMoved, Live, MarksMoved, Presence, PriceMoved,
    Reactions, Renew, Row, Rows, Settings, StateMoved, StatusMoved,
};
use barterline_protocol::request::{
    Auth, Block, Mark, Open, Ping, Pull, Send, SetSettings, SetState, Typing, Watch,
};
use barterline_protocol::response::{Ack, Authed, Done, ErrorBody, Page};
use barterline_protocol::{Encoding, Frame, Outgoing, Request};
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::files::{Direction, load_all, unhex};

fn chat() -> impl Strategy<Value = ChatId> {
    any::<[u8; 16]>().prop_map(ChatId::from_bytes)
}

fn client_id() -> impl Strategy<Value = ClientId> {
    any::<[u8; 16]>().prop_map(ClientId::from_bytes)
}

fn user() -> impl Strategy<Value = UserId> {
    any::<[u8; 16]>().prop_map(UserId::from_bytes)
}

fn listing() -> impl Strategy<Value = ListingId> {
    any::<[u8; 16]>().prop_map(ListingId::from_bytes)
}

fn media() -> impl Strategy<Value = MediaId> {
    any::<[u8; 16]>().prop_map(MediaId::from_bytes)
}

fn seq() -> impl Strategy<Value = Seq> {
    prop_oneof![0..300_u64, 0..=Seq::MAX.0].prop_map(Seq)
}

fn time() -> impl Strategy<Value = Timestamp> {
    (0..1_u64 << 53).prop_map(Timestamp::from_millis)
}

fn cursor() -> impl Strategy<Value = Cursor> {
    any::<(u32, u64)>().prop_map(|(epoch, position)| Cursor::new(epoch, position))
}

fn marks() -> impl Strategy<Value = Marks> {
    (seq(), seq()).prop_map(|(delivered, read)| Marks { delivered, read })
}

fn role() -> impl Strategy<Value = Role> {
    prop_oneof![Just(Role::Buyer), Just(Role::Seller)]
}

/// Any text: escapes, controls and characters beyond the basic plane among it.
fn text() -> impl Strategy<Value = String> {
    vec(any::<char>(), 0..60).prop_map(String::from_iter)
}

fn request() -> impl Strategy<Value = Request> {
    let hello = (
        text(),
        any::<[u8; 16]>(),
        vec(any::<u32>(), 0..5),
        of(cursor()),
        vec((chat(), seq()), 0..5),
    )
        .prop_map(|(token, device, versions, cursor, have)| Hello {
            token,
            device: DeviceId::from_bytes(device),
            versions,
            cursor,
            have,
        });
    let named = (chat(), client_id(), seq(), text());
    let said = (of(text()), of(seq()), of(seq()), of(text()), of(media()), of(text()));
    let send = (named, said).prop_map(|((chat, id, base, kind), said)| {
        let (text, reply, target, reaction, media, data) = said;
        Send { chat, id, base, kind, text, reply, target, reaction, media, data }
    });
    let mark = (chat(), of(seq()), of(seq())).prop_map(|(chat, delivered, read)| Mark {
        chat,
        delivered,
        read,
    });
    let pull = (chat(), of(seq()), of(seq()), of(any::<u32>()))
        .prop_map(|(chat, after, before, limit)| Pull { chat, after, before, limit });
    let of_flags = any::<(Option<bool>, Option<bool>)>();
    let flags = any::<(Option<bool>, Option<bool>, Option<bool>)>();
    let state = (chat(), of(time()), flags, vec(seq(), 0..4), of(seq())).prop_map(
        |(chat, muted_until, (archived, pinned, unread), hide, hide_through)| SetState {
            chat,
            muted_until,
            archived,
            pinned,
            unread,
            hide,
            hide_through,
        },
    );
    prop_oneof![
        hello.prop_map(Request::Hello),
        send.prop_map(Request::Send),
        mark.prop_map(Request::Mark),
        pull.prop_map(Request::Pull),
        state.prop_map(Request::State),
        (chat(), any::<bool>()).prop_map(|(chat, on)| Request::Watch(Watch { chat, on })),
        chat().prop_map(|chat| Request::Typing(Typing { chat })),
        of_flags.prop_map(|(shows_read, shows_presence)| {
            Request::Settings(SetSettings { shows_read, shows_presence })
        }),
        (user(), any::<bool>()).prop_map(|(user, on)| Request::Block(Block { user, on })),
        listing().prop_map(|listing| Request::Open(Open { listing })),
        text().prop_map(|token| Request::Auth(Auth { token })),
        of(cursor()).prop_map(|cursor| Request::Ping(Ping { cursor })),
        of(cursor()).prop_map(|cursor| Request::Pong(Ping { cursor })),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    let from = prop_oneof![Just(Author::Buyer), Just(Author::Seller), Just(Author::System)];
    let edited = (seq(), time()).prop_map(|(seq, at)| Edited { seq, at });
    let reactions =
        (of(text()), of(text())).prop_map(|(buyer, seller)| Reactions { buyer, seller });
    let named = (chat(), seq(), time(), from, client_id(), text());
    let said = (of(text()), of(seq()), of(seq()), of(text()), of(media()), of(text()));
    let said = (said, of(listing_moved()));
    let became = (of(edited), of(reactions), any::<bool>(), any::<bool>(), any::<bool>());
    (named, said, became).prop_map(|((chat, seq, at, from, id, kind), said, became)| {
        let ((text, reply, target, reaction, media, data), listing) = said;
        let (edited, reactions, gone, hidden, withheld) = became;
        Event {
            text,
            reply,
            target,
            reaction,
            media,
            data,
            listing,
            edited,
            reactions,
            gone,
            hidden,
            withheld,
            ..Event::new(chat, seq, at, from, id, kind.into())
        }
    })
}

fn listing_moved() -> impl Strategy<Value = ListingMoved> {
    let status = || {
        use ListingStatus::{Active, Draft, Expired, Reserved, Sold, Withdrawn};
        prop::sample::select(vec![Draft, Active, Reserved, Sold, Withdrawn, Expired])
    };
    let money = || {
        let currency = Currency::parse("EUR").expect("a currency");
        (0..=MINOR_MAX).prop_map(move |minor| Money { minor, currency })
    };
    let price = (money(), money()).prop_map(|(old, new)| PriceMoved { old, new });
    let status = (status(), status()).prop_map(|(old, new)| StatusMoved { old, new });
    (0..1_u64 << 53, of(price), of(status)).prop_map(|(version, price, status)| ListingMoved {
        version,
        price,
        status,
    })
}

fn row() -> impl Strategy<Value = Row> {
    let fixed = (chat(), listing(), text(), 0..=MINOR_MAX, role(), user(), time());
    let moving = (seq(), of(event()), marks(), marks(), 0..1_u64 << 53, state());
    (fixed, moving).prop_map(
        |(
            (chat, listing, title, minor, role, peer, opened_at),
            (head, last, marks, peer_marks, unread, state),
        )| Row {
            chat,
            listing,
            title,
            price: Money { minor, currency: Currency::parse("EUR").expect("a currency") },
            listing_version: unread,
            role,
            peer,
            opened_at,
            head,
            last,
            marks,
            peer_marks,
            unread,
            state,
        },
    )
}

fn state() -> impl Strategy<Value = ChatState> {
    let flags = any::<(bool, bool, bool)>();
    (of(time()), flags, of(seq()), vec(seq(), 0..4)).prop_map(
        |(muted_until, (archived, pinned, unread), hidden_through, hidden)| ChatState {
            muted_until,
            archived,
            pinned,
            unread,
            hidden_through,
            hidden,
        },
    )
}

fn welcome() -> impl Strategy<Value = Welcome> {
    (user(), any::<[u8; 16]>(), time(), any::<u32>(), vec(text(), 0..3)).prop_map(
        |(user, session, now, heartbeat, features)| Welcome {
            version: 1,
            user,
            session: SessionId::from_bytes(session),
            now,
            token_expires_at: now,
            heartbeat_ms: u64::from(heartbeat),
            limits: Limits::default(),
            features,
        },
    )
}

fn outgoing() -> impl Strategy<Value = Outgoing> {
    let ack = (chat(), client_id(), seq(), time(), any::<bool>())
        .prop_map(|(chat, id, seq, at, repeat)| Ack { chat, id, seq, at, repeat });
    let page = (chat(), vec(event(), 0..4), seq()).prop_map(|(chat, events, head)| Page {
        chat,
        events,
        head,
    });
    let moved = (chat(), role(), seq(), seq())
        .prop_map(|(chat, role, delivered, read)| MarksMoved { chat, role, delivered, read });
    let about = (of(chat()), of(client_id()), of(seq()), of(text()), of(0..1_u64 << 53));
    let error = (text(), text(), about).prop_map(
        |(code, message, (chat, id, head, scope, retry_after_ms))| ErrorBody {
            code,
            message,
            chat,
            id,
            head,
            scope,
            retry_after_ms,
        },
    );
    let flags = any::<(bool, bool)>();
    let bye = (any::<u16>(), text(), of(0..1_u64 << 53))
        .prop_map(|(code, reason, retry_after_ms)| Bye { code, reason, retry_after_ms });
    prop_oneof![
        welcome().prop_map(Outgoing::Welcome),
        vec(row(), 0..3).prop_map(|rows| Outgoing::Rows(Rows { rows })),
        cursor().prop_map(|cursor| Outgoing::Live(Live { cursor })),
        ack.prop_map(Outgoing::Ack),
        Just(Outgoing::Ok(Done {})),
        page.prop_map(Outgoing::Page),
        row().prop_map(|row| Outgoing::Chat(Box::new(row))),
        time().prop_map(|at| Outgoing::Authed(Authed { token_expires_at: at })),
        event().prop_map(Outgoing::Event),
        moved.prop_map(Outgoing::Marks),
        (chat(), state()).prop_map(|(chat, state)| Outgoing::State(StateMoved { chat, state })),
        chat().prop_map(|chat| Outgoing::Typing(Typing { chat })),
        (chat(), any::<bool>(), of(time())).prop_map(|(chat, online, last_seen)| {
            Outgoing::Presence(Presence { chat, online, last_seen })
        }),
        flags.prop_map(|(shows_read, shows_presence)| {
            Outgoing::Settings(Settings { shows_read, shows_presence })
        }),
        (user(), any::<bool>()).prop_map(|(user, on)| Outgoing::Block(Block { user, on })),
        time().prop_map(|at| Outgoing::Renew(Renew { token_expires_at: at })),
        Just(Outgoing::Reset(Done {})),
        (chat(), seq(), seq()).prop_map(|(chat, after, head)| Outgoing::Behind(Behind {
            chat,
            after,
            head
        })),
        of(cursor()).prop_map(|cursor| Outgoing::Ping(Ping { cursor })),
        of(cursor()).prop_map(|cursor| Outgoing::Pong(Ping { cursor })),
        error.prop_map(Outgoing::Error),
        bye.prop_map(Outgoing::Bye),
    ]
}

fn comes_back<M: Message + PartialEq + Debug>(reference: Option<u32>, message: M) {
    let frame = Frame { reference, message };
    for encoding in Encoding::ALL {
        let mut out = Vec::new();
        encoding.encode(frame.reference, &frame.message, &mut out);
        assert_eq!(encoding.decode(&out).as_ref(), Ok(&frame), "{encoding:?}");
    }
}

/// What a hostile or broken client does to good bytes.
#[derive(Debug, Clone)]
enum Damage {
    Put(Index, u8),
    Insert(Index, u8),
    Cut(Index),
    Repeat(Index, Index),
}

fn damage() -> impl Strategy<Value = Damage> {
    // Bytes that mean something to a codec come more often than others.
    let telling = b"\xc1\xc6\xc9\xdb\xdc\xdd\xde\xdf\xff\x00\x80\x90\xa0[]{}\",:\\-";
    let byte = prop_oneof![any::<u8>(), proptest::sample::select(telling.as_slice())];
    prop_oneof![
        (any::<Index>(), byte.clone()).prop_map(|(at, byte)| Damage::Put(at, byte)),
        (any::<Index>(), byte).prop_map(|(at, byte)| Damage::Insert(at, byte)),
        any::<Index>().prop_map(Damage::Cut),
        any::<(Index, Index)>().prop_map(|(a, b)| Damage::Repeat(a, b)),
    ]
}

fn apply(bytes: &mut Vec<u8>, damage: &Damage) {
    if bytes.is_empty() {
        return;
    }
    match damage {
        Damage::Put(at, byte) => {
            let at = at.index(bytes.len());
            bytes[at] = *byte;
        }
        Damage::Insert(at, byte) => bytes.insert(at.index(bytes.len()), *byte),
        Damage::Cut(at) => bytes.truncate(at.index(bytes.len())),
        Damage::Repeat(a, b) => {
            let (a, b) = (a.index(bytes.len()), b.index(bytes.len()));
            bytes.extend_from_within(a.min(b)..a.max(b));
        }
    }
}

/// What decodes is a frame like any other; what does not is an error, never a panic.
fn survives<M: Message + PartialEq + Debug>(encoding: Encoding, bytes: &[u8]) {
    if let Ok(frame) = encoding.decode::<M>(bytes) {
        comes_back(frame.reference, frame.message);
    }
}

proptest! {
    #[test]
    fn every_request_comes_back(reference in of(any::<u32>()), message in request()) {
        comes_back(reference, message);
    }

    #[test]
    fn every_answer_comes_back(reference in of(any::<u32>()), message in outgoing()) {
        comes_back(reference, message);
    }

    #[test]
    fn any_bytes_get_an_answer(bytes in vec(any::<u8>(), 0..300)) {
        for encoding in Encoding::ALL {
            survives::<Request>(encoding, &bytes);
            survives::<Outgoing>(encoding, &bytes);
        }
    }

    #[test]
    fn damaged_frames_get_an_answer(which in any::<Index>(), damages in vec(damage(), 1..6)) {
        let vectors = load_all();
        let vector = &vectors[which.index(vectors.len())];
        let inputs = [
            (Encoding::Json, vector.json.get().as_bytes().to_vec()),
            (Encoding::MsgPack, unhex(&vector.msgpack)),
        ];
        for (encoding, mut bytes) in inputs {
            for damage in &damages {
                apply(&mut bytes, damage);
            }
            match vector.direction {
                Direction::Client => survives::<Request>(encoding, &bytes),
                Direction::Server => survives::<Outgoing>(encoding, &bytes),
            }
        }
    }
}
