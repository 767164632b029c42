//! The operators' token: new at every start, in a file of the data directory that only the owner
//! can read.

use axum::extract::{Request, State};
use axum::http::header::AUTHORIZATION;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use super::Admin;
use crate::data_dir::{DataDir, DataDirError};
use crate::ids::Ids;
use crate::rest::problem::{Code, Problem};

/// What a token must hash to. The token itself stands in the file only.
pub struct Token([u8; 32]);

impl Token {
    /// Draws a token and writes it into the data directory.
    pub fn issue(data: &DataDir, ids: &dyn Ids) -> Result<Self, DataDirError> {
        let token = URL_SAFE_NO_PAD.encode(ids.secret());
        data.write_admin_token(&token)?;
        Ok(Self(hash(&token)))
    }

    /// Compares hashes: the time tells nothing about the token.
    fn is(&self, token: &str) -> bool {
        self.0 == hash(token)
    }
}

fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token).into()
}

/// Lets only those through who show the token.
pub async fn require(State(admin): State<Admin>, request: Request, next: Next) -> Response {
    let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = header.and_then(|value| value.strip_prefix("Bearer "));
    if token.is_some_and(|token| admin.0.token.is(token)) {
        next.run(request).await
    } else {
        Problem::from(Code::AdminToken).into_response()
    }
}
