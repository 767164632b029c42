//! A name for each request, a line of the log about it, and its place in the metrics. The line has
//! neither path nor query nor headers: all of them may hold what is nobody's business.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::body::HttpBody as _;
use axum::extract::{MatchedPath, Request, State};
use axum::http::HeaderValue;
use axum::http::header::HeaderName;
use axum::middleware::Next;
use axum::response::Response;
use barterline_domain::clock::Clock;
use barterline_domain::ids::{ApiKeyId, UserId};
use tracing::field::display;
use tracing::{Instrument as _, error_span};
use uuid::Uuid;

use crate::ids::Ids;
use crate::listener::client::ClientAddress;
use crate::rest::problem::Code;
use crate::rest::request_id::RequestId;
use crate::telemetry::addresses::Addresses;
use crate::telemetry::metrics::HttpMetrics;
use crate::telemetry::refusals::{Means, Refusal, Refusals};

/// Where a request's name stands, in requests and in answers.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Why a request failed, for the log alone: an extension of answers.
#[derive(Debug, Clone)]
pub struct Cause(pub Arc<str>);

/// What was refused, for the log alone: an extension of answers.
#[derive(Debug, Clone, Copy)]
pub struct Refused {
    /// Why.
    pub code: Code,
    /// Of what there was too much.
    pub scope: Option<&'static str>,
}

/// Names, logs and measures requests.
#[derive(Clone)]
pub struct Observer {
    /// Counts them; the operators' own are not counted.
    pub metrics: Option<HttpMetrics>,
    /// Whether each has a line at level info; else at level debug.
    pub lines: bool,
    /// Of whom.
    pub addresses: Addresses,
    /// What is refused has a line in any case.
    pub refusals: Refusals,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// New names.
    pub ids: Arc<dyn Ids>,
}

/// Does it. A request that failed on our side has its line, with the cause, in any case.
pub async fn observe(State(observer): State<Observer>, request: Request, next: Next) -> Response {
    let running = observer.metrics.as_ref().map(HttpMetrics::begin);
    let began = Instant::now();
    let id = observer.name(&request);
    let method = method(&request);
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map_or("none", MatchedPath::as_str);
    let client = ClientAddress::of(request.extensions()).ip;
    // What is logged on the way has the name, too.
    let span = error_span!("request", %id);
    let mut response = id.scope(next.run(request)).instrument(span).await;
    if let Ok(value) = HeaderValue::from_str(id.as_str()) {
        response.headers_mut().insert(REQUEST_ID, value);
    }

    let status = response.status();
    let took_us = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
    if let Some(metrics) = &observer.metrics {
        metrics.answered(route, method, status.as_u16(), took_us);
    }
    drop(running);
    observer.note_refusal(&response, client, &Named { id: &id, method, route });
    let bytes = response.body().size_hint().exact();
    let client = observer.addresses.shown(client).map(display);
    let user = response.extensions().get::<UserId>().map(display);
    let key = response.extensions().get::<ApiKeyId>().map(display);
    let error = response.extensions().get::<Cause>().map(|cause| display(&cause.0));
    macro_rules! line {
        ($level:ident) => {
            tracing::$level!(
                target: "barterline::access",
                %id, method, route, status = status.as_u16(), bytes, took_us, client, user, key, error,
                "request"
            )
        };
    }
    match (status.is_server_error(), observer.lines) {
        (true, _) => line!(warn),
        (false, true) => line!(info),
        (false, false) => line!(debug),
    }
    response
}

/// A request as the log names it.
struct Named<'a> {
    id: &'a RequestId,
    method: &'static str,
    route: &'a str,
}

impl Observer {
    /// Has a refusal told that says something of who asked.
    fn note_refusal(&self, response: &Response, client: IpAddr, request: &Named<'_>) {
        let extensions = response.extensions();
        let Some(Refused { code, scope }) = extensions.get().copied() else { return };
        let Some(kind) = code.kind() else { return };
        let Named { id, method, route } = *request;
        let refusal = Refusal {
            code: code.name(),
            scope,
            user: extensions.get::<UserId>().copied(),
            means: extensions.get::<Means>().copied(),
            client,
            route,
            request: Some((id.as_str(), method)),
        };
        self.refusals.note(kind, &refusal);
    }

    /// The client's own name for the request, if it is one to put into a log; else a new one.
    fn name(&self, request: &Request) -> RequestId {
        let theirs = request.headers().get(REQUEST_ID).and_then(|value| value.to_str().ok());
        theirs.and_then(RequestId::parse).unwrap_or_else(|| {
            let id = Uuid::from_bytes(self.ids.ordered(self.clock.now()));
            RequestId::of(id)
        })
    }
}

/// A method of few: a stranger can invent any number of them, and each would be a metric.
fn method(request: &Request) -> &'static str {
    const KNOWN: [&str; 7] = ["GET", "POST", "PATCH", "PUT", "DELETE", "HEAD", "OPTIONS"];
    let method = request.method().as_str();
    KNOWN.into_iter().find(|known| *known == method).unwrap_or("other")
}
