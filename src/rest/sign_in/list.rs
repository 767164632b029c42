//! `GET /v1/sign-in`: where people can sign in.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::rest::Rest;

/// The answer.
#[derive(Serialize, ToSchema)]
#[schema(as = Providers)]
pub struct Providers {
    providers: Vec<Provider>,
}

/// A provider of identities.
#[derive(Serialize, ToSchema)]
#[schema(as = Provider)]
pub struct Provider {
    /// In addresses.
    name: String,
    /// For people to read.
    label: String,
}

/// Answers with all of them.
#[utoipa::path(
    get,
    path = "/v1/sign-in",
    tag = "signing in elsewhere",
    operation_id = "listProviders",
    summary = "Where people can sign in",
    responses(
        (status = 200, description = "The providers", body = Providers),
    ),
)]
pub async fn handle(State(rest): State<Rest>) -> Json<Providers> {
    let providers = rest
        .accounts
        .providers()
        .iter()
        .map(|provider| Provider { name: provider.name.clone(), label: provider.label.clone() });
    Json(Providers { providers: providers.collect() })
}
