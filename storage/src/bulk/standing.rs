//! Whether a store may be imported into: only one that nobody has served.

use barterline_domain::clock::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::error::BulkError;
use crate::error::StoreError;

const OPEN: &str = "open the store";

/// An import, as the store notes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Import {
    /// Of which archive.
    pub archive: Uuid,
    /// What the archive is a difference to.
    pub base: Option<Uuid>,
    /// When the archive was begun: its values are stamped with it where stamps decide.
    pub taken_at: Timestamp,
    /// The epoch that the store gets.
    pub epoch: u32,
    /// It was made whole and compared.
    pub complete: bool,
}

/// How a store stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Nothing was ever in it.
    Empty,
    /// An import was begun, and nobody has served it since.
    Imported(Import),
    /// A server has opened it.
    Served,
}

impl Standing {
    /// Fails for a store whose import is unfinished.
    pub fn whole(&self) -> Result<(), StoreError> {
        match self {
            Self::Imported(Import { complete: false, .. }) => Err(StoreError::unavailable(
                OPEN,
                "an import into it is unfinished: run `barterline data import` again",
            )),
            Self::Imported(_) | Self::Empty | Self::Served => Ok(()),
        }
    }

    /// Fails for a store whose import is unfinished, and where there is none.
    pub fn readable(&self) -> Result<(), StoreError> {
        match self {
            Self::Empty => Err(StoreError::unavailable(OPEN, "there is no store")),
            Self::Imported(_) | Self::Served => self.whole(),
        }
    }
}

impl Import {
    /// The import to make of an archive that was asked for, or why not here.
    pub fn admitted(mut self, standing: Standing) -> Result<Self, BulkError> {
        let refused = |why: &str| Err(BulkError::Refused(why.to_owned()));
        match standing {
            Standing::Served => {
                refused("a server has used this store: import into an empty one, or restore there")
            }
            Standing::Empty if self.base.is_some() => {
                refused("the archive is a difference: import the full one that it names first")
            }
            Standing::Empty => Ok(self),
            Standing::Imported(before) => {
                let same = before.archive == self.archive;
                let on_top = before.complete
                    && self
                        .base
                        .is_some_and(|base| base == before.archive || before.base == Some(base));
                if !same && !before.complete {
                    return refused(
                        "another import is unfinished: finish it, or begin with an empty store",
                    );
                }
                if !same && !on_top {
                    return refused("the archive is not a difference to what was imported here");
                }
                if self.taken_at < before.taken_at {
                    return refused("what was imported here is newer than the archive");
                }
                // The events that are there were written under it.
                self.epoch = before.epoch;
                Ok(self)
            }
        }
    }

    /// Its values' stamp. In milliseconds, where those of servers are in microseconds: far below any
    /// write of a server that opens the store later, whatever the clock of who exported.
    pub fn stamp(&self) -> i64 {
        i64::try_from(self.taken_at.as_millis()).unwrap_or(i64::MAX)
    }
}

/// Second 0 of epochs: 2026-01-01T00:00:00Z. They end in 2094, with 31 bits.
const EPOCHS_BEGIN_S: u64 = 1_767_225_600;

/// The epoch of a store that is filled at `now` from one of epoch `source`: above it, and another one
/// than that of every store that was filled from the same archive before.
pub fn next_epoch(source: u32, now: Timestamp) -> u32 {
    let seconds = (now.as_millis() / 1_000).saturating_sub(EPOCHS_BEGIN_S);
    u32::try_from(seconds).unwrap_or(u32::MAX).max(source.saturating_add(1)).min(i32::MAX as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn import(archive: u128, base: Option<u128>) -> Import {
        Import {
            archive: Uuid::from_u128(archive),
            base: base.map(Uuid::from_u128),
            taken_at: Timestamp::from_millis(archive as u64),
            epoch: 7,
            complete: true,
        }
    }

    fn admits(standing: Standing, wanted: Import) -> Result<Import, String> {
        wanted.admitted(standing).map_err(|error| error.to_string())
    }

    #[test]
    fn a_store_is_filled_before_it_is_served_and_in_order() {
        let (full, first, second) = (import(1, None), import(2, Some(1)), import(3, Some(1)));
        assert_eq!(admits(Standing::Empty, full), Ok(full));
        for (standing, wanted, why) in [
            (Standing::Served, full, "empty"),
            (Standing::Empty, first, "difference"),
            (Standing::Imported(full), import(4, None), "not a difference"),
            (Standing::Imported(full), import(4, Some(9)), "not a difference"),
            (Standing::Imported(second), first, "newer"),
            (Standing::Imported(Import { complete: false, ..full }), first, "unfinished"),
        ] {
            let refusal = admits(standing, wanted).expect_err(why);
            assert!(refusal.contains(why), "{refusal}");
        }
        // The same again, its difference, and a later one.
        for (before, wanted) in [
            (full, full),
            (Import { complete: false, ..full }, full),
            (full, first),
            (first, second),
        ] {
            let before = Import { epoch: 9, ..before };
            let admitted = admits(Standing::Imported(before), wanted);
            assert_eq!(admitted, Ok(Import { epoch: 9, ..wanted }));
        }
    }

    #[test]
    fn epochs_grow() {
        let at = |s: u64| Timestamp::from_millis((EPOCHS_BEGIN_S + s) * 1_000);
        assert_eq!(next_epoch(1, at(0)), 2);
        assert_eq!(next_epoch(1, at(500)), 500);
        assert_eq!(next_epoch(500, at(500)), 501);
        assert_eq!(next_epoch(1, Timestamp::from_millis(0)), 2);
        assert_eq!(next_epoch(u32::MAX, at(1)), i32::MAX as u32);
    }
}
