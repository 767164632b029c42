//! Request kind to one service call, and its answer to a frame. Nothing else.

use std::time::Duration;

use barterline_domain::account::Scope;
use barterline_domain::event::Seq;
use barterline_domain::ids::{ChatId, ClientId};
use barterline_domain::marks::Marks;
use barterline_domain::personal::PersonalChange;
use barterline_protocol::close_code::CloseCode;
use barterline_protocol::cursor::Cursor;
use barterline_protocol::error_code::ErrorCode;
use barterline_protocol::limits::{HIDE_MAX, PAGE_EVENTS_MAX, WATCH_MS};
use barterline_protocol::request::{
    Auth, Block, Mark, Open, Ping, Pull, Send, SetSettings, SetState, Typing, Watch,
};
use barterline_protocol::response::{Authed, Done, ErrorBody};
use barterline_protocol::{DecodeError, Frame, Outgoing, Request};
use barterline_storage::chat_log::Range;
use barterline_storage::user_state::UserChange;

use super::close::{error, limited, refused};
use super::connection::{Connection, Rest};
use super::socket::Socket;
use crate::limits::Exceeded;
use crate::services::accounts::AuthError;
use crate::services::chats::{self, ChatError, Membership};
use crate::services::people::PeopleError;
use crate::wire;

/// Carries out one frame, but for what has to wait for a store. `Err` ends the connection.
pub fn dispatch<'a, S: Socket>(
    connection: &'a mut Connection<S>,
    bytes: &[u8],
) -> Result<Option<Rest<'a>>, CloseCode> {
    let (reference, message) = match connection.slot.encoding.decode::<Request>(bytes) {
        Ok(Frame { reference, message }) => (reference, message),
        Err(DecodeError::Malformed(_)) => return Err(CloseCode::Malformed),
        Err(DecodeError::UnknownKind { reference, .. }) => {
            let unknown = Outgoing::Error(error(ErrorCode::UnknownKind));
            connection.slot.answer(reference, &unknown);
            return Ok(None);
        }
        Err(DecodeError::InvalidBody { reference, reason }) => {
            let invalid = ErrorBody { message: reason, ..error(ErrorCode::InvalidRequest) };
            connection.slot.answer(reference, &Outgoing::Error(invalid));
            return Ok(None);
        }
    };
    if let Err(exceeded) = connection.take_request(&message) {
        over_limit(connection, reference, &message, exceeded)?;
        return Ok(None);
    }
    let rest: Rest<'a> = match message {
        Request::Send(request) => {
            // The hot path: everything it needs is at hand.
            let (chat, message) = said(request);
            let Some(message) = send_at_once(connection, reference, chat, message) else {
                return Ok(None);
            };
            Box::pin(send(connection, reference, chat, message))
        }
        Request::Ping(_) => {
            answer_ping(connection, reference);
            return Ok(None);
        }
        Request::Pong(_) => return Ok(None),
        Request::Hello(_) => return Err(CloseCode::HelloTwice),
        Request::Mark(request) => Box::pin(mark(connection, reference, request)),
        Request::State(request) => Box::pin(state(connection, reference, request)),
        Request::Watch(request) => Box::pin(watch(connection, reference, request)),
        Request::Typing(request) => Box::pin(typing(connection, request)),
        Request::Settings(request) => Box::pin(settings(connection, reference, request)),
        Request::Block(request) => Box::pin(block(connection, reference, request)),
        Request::Pull(request) => Box::pin(pull(connection, reference, request)),
        Request::Open(request) => Box::pin(open(connection, reference, request)),
        Request::Auth(request) => Box::pin(auth(connection, reference, request)),
    };
    Ok(Some(rest))
}

/// Says how long to wait; ephemerals vanish without a word. Who goes on and on is closed.
fn over_limit<S: Socket>(
    connection: &mut Connection<S>,
    reference: Option<u32>,
    message: &Request,
    exceeded: Exceeded,
) -> Result<(), CloseCode> {
    connection.offend()?;
    let mut answer = limited(exceeded);
    match message {
        Request::Typing(_) => return Ok(()),
        Request::Send(Send { chat, id, .. }) => {
            (answer.chat, answer.id) = (Some(*chat), Some(*id));
            connection.slot.refuse_unsent(*chat, *id, reference, &Outgoing::Error(answer));
            return Ok(());
        }
        _ => {}
    }
    connection.slot.answer(reference, &Outgoing::Error(answer));
    Ok(())
}

/// Sends what waits for nothing; gives the request back if it has to wait.
fn send_at_once<S: Socket>(
    connection: &Connection<S>,
    reference: Option<u32>,
    chat: ChatId,
    message: chats::Send,
) -> Option<chats::Send> {
    let (chats, slot, id) = (&connection.gateway.0.chats, &connection.slot, message.id);
    let is_ready = |known: &&Membership| message.stands_alone() && chats.has_standing(known);
    let known = connection.known_membership(chat).filter(is_ready);
    let Some(membership) = known else { return Some(message) };
    if let Err(refusal) = chats.send_at_once(membership, slot, reference, message) {
        refuse_send(connection, reference, chat, id, &refusal);
    }
    None
}

async fn send<S: Socket>(
    connection: &mut Connection<S>,
    reference: Option<u32>,
    chat: ChatId,
    message: chats::Send,
) {
    let id = message.id;
    if connection.gateway.0.chats.hub().refuse_early(chat, &connection.slot, reference, id) {
        return;
    }
    let sent = match connection.membership(chat).await {
        Ok(membership) => {
            let (chats, slot) = (&connection.gateway.0.chats, &connection.slot);
            chats.send(&membership, slot, reference, message).await
        }
        Err(error) => Err(error),
    };
    if let Err(refusal) = sent {
        refuse_send(connection, reference, chat, id, &refusal);
    }
}

fn said(request: Send) -> (ChatId, chats::Send) {
    let Send { chat, id, base, kind, text, reply, target, reaction, media, data } = request;
    let base = Some(base);
    (chat, chats::Send { id, base, kind, text, reply, target, reaction, media, data })
}

fn refuse_send<S: Socket>(
    connection: &Connection<S>,
    reference: Option<u32>,
    chat: ChatId,
    id: ClientId,
    refusal: &ChatError,
) {
    let error = refused(refusal, Some(chat), Some(id));
    if refusal.is_retryable() {
        connection.slot.refuse_unsent(chat, id, reference, &error);
    } else {
        connection.slot.refuse_for_good(chat, id, reference, &error);
    }
}

fn answer_ping<S: Socket>(connection: &Connection<S>, reference: Option<u32>) {
    let pong = Ping { cursor: cursor(connection) };
    connection.slot.answer(reference, &Outgoing::Pong(pong));
}

/// The newest cursor, if everything before it has been written to this connection.
fn cursor<S: Socket>(connection: &Connection<S>) -> Option<Cursor> {
    let chats = &connection.gateway.0.chats;
    // Read first: what is delivered after it is above it.
    let delivered = chats.hub().delivered();
    let epoch = chats.position().epoch;
    let told = chats.hears_everything() && connection.slot.is_clean();
    told.then(|| Cursor::new(epoch, delivered))
}

async fn mark<S: Socket>(connection: &mut Connection<S>, reference: Option<u32>, request: Mark) {
    let Mark { chat, delivered, read } = request;
    let slot = &connection.slot;
    let marks = Marks::new(delivered.unwrap_or(Seq::ZERO), read.unwrap_or(Seq::ZERO));
    let marked = connection.gateway.0.chats.mark(slot.bearer(), chat, slot.device, marks).await;
    let answer = match marked {
        Ok(()) => Outgoing::Ok(Done {}),
        Err(refusal) => refused(&refusal, Some(chat), None),
    };
    slot.answer(reference, &answer);
}

async fn pull<S: Socket>(connection: &mut Connection<S>, reference: Option<u32>, request: Pull) {
    let Pull { chat, after, before, limit } = request;
    let slot = &connection.slot;
    let range = match (after, before) {
        (Some(_), Some(_)) => {
            let message = "either after or before, not both".to_owned();
            let invalid = ErrorBody { message, ..error(ErrorCode::InvalidRequest) };
            slot.answer(reference, &Outgoing::Error(invalid));
            return;
        }
        (Some(after), None) => Some(Range::After(after)),
        (None, Some(before)) => Some(Range::Before(before)),
        (None, None) => None,
    };
    if limit == Some(0) {
        let message = "limit is at least 1".to_owned();
        let invalid = ErrorBody { message, ..error(ErrorCode::InvalidRequest) };
        slot.answer(reference, &Outgoing::Error(invalid));
        return;
    }
    let limit = limit.map_or(PAGE_EVENTS_MAX, |limit| limit as usize);
    let history = connection.gateway.0.chats.history(slot.bearer(), chat, range, limit).await;
    let answer = match history {
        Ok(history) => {
            slot.shown(chat, history.events.iter().map(|event| event.id));
            Outgoing::Page(wire::page(&history.row, &history.events))
        }
        Err(refusal) => refused(&refusal, Some(chat), None),
    };
    slot.answer(reference, &answer);
}

async fn state<S: Socket>(
    connection: &mut Connection<S>,
    reference: Option<u32>,
    request: SetState,
) {
    let SetState { chat, muted_until, archived, pinned, unread, hide, hide_through } = request;
    let slot = &connection.slot;
    if hide.len() > HIDE_MAX {
        let message = format!("hide: at most {HIDE_MAX} at a time");
        let invalid = ErrorBody { message, ..error(ErrorCode::InvalidRequest) };
        slot.answer(reference, &Outgoing::Error(invalid));
        return;
    }
    let mut changes = Vec::new();
    let until = muted_until.map(|until| Some(until).filter(|until| until.as_millis() > 0));
    changes.extend(until.map(PersonalChange::Mute));
    changes.extend(archived.map(PersonalChange::Archive));
    changes.extend(pinned.map(PersonalChange::Pin));
    changes.extend(unread.map(PersonalChange::Unread));
    changes.extend(hide.into_iter().map(PersonalChange::Hide));
    changes.extend(hide_through.map(PersonalChange::HideThrough));
    let answer = match connection.gateway.0.chats.change(slot.bearer(), chat, changes).await {
        Ok(()) => Outgoing::Ok(Done {}),
        Err(refusal) => refused(&refusal, Some(chat), None),
    };
    slot.answer(reference, &answer);
}

async fn watch<S: Socket>(connection: &mut Connection<S>, reference: Option<u32>, request: Watch) {
    let Watch { chat, on } = request;
    let membership = match connection.membership(chat).await {
        Ok(membership) => membership,
        Err(refusal) => {
            connection.slot.answer(reference, &refused(&refusal, Some(chat), None));
            return;
        }
    };
    let (slot, gateway) = (&connection.slot, &connection.gateway.0);
    let (watches, other) = (gateway.chats.hub().watches(), membership.other());
    slot.answer(reference, &Outgoing::Ok(Done {}));
    if on {
        let until = gateway.clock.now().plus(Duration::from_millis(WATCH_MS));
        watches.add(other, chat, slot, until);
        // Behind it: an edit meanwhile is told by one of the two.
        gateway.chats.look(&membership).await;
        match connection.gateway.presence(other, slot.user, chat).await {
            Ok(presence) => slot.answer(None, &Outgoing::Presence(presence)),
            Err(error) => tracing::debug!(%error, "cannot tell who is there"),
        }
    } else {
        watches.remove(other, chat, slot);
    }
}

/// Nothing comes back, whatever becomes of it.
async fn typing<S: Socket>(connection: &mut Connection<S>, request: Typing) {
    let chat = request.chat;
    let now = connection.gateway.0.clock.now();
    let may_speak = connection.slot.bearer().may(Scope::WriteChats).is_ok();
    if !may_speak || connection.types_too_often(chat, now) {
        return;
    }
    let Ok(membership) = connection.membership(chat).await else { return };
    let gateway = &connection.gateway.0;
    let blocks = gateway.people.blocks(membership.user(), membership.other()).await;
    if membership.withheld || !matches!(blocks, Ok(false)) {
        return;
    }
    for (watched, slot) in gateway.chats.hub().watches().of(membership.user(), now) {
        if watched == chat {
            slot.answer_if_room(&Outgoing::Typing(Typing { chat }));
            slot.flush();
        }
    }
}

async fn settings<S: Socket>(
    connection: &mut Connection<S>,
    reference: Option<u32>,
    request: SetSettings,
) {
    let SetSettings { shows_read, shows_presence } = request;
    let slot = &connection.slot;
    let shows_read = shows_read.map(UserChange::ShowRead);
    let shows_presence = shows_presence.map(UserChange::ShowPresence);
    let changes: Vec<_> = shows_read.into_iter().chain(shows_presence).collect();
    let changed = !changes.is_empty();
    match connection.gateway.0.people.change_settings(slot.bearer(), changes).await {
        Ok(state) => {
            let settings = Outgoing::Settings(wire::settings(&state));
            slot.answer(reference, &settings);
            if changed {
                connection.tell_other_devices(&settings);
            }
        }
        Err(PeopleError::Unpermitted(_)) => {
            slot.answer(reference, &Outgoing::Error(error(ErrorCode::OutOfScope)));
        }
        Err(failure) => {
            tracing::warn!(error = %failure, "cannot change settings");
            slot.answer(reference, &Outgoing::Error(error(ErrorCode::Unavailable)));
        }
    }
}

async fn block<S: Socket>(connection: &mut Connection<S>, reference: Option<u32>, request: Block) {
    let slot = &connection.slot;
    let blocked = connection.gateway.0.people.block(slot.bearer(), request.user, request.on).await;
    let answer = match blocked {
        Ok(()) => {
            connection.tell_other_devices(&Outgoing::Block(request));
            Outgoing::Ok(Done {})
        }
        Err(PeopleError::Unpermitted(_)) => Outgoing::Error(error(ErrorCode::OutOfScope)),
        Err(PeopleError::NotFound) => Outgoing::Error(error(ErrorCode::UserNotFound)),
        Err(PeopleError::Store(failure)) => {
            tracing::warn!(error = %failure, "cannot block");
            Outgoing::Error(error(ErrorCode::Unavailable))
        }
    };
    slot.answer(reference, &answer);
}

async fn open<S: Socket>(connection: &mut Connection<S>, reference: Option<u32>, request: Open) {
    let slot = &connection.slot;
    let answer = match connection.gateway.0.chats.open(slot.bearer(), request.listing).await {
        Ok(opened) => Outgoing::Chat(Box::new(wire::row(&opened.row))),
        Err(refusal) => refused(&refusal, None, None),
    };
    slot.answer(reference, &answer);
}

async fn auth<S: Socket>(connection: &mut Connection<S>, reference: Option<u32>, request: Auth) {
    use crate::auth::token::TokenError;

    let slot = &connection.slot;
    let answer = match connection.gateway.0.accounts.authenticate(&request.token).await {
        Ok(principal) if principal.bearer() == slot.bearer() => {
            slot.renew(principal.expires_at);
            Outgoing::Authed(Authed { token_expires_at: principal.expires_at })
        }
        Ok(_) | Err(AuthError::Token(TokenError::Invalid) | AuthError::Revoked) => {
            Outgoing::Error(error(ErrorCode::TokenInvalid))
        }
        Err(AuthError::Token(TokenError::Expired)) => {
            Outgoing::Error(error(ErrorCode::TokenExpired))
        }
        Err(AuthError::Suspended) => {
            slot.close(CloseCode::Suspended);
            return;
        }
        Err(AuthError::FactorRequired) => {
            slot.close(CloseCode::FactorRequired);
            return;
        }
        Err(AuthError::Store(_)) => Outgoing::Error(error(ErrorCode::Unavailable)),
    };
    slot.answer(reference, &answer);
}
