//! What an event says, as it stands in its record: a code, then the fields of that code.

use barterline_domain::ids::MediaId;
use barterline_domain::message::{
    Body, Content, EventKind, ExtensionData, ExtensionName, Message, Reaction,
};

use super::bytes::{Get, Malformed, Put};

const TEXT: u8 = 1;
const MEDIA: u8 = 2;
const EXTENSION: u8 = 3;
const GONE: u8 = 4;
const EDIT: u8 = 16;
const DELETE: u8 = 17;
const REACTION: u8 = 18;
const NOTE: u8 = 19;
const EDIT_GONE: u8 = 20;
/// [`TEXT`], [`MEDIA`], [`EXTENSION`] and [`EDIT`] whose words were overwritten: the same fields, of which
/// only names and targets still mean something.
const ERASED: [(u8, u8); 4] = [(TEXT, 5), (MEDIA, 6), (EXTENSION, 7), (EDIT, 21)];
/// A message that answers another: that one's number follows.
const REPLY: u8 = 0x40;
const WITHHELD: u8 = 0x80;

/// Appends what an event says, and whether it is withheld.
pub fn put_kind(out: &mut Vec<u8>, kind: &EventKind, withheld: bool) {
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
    };
    out.put_u8(if withheld { code | WITHHELD } else { code });
    if let Some(target) = kind.target() {
        out.put_u64(target.0);
    }
    match kind {
        EventKind::Message(Message { content, reply }) => {
            if let Some(reply) = reply {
                out.put_u64(reply.0);
            }
            match content {
                Content::Text(body) => out.put_text(body.as_str()),
                Content::Media { media, caption } => {
                    out.put_id(media.as_bytes());
                    out.put_text(caption.as_ref().map_or("", Body::as_str));
                }
                Content::Extension { name, fallback, data } => {
                    out.put_text(name.as_str());
                    out.put_text(fallback.as_str());
                    out.put_text(data.as_ref().map_or("", ExtensionData::as_str));
                }
                Content::Gone(name) => out.put_text(name),
            }
        }
        EventKind::Edit { body: Some(body), .. } | EventKind::Note(body) => {
            out.put_text(body.as_str());
        }
        EventKind::Edit { body: None, .. } | EventKind::Delete { .. } => {}
        EventKind::Reaction { reaction, .. } => {
            out.put_text(reaction.as_ref().map_or("", Reaction::as_str));
        }
    }
}

/// Overwrites the words in what [`put_kind`] appended; nothing moves. `false`: there are none.
pub fn erase_kind(kind: &mut [u8]) -> Result<bool, Malformed> {
    let (code, fields) = kind.split_first_mut().ok_or(Malformed)?;
    let flags = *code & (WITHHELD | REPLY);
    let said = ERASED.iter().find(|(said, _)| *said == *code & !flags);
    let Some((said, erased)) = said else { return Ok(false) };
    let mut at = 0;
    if flags & REPLY != 0 {
        fields.get_mut(..8).ok_or(Malformed)?.fill(0);
        at = 8;
    }
    let mut texts = 1;
    match *said {
        MEDIA => {
            fields.get_mut(at..at + 16).ok_or(Malformed)?.fill(0);
            at += 16;
        }
        EXTENSION => {
            at += 4 + Get(fields.get(at..).ok_or(Malformed)?).text()?.len();
            texts = 2;
        }
        EDIT => at += 8,
        _ => {}
    }
    for _ in 0..texts {
        let len = Get(fields.get(at..).ok_or(Malformed)?).text()?.len();
        fields[at + 4..at + 4 + len].fill(0);
        at += 4 + len;
    }
    *code = erased | flags;
    Ok(true)
}

/// Takes what [`put_kind`] appended, and perhaps [`erase_kind`] overwrote: then `true` comes last.
pub fn get_kind(get: &mut Get<'_>) -> Result<(EventKind, bool, bool), Malformed> {
    let code = get.u8()?;
    let withheld = code & WITHHELD != 0;
    let code = code & !WITHHELD;
    if let Some((said, _)) = ERASED.iter().find(|(_, erased)| *erased == code & !REPLY) {
        return get_erased(get, *said, code & REPLY != 0).map(|kind| (kind, withheld, true));
    }
    let kind = match code & !REPLY {
        TEXT | MEDIA | EXTENSION | GONE => {
            let reply = if code & REPLY == 0 { None } else { Some(get.seq()?) };
            let content = match code & !REPLY {
                TEXT => Content::Text(get_body(get)?),
                MEDIA => Content::Media {
                    media: MediaId::from_bytes(get.id()?),
                    caption: get_words(get)?,
                },
                EXTENSION => Content::Extension {
                    name: ExtensionName::parse(get.text()?).map_err(|_| Malformed)?,
                    fallback: get_body(get)?,
                    data: match get.text()? {
                        "" => None,
                        data => Some(ExtensionData::parse(data.to_owned()).map_err(|_| Malformed)?),
                    },
                },
                _ => Content::Gone(get.text()?.to_owned()),
            };
            EventKind::Message(Message { content, reply })
        }
        _ => match code {
            EDIT => EventKind::Edit { target: get.seq()?, body: Some(get_body(get)?) },
            EDIT_GONE => EventKind::Edit { target: get.seq()?, body: None },
            DELETE => EventKind::Delete { target: get.seq()? },
            REACTION => EventKind::Reaction {
                target: get.seq()?,
                reaction: match get.text()? {
                    "" => None,
                    text => Some(Reaction::parse(text).map_err(|_| Malformed)?),
                },
            },
            NOTE => EventKind::Note(get_body(get)?),
            _ => return Err(Malformed),
        },
    };
    Ok((kind, withheld, false))
}

fn get_erased(get: &mut Get<'_>, said: u8, is_reply: bool) -> Result<EventKind, Malformed> {
    if said == EDIT {
        let target = get.seq()?;
        get.text()?;
        return Ok(EventKind::Edit { target, body: None });
    }
    if is_reply {
        get.seq()?;
    }
    let name = match said {
        TEXT => "text",
        MEDIA => {
            get.id()?;
            "media"
        }
        _ => {
            let name = get.text()?;
            ExtensionName::parse(name).map_err(|_| Malformed)?;
            get.text()?;
            name
        }
    };
    get.text()?;
    let content = Content::Gone(name.to_owned());
    Ok(EventKind::Message(Message { content, reply: None }))
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
