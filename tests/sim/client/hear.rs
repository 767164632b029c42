//! What a device makes of what it hears. Every frame has to hold against the disk at the moment at
//! which it arrives.

use std::time::Duration;

use barterline_domain::chat::Role;
use barterline_domain::clock::Timestamp;
use barterline_domain::event::{Author, Seq};
use barterline_domain::ids::{ChatId, ClientId};
use barterline_domain::marks::Marks;
use barterline_domain::message::EventKind;
use barterline_protocol::cursor::Cursor;
use barterline_protocol::error_code::ErrorCode;
use barterline_protocol::push::{Behind, Bye, ChatState, Event, MarksMoved, Row};
use barterline_protocol::response::{Ack, ErrorBody, Page};
use barterline_protocol::{Frame, Outgoing, Request};

use super::{Asked, Device, Truth, Wanted};
use crate::disk::{EPOCH, StoredChat};
use crate::frames::{self, Heard};
use crate::laws::{Verdict, law};

impl Device {
    /// Reads what has arrived.
    pub fn hear(&mut self, truth: &Truth<'_>) -> Verdict {
        let encoding = self.encoding;
        if let Some(link) = &mut self.link {
            link.end.read(&mut link.heard, link.reads);
        }
        while let Some(link) = &mut self.link {
            match frames::decode(encoding, &mut link.heard) {
                Some(Heard::Frame(frame)) => self.take(*frame, truth)?,
                Some(Heard::Torn(how)) => {
                    return law("g11_whole_frames", false, || format!("the server sent {how}"));
                }
                Some(Heard::Close) => {
                    let said = link.parting;
                    self.link = None;
                    return law("g11_bye_first", said, || "a close without a bye".to_owned());
                }
                None if link.end.is_over() => self.link = None,
                None => break,
            }
        }
        Ok(())
    }

    fn take(&mut self, frame: Frame<Outgoing>, truth: &Truth<'_>) -> Verdict {
        let Frame { reference, message } = frame;
        self.note(format_args!("hears {reference:?} {message:?}"));
        let asked = self.answered(reference, &message)?;
        match (message, asked) {
            (Outgoing::Welcome(welcome), Some(Asked::Hello)) => {
                if let Some(link) = &mut self.link {
                    link.welcomed = true;
                }
                law("g6_own_stream", welcome.user == self.user(), || "another's".to_owned())
            }
            (Outgoing::Rows(rows), None) => {
                for row in &rows.rows {
                    self.check_row(row, truth)?;
                }
                match &mut self.link {
                    Some(link) if !link.live => link.announced.extend(rows.rows),
                    _ => rows.rows.iter().for_each(|row| self.store_row(row)),
                }
                Ok(())
            }
            (Outgoing::Live(live), None) => self.take_live(live.cursor, truth),
            (Outgoing::Ack(ack), Some(Asked::Send(chat, id))) => {
                self.take_ack(&ack, chat, id, truth)
            }
            (Outgoing::Ok(_), Some(Asked::Mark(chat, marks))) => {
                let durable = truth.disk.chats[&chat].marks(self.role(chat, truth)?);
                law("g1_marks_are_durable", durable.merge(marks) == durable, || {
                    format!("{marks:?} were taken, {durable:?} are stored")
                })
            }
            (Outgoing::Page(page), Some(Asked::Pull(chat, wanted, most))) => {
                self.take_page(&page, chat, wanted, most, truth)
            }
            (Outgoing::Chat(row), Some(Asked::Open)) => {
                self.check_row(&row, truth)?;
                self.store_row(&row);
                Ok(())
            }
            (Outgoing::Event(event), None) => self.take_event(&event, truth),
            (Outgoing::Marks(moved), None) => self.take_marks(&moved, truth),
            (Outgoing::State(moved), None) => {
                law("g3_nothing_personal", moved.state == ChatState::default(), || {
                    format!("nobody set {moved:?}")
                })
            }
            (Outgoing::Behind(behind), None) => self.take_behind(&behind, truth),
            (Outgoing::Ping(ping), None) => {
                if self.rng.percent(90) {
                    self.ping();
                }
                self.take_cursor(ping.cursor, truth)
            }
            (Outgoing::Pong(pong), Some(Asked::Ping)) => self.take_cursor(pong.cursor, truth),
            (Outgoing::Error(error), asked) => self.take_error(&error, asked.as_ref(), truth),
            (Outgoing::Bye(bye), None) => self.take_bye(&bye, truth),
            (message, Some(Asked::Refused(_, code, _))) => {
                let stranger = code == ErrorCode::ChatNotFound.name();
                let name = if stranger { "g6_same_answer" } else { "g11_mistakes_are_refused" };
                law(name, false, || format!("{message:?} answers what deserves {code}"))
            }
            (message, asked) => {
                law("g2_one_answer", false, || format!("{message:?} answers {asked:?}"))
            }
        }
    }

    /// The request that a frame answers. Each is answered once.
    fn answered(&mut self, reference: Option<u32>, message: &Outgoing) -> Verdict<Option<Asked>> {
        let Some(reference) = reference else { return Ok(None) };
        let link = self.link.as_mut().expect("a frame came on it");
        let asked = link.waiting.remove(&reference);
        law("g2_one_answer", asked.is_some(), || {
            format!("{message:?} answers {reference}, which does not wait")
        })?;
        if let Some(Asked::Send(..)) = asked {
            link.in_flight -= 1;
        }
        Ok(asked)
    }

    /// The durable chat, if this device's user takes part in it.
    fn chat<'a>(&self, chat: ChatId, truth: &'a Truth<'_>) -> Verdict<&'a StoredChat> {
        let stored = truth.disk.chats.get(&chat);
        let own = stored.filter(|stored| stored.chat.participants.role_of(self.user()).is_some());
        law("g6_own_chats", own.is_some(), || format!("hears of {chat}"))?;
        Ok(own.expect("the law was kept"))
    }

    fn role(&self, chat: ChatId, truth: &Truth<'_>) -> Verdict<Role> {
        let stored = self.chat(chat, truth)?;
        Ok(stored.chat.participants.role_of(self.user()).expect("a participant"))
    }

    fn check_event(&self, event: &Event, truth: &Truth<'_>) -> Verdict {
        let stored = self.chat(event.chat, truth)?;
        let durable = stored.event(event.seq);
        law("g4_shown_is_durable", durable.is_some(), || {
            format!(
                "number {} of {} is shown, the head is {}",
                event.seq,
                event.chat,
                stored.head()
            )
        })?;
        let same = durable.is_some_and(|durable| {
            durable.id == event.id
                && durable.author == event.from
                && durable.at == event.at
                && says_the_same(event, &durable.kind)
        });
        law("g3_same_everywhere", same, || format!("{event:?} is shown, not {durable:?}"))
    }

    fn check_row(&self, row: &Row, truth: &Truth<'_>) -> Verdict {
        let stored = self.chat(row.chat, truth)?;
        law("g4_shown_is_durable", row.head <= stored.head(), || {
            format!("a row has head {}, the log {}", row.head, stored.head())
        })?;
        law("g3_rows_hold_together", row.last.as_ref().is_none_or(|e| e.seq == row.head), || {
            format!("the last event of {row:?} is not its head")
        })?;
        if let Some(last) = &row.last {
            self.check_event(last, truth)?;
        }
        let (own, peer) = (stored.marks(row.role), stored.marks(row.role.other()));
        let true_so_far = own.merge(row.marks) == own && peer.merge(row.peer_marks) == peer;
        law("g4_marks_are_durable", true_so_far, || format!("{row:?} has marks that are not"))?;
        let unread = stored.unread(row.role, row.marks.read, row.head);
        law("g3_unread", row.unread == unread, || format!("{row:?}, but {unread} are unread"))?;
        let role = self.role(row.chat, truth)?;
        law("g6_own_side", row.role == role, || format!("{row:?} is of the other side"))
    }

    fn store_row(&mut self, row: &Row) {
        let known = self.chats.entry(row.chat).or_default();
        known.head = known.head.max(row.head);
        for (role, marks) in [(row.role, row.marks), (row.role.other(), row.peer_marks)] {
            known.marks[role as usize] = known.marks[role as usize].merge(marks);
        }
        let Some(link) = &mut self.link else { return };
        if known.have < known.head && !link.have.contains(&row.chat) {
            link.lacking.entry(row.chat).or_insert(Timestamp::from_millis(0));
        }
    }

    /// The announcement is kept: rows and cursor in one transaction.
    fn take_live(&mut self, cursor: Cursor, truth: &Truth<'_>) -> Verdict {
        let link = self.link.as_mut().expect("a frame came on it");
        link.live = true;
        let rows = std::mem::take(&mut link.announced);
        for row in rows {
            self.store_row(&row);
        }
        // What was lacking before this connection, and is not pushed unasked.
        let link = self.link.as_mut().expect("a frame came on it");
        for (chat, known) in &self.chats {
            if known.have < known.head && !link.have.contains(chat) {
                link.lacking.entry(*chat).or_insert(Timestamp::from_millis(0));
            }
        }
        self.take_cursor(Some(cursor), truth)
    }

    /// A cursor stands for everything up to its position: what it skips is lost to this device.
    fn take_cursor(&mut self, cursor: Option<Cursor>, truth: &Truth<'_>) -> Verdict {
        let Some(cursor) = cursor else { return Ok(()) };
        let parts = cursor.parts();
        let (epoch, position) = parts.unwrap_or_default();
        law("g5_cursor_is_sound", epoch == EPOCH && position <= truth.disk.position, || {
            format!("{parts:?}, the store is at {}", truth.disk.position)
        })?;
        let position = position.saturating_sub(truth.disk.overlap);
        for (id, stored) in &truth.disk.chats {
            if stored.chat.participants.role_of(self.user()).is_none() {
                continue;
            }
            let known = self.chats.get(id).copied().unwrap_or_default();
            let last = stored.log.iter().rev().find(|(_, at)| *at <= position);
            let head = last.map(|(event, _)| event.seq).unwrap_or_default();
            law("g5_cursor_is_honest", known.head >= head, || {
                format!("the cursor stands for number {head} of {id}, {} is known", known.head)
            })?;
            for (role, marks, _) in stored.moves.iter().filter(|(_, _, at)| *at <= position) {
                let own = known.marks[*role as usize];
                law("g5_cursor_is_honest", own.merge(*marks) == own, || {
                    format!("the cursor stands for {role:?}'s {marks:?} in {id}, {own:?} is known")
                })?;
            }
        }
        self.cursor = Some(cursor);
        Ok(())
    }

    /// Notes that the server pushed a number on this connection.
    fn pushed(&mut self, chat: ChatId, seq: Seq) -> Verdict {
        let link = self.link.as_mut().expect("a frame came on it");
        let last = link.last_push.insert(chat, seq).unwrap_or_default();
        law("g3_ascending", seq > last, || format!("number {seq} of {chat} comes after {last}"))?;
        let next = link.next_push.insert(chat, seq.next());
        law("g5_exactly_what_follows", next.is_none_or(|next| seq <= next), || {
            format!("number {seq} of {chat} comes where {next:?} follows")
        })
    }

    /// Stores an event, if nothing is missing before it.
    fn store(&mut self, chat: ChatId, seq: Seq) {
        let known = self.chats.entry(chat).or_default();
        known.head = known.head.max(seq);
        if seq == known.have.next() {
            known.have = seq;
        }
        let Some(link) = &mut self.link else { return };
        if known.have >= known.head {
            link.lacking.remove(&chat);
        } else if seq > known.have {
            link.lacking.entry(chat).or_insert(Timestamp::from_millis(0));
        }
    }

    /// Takes a message of this device out of its outbox.
    fn settle(&mut self, chat: ChatId, id: ClientId, seq: Seq) -> Verdict {
        let Some(said) = self.said.iter_mut().find(|said| said.id == id && said.chat == chat)
        else {
            return Ok(());
        };
        let before = *said.seq.get_or_insert(seq);
        law("g2_one_number", before == seq, || format!("{id} is {seq}, and was {before}"))
    }

    fn take_ack(&mut self, ack: &Ack, chat: ChatId, id: ClientId, truth: &Truth<'_>) -> Verdict {
        law("g2_one_answer", ack.chat == chat && ack.id == id, || {
            format!("{ack:?} answers {id} in {chat}")
        })?;
        let author = Author::from(self.role(chat, truth)?);
        let durable = self.chat(chat, truth)?.event(ack.seq);
        let said = self.said.iter().find(|said| said.id == id && said.chat == chat);
        let said = said.expect("nothing else is sent");
        law("g1_acknowledged_is_durable", durable.is_some(), || {
            format!("{id} is acknowledged as {}, which is not written", ack.seq)
        })?;
        let same = durable.is_some_and(|durable| {
            durable.id == id
                && durable.author == author
                && durable.at == ack.at
                && durable.kind == EventKind::text(&said.text)
        });
        law("g1_acknowledged_is_durable", same, || {
            format!("{ack:?} is acknowledged, {durable:?} is written")
        })?;
        if !ack.repeat {
            self.pushed(chat, ack.seq)?;
        }
        self.settle(chat, id, ack.seq)?;
        self.store(chat, ack.seq);
        Ok(())
    }

    fn take_event(&mut self, event: &Event, truth: &Truth<'_>) -> Verdict {
        self.check_event(event, truth)?;
        self.pushed(event.chat, event.seq)?;
        if event.from == self.role(event.chat, truth)?.into() {
            self.settle(event.chat, event.id, event.seq)?;
        }
        self.store(event.chat, event.seq);
        Ok(())
    }

    fn take_page(
        &mut self,
        page: &Page,
        chat: ChatId,
        wanted: Wanted,
        most: usize,
        truth: &Truth<'_>,
    ) -> Verdict {
        let stored = self.chat(chat, truth)?;
        law("g4_shown_is_durable", page.head <= stored.head(), || {
            format!("a page says head {}, the log {}", page.head, stored.head())
        })?;
        let head = page.head.0;
        let most = most as u64;
        let (first, last) = match wanted {
            Wanted::After(seq) => (seq.0 + 1, head.min(seq.0 + most)),
            Wanted::Before(seq) => {
                let last = head.min(seq.0.saturating_sub(1));
                ((last + 1).saturating_sub(most).max(1), last)
            }
            Wanted::Newest => ((head + 1).saturating_sub(most).max(1), head),
        };
        let seqs = page.events.iter().map(|event| event.seq.0);
        law("g5_pages_are_whole", page.chat == chat && seqs.clone().eq(first..=last), || {
            let got: Vec<_> = seqs.collect();
            format!("{wanted:?}, {most} at most, with head {head} gave {got:?}")
        })?;
        for event in &page.events {
            self.check_event(event, truth)?;
            if event.from == self.role(chat, truth)?.into() {
                self.settle(chat, event.id, event.seq)?;
            }
            self.store(chat, event.seq);
        }
        let known = self.chats.entry(chat).or_default();
        known.head = known.head.max(page.head);
        let lacks = known.have < known.head;
        let link = self.link.as_mut().expect("a frame came on it");
        link.pulling.remove(&chat);
        if !lacks {
            link.lacking.remove(&chat);
        } else if !link.have.contains(&chat) {
            link.lacking.insert(chat, truth.now);
        }
        Ok(())
    }

    fn take_marks(&mut self, moved: &MarksMoved, truth: &Truth<'_>) -> Verdict {
        let MarksMoved { chat, role, delivered, read } = *moved;
        let marks = Marks { delivered, read };
        let durable = self.chat(chat, truth)?.marks(role);
        law("g4_marks_are_durable", durable.merge(marks) == durable, || {
            format!("{moved:?} is told, {durable:?} is stored")
        })?;
        let link = self.link.as_mut().expect("a frame came on it");
        let before = link.last_marks.insert((chat, role as usize), marks).unwrap_or_default();
        law("g3_marks_only_grow", before.merge(marks) == marks, || {
            format!("{moved:?} comes after {before:?}")
        })?;
        let known = self.chats.entry(chat).or_default();
        known.marks[role as usize] = known.marks[role as usize].merge(marks);
        Ok(())
    }

    fn take_behind(&mut self, behind: &Behind, truth: &Truth<'_>) -> Verdict {
        let stored = self.chat(behind.chat, truth)?;
        law("g4_shown_is_durable", behind.head <= stored.head(), || {
            format!("{behind:?}, the log ends at {}", stored.head())
        })?;
        let known = self.chats.entry(behind.chat).or_default();
        known.head = known.head.max(behind.head);
        let link = self.link.as_mut().expect("a frame came on it");
        link.next_push.remove(&behind.chat);
        link.have.remove(&behind.chat);
        link.lacking.entry(behind.chat).or_insert(truth.now);
        Ok(())
    }

    fn take_error(
        &mut self,
        error: &ErrorBody,
        asked: Option<&Asked>,
        truth: &Truth<'_>,
    ) -> Verdict {
        let wait = error.retry_after_ms.unwrap_or(100);
        let again = truth.now.plus(Duration::from_millis(wait));
        let retry =
            error.code == ErrorCode::Unavailable.name() || error.code == ErrorCode::Busy.name();
        let not_found = error.code == ErrorCode::ChatNotFound.name();
        law("g6_same_answer", !not_found || (error.head.is_none() && !retry), || {
            format!("{error:?} tells more than that there is no such chat")
        })?;
        let user = self.user();
        let link = self.link.as_mut().expect("a frame came on it");
        let expected = match asked {
            Some(Asked::Send(chat, id)) => {
                let (_, refused) = link.refused.entry(*chat).or_insert((again, Vec::new()));
                refused.push(*id);
                retry || error.code == ErrorCode::AfterRefused.name()
            }
            Some(Asked::Pull(chat, ..)) => {
                link.pulling.remove(chat);
                link.lacking.entry(*chat).and_modify(|at| *at = again);
                retry
            }
            Some(Asked::Refused(request, code, chat)) => {
                let after = error.code == ErrorCode::AfterRefused.name();
                if let (true, Request::Send(send)) = (retry || after, request) {
                    // It has to come again first, as wrong as it is.
                    link.refused.entry(send.chat).or_insert((again, Vec::new()));
                }
                if retry || after {
                    link.wrong.push((again, request.clone(), code, *chat));
                }
                retry || after || (error.code == *code && error.chat == *chat)
            }
            Some(Asked::Mark(..) | Asked::Open) => retry,
            // A chat in `have` that could not be looked up: left to this side again.
            None => {
                let chat = error.chat.unwrap_or(ChatId::from_bytes([0; 16]));
                if link.have.remove(&chat) && retry {
                    link.next_push.remove(&chat);
                    link.lacking.insert(chat, again);
                }
                let stored = truth.disk.chats.get(&chat);
                let own = stored.and_then(|stored| stored.chat.participants.role_of(user));
                retry || (own.is_none() && error.code == ErrorCode::ChatNotFound.name())
            }
            Some(Asked::Hello | Asked::Ping) => false,
        };
        law("g11_refusals_are_documented", expected, || format!("{error:?} answers {asked:?}"))
    }

    fn take_bye(&mut self, bye: &Bye, truth: &Truth<'_>) -> Verdict {
        let link = self.link.as_mut().expect("a frame came on it");
        link.parting = true;
        let wait = bye.retry_after_ms.unwrap_or(0);
        self.connect_at = truth.now.plus(Duration::from_millis(wait));
        let fault_of_client = (4200..).contains(&bye.code);
        law("g11_no_blame", !fault_of_client, || format!("{bye:?} for a sound client"))
    }
}

/// Whether what is shown is what is written: a text, or what became of the listing.
fn says_the_same(shown: &Event, written: &EventKind) -> bool {
    let text = shown.text.as_deref().unwrap_or_default();
    match written {
        EventKind::Listing(change) => {
            let version = shown.listing.map(|moved| moved.version);
            shown.kind == "listing"
                && version == Some(change.version())
                && text == change.to_string()
        }
        written => shown.kind == "text" && *written == EventKind::text(text),
    }
}
