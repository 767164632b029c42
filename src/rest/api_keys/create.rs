//! `POST /v1/api-keys`: makes a key.

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use barterline_domain::account::{ApiKeyName, Scope};
use barterline_domain::clock::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::OwnKey;
use crate::rest::Rest;
use crate::rest::accounts::shown;
use crate::rest::extract::{Body, Caller, From, Speaks};
use crate::rest::layers::Uncompressed;
use crate::rest::problem::{Code, Problem};
use crate::services::accounts::NewKey;
use crate::services::to_the_end;

/// The request. A field that is misspelt must not make a key that lasts longer than was meant.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewApiKey)]
pub struct Request {
    #[schema(min_length = 1, max_length = 64)]
    name: String,
    #[schema(min_items = 1, examples(json!(["chats:read", "chats:write"])))]
    scopes: Vec<String>,
    /// In a year, if it is left out.
    expires_at: Option<Timestamp>,
    #[schema(format = Password, min_length = 8, max_length = 256)]
    password: String,
    /// Of the second factor, where there is one.
    code: Option<String>,
}

/// The answer.
#[derive(Serialize, ToSchema)]
#[schema(as = ApiKeyMade)]
pub struct Made {
    #[serde(flatten)]
    key: OwnKey,
    /// What its bearer shows: told here and never again.
    secret: String,
}

/// Answers 201 with the key.
#[utoipa::path(
    post,
    path = "/v1/api-keys",
    tag = "API keys",
    operation_id = "createApiKey",
    summary = "Make a key for a program or device",
    request_body = Request,
    responses(
        (status = 201, description = "The key, with what to show", body = Made),
    ),
    extensions(("x-codes" = json!([
        "key.name_invalid", "key.scope_invalid", "key.end_invalid", "key.too_many",
        "password.wrong", "password.none", "second_factor.code_required", "second_factor.code_wrong",
        "account.changed", "server.busy",
    ]))),
    security(("bearer" = [])),
)]
pub async fn handle(
    State(rest): State<Rest>,
    Caller(caller): Caller,
    From(from): From,
    Speaks(language): Speaks,
    Body(request): Body<Request>,
) -> Result<(StatusCode, Extension<Uncompressed>, Json<Made>), Problem> {
    rest.rates.log_in_from(from, rest.clock.now()).await.map_err(Problem::limited)?;
    let name = ApiKeyName::parse(&request.name)
        .map_err(|error| Problem::new(Code::KeyName, error.to_string()))?;
    let scopes = scopes(&request.scopes)?;
    let shown = shown(request.password, request.code);
    let new = NewKey { name, scopes, expires_at: request.expires_at };
    let make = async move { rest.accounts.make_key(&caller, new, shown, from, language).await };
    let (key, secret) = to_the_end(make).await?;
    Ok((StatusCode::CREATED, Extension(Uncompressed), Json(Made { key: key.into(), secret })))
}

/// The scopes of these names, each once.
fn scopes(names: &[String]) -> Result<Vec<Scope>, Problem> {
    if let Some(unknown) = names.iter().position(|name| Scope::named(name).is_none()) {
        let detail = format!("scope {} of the list is none", unknown + 1);
        return Err(Problem::new(Code::KeyScope, detail));
    }
    let is_named = |scope: &Scope| names.iter().any(|name| name == scope.name());
    Ok(Scope::ALL.into_iter().filter(is_named).collect())
}
