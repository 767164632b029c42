//! Laws of [`Audit`].

use std::collections::BTreeMap;

use barterline_domain::clock::Timestamp;
use barterline_domain::ids::UserId;

use crate::audit::{Actor, Audit, AuditEntry, AuditRecord, ENTRY_BYTES_MAX, verify};

/// What somebody did; the same `n` gives the same.
pub fn record(n: u8) -> AuditRecord {
    AuditRecord {
        at: Timestamp::from_millis(1_000 + u64::from(n)),
        actor: match n % 3 {
            0 => Actor::User(UserId::from_bytes([n; 16])),
            1 => Actor::Operator,
            _ => Actor::System,
        },
        action: "account.suspend".to_owned(),
        subject: (n % 4 < 3).then(|| format!("account {n}")),
        detail: (0..n % 3).map(|i| (format!("key {i}"), format!("value {n}"))).collect(),
    }
}

async fn append(store: &dyn Audit, n: u8) -> AuditEntry {
    store.append(record(n)).await.expect("an append")
}

async fn list(store: &dyn Audit, after: Option<u64>, limit: usize) -> Vec<AuditEntry> {
    store.list(after, limit).await.expect("a page")
}

/// Entries are listed as they were appended, and each follows the one before it.
pub async fn entries_follow_each_other(store: &dyn Audit) {
    assert_eq!(list(store, None, 10).await, []);
    let mut given = Vec::new();
    for n in 0..6 {
        given.push(append(store, n).await);
    }
    let records: Vec<_> = given.iter().map(|entry| entry.record.clone()).collect();
    assert_eq!(records, (0..6).map(record).collect::<Vec<_>>());
    assert_eq!(verify(None, &given), Ok(()));
    assert_eq!(list(store, None, 10).await, given);
}

/// Of several entries at once each has a number of its own.
pub async fn entries_at_once_are_numbered(store: &dyn Audit) {
    append(store, 0).await;
    let given = tokio::join!(append(store, 1), append(store, 2), append(store, 3));
    let mut given = [given.0, given.1, given.2];
    given.sort_by_key(|entry| entry.number);
    assert_eq!(list(store, Some(0), 10).await, given);
    assert_eq!(verify(None, &list(store, None, 10).await), Ok(()));
}

/// Entries are listed over pages, the oldest first.
pub async fn entries_are_listed_oldest_first(store: &dyn Audit) {
    let mut all = Vec::new();
    for n in 0..5 {
        all.push(append(store, n).await);
    }
    assert_eq!(list(store, None, 2).await, all[..2]);
    assert_eq!(list(store, Some(1), 2).await, all[2..4]);
    assert_eq!(list(store, Some(3), 2).await, all[4..]);
    assert_eq!(list(store, Some(4), 2).await, []);
}

/// An entry that is too long is refused, and nothing changes.
pub async fn a_long_entry_is_refused(store: &dyn Audit) {
    let long = "x".repeat(ENTRY_BYTES_MAX);
    let detail = BTreeMap::from([("k".to_owned(), long.clone())]);
    for record in
        [AuditRecord { detail, ..record(1) }, AuditRecord { action: long + "x", ..record(2) }]
    {
        store.append(record).await.expect_err("it is too long");
    }
    assert_eq!(list(store, None, 10).await, []);
    assert_eq!(append(store, 1).await.number, 0);
}
