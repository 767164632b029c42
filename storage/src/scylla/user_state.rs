//! Choices by person: cells whose newest value wins.

use async_trait::async_trait;
use barterline_domain::ids::UserId;
use scylla::value::{CqlTimestamp, MaybeUnset};

use super::columns::{Id as _, time, timestamp};
use super::session::Database;
use super::statements::{Read, Write};
use crate::error::StoreError;
use crate::user_state::{UserChange, UserState, UserStates};

type Columns = (Option<bool>, Option<bool>, Option<CqlTimestamp>);

/// Choices by person.
pub struct ScyllaUserStates {
    database: Database,
    choose: Write,
    see: Write,
    find: Read,
}

impl ScyllaUserStates {
    /// Prepares the statements.
    pub async fn open(database: &Database) -> Result<Self, StoreError> {
        Ok(Self {
            database: database.clone(),
            choose: Write::prepare(
                database,
                "UPDATE {users}.user_states USING TIMESTAMP ? \
                 SET shows_read = ?, shows_presence = ? WHERE user_id = ?",
            )
            .await?,
            // Stamped with what it says: the latest time stays, whatever comes late or twice.
            see: Write::prepare(
                database,
                "UPDATE {users}.user_states USING TIMESTAMP ? SET last_seen = ? WHERE user_id = ?",
            )
            .await?,
            find: Read::prepare(
                database,
                "SELECT shows_read, shows_presence, last_seen FROM {users}.user_states \
                 WHERE user_id = ?",
            )
            .await?,
        })
    }
}

impl ScyllaUserStates {
    /// Puts somebody's choices from an archive.
    pub(super) async fn import(
        &self,
        user: UserId,
        state: &UserState,
        stamp: i64,
    ) -> Result<(), StoreError> {
        let operation = "import choices";
        let id = user.to_column();
        let (read, presence) =
            (MaybeUnset::Set(state.shows_read), MaybeUnset::Set(state.shows_presence));
        self.choose.run(operation, (stamp, read, presence, id)).await?;
        match state.last_seen.map(time) {
            Some(at) => self.see.run(operation, (at.0, at, id)).await,
            None => Ok(()),
        }
    }
}

#[async_trait]
impl UserStates for ScyllaUserStates {
    async fn find(&self, user: UserId) -> Result<UserState, StoreError> {
        let row = self.find.row::<Columns>("find choices", (user.to_column(),)).await?;
        Ok(row.map_or_else(UserState::default, read))
    }

    async fn change(
        &self,
        user: UserId,
        changes: Vec<UserChange>,
    ) -> Result<UserState, StoreError> {
        let operation = "change choices";
        let (mut shows_read, mut shows_presence, mut seen) = (None, None, None);
        for change in changes {
            match change {
                UserChange::ShowRead(shows) => shows_read = Some(shows),
                UserChange::ShowPresence(shows) => shows_presence = Some(shows),
                UserChange::Seen(at) => seen = seen.max(Some(at)),
            }
        }
        let id = user.to_column();
        let mut begun = false;
        if shows_read.is_some() || shows_presence.is_some() {
            let (read, presence) =
                (MaybeUnset::from_option(shows_read), MaybeUnset::from_option(shows_presence));
            self.choose.run(operation, (self.database.stamp(), read, presence, id)).await?;
            begun = true;
        }
        // From here on something may have changed, whatever goes wrong.
        let unknown = |error| match error {
            StoreError::Unavailable { .. } if begun => StoreError::Unknown { operation },
            other => other,
        };
        if let Some(at) = seen.map(time) {
            self.see.run(operation, (at.0, at, id)).await.map_err(unknown)?;
            begun = true;
        }
        self.find(user).await.map_err(|error| match error {
            StoreError::Unavailable { .. } if begun => StoreError::Unknown { operation },
            other => other,
        })
    }
}

fn read((shows_read, shows_presence, last_seen): Columns) -> UserState {
    let usual = UserState::default();
    UserState {
        shows_read: shows_read.unwrap_or(usual.shows_read),
        shows_presence: shows_presence.unwrap_or(usual.shows_presence),
        last_seen: last_seen.and_then(timestamp),
    }
}
