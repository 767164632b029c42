//! `GET /reports` and `GET /reports/{id}`: what people reported. Every look is noted in the log.

use axum::Json;
use axum::extract::State;
use barterline_domain::clock::Timestamp;
use barterline_domain::event::{Author, Seq};
use barterline_domain::ids::{ChatId, ReportId, UserId};
use barterline_storage::reports::Report as Stored;
use serde::{Deserialize, Serialize};

use super::Admin;
use crate::rest::extract::{Path, Query, limit};
use crate::rest::problem::{Code, Problem};

/// Which part of the list: what is older than the report `before`.
#[derive(Deserialize)]
pub struct Page {
    before: Option<ReportId>,
    limit: Option<usize>,
}

/// A part of the list, newest first; `next` is the `before` of the next.
#[derive(Serialize)]
pub struct List {
    reports: Vec<Summary>,
    next: Option<ReportId>,
}

/// A report in a list.
#[derive(Serialize)]
pub struct Summary {
    id: ReportId,
    at: Timestamp,
    chat: ChatId,
    reporter: UserId,
    reported: UserId,
    reason: String,
}

/// A report whole. A message that was edited stands there as it was first said and as the newest edit
/// left it, under one number.
#[derive(Serialize)]
pub struct Report {
    #[serde(flatten)]
    summary: Summary,
    messages: Vec<Message>,
}

#[derive(Serialize)]
struct Message {
    seq: Seq,
    at: Timestamp,
    author: Author,
    kind: String,
    text: Option<String>,
}

impl From<&Stored> for Summary {
    fn from(report: &Stored) -> Self {
        let Stored { id, at, chat, reporter, reported, .. } = *report;
        Self { id, at, chat, reporter, reported, reason: report.reason.clone() }
    }
}

/// Answers with a part of the list.
pub async fn list(
    State(admin): State<Admin>,
    Query(page): Query<Page>,
) -> Result<Json<List>, Problem> {
    let reports = &admin.staff_tools()?.reports;
    let before = match page.before {
        Some(id) => {
            let found = reports.find(id).await?.ok_or(Code::ReportNotFound)?;
            Some((found.at, found.id))
        }
        None => None,
    };
    let limit = limit(page.limit)?;
    let mut found = reports.list(before, limit + 1).await?;
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| more).map(|report| report.id);
    tracing::info!(target: "audit", reports = found.len(), "staff listed reports");
    Ok(Json(List { reports: found.iter().map(Summary::from).collect(), next }))
}

/// Answers with one report.
pub async fn read(
    State(admin): State<Admin>,
    Path(id): Path<ReportId>,
) -> Result<Json<Report>, Problem> {
    let found = admin.staff_tools()?.reports.find(id).await?.ok_or(Code::ReportNotFound)?;
    tracing::info!(target: "audit", report = %id, "staff read a report");
    let summary = Summary::from(&found);
    let messages = found.messages.into_iter().map(|message| Message {
        seq: message.seq,
        at: message.at,
        author: message.author,
        kind: message.kind,
        text: message.text,
    });
    Ok(Json(Report { summary, messages: messages.collect() }))
}
