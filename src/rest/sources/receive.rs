//! `POST /v1/sources/{source}/listings`: a webhook of a system that keeps things for sale (Standard Webhooks).

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use barterline_domain::ids::ListingId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::item::Request as ItemRequest;
use crate::rest::Rest;
use crate::rest::extract::{JsonBytes, Path, json};
use crate::rest::problem::Problem;
use crate::services::sources::{Item, Outcome, Refusal, Shown, Taken};
use crate::services::to_the_end;

/// Most things in one webhook.
const ITEMS_MAX: usize = 100;

/// The request.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SourceListings)]
pub struct Request {
    #[schema(min_items = 1, max_items = 100)]
    listings: Vec<ItemRequest>,
}

/// What became of a thing.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = SourceOutcome)]
pub enum OutcomeView {
    /// It is a listing now.
    Created,
    /// It is another now.
    Changed,
    /// That was known.
    Unchanged,
    /// Something newer is known.
    Stale,
    /// It is not taken, nor is the same again.
    Refused,
}

/// What became of one of the things.
#[derive(Serialize, ToSchema)]
#[schema(as = SourceResult)]
pub struct ResultView {
    /// What it was said to be called.
    id: String,
    outcome: OutcomeView,
    /// Why it was refused: one of docs/errors.md.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    /// The same in words, for developers.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    /// Its listing here.
    #[serde(skip_serializing_if = "Option::is_none")]
    listing: Option<ListingId>,
}

/// What became of all of them, in their order.
#[derive(Serialize, ToSchema)]
#[schema(as = SourceResults)]
pub struct Results {
    results: Vec<ResultView>,
}

impl ResultView {
    fn taken(id: String, taken: &Taken) -> Self {
        let outcome = match taken.outcome {
            Outcome::Created => OutcomeView::Created,
            Outcome::Changed => OutcomeView::Changed,
            Outcome::Unchanged => OutcomeView::Unchanged,
            Outcome::Stale => OutcomeView::Stale,
        };
        Self { id, outcome, code: None, detail: None, listing: Some(taken.listing.id) }
    }

    fn refused(id: String, problem: &Problem) -> Self {
        let (code, detail) = (Some(problem.name()), Some(problem.words().to_owned()));
        Self { id, outcome: OutcomeView::Refused, code, detail, listing: None }
    }
}

/// Answers with what became of each.
#[utoipa::path(
    post,
    path = "/v1/sources/{source}/listings",
    tag = "listings",
    operation_id = "receiveListings",
    summary = "Take what another system says of its things",
    description = "A webhook, signed as Standard Webhooks says: nothing else is to be shown. docs/catalogues.md",
    params(
        ("source" = String, Path, description = "The system, by the name that the operator gave it"),
        ("webhook-id" = Option<String>, Header, description = "The name of the webhook, without a full stop"),
        ("webhook-timestamp" = Option<String>, Header, description = "When it is sent, in seconds since 1970"),
        (
            "webhook-signature" = Option<String>,
            Header,
            description = "`v1,` and base64 of HMAC-SHA256 over name, time and body, with full stops between; \
                           several with spaces between",
        ),
    ),
    request_body = Request,
    responses((status = 200, description = "What became of each, in their order", body = Results)),
    extensions(("x-codes" = json!([
        "source.not_found", "source.signature_invalid", "server.busy",
    ]))),
)]
pub async fn handle(
    State(rest): State<Rest>,
    Path(source): Path<String>,
    headers: HeaderMap,
    JsonBytes(body): JsonBytes,
) -> Result<Json<Results>, Problem> {
    // Nothing of the body is looked at before.
    let source = rest.sources.signed(&source, shown(&headers), &body)?;
    let Request { listings } = json(&body)?;
    if !(1..=ITEMS_MAX).contains(&listings.len()) {
        return Err(Problem::invalid("listings: 1 to 100"));
    }
    let (mut ids, mut problems, mut items) = (Vec::new(), Vec::new(), Vec::new());
    for listing in listings {
        ids.push(listing.id().to_owned());
        match Item::try_from(listing) {
            Ok(item) => {
                items.push(item);
                problems.push(None);
            }
            Err(problem) => problems.push(Some(problem)),
        }
    }
    // An account that is begun is made to the end.
    let sources = rest.sources;
    let taken = to_the_end(async move { sources.take(&source, items).await }).await?;
    Ok(Json(Results { results: results(ids, problems, taken) }))
}

fn shown(headers: &HeaderMap) -> Option<Shown<'_>> {
    let text = |name: &'static str| headers.get(name)?.to_str().ok();
    Some(Shown {
        id: text("webhook-id")?,
        time: text("webhook-timestamp")?,
        signatures: text("webhook-signature")?,
    })
}

/// What became of each: what had no problem was to be taken, in the order in which it came.
fn results(
    ids: Vec<String>,
    problems: Vec<Option<Problem>>,
    taken: Vec<Result<Taken, Refusal>>,
) -> Vec<ResultView> {
    let mut taken = taken.into_iter();
    let each = ids.into_iter().zip(problems).filter_map(|(id, problem)| {
        let became = match problem {
            Some(problem) => Err(problem),
            None => taken.next()?.map_err(Problem::from),
        };
        Some(match became {
            Ok(taken) => ResultView::taken(id, &taken),
            Err(problem) => ResultView::refused(id, &problem),
        })
    });
    each.collect()
}
