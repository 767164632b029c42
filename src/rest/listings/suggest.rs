//! `GET /v1/suggestions`: what somebody may be about to type.

use axum::Json;
use axum::extract::State;
use barterline_search::Words;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::rest::Rest;
use crate::rest::extract::Query;
use crate::rest::problem::{Code, Problem};
use crate::services::search::SearchError;

/// Most suggestions, and how many when no number is asked for.
const LIMIT_MAX: usize = 20;
const LIMIT_DEFAULT: usize = 8;

/// What was typed so far.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Typed {
    #[param(min_length = 1, max_length = 200, example = "city bi")]
    text: String,
    /// How many at most.
    #[param(minimum = 1, maximum = 20, default = 8)]
    limit: Option<usize>,
}

/// The answer.
#[derive(Serialize, ToSchema)]
pub struct Suggestions {
    /// From titles of what is for sale, the most frequent first.
    suggestions: Vec<String>,
}

/// Answers with what may be meant.
#[utoipa::path(
    get,
    path = "/v1/suggestions",
    tag = "listings",
    operation_id = "suggest",
    summary = "What somebody may be about to type",
    params(Typed),
    responses((status = 200, description = "Texts to search for", body = Suggestions)),
    extensions(("x-codes" = json!(["search.invalid", "search.off", "server.busy"]))),
    security(()),
)]
pub async fn handle(
    State(rest): State<Rest>,
    Query(typed): Query<Typed>,
) -> Result<Json<Suggestions>, Problem> {
    let limit = typed.limit.unwrap_or(LIMIT_DEFAULT);
    if !(1..=LIMIT_MAX).contains(&limit) {
        return Err(Problem::new(Code::SearchInvalid, "limit must be 1 to 20"));
    }
    Words::parse(&typed.text).map_err(SearchError::from)?;
    let service = rest.search.as_ref().ok_or(SearchError::Off)?;
    let suggestions = service.suggest(&typed.text, limit).await?;
    Ok(Json(Suggestions { suggestions }))
}
