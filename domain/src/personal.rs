//! What is one person's alone in a chat. The other person never sees any of it.

use crate::clock::Timestamp;
use crate::event::Seq;

/// Most messages of one chat that are hidden one by one; beyond, hide everything up to a number.
pub const HIDDEN_MAX: usize = 256;

/// One person's settings of one chat.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Personal {
    /// No alerts until then.
    pub muted_until: Option<Timestamp>,
    /// Put away.
    pub archived: bool,
    /// Kept on top.
    pub pinned: bool,
    /// To be shown as unread, whatever the read mark says. Reading on clears it.
    pub unread: bool,
    /// Nothing up to this number is shown.
    pub hidden_through: Seq,
    /// Messages above it that are not shown, ascending.
    pub hidden: Vec<Seq>,
}

/// One setting set. Setting it twice is setting it once, so retries are harmless.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PersonalChange {
    /// Alerts off until then, or on.
    Mute(Option<Timestamp>),
    /// Put away, or taken back.
    Archive(bool),
    /// Kept on top, or not.
    Pin(bool),
    /// Shown as unread, or not.
    Unread(bool),
    /// One message hidden, for good.
    Hide(Seq),
    /// Every message up to this number hidden, for good.
    HideThrough(Seq),
}

impl Personal {
    /// Takes in a change.
    pub fn apply(&mut self, change: PersonalChange) {
        match change {
            PersonalChange::Mute(until) => self.muted_until = until,
            PersonalChange::Archive(archived) => self.archived = archived,
            PersonalChange::Pin(pinned) => self.pinned = pinned,
            PersonalChange::Unread(unread) => self.unread = unread,
            PersonalChange::Hide(seq) => {
                if let Err(at) = self.hidden.binary_search(&seq)
                    && seq > self.hidden_through
                {
                    self.hidden.insert(at, seq);
                }
            }
            PersonalChange::HideThrough(seq) => {
                self.hidden_through = self.hidden_through.max(seq);
                let through = self.hidden_through;
                self.hidden.retain(|hidden| *hidden > through);
            }
        }
    }

    /// Whether a message is hidden.
    pub fn hides(&self, seq: Seq) -> bool {
        seq <= self.hidden_through || self.hidden.binary_search(&seq).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn change() -> impl Strategy<Value = PersonalChange> {
        prop_oneof![
            proptest::option::of(0_u64..9)
                .prop_map(|at| PersonalChange::Mute(at.map(Timestamp::from_millis))),
            any::<bool>().prop_map(PersonalChange::Archive),
            any::<bool>().prop_map(PersonalChange::Pin),
            any::<bool>().prop_map(PersonalChange::Unread),
            (1_u64..30).prop_map(|seq| PersonalChange::Hide(Seq(seq))),
            (1_u64..30).prop_map(|seq| PersonalChange::HideThrough(Seq(seq))),
        ]
    }

    proptest! {
        #[test]
        fn changes_are_idempotent_and_what_is_hidden_stays_hidden(
            changes in proptest::collection::vec(change(), 0..40),
        ) {
            let mut personal = Personal::default();
            let mut hidden = Vec::new();
            for change in changes {
                personal.apply(change);
                let once = personal.clone();
                personal.apply(change);
                prop_assert_eq!(&personal, &once);
                match change {
                    PersonalChange::Hide(seq) => hidden.push(seq),
                    PersonalChange::HideThrough(seq) => hidden.extend((1..=seq.0).map(Seq)),
                    _ => {}
                }
                prop_assert!(hidden.iter().all(|seq| personal.hides(*seq)));
                prop_assert!(personal.hidden.is_sorted());
            }
        }
    }
}
