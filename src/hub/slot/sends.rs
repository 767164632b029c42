//! What a connection has sent and how far that is answered: which sends wait, and which were refused
//! and hold back what follows in their chats, so that the sender's order stays (G3).

use barterline_domain::ids::{ChatId, ClientId};
use barterline_protocol::limits::IN_FLIGHT_MAX;

use crate::fault::{Fault, planted};

/// Sends refused as retryable that are remembered: everything under way, and as much that was
/// refused before.
const REFUSED_MAX: usize = 2 * IN_FLIGHT_MAX;

/// The sends of one connection that are not over.
#[derive(Default)]
pub(super) struct Sends {
    in_flight: Vec<InFlight>,
    /// Refused as retryable and not decided since, in the order in which they were sent: what follows
    /// in their chats is refused until they have come again.
    refused: Vec<Refused>,
    /// Sends so far: their order.
    count: u32,
}

/// A send that waits for its answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct InFlight {
    pub chat: ChatId,
    pub id: ClientId,
    pub reference: Option<u32>,
    /// Its place among the connection's sends.
    pub order: u32,
}

#[derive(Debug, Clone, Copy)]
struct Refused {
    chat: ChatId,
    id: ClientId,
    /// Its place among the connection's sends, when it came first.
    order: u32,
    /// It has come again, and may be refused again.
    again: bool,
}

impl Sends {
    /// Sends that wait for their answer.
    pub fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// Whether any refusal is remembered: nearly never.
    pub fn any_refused(&self) -> bool {
        !self.refused.is_empty()
    }

    /// Notes a send that waits for its answer. `Err` names the send that has to come again first.
    pub fn begin(
        &mut self,
        chat: ChatId,
        id: ClientId,
        reference: Option<u32>,
    ) -> Result<(), ClientId> {
        if let Some(first) = self.refused_before(chat, id) {
            self.hold_back(chat, id);
            return Err(first);
        }
        let order = self.next();
        self.in_flight.push(InFlight { chat, id, reference, order });
        Ok(())
    }

    /// Whether an earlier send was refused; this one holds back what follows as well then: the first
    /// may get its number without coming again.
    pub fn hold_back(&mut self, chat: ChatId, id: ClientId) -> bool {
        if self.refused_before(chat, id).is_none() {
            return false;
        }
        let order = self.next();
        self.remember_refused(chat, id, order);
        true
    }

    /// Takes the send `id` out of those that wait.
    pub fn settle(&mut self, chat: ChatId, id: ClientId) -> Option<InFlight> {
        let same = |waiting: &InFlight| waiting.id == id && waiting.chat == chat;
        let at = self.in_flight.iter().position(same)?;
        let settled = self.in_flight.remove(at);
        if self.in_flight.is_empty() {
            self.in_flight = Vec::new();
        }
        Some(settled)
    }

    /// Takes the sends that `concerned` names out of those that wait: they have to come again.
    pub fn give_up(&mut self, concerned: impl Fn(&InFlight) -> bool) -> Vec<InFlight> {
        let waiting = std::mem::take(&mut self.in_flight);
        let (given_up, others) = waiting.into_iter().partition(concerned);
        self.in_flight = others;
        if planted(Fault::BehindForgetsSends) {
            return Vec::new();
        }
        for InFlight { chat, id, order, .. } in &given_up {
            self.remember_refused(*chat, *id, *order);
        }
        given_up
    }

    /// Notes a send that was refused, as retryable, before it waited.
    pub fn refuse_unsent(&mut self, chat: ChatId, id: ClientId) {
        let order = self.next();
        self.remember_refused(chat, id, order);
    }

    /// What follows in the chat waits until the send comes again, so that it does not stand before
    /// it.
    pub fn remember_refused(&mut self, chat: ChatId, id: ClientId, mut order: u32) {
        let same = |refused: &Refused| refused.chat == chat && refused.id == id;
        if let Some(at) = self.refused.iter().position(same) {
            order = order.min(self.refused.remove(at).order);
        }
        // They are not always refused in the order in which they were sent: some waited for the
        // store, and others behind them in the room.
        let at = self.refused.partition_point(|earlier| earlier.order < order);
        self.refused.insert(at, Refused { chat, id, order, again: false });
        // The first hold back those that follow, remembered or not.
        self.refused.truncate(REFUSED_MAX);
    }

    /// The client hears what became of the send.
    pub fn forget_refused(&mut self, chat: ChatId, id: ClientId) {
        self.refused.retain(|refused| refused.chat != chat || refused.id != id);
    }

    /// The first send to the chat that was refused before `id` and has not come again. If there is
    /// none, `id` has come again.
    fn refused_before(&mut self, chat: ChatId, id: ClientId) -> Option<ClientId> {
        for refused in self.refused.iter_mut().filter(|refused| refused.chat == chat) {
            if refused.id == id {
                refused.again = true;
                break;
            }
            if !refused.again && !planted(Fault::RefusedHoldsNothing) {
                return Some(refused.id);
            }
        }
        None
    }

    fn next(&mut self) -> u32 {
        self.count = self.count.wrapping_add(1);
        self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chat(n: u8) -> ChatId {
        ChatId::from_bytes([n; 16])
    }

    #[test]
    fn g3_what_follows_a_refused_send_is_held_back_until_that_is_taken() {
        let (mut sends, first, second, third) = (
            Sends::default(),
            ClientId::from_bytes([1; 16]),
            ClientId::from_bytes([2; 16]),
            ClientId::from_bytes([3; 16]),
        );
        assert!(!sends.hold_back(chat(1), first), "nothing was refused");
        sends.refuse_unsent(chat(1), first);
        assert!(sends.hold_back(chat(1), second));
        assert!(!sends.hold_back(chat(2), third), "another chat");
        // The first comes again, and is refused again before it waited.
        assert!(!sends.hold_back(chat(1), first));
        sends.refuse_unsent(chat(1), first);
        assert!(sends.hold_back(chat(1), second));
        // The first is taken: now the second holds back what came behind it.
        assert!(!sends.hold_back(chat(1), first));
        assert_eq!(sends.begin(chat(1), first, None), Ok(()));
        sends.forget_refused(chat(1), first);
        assert!(sends.hold_back(chat(1), third), "it came behind the second");
        assert!(!sends.hold_back(chat(1), second));
        assert_eq!(sends.begin(chat(1), second, None), Ok(()));
        assert_eq!(sends.begin(chat(1), third, None), Ok(()));
    }
}
