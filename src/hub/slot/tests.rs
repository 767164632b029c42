use std::net::Ipv4Addr;

use barterline_domain::event::{Author, Event, SmallState};
use barterline_domain::message::EventKind;

use super::*;
use crate::telemetry::addresses::Addresses;
use crate::telemetry::metrics::RefusalMetrics;

const CHAT: ChatId = ChatId::from_bytes([1; 16]);
const OTHER: ChatId = ChatId::from_bytes([2; 16]);
const THIRD: ChatId = ChatId::from_bytes([5; 16]);

/// A socket that takes everything.
#[derive(Clone, Default)]
struct Taken(Arc<Mutex<Vec<u8>>>);

impl Outlet for Taken {
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }
}

impl Taken {
    /// What was written since the last look.
    fn take(&self, slot: &Slot) -> String {
        slot.flush();
        String::from_utf8_lossy(&std::mem::take(&mut *self.0.lock())).into_owned()
    }
}

fn live_slot() -> (Arc<Slot>, Taken) {
    let start = Timestamp::from_millis(1);
    let identity = Identity {
        user: UserId::from_bytes([3; 16]),
        proof: Proof::Server,
        device: DeviceId::from_bytes([4; 16]),
        token_expires_at: start,
        client: Ipv4Addr::LOCALHOST.into(),
    };
    let taken = Taken::default();
    let refusals = Refusals::new(Addresses::None, RefusalMetrics::default());
    let slot = Slot::new(1, identity, Encoding::Json, Box::new(taken.clone()), refusals, start);
    slot.go_live();
    (Arc::new(slot), taken)
}

fn id(n: u8) -> ClientId {
    ClientId::from_bytes([n; 16])
}

fn deliver(slot: &Arc<Slot>, chat: ChatId, seq: u64, n: u8) {
    let kind = EventKind::text("a word");
    let event = Event {
        seq: Seq(seq),
        at: Timestamp::from_millis(1),
        author: Author::Buyer,
        id: id(n),
        digest: kind.digest(),
        kind,
        after: SmallState::default(),
        withheld: false,
        amended: None,
    };
    let mut turn = Turn::default();
    let entry = turn.encode(chat, &event);
    slot.deliver(chat, Role::Buyer, &entry, &mut turn);
    turn.flush();
}

#[test]
fn g10_who_sent_hears_although_what_lacks_cannot_be_pulled() {
    let (slot, taken) = live_slot();
    slot.note(CHAT, Seq(4), 0);
    for n in [1, 2] {
        slot.begin_send(CHAT, id(n), Some(n.into())).expect("nothing was refused");
    }
    deliver(&slot, CHAT, 5, 1);
    assert_eq!(taken.take(&slot), "", "events are told in order: it is pulled");
    slot.stall(CHAT);
    let told = taken.take(&slot);
    assert_eq!(told.matches("server.busy").count(), 2, "{told}");
    assert!(!slot.is_clean(), "what is noted is pulled all the same");

    // The first has come again and is told its number; the second is taken only now.
    slot.begin_send(CHAT, id(1), Some(3)).expect("it has come again");
    assert!(slot.repeat(CHAT, id(1), Seq(5), Timestamp::from_millis(1)));
    assert!(taken.take(&slot).contains("\"repeat\":true"));
    slot.begin_send(CHAT, id(2), Some(4)).expect("it has come again");
    deliver(&slot, CHAT, 6, 2);
    let told = taken.take(&slot);
    assert_eq!(told.matches("server.busy").count(), 1, "{told}");
}

#[test]
fn g10_sends_elsewhere_wait_for_their_own_answers() {
    let (slot, taken) = live_slot();
    slot.note(CHAT, Seq(4), 0);
    slot.begin_send(OTHER, id(1), Some(1)).expect("nothing was refused");
    slot.stall(CHAT);
    assert_eq!(taken.take(&slot), "");
    deliver(&slot, OTHER, 9, 1);
    assert!(taken.take(&slot).contains("server.busy"), "noted behind what cannot be pulled");
    assert_eq!(slot.todo(), Todo::Pull(Dirty { chat: CHAT, from: Some(Seq(4)), marks: false }));
    slot.stall(CHAT);
    assert_eq!(slot.todo(), Todo::Pull(Dirty { chat: OTHER, from: Some(Seq(9)), marks: false }));

    // A third comes behind both, and stays there when one of them is pulled.
    slot.note(THIRD, Seq(1), 0);
    slot.stall(OTHER);
    slot.forget(CHAT);
    assert_eq!(slot.todo(), Todo::Pull(Dirty { chat: THIRD, from: Some(Seq(1)), marks: false }));
    slot.forget(THIRD);

    // All is pulled: from here on it is as ever.
    for chat in [CHAT, OTHER] {
        slot.forget(chat);
    }
    taken.take(&slot);
    slot.begin_send(CHAT, id(2), Some(2)).expect("nothing of this chat was refused");
    slot.note(OTHER, Seq(10), 0);
    deliver(&slot, CHAT, 7, 2);
    assert_eq!(taken.take(&slot), "", "it is pulled in a moment");
}
