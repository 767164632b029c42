//! The document of the HTTP interface (OpenAPI 3.1), made of the table of routes: a route without its
//! description is no route. docs/api/openapi.json is a copy; a test compares.

mod complete;
pub mod read;

use axum::body::Bytes;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{ComponentsBuilder, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder};

use super::fixed::Fixed;
use super::problem::ProblemBody;

/// What stands before the first route.
const INTRODUCTION: &str = "\
A marketplace where everything happens in a chat. Bodies are JSON, but for those of files; times are \
milliseconds since 1970, ids UUIDs in lower case, amounts integers of a currency's smallest unit. Fields \
that are absent from an answer have their default, and fields that a client does not know may come with \
any version.

What is refused comes as a problem (RFC 9457) with a stable `code`; docs/errors.md says what to do about \
each. Unknown paths are answered with 404 `route.not_found`, methods that a path does not have with 405 \
`route.method_not_allowed`, and heads that are no sound HTTP with a bare 400 or 431.";

/// What the routes are about, in the order of a first reading.
const TAGS: [(&str, &str); 10] = [
    ("accounts", "People, their passwords and addresses. docs/accounts.md"),
    ("sessions", "Log-ins and their tokens. docs/accounts.md"),
    (
        "signing in elsewhere",
        "Providers of identities, and tokens of outer issuers. docs/accounts.md",
    ),
    ("API keys", "Keys of programs and devices. docs/accounts.md"),
    ("listings", "Things for sale"),
    ("chats", "What buyer and seller say to each other, without a socket. docs/protocol.md"),
    ("media", "Files of chats, photos of listings, pictures of people. docs/media.md"),
    ("socket", "The same, as it happens. docs/protocol.md"),
    ("staff", "For moderators and admins. docs/accounts.md"),
    ("documentation", "What you are reading"),
];

/// The document, as it is sent.
#[derive(Clone)]
pub struct Document(Fixed);

impl Document {
    /// The document of these routes.
    pub fn of(routes: OpenApi) -> Self {
        let document = complete::complete(routes);
        let mut text = serde_json::to_string_pretty(&document).expect("JSON is JSON");
        text.push('\n');
        Self(Fixed::new(Bytes::from(text), "application/json"))
    }

    /// Its text.
    pub fn text(&self) -> &[u8] {
        self.0.bytes()
    }
}

/// A document without routes.
pub fn empty() -> OpenApi {
    let license =
        LicenseBuilder::new().name("MIT or Apache-2.0").identifier(Some("MIT OR Apache-2.0"));
    let info = InfoBuilder::new()
        .title("Barterline")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(INTRODUCTION))
        .license(Some(license.build()));
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(
        "The `access_token` of a session (RFC 6750), or an API key with the scopes that an \
             operation names; one that names none is not for keys",
    ));
    let components = ComponentsBuilder::new()
        .schema_from::<ProblemBody<'_>>()
        .security_scheme("bearer", SecurityScheme::Http(bearer.build()));
    let tags =
        TAGS.map(|(name, what)| TagBuilder::new().name(name).description(Some(what)).build());
    OpenApiBuilder::new()
        .info(info.build())
        .components(Some(components.build()))
        .tags(Some(tags))
        .build()
}

#[cfg(test)]
mod tests;
