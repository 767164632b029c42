//! What an event says, as it stands in its record: a code, then the fields of that code.

use barterline_domain::clock::Timestamp;
use barterline_domain::event::{Author, Event, Seq, SmallState};
use barterline_domain::ids::{ChatId, ClientId, MediaId};
use barterline_domain::listing::change::{ListingChange, Moved};
use barterline_domain::message::{
    Body, Content, EventKind, ExtensionData, ExtensionName, Message, Reaction, RequestDigest,
};

use super::bytes::{Get, Malformed, Put, status, status_code};
use super::chat_log::author_code;
use super::sealing::{InChat, Sealing, Unread};

const TEXT: u8 = 1;
const MEDIA: u8 = 2;
const EXTENSION: u8 = 3;
const GONE: u8 = 4;
const EDIT: u8 = 16;
const DELETE: u8 = 17;
const REACTION: u8 = 18;
const NOTE: u8 = 19;
const EDIT_GONE: u8 = 20;
const LISTING: u8 = 21;
/// Which fields a change of a listing has.
const WITH_PRICE: u8 = 1;
const WITH_STATUS: u8 = 2;
/// The words were overwritten: of the same fields only names and targets still mean something.
const ERASED: u8 = 0x08;
/// The words are sealed: in the place of the texts stands what these, and the digest of the request, were
/// sealed into. The digest's own field is empty: few words could be told by it.
const SEALED: u8 = 0x20;
/// A message that answers another: that one's number follows.
const REPLY: u8 = 0x40;
const WITHHELD: u8 = 0x80;
const REPLY_GONE: u8 = GONE | REPLY;
const FLAGS: u8 = ERASED | SEALED | REPLY | WITHHELD;

/// What an event says, with its words sealed, as [`put_kind`] is to append it; `None`: they stand in the open,
/// or there are none.
pub fn seal_kind(event: &Event, kept: InChat<'_>) -> Option<Vec<u8>> {
    if !kept.sealing.seals() {
        return None;
    }
    let mut words = Vec::new();
    put_words(&mut words, &event.kind);
    if words.is_empty() {
        return None;
    }
    words.put_id(&event.digest.0);
    let mut out = Vec::with_capacity(words.len() + 128);
    put_wordless(&mut out, event);
    out[0] |= SEALED;
    let Event { seq, at, author, id, after, .. } = event;
    let sealed =
        kept.sealing.seal(&about(kept.chat, (*seq, *at), (*author, *id), *after, &out), &words)?;
    out.put_bytes(&sealed);
    Some(out)
}

/// To what words are bound: everything else that stands of their event.
fn about(
    chat: ChatId,
    (seq, at): (Seq, Timestamp),
    (author, id): (Author, ClientId),
    after: SmallState,
    wordless: &[u8],
) -> Vec<u8> {
    let mut about = Vec::with_capacity(96 + wordless.len());
    about.put_id(chat.as_bytes());
    about.put_u64(seq.0);
    about.put_u64(at.as_millis());
    about.put_u8(author_code(author));
    about.put_id(id.as_bytes());
    about.put_state(after);
    about.extend_from_slice(wordless);
    about
}

/// The digest of an event's request, as far as it stands in the open.
pub fn open_digest(event: &Event, sealed: Option<&[u8]>) -> RequestDigest {
    if sealed.is_some() { RequestDigest::FORGOTTEN } else { event.digest }
}

/// Appends what an event says, and whether it is withheld.
pub fn put_kind(out: &mut Vec<u8>, event: &Event, sealed: Option<&[u8]>) {
    if let Some(sealed) = sealed {
        out.extend_from_slice(sealed);
    } else {
        put_wordless(out, event);
        put_words(out, &event.kind);
    }
}

/// Appends what an event says, but for words.
fn put_wordless(out: &mut Vec<u8>, Event { kind, withheld, .. }: &Event) {
    let code = match kind {
        EventKind::Message(Message { content, reply }) => {
            let code = match content {
                Content::Text(_) => TEXT,
                Content::Media { .. } => MEDIA,
                Content::Extension { .. } => EXTENSION,
                Content::Gone(_) => GONE,
            };
            if reply.is_some() { code | REPLY } else { code }
        }
        EventKind::Edit { body: Some(_), .. } => EDIT,
        EventKind::Edit { body: None, .. } => EDIT_GONE,
        EventKind::Delete { .. } => DELETE,
        EventKind::Reaction { .. } => REACTION,
        EventKind::Note(_) => NOTE,
        EventKind::Listing(_) => LISTING,
    };
    let code = if *withheld { code | WITHHELD } else { code };
    out.put_u8(code);
    if let Some(target) = kind.target() {
        out.put_u64(target.0);
    }
    match kind {
        EventKind::Message(Message { content, reply }) => {
            if let Some(reply) = reply {
                out.put_u64(reply.0);
            }
            match content {
                Content::Text(_) => {}
                Content::Media { media, .. } => out.put_id(media.as_bytes()),
                Content::Extension { name, .. } => out.put_text(name.as_str()),
                Content::Gone(name) => out.put_text(name),
            }
        }
        EventKind::Reaction { reaction, .. } => {
            out.put_text(reaction.as_ref().map_or("", Reaction::as_str));
        }
        EventKind::Listing(change) => put_listing_change(out, change),
        EventKind::Edit { .. } | EventKind::Delete { .. } | EventKind::Note(_) => {}
    }
}

/// Appends the texts in which somebody says something, as they stand where they are not sealed.
fn put_words(out: &mut Vec<u8>, kind: &EventKind) {
    match kind {
        EventKind::Message(Message { content, .. }) => match content {
            Content::Text(body) => out.put_text(body.as_str()),
            Content::Media { caption, .. } => {
                out.put_text(caption.as_ref().map_or("", Body::as_str));
            }
            Content::Extension { fallback, data, .. } => {
                out.put_text(fallback.as_str());
                out.put_text(data.as_ref().map_or("", ExtensionData::as_str));
            }
            Content::Gone(_) => {}
        },
        EventKind::Edit { body: Some(body), .. } | EventKind::Note(body) => {
            out.put_text(body.as_str());
        }
        EventKind::Edit { body: None, .. }
        | EventKind::Delete { .. }
        | EventKind::Reaction { .. }
        | EventKind::Listing(_) => {}
    }
}

fn put_listing_change(out: &mut Vec<u8>, change: &ListingChange) {
    out.put_u64(change.since());
    out.put_u64(change.version());
    let (price, status) = (change.price(), change.status());
    let with = |there: bool, flag: u8| if there { flag } else { 0 };
    out.put_u8(with(price.is_some(), WITH_PRICE) | with(status.is_some(), WITH_STATUS));
    if let Some(Moved { old, new }) = price {
        out.put_money(old);
        out.put_money(new);
    }
    if let Some(Moved { old, new }) = status {
        out.put_u8(status_code(old));
        out.put_u8(status_code(new));
    }
}

fn get_listing_change(get: &mut Get<'_>) -> Result<ListingChange, Malformed> {
    let (since, version, fields) = (get.u64()?, get.u64()?, get.u8()?);
    if fields & !(WITH_PRICE | WITH_STATUS) != 0 {
        return Err(Malformed);
    }
    let price = match fields & WITH_PRICE {
        0 => None,
        _ => Some(Moved { old: get.money()?, new: get.money()? }),
    };
    let status = match fields & WITH_STATUS {
        0 => None,
        _ => Some(Moved { old: status(get.u8()?)?, new: status(get.u8()?)? }),
    };
    ListingChange::parse((since, version), price, status).map_err(|_| Malformed)
}

/// Overwrites the words in what [`put_kind`] appended; nothing moves. `false`: there are none.
pub fn erase_kind(kind: &mut [u8]) -> Result<bool, Malformed> {
    let mut get = Get(kind);
    let code = get.u8()?;
    let Some(said) = Wordless::get(&mut get, code)? else { return Ok(false) };
    if code & ERASED != 0 || matches!(said, Wordless::Note) {
        return Ok(false);
    }
    let words = kind.len() - get.0.len();
    let mut texts = Vec::new();
    for _ in 0..said.texts(code) {
        let start = kind.len() - get.0.len() + size_of::<u32>();
        texts.push(start..start + get.bytes()?.len());
    }
    for text in texts {
        kind[text].fill(0);
    }
    if code & REPLY != 0 {
        kind[1..=size_of::<u64>()].fill(0);
    }
    if let Wordless::Media { .. } = said {
        kind[words - size_of::<MediaId>()..words].fill(0);
    }
    kind[0] |= ERASED;
    Ok(true)
}

/// What stands in front of what an event says.
#[derive(Clone, Copy)]
pub struct Header {
    /// Its chat.
    pub chat: ChatId,
    /// Its place.
    pub seq: Seq,
    /// When it was taken.
    pub at: Timestamp,
    /// Who made it.
    pub author: Author,
    /// The author's name for it.
    pub id: ClientId,
    /// Of the request; if the words are sealed, it is with them.
    pub digest: RequestDigest,
    /// The chat's state after it.
    pub after: SmallState,
}

/// Takes what [`put_kind`] appended, and perhaps [`erase_kind`] overwrote.
pub fn read_kind(get: &mut Get<'_>, header: Header, sealing: &Sealing) -> Result<Event, Unread> {
    let Header { chat, seq, at, author, id, digest, after } = header;
    let start = get.0;
    let code = get.u8()?;
    let (kind, digest) = match Wordless::get(get, code)? {
        None => (get_without_words(get, code)?, digest),
        Some(said) => {
            let (wordless, all) = (&start[..start.len() - get.0.len()], get.0);
            for _ in 0..said.texts(code) {
                get.bytes()?;
            }
            let texts = &all[..all.len() - get.0.len()];
            match code & (ERASED | SEALED) {
                0 => (said.with(texts)?, digest),
                SEALED => {
                    let about = about(chat, (seq, at), (author, id), after, wordless);
                    match sealing.open(&about, Get(texts).bytes()?) {
                        Ok(opened) => {
                            let (words, digest) = opened.split_last_chunk().ok_or(Malformed)?;
                            (said.with(words)?, RequestDigest(*digest))
                        }
                        Err(_) if sealing.leaves_out() => {
                            (said.emptied()?, RequestDigest::FORGOTTEN)
                        }
                        Err(unread) => return Err(unread),
                    }
                }
                _ => (said.emptied()?, RequestDigest::FORGOTTEN),
            }
        }
    };
    let withheld = code & WITHHELD != 0;
    Ok(Event { seq, at, author, id, digest, kind, after, withheld, amended: None })
}

/// Whether these words were overwritten.
pub fn is_erased(kind: &[u8]) -> bool {
    kind.first().is_some_and(|code| code & ERASED != 0)
}

fn get_without_words(get: &mut Get<'_>, code: u8) -> Result<EventKind, Malformed> {
    let kind = match code & !WITHHELD {
        GONE => message(Content::Gone(get.text()?.to_owned()), None),
        REPLY_GONE => {
            let reply = Some(get.seq()?);
            message(Content::Gone(get.text()?.to_owned()), reply)
        }
        EDIT_GONE => EventKind::Edit { target: get.seq()?, body: None },
        DELETE => EventKind::Delete { target: get.seq()? },
        LISTING => EventKind::Listing(get_listing_change(get)?),
        REACTION => EventKind::Reaction {
            target: get.seq()?,
            reaction: match get.text()? {
                "" => None,
                text => Some(Reaction::parse(text).map_err(|_| Malformed)?),
            },
        },
        _ => return Err(Malformed),
    };
    Ok(kind)
}

/// What is said in words, but for these.
enum Wordless {
    Text { reply: Option<Seq> },
    Media { reply: Option<Seq>, media: MediaId },
    Extension { reply: Option<Seq>, name: ExtensionName },
    Edit { target: Seq },
    Note,
}

impl Wordless {
    /// Takes what stands in front of the words; `None`, and nothing is taken: it has none.
    fn get(get: &mut Get<'_>, code: u8) -> Result<Option<Self>, Malformed> {
        let reply = |get: &mut Get<'_>| (code & REPLY != 0).then(|| get.seq()).transpose();
        let said = match code & !FLAGS {
            TEXT => Self::Text { reply: reply(get)? },
            MEDIA => Self::Media { reply: reply(get)?, media: MediaId::from_bytes(get.id()?) },
            EXTENSION => {
                let reply = reply(get)?;
                let name = ExtensionName::parse(get.text()?).map_err(|_| Malformed)?;
                Self::Extension { reply, name }
            }
            EDIT if code & REPLY == 0 => Self::Edit { target: get.seq()? },
            NOTE if code & REPLY == 0 => Self::Note,
            _ => return Ok(None),
        };
        Ok(Some(said))
    }

    /// In how many texts they stand.
    fn texts(&self, code: u8) -> usize {
        if matches!(self, Self::Extension { .. }) && code & SEALED == 0 { 2 } else { 1 }
    }

    fn with(self, words: &[u8]) -> Result<EventKind, Malformed> {
        let mut words = Get(words);
        let kind = match self {
            Self::Text { reply } => message(Content::Text(get_body(&mut words)?), reply),
            Self::Media { reply, media } => {
                let caption = get_words(&mut words)?;
                message(Content::Media { media, caption }, reply)
            }
            Self::Extension { reply, name } => {
                let fallback = get_body(&mut words)?;
                let data = match words.text()? {
                    "" => None,
                    data => Some(ExtensionData::parse(data.to_owned()).map_err(|_| Malformed)?),
                };
                message(Content::Extension { name, fallback, data }, reply)
            }
            Self::Edit { target } => EventKind::Edit { target, body: Some(get_body(&mut words)?) },
            Self::Note => EventKind::Note(get_body(&mut words)?),
        };
        words.end()?;
        Ok(kind)
    }

    fn emptied(self) -> Result<EventKind, Malformed> {
        let gone = |name: &str| message(Content::Gone(name.to_owned()), None);
        Ok(match self {
            Self::Text { .. } => gone("text"),
            Self::Media { .. } => gone("media"),
            Self::Extension { name, .. } => gone(name.as_str()),
            Self::Edit { target } => EventKind::Edit { target, body: None },
            Self::Note => EventKind::Note(Body::parse("…".to_owned()).map_err(|_| Malformed)?),
        })
    }
}

fn message(content: Content, reply: Option<Seq>) -> EventKind {
    EventKind::Message(Message { content, reply })
}

fn get_body(get: &mut Get<'_>) -> Result<Body, Malformed> {
    Body::parse(get.text()?.to_owned()).map_err(|_| Malformed)
}

fn get_words(get: &mut Get<'_>) -> Result<Option<Body>, Malformed> {
    match get.text()? {
        "" => Ok(None),
        text => Body::parse(text.to_owned()).map(Some).map_err(|_| Malformed),
    }
}
