//! How far a person has come in a chat. Marks only grow: merging is taking the maximum, so late
//! and repeated marks are harmless.

use serde::{Deserialize, Serialize};

use crate::event::Seq;

/// One participant's marks in one chat. Zero means "nothing yet".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Marks {
    /// A device has stored every event up to this number.
    pub delivered: Seq,
    /// The person has seen every event up to this number.
    pub read: Seq,
}

impl Marks {
    /// The marks of somebody who has read up to `read` and stored up to `delivered`. What was read
    /// has been delivered.
    pub fn new(delivered: Seq, read: Seq) -> Self {
        Self { delivered: delivered.max(read), read }
    }

    /// The maximum of both.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        Self::new(self.delivered.max(other.delivered), self.read.max(other.read))
    }
}

/// How much of a move of marks the other person gets to see. What was not shown when it moved is
/// shown only with the next move that is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visibility {
    /// Delivered and read.
    Both,
    /// That it was delivered: the person reads in private.
    Delivered,
    /// Nothing: the other person has blocked them.
    Nothing,
}

impl Visibility {
    /// What is shown of `moved` to somebody who was shown `before`.
    #[must_use]
    pub fn show(self, before: Marks, moved: Marks) -> Marks {
        match self {
            Self::Both => before.merge(moved),
            Self::Delivered => {
                Marks { delivered: before.delivered.max(moved.delivered), read: before.read }
            }
            Self::Nothing => before,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn marks() -> impl Strategy<Value = Marks> {
        (0_u64..99, 0_u64..99).prop_map(|(delivered, read)| Marks::new(Seq(delivered), Seq(read)))
    }

    proptest! {
        #[test]
        fn merging_is_a_join(a in marks(), b in marks(), c in marks()) {
            prop_assert_eq!(a.merge(a), a);
            prop_assert_eq!(a.merge(b), b.merge(a));
            prop_assert_eq!(a.merge(b).merge(c), a.merge(b.merge(c)));
            prop_assert!(a.merge(b).read >= a.read);
            prop_assert!(a.merge(b).delivered >= a.merge(b).read);
        }
    }
}
