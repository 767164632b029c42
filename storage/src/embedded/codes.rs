//! Codes by the hash of their secret, beside the credentials.

use async_trait::async_trait;
use barterline_domain::clock::Timestamp;
use redb::{ReadableTable as _, TableDefinition};

use super::engine::{Engine, failed};
use super::table::{Rows, find_in, put_new};
use crate::codes::{Code, CodeHash, CodePurpose, Codes};
use crate::error::StoreError;

const CODES: Rows = TableDefinition::new("codes");
const BY_END: TableDefinition<'static, &[u8; 40], ()> = TableDefinition::new("codes_by_end");
/// Codes that are swept at each insertion: more than come, so that none that is over stays.
const SWEPT: usize = 16;

/// Codes by the hash of their secret.
pub struct EmbeddedCodes(pub Engine);

#[async_trait]
impl Codes for EmbeddedCodes {
    async fn insert(&self, code: Code) -> Result<(), StoreError> {
        let insert = move |write: &redb::WriteTransaction| {
            let inserted = put_new(write, CODES, std::iter::once((&code.hash[..], &code)))?;
            if inserted.is_ok() {
                let mut by_end = write.open_table(BY_END).map_err(failed)?;
                by_end.insert(&end_of(&code), ()).map_err(failed)?;
                drop(by_end);
                sweep(write, code.created_at)?;
            }
            Ok(inserted)
        };
        self.0.write(insert).await?
    }

    async fn take(
        &self,
        hash: CodeHash,
        purpose: CodePurpose,
        now: Timestamp,
    ) -> Result<Option<Code>, StoreError> {
        let take = move |write: &redb::WriteTransaction| {
            let found = find_in::<Code>(write, CODES, &hash)?;
            let good = found.filter(|code| code.purpose == purpose && now < code.expires_at);
            if let Some(code) = &good {
                remove(write, &end_of(code))?;
            }
            Ok(good)
        };
        self.0.write(take).await
    }
}

/// Where a code stands among all: by its end.
fn end_of(code: &Code) -> [u8; 40] {
    let mut key = [0; 40];
    key[..8].copy_from_slice(&code.expires_at.as_millis().to_be_bytes());
    key[8..].copy_from_slice(&code.hash);
    key
}

fn remove(write: &redb::WriteTransaction, end: &[u8; 40]) -> Result<(), StoreError> {
    write.open_table(BY_END).map_err(failed)?.remove(end).map_err(failed)?;
    write.open_table(CODES).map_err(failed)?.remove(&end[8..]).map_err(failed)?;
    Ok(())
}

/// Removes some codes whose end has come.
fn sweep(write: &redb::WriteTransaction, now: Timestamp) -> Result<(), StoreError> {
    let mut until = [0xff; 40];
    until[..8].copy_from_slice(&now.as_millis().to_be_bytes());
    let over: Result<Vec<[u8; 40]>, StoreError> = {
        let by_end = write.open_table(BY_END).map_err(failed)?;
        let range = by_end.range::<&[u8; 40]>(..=&until).map_err(failed)?;
        range.take(SWEPT).map(|row| row.map(|(key, _)| *key.value()).map_err(failed)).collect()
    };
    over?.iter().try_for_each(|end| remove(write, end))
}

#[cfg(test)]
mod tests {
    use redb::ReadableTableMetadata as _;
    use tempfile::TempDir;

    use super::*;
    use crate::conformance::codes::code;
    use crate::embedded::engine::table;

    #[tokio::test]
    async fn codes_that_are_over_are_swept() {
        let dir = TempDir::new().expect("a directory");
        let codes = EmbeddedCodes(Engine::open(&dir.path().join("x.redb")).expect("a file"));
        for n in 0..40 {
            codes.insert(code(n)).await.expect("an insert");
        }
        let left = || {
            let left = codes.0.read(|read| {
                let (rows, ends) = (table(read, CODES)?, table(read, BY_END)?);
                let (rows, ends) = (rows.expect("a table"), ends.expect("a table"));
                Ok((rows.len().map_err(failed)?, ends.len().map_err(failed)?))
            });
            left.expect("a read")
        };
        assert_eq!(left(), (40, 40), "none is over yet");
        for (n, expected) in [(40, 25), (41, 10), (42, 3)] {
            let created_at = code(0).expires_at;
            let expires_at = Timestamp::from_millis(created_at.as_millis() + 1);
            codes.insert(Code { created_at, expires_at, ..code(n) }).await.expect("an insert");
            assert_eq!(left(), (expected, expected));
        }
    }
}
