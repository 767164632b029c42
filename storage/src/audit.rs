//! What staff and the system did: entries that only grow, each with a hash over the one before it, so
//! that none can be changed, left out or put in between without breaking what follows.
//!
//! Whoever can write the store can write a new chain from some entry on: a hash that was noted
//! elsewhere tells.

use std::collections::BTreeMap;

use async_trait::async_trait;
use barterline_domain::clock::Timestamp;
use barterline_domain::ids::UserId;
use sha2::{Digest as _, Sha256};

use crate::error::StoreError;

/// What the first entry has in the place of a hash before it.
pub const FIRST_PREVIOUS: [u8; 32] = [0; 32];
/// Longest entry, all its texts together, in bytes: 4,096 of them in a partition are 33 MB.
pub const ENTRY_BYTES_MAX: usize = 8 << 10;

/// Who did something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor {
    /// Somebody with an account.
    User(UserId),
    /// Whoever has the token of the operators' port, or the machine.
    Operator,
    /// The server by itself.
    System,
}

/// What is to be noted. No secrets: everything in it is kept for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRecord {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: Actor,
    /// What was done: a stable name with dots (`account.suspend`).
    pub action: String,
    /// To what or whom.
    pub subject: Option<String>,
    /// What else there is to say.
    pub detail: BTreeMap<String, String>,
}

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// Its number, from zero, without gaps.
    pub number: u64,
    /// What was noted.
    pub record: AuditRecord,
    /// Hash of the entry before it; [`FIRST_PREVIOUS`] of the first.
    pub previous: [u8; 32],
    /// SHA-256 of all of this: see [`AuditEntry::sum`].
    pub hash: [u8; 32],
}

/// What staff and the system did.
#[async_trait]
pub trait Audit: Send + Sync {
    /// Appends an entry behind the last; gives it. Of several at once each has a number of its own.
    /// One that is longer than [`ENTRY_BYTES_MAX`] is refused.
    async fn append(&self, record: AuditRecord) -> Result<AuditEntry, StoreError>;

    /// Lists at most `limit` entries above the number `after`, the oldest first.
    async fn list(&self, after: Option<u64>, limit: usize) -> Result<Vec<AuditEntry>, StoreError>;
}

/// The first of these entries that is not what it says, or does not follow the one before it. The
/// first of all follows `before`; `None` for the beginning of the chain.
pub fn verify(before: Option<&AuditEntry>, entries: &[AuditEntry]) -> Result<(), u64> {
    let mut expected = AuditEntry::place_behind(before);
    for entry in entries {
        let sound = (entry.number, entry.previous) == expected && entry.hash == entry.sum();
        if !sound {
            return Err(entry.number);
        }
        expected = AuditEntry::place_behind(Some(entry));
    }
    Ok(())
}

impl AuditRecord {
    /// Fails for one that is too long for the store.
    pub(crate) fn checked(self) -> Result<Self, StoreError> {
        let detail = self.detail.iter().map(|(key, value)| key.len() + value.len());
        let bytes = self.action.len()
            + self.subject.as_ref().map_or(0, String::len)
            + detail.sum::<usize>();
        if bytes > ENTRY_BYTES_MAX {
            let text = format!("it is {bytes} bytes long, and may be {ENTRY_BYTES_MAX}");
            return Err(StoreError::unavailable("append to the audit", text));
        }
        Ok(self)
    }
}

impl AuditEntry {
    /// The entry of a record behind the last of a chain.
    pub(crate) fn behind(last: Option<&Self>, record: AuditRecord) -> Self {
        let (number, previous) = Self::place_behind(last);
        let mut entry = Self { number, record, previous, hash: FIRST_PREVIOUS };
        entry.hash = entry.sum();
        entry
    }

    /// Number and previous hash of what follows.
    fn place_behind(last: Option<&Self>) -> (u64, [u8; 32]) {
        last.map_or((0, FIRST_PREVIOUS), |last| (last.number + 1, last.hash))
    }

    /// SHA-256 over everything but the hash itself: each number in eight bytes, each text behind its
    /// length, big end first. Hashes are compared over years: it can never change.
    pub fn sum(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(b"barterline audit v1");
        hash.update(self.number.to_be_bytes());
        hash.update(self.record.at.as_millis().to_be_bytes());
        let mut text = |text: &str| {
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text);
        };
        match self.record.actor {
            Actor::User(user) => text(&user.to_string()),
            Actor::Operator => text("operator"),
            Actor::System => text("system"),
        }
        text(&self.record.action);
        // That there is none, and that it is empty, are two things.
        if let Some(subject) = &self.record.subject {
            text("subject");
            text(subject);
        }
        for (key, value) in &self.record.detail {
            text("detail");
            text(key);
            text(value);
        }
        hash.update(self.previous);
        hash.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::audit::record;

    fn chain() -> Vec<AuditEntry> {
        let mut chain: Vec<AuditEntry> = Vec::new();
        for n in 0..5 {
            chain.push(AuditEntry::behind(chain.last(), record(n)));
        }
        chain
    }

    #[test]
    fn the_first_break_of_a_chain_is_named() {
        let sound = chain();
        assert_eq!(verify(None, &sound), Ok(()));
        assert_eq!(verify(Some(&sound[1]), &sound[2..]), Ok(()));
        assert_eq!(verify(None, &sound[1..]), Err(1));
        let check = |change: fn(&mut Vec<AuditEntry>), first| {
            let mut chain = chain();
            change(&mut chain);
            assert_eq!(verify(None, &chain), Err(first));
        };
        check(|chain| chain[2].record.action.push('x'), 2);
        check(|chain| chain[2].record.at = Timestamp::from_millis(7), 2);
        check(|chain| chain[2].record.actor = Actor::Operator, 2);
        check(|chain| chain[2].record.subject = None, 2);
        check(|chain| chain[2].record.detail.clear(), 2);
        check(|chain| chain[2].previous = [7; 32], 2);
        check(|chain| chain[2].number = 7, 7);
        check(|chain| drop(chain.remove(2)), 3);
        check(|chain| chain.swap(1, 2), 2);
        // Changed with its own hash: the next does not follow it.
        check(
            |chain| {
                chain[2].record.action.push('x');
                chain[2].hash = chain[2].sum();
            },
            3,
        );
    }

    #[test]
    fn hashes_never_change() {
        // Reckoned apart, from the description of the sum.
        assert_eq!(
            uuid::Uuid::from_slice(&chain()[1].hash[..16]).map(|half| half.simple().to_string()),
            Ok("c25e646693014f1881344be865a5f0a8".to_owned())
        );
    }
}
