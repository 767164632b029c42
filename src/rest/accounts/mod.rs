//! `/v1/accounts`

pub mod archive;
pub mod change;
pub mod change_password;
pub mod confirm;
pub mod email;
pub mod end_sessions;
pub mod erase;
pub mod identities;
pub mod password_reset;
pub mod read;
pub mod register;
pub mod second_factor;
pub mod set_roles;
pub mod suspend;

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use barterline_domain::account::{AccountRole, Password};
use barterline_domain::clock::Timestamp;
use barterline_domain::ids::{MediaId, UserId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::services::accounts::Shown;

/// Who somebody says they are within a session, by password and code.
pub fn shown(password: String, code: Option<String>) -> Shown {
    Shown { password: Password::shown(password), code }
}

/// Who the caller proves to be, beside their session.
#[derive(Deserialize, ToSchema)]
#[schema(as = PasswordAndCode)]
pub struct Proof {
    #[schema(format = Password, min_length = 8, max_length = 256)]
    password: String,
    /// Of the second factor, where there is one: six digits, or a recovery code.
    code: Option<String>,
}

impl Proof {
    fn shown(self) -> Shown {
        shown(self.password, self.code)
    }
}

/// What proves who asks: the password (and a code), or nothing, where there is none and its owner logged in
/// within the last ten minutes.
#[derive(Deserialize, ToSchema)]
#[schema(as = PasswordOrFreshLogIn)]
pub struct FreshProof {
    /// Not needed by who has none and logged in within the last ten minutes.
    #[schema(format = Password, min_length = 8, max_length = 256)]
    password: Option<String>,
    /// Of the second factor, where there is one: six digits, or a recovery code.
    code: Option<String>,
}

impl FreshProof {
    /// What was shown; `None`: no password.
    pub fn shown(self) -> Option<Shown> {
        self.password.map(|password| shown(password, self.code))
    }
}

/// What is asked for comes by mail, if it comes: the answer is the same.
#[derive(Serialize, ToSchema)]
pub struct Asked {}

impl IntoResponse for Asked {
    fn into_response(self) -> Response {
        (StatusCode::ACCEPTED, Json(self)).into_response()
    }
}

/// All roles that an account is to have: one at least, each once.
#[derive(Deserialize)]
#[serde(try_from = "Vec<AccountRole>")]
pub struct Roles(pub Vec<AccountRole>);

impl TryFrom<Vec<AccountRole>> for Roles {
    type Error = &'static str;

    fn try_from(named: Vec<AccountRole>) -> Result<Self, Self::Error> {
        let named = AccountRole::ALL.into_iter().filter(|role| named.contains(role));
        let roles: Vec<_> = named.collect();
        if roles.is_empty() {
            Err("an account has a role: `user` at least")
        } else {
            Ok(Self(roles))
        }
    }
}

/// An account as its owner sees it.
#[derive(Serialize, ToSchema)]
pub struct OwnAccount {
    id: UserId,
    name: String,
    bio: String,
    /// Their picture.
    #[schema(required)]
    avatar: Option<MediaId>,
    /// The language that texts are sent in.
    #[schema(required)]
    locale: Option<String>,
    roles: Vec<AccountRole>,
    created_at: Timestamp,
}

impl From<barterline_storage::accounts::Account> for OwnAccount {
    fn from(account: barterline_storage::accounts::Account) -> Self {
        Self {
            id: account.id,
            name: account.name.as_str().to_owned(),
            bio: account.bio.as_str().to_owned(),
            avatar: account.avatar,
            locale: account.locale.map(|locale| locale.as_str().to_owned()),
            roles: account.roles,
            created_at: account.created_at,
        }
    }
}

/// An account as anybody sees it.
#[derive(Serialize, ToSchema)]
pub struct PublicAccount {
    id: UserId,
    name: String,
    bio: String,
    /// Their picture, whose bytes, in each of its sizes, are at `/v1/media/{id}/content`.
    #[schema(required)]
    avatar: Option<MediaId>,
    created_at: Timestamp,
}
