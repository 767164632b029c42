//! Who people are: what others may see of an account.

use async_trait::async_trait;
use barterline_domain::account::{AccountRole, Bio, DisplayName, Locale};
use barterline_domain::clock::Timestamp;
use barterline_domain::ids::{MediaId, UserId};

use crate::error::StoreError;

/// One account without its secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Who.
    pub id: UserId,
    /// What others call them.
    pub name: DisplayName,
    /// What they say about themselves.
    pub bio: Bio,
    /// In which language texts are sent to them; `None` if they did not say.
    pub locale: Option<Locale>,
    /// Their picture.
    pub avatar: Option<MediaId>,
    /// What they may do.
    pub roles: Vec<AccountRole>,
    /// Since when.
    pub created_at: Timestamp,
    /// Since when staff keep them out; `None` if they do not.
    pub suspended_at: Option<Timestamp>,
    /// When what says who they were was erased; `None` if it was not.
    pub erased_at: Option<Timestamp>,
}

/// What is to change of a profile; `None` stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProfileChange {
    /// What others call them.
    pub name: Option<DisplayName>,
    /// What they say about themselves.
    pub bio: Option<Bio>,
    /// Their language; `Some(None)` takes it away.
    pub locale: Option<Option<Locale>>,
    /// Their picture; `Some(None)` takes it away.
    pub avatar: Option<Option<MediaId>>,
}

impl Account {
    /// A new account with a name and nothing else.
    pub fn new(id: UserId, name: DisplayName, at: Timestamp) -> Self {
        Self {
            id,
            name,
            bio: Bio::default(),
            locale: None,
            avatar: None,
            roles: vec![AccountRole::User],
            created_at: at,
            suspended_at: None,
            erased_at: None,
        }
    }

    /// The account suspended, or that taken back. The time of the first suspension stays.
    pub(crate) fn suspended(self, at: Option<Timestamp>) -> Self {
        Self { suspended_at: at.map(|at| self.suspended_at.unwrap_or(at)), ..self }
    }

    /// The account after a change of its profile; `None` when it is erased.
    pub(crate) fn changed(self, change: ProfileChange) -> Option<Self> {
        self.erased_at.is_none().then_some(Self {
            name: change.name.unwrap_or(self.name),
            bio: change.bio.unwrap_or(self.bio),
            locale: change.locale.unwrap_or(self.locale),
            avatar: change.avatar.unwrap_or(self.avatar),
            ..self
        })
    }

    /// The account with other roles; `None` when it is erased.
    pub(crate) fn with_roles(self, roles: Vec<AccountRole>) -> Option<Self> {
        self.erased_at.is_none().then_some(Self { roles, ..self })
    }

    /// The account without what says who they were, and without any role. When it was suspended and
    /// when it began stays, for staff; so does the time of the first erasure.
    pub(crate) fn erased(self, at: Timestamp) -> Self {
        Self {
            name: DisplayName::erased(),
            bio: Bio::default(),
            locale: None,
            avatar: None,
            roles: Vec::new(),
            erased_at: Some(self.erased_at.unwrap_or(at)),
            ..self
        }
    }
}

/// All accounts.
#[async_trait]
pub trait Accounts: Send + Sync {
    /// Inserts accounts whose ids are new. All or none.
    async fn insert(&self, accounts: Vec<Account>) -> Result<(), StoreError>;

    /// Finds an account.
    async fn find(&self, user: UserId) -> Result<Option<Account>, StoreError>;

    /// Suspends an account, or takes that back; gives it after the change. The time of the first
    /// suspension stays. `None`: no such account.
    async fn suspend(
        &self,
        user: UserId,
        at: Option<Timestamp>,
    ) -> Result<Option<Account>, StoreError>;

    /// Changes what is given of a profile; gives the account after it. `None`: no such account, or it
    /// is erased.
    async fn change(
        &self,
        user: UserId,
        change: ProfileChange,
    ) -> Result<Option<Account>, StoreError>;

    /// Puts roles in the place of an account's; gives the account after it. `None`: no such account,
    /// or it is erased.
    async fn set_roles(
        &self,
        user: UserId,
        roles: Vec<AccountRole>,
    ) -> Result<Option<Account>, StoreError>;

    /// Erases what says who somebody was: an empty profile under the name of every erased account,
    /// without roles. Twice is once, and the first time stays. `None`: no such account.
    async fn erase(&self, user: UserId, at: Timestamp) -> Result<Option<Account>, StoreError>;
}
