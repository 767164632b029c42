//! Choices by person.

use async_trait::async_trait;
use barterline_domain::ids::UserId;
use redb::TableDefinition;

use super::engine::Engine;
use super::table::{self, Rows, find, find_in, put};
use crate::bulk::{Item, Page, Place};
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

/// A page of them, for an archive.
pub(super) fn page(engine: &Engine, after: Option<&Place>) -> Result<Page, StoreError> {
    table::page(engine, USER_STATES, after, |key, state| {
        let damaged = |_| StoreError::corrupt("database", table::place(USER_STATES, key));
        let user = UserId::from_bytes(key.try_into().map_err(damaged)?);
        Ok(Item::UserState(user, state))
    })
}

/// One of them, for an archive.
pub(super) fn item(read: &redb::ReadTransaction, user: UserId) -> Result<Option<Item>, StoreError> {
    let found = find(read, USER_STATES, user.as_bytes())?;
    Ok(found.map(|state| Item::UserState(user, state)))
}

/// Puts one from an archive.
pub(super) fn put_state(
    write: &redb::WriteTransaction,
    user: UserId,
    state: &UserState,
) -> Result<(), StoreError> {
    put(write, USER_STATES, user.as_bytes(), state)
}
