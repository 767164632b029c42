//! `/v1/sign-in`: in at an outer provider, and back.

pub mod begin;
pub mod callback;
pub mod list;
pub mod redeem;

use barterline_domain::clock::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::rest::problem::{Code, Problem};
use crate::services::accounts::{Begun, Challenge};

/// How a program begins a way to a provider and back.
#[derive(Deserialize, ToSchema)]
pub struct WayOut {
    /// SHA-256, in base64url, of what the program keeps to itself until it redeems what comes back
    /// (RFC 7636, S256).
    #[schema(
        min_length = 43,
        max_length = 43,
        examples("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM")
    )]
    challenge: String,
    /// Where the person is to come back to: one of the addresses that the server lists.
    #[schema(examples("https://shop.example/signed-in"))]
    return_to: String,
}

impl WayOut {
    /// The challenge, and where to come back to.
    pub fn parse(self) -> Result<(Challenge, String), Problem> {
        let challenge = Challenge::parse(&self.challenge);
        Ok((challenge.ok_or(Code::SignInChallenge)?, self.return_to))
    }
}

/// Where a person is to go.
#[derive(Serialize, ToSchema)]
pub struct WayIn {
    /// The provider's address: to be opened in a browser, by who began alone.
    url: String,
    /// Until when they may come back.
    expires_at: Timestamp,
}

impl From<Begun> for WayIn {
    fn from(Begun { url, expires_at }: Begun) -> Self {
        Self { url, expires_at }
    }
}
