//! Choices by person.

use async_trait::async_trait;
use barterline_domain::ids::UserId;
use redb::TableDefinition;

use super::engine::Engine;
use super::table::{Rows, find, find_in, put};
use crate::error::StoreError;
use crate::user_state::{UserChange, UserState, UserStates};

const USER_STATES: Rows = TableDefinition::new("user_states");

/// Choices by person.
pub struct EmbeddedUserStates(pub Engine);

#[async_trait]
impl UserStates for EmbeddedUserStates {
    async fn find(&self, user: UserId) -> Result<UserState, StoreError> {
        let found = self.0.read(|read| find(read, USER_STATES, user.as_bytes()))?;
        Ok(found.unwrap_or_default())
    }

    async fn change(
        &self,
        user: UserId,
        changes: Vec<UserChange>,
    ) -> Result<UserState, StoreError> {
        let change = move |write: &redb::WriteTransaction| {
            let key = user.as_bytes();
            let mut state: UserState = find_in(write, USER_STATES, key)?.unwrap_or_default();
            for change in changes {
                state.apply(change);
            }
            put(write, USER_STATES, key, &state).map(|()| state)
        };
        self.0.write(change).await
    }
}
