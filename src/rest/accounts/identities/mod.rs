//! `/v1/accounts/me/identities`: who the caller is at outer providers.

pub mod begin;
pub mod link;
pub mod list;
pub mod unlink;

use barterline_domain::clock::Timestamp;
use barterline_domain::ids::IdentityId;
use barterline_storage::identities::Identity;
use serde::Serialize;
use utoipa::ToSchema;

/// An identity as its owner sees it.
#[derive(Serialize, ToSchema)]
#[schema(as = Identity)]
pub struct OwnIdentity {
    id: IdentityId,
    /// What the provider, or outer issuer, was called when it was linked.
    provider: String,
    /// Who says so.
    issuer: String,
    linked_at: Timestamp,
}

impl From<Identity> for OwnIdentity {
    fn from(identity: Identity) -> Self {
        let id = identity.id();
        let Identity { provider, issuer, linked_at, .. } = identity;
        Self { id, provider, issuer, linked_at }
    }
}
