//! Holds what a device stored against what was said and acknowledged.

use std::collections::HashMap;

use barterline_domain::ids::ChatId;

use super::device::{Heard, Seen};
use crate::checker::{Checker, Sighting, Verdict};
use crate::message::{Name, Place, Side, hash_text};
use crate::scenario::speaker::{Speaker, Speech};

/// Judges one device of the seller. `heads` are the chats it has, each with the newest number, if
/// it came to its end: then whatever it lacks is lost.
pub fn judge(
    speech: &Speech,
    speakers: &[Speaker],
    heard: &[Heard],
    heads: Option<&[(ChatId, u64)]>,
) -> Verdict {
    let mut judge = Judge {
        checker: Checker::new(true, speakers.len(), 1),
        rooms: speakers.iter().filter_map(|one| Some((one.chat?, one.room))).collect(),
        nonce: speech.nonce,
        strange: Vec::new(),
    };
    for speaker in speakers {
        judge.said(speech, speaker);
    }
    for heard in heard {
        judge.heard(heard);
    }
    if let Some(heads) = heads {
        judge.ended(speakers, heads);
    }
    let mut verdict = judge.checker.finish();
    for chat in judge.strange {
        verdict.phantom(u32::MAX, format_args!("{chat} is a chat that nobody opened"));
    }
    verdict
}

struct Judge {
    checker: Checker,
    rooms: HashMap<ChatId, u32>,
    nonce: u32,
    strange: Vec<ChatId>,
}

/// The only device that has to get everything.
fn place(room: u32) -> Place {
    Place { room, side: Side::Seller, device: 0 }
}

impl Judge {
    fn said(&mut self, speech: &Speech, speaker: &Speaker) {
        self.checker.join(place(speaker.room));
        for (counter, number) in (1..).zip(&speaker.numbers) {
            let name = speaker.message(counter);
            self.checker.sent(name, hash_text(&speech.text(name)));
            if *number > 0 {
                self.checker.acked(speaker.place(), Some(name), *number);
            }
        }
    }

    fn heard(&mut self, heard: &Heard) {
        match heard {
            Heard::Connected => {
                for room in self.rooms.values() {
                    self.checker.connected(place(*room));
                }
            }
            Heard::Behind { chat, head } => {
                if let Some(room) = self.rooms.get(chat) {
                    self.checker.behind(place(*room), *head);
                }
            }
            Heard::Pushed(seen) => {
                let Some((room, sighting)) = self.sighting(seen) else { return };
                let next = self.checker.have(place(room)) + 1;
                self.checker.event(place(room), &sighting);
                // What lies further ahead is not stored: a pull brings it again.
                if seen.seq == next {
                    self.checker.stored(room, &sighting);
                }
            }
            Heard::Paged(seen) => {
                let Some((room, sighting)) = self.sighting(seen) else { return };
                self.checker.pulled(place(room), &sighting);
                self.checker.stored(room, &sighting);
            }
        }
    }

    /// A chat ends where the device was told, or at the last acknowledgement if that lies above.
    fn ended(&mut self, speakers: &[Speaker], heads: &[(ChatId, u64)]) {
        let acked = |speaker: &Speaker| speaker.numbers.iter().copied().max().unwrap_or(0);
        let mut ends: HashMap<u32, u64> =
            speakers.iter().map(|speaker| (speaker.room, acked(speaker))).collect();
        for (chat, head) in heads {
            match self.rooms.get(chat).and_then(|room| ends.get_mut(room)) {
                Some(end) => *end = (*end).max(*head),
                None => self.strange.push(*chat),
            }
        }
        for (room, end) in ends {
            self.checker.stored_up_to(room, end);
        }
    }

    fn sighting(&mut self, seen: &Seen) -> Option<(u32, Sighting)> {
        let Some(room) = self.rooms.get(&seen.chat) else {
            self.strange.push(seen.chat);
            return None;
        };
        let name = Name::of_id(&seen.id, self.nonce);
        let (seq, from, hash) = (seen.seq, seen.from, seen.hash);
        Some((*room, Sighting { seq, name, from, hash, is_note: from.is_none() }))
    }
}
