//! `/v1/api-keys`: keys that the caller gives to programs and devices.

pub mod create;
pub mod list;
pub mod revoke;

use barterline_domain::clock::Timestamp;
use barterline_domain::ids::ApiKeyId;
use barterline_storage::api_keys::ApiKey;
use serde::Serialize;
use utoipa::ToSchema;

use crate::services::accounts::end_of;

/// A key as its owner sees it, without what is shown to prove it.
#[derive(Serialize, ToSchema)]
#[schema(as = ApiKey)]
pub struct OwnKey {
    id: ApiKeyId,
    name: String,
    #[schema(examples(json!(["chats:read", "chats:write"])))]
    scopes: Vec<&'static str>,
    created_at: Timestamp,
    expires_at: Timestamp,
}

impl From<ApiKey> for OwnKey {
    fn from(key: ApiKey) -> Self {
        Self {
            id: key.id,
            name: key.name.as_str().to_owned(),
            scopes: key.scopes.iter().map(|scope| scope.name()).collect(),
            created_at: key.created_at,
            expires_at: end_of(&key),
        }
    }
}
