//! Stored bytes of every kind, as they were first written (G12): later versions must read them to
//! the same value. `storage/golden/records.txt` holds one a line, name and hex. A changed layout is
//! a new kind or version with a line of its own; no line is ever edited.
//!
//! `BARTERLINE_GOLDEN=new cargo test -p barterline-storage --test golden` adds lines for new names.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use barterline_domain::account::{Bio, DisplayName, Locale, SessionName};
use barterline_domain::chat::{Chat, Role};
use barterline_domain::clock::Timestamp;
use barterline_domain::event::{Event, Seq};
use barterline_domain::ids::{
    ChatId, ClientId, DeviceId, ListingId, MediaId, SavedSearchId, SessionId, UserId,
};
use barterline_domain::listing::details::Details;
use barterline_domain::listing::{EndReason, Listing, ListingStatus, ListingText};
use barterline_domain::marks::{Marks, Visibility};
use barterline_domain::media::{Holder, Media, Purpose, Refusal, Shown, State};
use barterline_domain::message::{
    Body, Content, EventKind, ExtensionData, ExtensionName, Message, Reaction,
};
use barterline_domain::money::{Currency, Money};
use barterline_domain::personal::{Personal, PersonalChange};
use barterline_storage::accounts::Account;
use barterline_storage::api_keys::KeyRing;
use barterline_storage::audit::AuditEntry;
use barterline_storage::bulk::{ChatItem, Gone, Item, Place};
use barterline_storage::codes::{Code, CodePurpose};
use barterline_storage::conformance::{
    api_keys, audit, favourites, identities, listings, media, reports, samples,
};
use barterline_storage::credentials::{Credential, EmailKey, KeptEmail, SecondFactor};
use barterline_storage::identities::IdentityRing;
use barterline_storage::record::archive::{Begin, End, Frame, put_frame, read_frame, read_header};
use barterline_storage::record::chat_log::{
    Back, Change, ImportedSide, Mark, Record, erase_record, put_chat, put_event, put_imported_side,
    put_mark, put_personal, read_record,
};
use barterline_storage::record::chat_rows::{chat_bytes, event_bytes, read_chat, read_event};
use barterline_storage::record::event_kind::seal_kind;
use barterline_storage::record::index::{
    IndexedChat, Side, Tail, indexed_chat_bytes, read_indexed_chat,
};
use barterline_storage::record::rows::Row;
use barterline_storage::record::sealing::Sealing;
use barterline_storage::saved_searches::SavedSearch;
use barterline_storage::sessions::Session;
use barterline_storage::user_state::UserState;
use uuid::Uuid;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/golden/records.txt");

type Judge = Box<dyn Fn(&[u8]) -> bool>;

/// A kind of stored bytes: what today's code writes for a sample, and whether bytes mean the sample.
struct Sample {
    bytes: Vec<u8>,
    means_the_same: Judge,
}

fn record(record: Record) -> Sample {
    record_kept(record, Sealing::default())
}

fn record_kept(record: Record, sealing: Sealing) -> Sample {
    let mut bytes = Vec::new();
    match &record {
        Record::Chat(chat) => put_chat(&mut bytes, chat),
        Record::Event { chat, event, back, salt } => {
            let sealed = seal_kind(event, sealing.in_chat(*chat));
            put_event(&mut bytes, (*chat, event), (*back, *salt), sealed.as_deref());
        }
        Record::Mark(mark) => put_mark(&mut bytes, mark),
        Record::Personal(change) => put_personal(&mut bytes, change),
        Record::Side(side) => put_imported_side(&mut bytes, side),
    }
    Sample {
        bytes,
        means_the_same: Box::new(move |bytes| read_record(bytes, &sealing) == Ok(record.clone())),
    }
}

fn frame(frame: Frame) -> Sample {
    let mut bytes = Vec::new();
    let kept = Sealing::default();
    let kept = kept.in_chat(ChatId::from_bytes([0; 16]));
    put_frame(&mut bytes, &frame, kept);
    let same = move |bytes: &[u8]| {
        let (header, body) = bytes.split_first_chunk().expect("a header");
        let (len, crc) = read_header(*header).expect("a header");
        len == body.len()
            && read_frame(body, crc, Sealing::default().in_chat(ChatId::from_bytes([0; 16])))
                .as_ref()
                == Ok(&frame)
    };
    Sample { bytes, means_the_same: Box::new(same) }
}

/// Frames of an archive's part, of every kind.
fn frames(
    chat: &Chat,
    event: &Event,
    side: &Side,
    rows: impl IntoIterator<Item = (&'static str, Item)>,
) -> BTreeMap<&'static str, Sample> {
    let place = Place(vec![1, 2, 3]);
    let item = ChatItem {
        chat: Arc::new(chat.clone()),
        head: event.seq,
        buyer: Side::default(),
        seller: side.clone(),
    };
    let (one, other) = (UserId::from_bytes([1; 16]), UserId::from_bytes([2; 16]));
    let liked = favourites::favourite(7, 1_764_000_000_000);
    let end = End { items: 1, events: 2, total: 3, next: Some(place.clone()) };
    let begin = Begin { archive: Uuid::from_bytes([8; 16]), number: 1 };
    let mut frames = BTreeMap::from([
        ("archive_begin", frame(Frame::Begin(begin))),
        ("archive_chat", frame(Frame::Item(place.clone(), Item::Chat(Box::new(item))))),
        ("archive_event", frame(Frame::Event(event.clone()))),
        ("archive_favourite", frame(Frame::Item(place.clone(), Item::Favourite(one, liked)))),
        ("archive_favourite_gone", frame(Frame::Gone(Gone::Favourite(one, liked.listing)))),
        (
            "archive_saved_search",
            frame(Frame::Item(place.clone(), Item::SavedSearch(one, saved_search()))),
        ),
        (
            "archive_saved_search_gone",
            frame(Frame::Gone(Gone::SavedSearch(one, saved_search().id))),
        ),
        (
            "archive_listing_views",
            frame(Frame::Item(place.clone(), Item::ListingViews(liked.listing, 1_234_567))),
        ),
        ("archive_media_gone", frame(Frame::Gone(Gone::Media(media::file(7, 1).id)))),
        ("archive_block", frame(Frame::Item(place.clone(), Item::Block(one, other)))),
        ("archive_unblock", frame(Frame::Gone(Gone::Block(one, other)))),
        ("archive_credential_gone", frame(Frame::Gone(Gone::Credential(one)))),
        ("archive_end", frame(Frame::End(end.clone()))),
        ("archive_last_end", frame(Frame::End(End { next: None, ..end }))),
    ]);
    for (name, item) in rows {
        frames.insert(name, frame(Frame::Item(place.clone(), item)));
    }
    frames
}

/// A row as it is written no more, and still read: its bytes are those of the golden file.
fn earlier<T: Row + PartialEq + 'static>(name: &str, value: T) -> Sample {
    let text = std::fs::read_to_string(FILE).expect("the golden file");
    let mut lines = text.lines().filter_map(|line| line.split_once(' '));
    let (_, bytes) = lines.find(|(known, _)| *known == name).expect("a golden line");
    Sample { bytes: unhex(bytes), ..row(value) }
}

fn row<T: Row + PartialEq + 'static>(value: T) -> Sample {
    let bytes = value.to_bytes();
    let same = move |bytes: &[u8]| T::from_bytes(bytes).is_ok_and(|found| found == value);
    Sample { bytes, means_the_same: Box::new(same) }
}

#[expect(clippy::too_many_lines, reason = "a sample of each kind")]
fn samples() -> BTreeMap<&'static str, Sample> {
    let (user, device) = (UserId::from_bytes([1; 16]), DeviceId::from_bytes([2; 16]));
    let at = Timestamp::from_millis(1_764_000_000_000);
    let chat = samples::chat(3);
    let event = samples::event(64);
    let back = Back { previous: 900, near: 800, far: 0 };
    let mark = mark(chat.id, device);
    let side = side(device, at);
    let change =
        Change { chat: chat.id, role: Role::Buyer, change: PersonalChange::Mute(Some(at)) };
    let tail = Tail { head: Seq(64), position: 1_000, near: 1_000, far: 0, state: event.after };
    let price = Money { minor: 12_300, currency: Currency::parse("EUR").expect("a currency") };
    let text =
        ListingText::parse("City bike", "Good brakes.\nNew chain.".to_owned()).expect("text");
    let listing = Listing {
        details: listings::details(),
        status: ListingStatus::Sold,
        reason: Some(EndReason::Here),
        expires_at: Some(at),
        version: 3,
        ..Listing::offered(chat.listing, user, text, price, at)
    };
    let without_photos = Listing {
        details: Details { photos: Vec::new(), external: None, ..listings::details() },
        ..listing.clone()
    };
    let session = Session {
        id: SessionId::from_bytes([4; 16]),
        user,
        refresh_hash: [5; 32],
        used_hashes: vec![[6; 32], [7; 32]],
        name: SessionName::parse("phone").ok(),
        client: None,
        created_at: at,
        proven_at: at,
        used_at: at,
        expires_at: at,
        revoked: true,
    };
    let name = DisplayName::parse("Ana Çelik").expect("a name");
    let account = Account {
        bio: Bio::parse("Bikes.").expect("a text"),
        locale: Locale::parse("pt-BR").ok(),
        avatar: Some(MediaId::from_bytes([6; 16])),
        ..Account::new(user, name, at)
    };
    let erased = Account { erased_at: Some(at), roles: Vec::new(), ..account.clone() };
    let suspended = Account { suspended_at: Some(at), ..account.clone() };
    let email = KeptEmail { key: EmailKey([10; 32]), sealed: vec![11; 60] };
    let purpose = CodePurpose::ResetPassword;
    let (created_at, expires_at) = (at, at);
    let code = Code { hash: [7; 32], user, purpose, email: email.clone(), created_at, expires_at };
    let credential = Credential {
        user,
        email,
        email_verified_at: None,
        password_hash: Some("$argon2id$x".to_owned()),
        password_changed_at: at,
        second_factor: Some(SecondFactor {
            secret: vec![1, 2, 3],
            confirmed_at: Some(at),
            last_step: 7,
            recovery: vec![[8; 32]],
        }),
    };
    let words = |text: &str| Body::parse(text.to_owned()).expect("a body");
    let said = |content| EventKind::Message(Message { content, reply: Some(Seq(7)) });
    let open = Sealing::default;
    let sealing = samples::sealing;
    let kept = |kind: EventKind, sealing| {
        let event = Event { digest: kind.digest(), kind, withheld: true, ..event.clone() };
        record_kept(Record::Event { chat: chat.id, event, back, salt: 9 }, sealing)
    };
    let kind = |kind: EventKind| kept(kind, Sealing::default());
    let sealed = |kind: EventKind| kept(kind, sealing(true));
    let emptied = |kind: EventKind, sealing| {
        let event =
            Event { digest: kind.digest(), kind: kind.clone(), withheld: true, ..event.clone() };
        let Sample { mut bytes, .. } = kept(kind, sealing);
        assert_eq!(erase_record(&mut bytes), Ok(true));
        let mut left = event;
        left.empty();
        let means_the_same: Judge = Box::new(
            move |bytes| matches!(read_record(bytes, &Sealing::default()), Ok(Record::Event { event, .. }) if event == left),
        );
        Sample { bytes, means_the_same }
    };
    let edit = EventKind::Edit { target: Seq(9), body: Some(words("new")) };
    let extension = Content::Extension {
        name: ExtensionName::parse("x-poll").expect("a name"),
        fallback: words("A poll"),
        data: ExtensionData::parse("{}".to_owned()).ok(),
    };
    let media = Content::Media { media: MediaId::from_bytes([6; 16]), caption: None };
    let state = UserState { shows_read: false, ..UserState::default() };
    let entry =
        AuditEntry { number: 7, record: audit::record(5), previous: [1; 32], hash: [2; 32] };
    let ring = IdentityRing(vec![identities::identity(1), identities::identity(2)]);
    let rows = [
        ("archive_report", Item::Report(Box::new(reports::report(1)))),
        ("archive_listing", Item::Listing(Box::new(listing.clone()))),
        ("archive_media", Item::Media(Box::new(sent_file(State::Ready(media::picture()))))),
        ("archive_user_state", Item::UserState(user, state)),
        ("archive_api_keys", Item::ApiKeys(user, KeyRing(vec![api_keys::key(1)]))),
        ("archive_identities", Item::Identities(user, ring.clone())),
        ("archive_audit_entry", Item::AuditEntry(Box::new(entry.clone()))),
        ("archive_session", Item::Session(session.clone())),
        ("archive_credential", Item::Credential(Box::new(credential.clone()))),
        ("archive_account", Item::Account(Box::new(account.clone()))),
    ];
    let frames = frames(&chat, &event, &side, rows);
    let imported = ImportedSide { chat: chat.id, role: Role::Seller, side: side.clone() };
    let indexed =
        IndexedChat { tail, seller: side, ..IndexedChat::new(Arc::new(chat.clone()), 77) };
    let mut samples = BTreeMap::from([
        ("log_event_reply_withheld", kind(said(Content::Text(words("yes"))))),
        ("log_event_text_erased", emptied(said(Content::Text(words("yes"))), open())),
        ("log_event_media_erased", emptied(said(media.clone()), open())),
        ("log_event_extension_erased", emptied(said(extension.clone()), open())),
        ("log_event_edit_erased", emptied(edit.clone(), open())),
        ("log_event_extension_sealed_erased", emptied(said(extension.clone()), sealing(true))),
        ("log_event_edit_sealed_erased", emptied(edit.clone(), sealing(true))),
        ("log_event_text_sealed", sealed(said(Content::Text(words("yes"))))),
        ("log_event_media_sealed", sealed(said(media.clone()))),
        ("log_event_extension_sealed", sealed(said(extension.clone()))),
        ("log_event_edit_sealed", sealed(edit.clone())),
        ("log_event_note_sealed", sealed(EventKind::Note(words("The listing was sold.")))),
        ("log_event_media", kind(said(media))),
        ("log_event_extension", kind(said(extension))),
        ("log_event_gone", kind(said(Content::Gone("x-poll".to_owned())))),
        ("log_event_edit", kind(edit)),
        ("log_event_edit_gone", kind(EventKind::Edit { target: Seq(9), body: None })),
        ("log_event_delete", kind(EventKind::Delete { target: Seq(9) })),
        ("log_event_reaction", {
            kind(EventKind::Reaction { target: Seq(9), reaction: Reaction::parse("+1").ok() })
        }),
        ("log_event_note", kind(EventKind::Note(words("The listing was sold.")))),
        ("log_event_listing", {
            let event = samples::listing_event(65);
            record(Record::Event { chat: chat.id, event, back, salt: 9 })
        }),
        ("log_chat", record(Record::Chat(chat.clone()))),
        (
            "log_event_text",
            record(Record::Event { chat: chat.id, event: event.clone(), back, salt: 9 }),
        ),
        ("log_mark", record(Record::Mark(mark))),
        ("log_personal", record(Record::Personal(change))),
        ("log_imported_side", record(Record::Side(imported))),
        ("index_chat_v2", {
            let bytes = indexed_chat_bytes(&indexed);
            let same = move |bytes: &[u8]| read_indexed_chat(bytes).as_ref() == Ok(&indexed);
            Sample { bytes, means_the_same: Box::new(same) }
        }),
        ("listing_v1_without_photos", earlier("listing_v1_without_photos", without_photos)),
        ("listing_v1", row(listing)),
        ("session_v1", row(session)),
        ("account_v1", row(account)),
        ("account_v1_suspended", row(suspended)),
        ("account_v1_erased", row(erased)),
        ("report_v1", row(reports::report(1))),
        ("report_v1_sealed", {
            let mut report = reports::report(1);
            report.seal(&sealing(true));
            row(report)
        }),
        ("user_state_v1", row(state)),
        ("saved_search_v1", row(saved_search())),
        ("credential_v1", row(credential)),
        ("code_v1", row(code)),
        ("audit_entry_v1", row(entry)),
        ("identities_v1", row(ring)),
        ("api_keys_v1", row(KeyRing(vec![api_keys::key(1), api_keys::key(2)]))),
    ]);
    samples.extend(cells(&chat, &event));
    samples.extend(frames);
    samples.extend(files());
    samples
}

/// A file for a chat.
fn file(state: State) -> Media {
    let purpose = Purpose::Chat(ChatId::from_bytes([8; 16]));
    let file = Media { purpose, ..media::file(7, 1) };
    if state == State::Waiting { file } else { file.with(state) }
}

/// One that a message shows.
fn sent_file(state: State) -> Media {
    let by = Holder::Message { id: ClientId::from_bytes([9; 16]), above: Seq(41) };
    Media { shown: Some(Shown { by, at: Timestamp::from_millis(3_000) }), ..file(state) }
}

/// Files in every state, for everything and shown by it.
fn files() -> [(&'static str, Sample); 11] {
    let ready = || State::Ready(media::picture());
    let refused = || State::Refused(Refusal::TooManyPixels);
    let of = |purpose, by: Option<Holder>, state| {
        let shown = by.map(|by| Shown { by, at: Timestamp::from_millis(3_000) });
        Media { purpose, shown, ..file(state) }
    };
    let listing = Holder::Listing(ListingId::from_bytes([3; 16]));
    let photo = of(Purpose::Listing, Some(listing), ready());
    [
        ("media_v1_waiting", earlier("media_v1_waiting", file(State::Waiting))),
        ("media_v1_received", earlier("media_v1_received", file(State::Received))),
        ("media_v1_ready", earlier("media_v1_ready", sent_file(ready()))),
        ("media_v1_refused", earlier("media_v1_refused", file(refused()))),
        ("media_v1_ending", earlier("media_v1_ending", sent_file(State::Ending))),
        ("media_v2_waiting", row(file(State::Waiting))),
        ("media_v2_received", row(of(Purpose::Listing, None, State::Received))),
        ("media_v2_ready", row(photo)),
        ("media_v2_avatar", row(of(Purpose::Avatar, Some(Holder::Profile), ready()))),
        ("media_v2_refused", row(of(Purpose::Avatar, None, refused()))),
        ("media_v2_ending", row(sent_file(State::Ending))),
    ]
}

fn saved_search() -> SavedSearch {
    SavedSearch {
        id: SavedSearchId::from_bytes([12; 16]),
        name: "Räder in Köln".to_owned(),
        query: "q=rad&category=vehicles%2Fbicycles&sort=newest".to_owned(),
        created: Timestamp::from_millis(1_764_000_000_000),
    }
}

fn side(device: DeviceId, at: Timestamp) -> Side {
    let personal = Personal {
        muted_until: Some(at),
        archived: true,
        hidden_through: Seq(3),
        hidden: vec![Seq(9), Seq(11)],
        ..Personal::default()
    };
    Side {
        delivered: vec![(device, Seq(64))],
        read: Seq(60),
        read_messages: 30,
        shown: Marks::new(Seq(64), Seq(50)),
        personal,
        changed: 66,
    }
}

fn mark(chat: ChatId, device: DeviceId) -> Mark {
    Mark {
        chat,
        role: Role::Seller,
        device,
        delivered: Seq(64),
        read: Seq(60),
        read_messages: 30,
        visibility: Visibility::Delivered,
    }
}

/// Cells of the cluster's tables.
fn cells(chat: &Chat, event: &Event) -> [(&'static str, Sample); 2] {
    let (withheld, id) = (Event { withheld: true, ..event.clone() }, chat.id);
    let event = Sample {
        bytes: event_bytes(&withheld, Sealing::default().in_chat(chat.id)),
        means_the_same: Box::new(move |bytes| {
            read_event(withheld.seq, bytes, Sealing::default().in_chat(id)).as_ref()
                == Ok(&withheld)
        }),
    };
    let chat = chat.clone();
    let chat = Sample {
        bytes: chat_bytes(&chat),
        means_the_same: Box::new(move |bytes| read_chat(bytes).as_ref() == Ok(&chat)),
    };
    [("cell_event_v2", event), ("cell_chat_v1", chat)]
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn unhex(text: &str) -> Vec<u8> {
    let byte = |at| u8::from_str_radix(&text[at..at + 2], 16).expect("hexadecimal digits");
    (0..text.len()).step_by(2).map(byte).collect()
}

#[test]
fn g12_stored_bytes_keep_their_meaning() {
    let mut text = std::fs::read_to_string(FILE).unwrap_or_default();
    let samples = samples();
    let known =
        |text: &str, name: &str| text.lines().any(|line| line.split(' ').next() == Some(name));
    if std::env::var_os("BARTERLINE_GOLDEN").is_some() {
        for (name, sample) in &samples {
            if !known(&text, name) {
                let _ = writeln!(text, "{name} {}", hex(&sample.bytes));
            }
        }
        std::fs::write(FILE, &text).expect("the golden file is written");
    }
    for line in text.lines() {
        let (name, bytes) = line.split_once(' ').expect("a name and its bytes");
        let sample = samples.get(name).unwrap_or_else(|| panic!("no sample called {name}"));
        assert!((sample.means_the_same)(&unhex(bytes)), "{name} means something else now");
    }
    for (name, sample) in &samples {
        assert!(known(&text, name), "{name} has no golden bytes");
        assert!((sample.means_the_same)(&sample.bytes), "{name} does not read what it writes");
        let line = format!("{name} {}", hex(&sample.bytes));
        assert!(text.lines().any(|known| known == line), "{name} is written in a new way");
    }
}
