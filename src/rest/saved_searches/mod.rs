//! `/v1/saved-searches`: searches that the caller keeps.

pub mod change;
pub mod create;
pub mod list;
pub mod remove;

use axum::extract::Query;
use axum::http::Uri;
use barterline_domain::clock::Timestamp;
use barterline_domain::ids::SavedSearchId;
use barterline_storage::saved_searches::SavedSearch;
use serde::{Deserialize, Serialize};
use url::form_urlencoded::{self, Serializer};
use utoipa::ToSchema;

use crate::rest::listings::search::Search;
use crate::rest::problem::{Code, Problem};
use crate::services::saved_searches::Said;

/// What is asked for of one look alone.
const OF_ONE_LOOK: [&str; 3] = ["after", "facets", "limit"];

/// A search to be kept.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SavedSearchAsked)]
pub struct Request {
    /// What its owner calls it.
    #[schema(min_length = 1, max_length = 120, examples("City bikes"))]
    name: String,
    /// What stands behind the `?` of `GET /v1/listings`, without `after`, `facets` and `limit`; nothing: all that
    /// is for sale.
    #[schema(max_length = 2_048, examples("category=vehicles%2Fbicycles&text=city+bike"))]
    query: String,
}

/// A search that the caller keeps.
#[derive(Serialize, ToSchema)]
#[schema(as = SavedSearch)]
pub struct SavedSearchView {
    id: SavedSearchId,
    name: String,
    /// What stands behind the `?` of `GET /v1/listings`, its parameters ordered by name.
    query: String,
    created_at: Timestamp,
}

impl From<SavedSearch> for SavedSearchView {
    fn from(search: SavedSearch) -> Self {
        let SavedSearch { id, name, query, created } = search;
        Self { id, name, query, created_at: created }
    }
}

impl TryFrom<Request> for Said {
    type Error = Problem;

    fn try_from(request: Request) -> Result<Self, Problem> {
        let Request { name, query } = request;
        let query = ordered(&query)?;
        let unsound =
            |error: String| refuse(format!("`query` is none of `GET /v1/listings`: {error}"));
        let address = format!("/?{query}").parse::<Uri>();
        let address = address.map_err(|error| unsound(error.to_string()))?;
        let search = Query::<Search>::try_from_uri(&address);
        let Query(search) = search.map_err(|error| unsound(error.to_string()))?;
        Ok(Self { name, query, asked: search.asked()? })
    }
}

fn refuse(what: impl Into<String>) -> Problem {
    Problem::new(Code::SavedSearchInvalid, what)
}

/// The same query with its parameters ordered by name and written in one way: of two that are the same, one can
/// tell.
fn ordered(query: &str) -> Result<String, Problem> {
    let mut asked: Vec<_> = form_urlencoded::parse(query.as_bytes()).collect();
    if asked.iter().any(|(name, _)| OF_ONE_LOOK.contains(&name.as_ref())) {
        return Err(refuse("`after`, `facets` and `limit` are of one look: leave them out"));
    }
    asked.sort_unstable();
    Ok(Serializer::new(String::new()).extend_pairs(asked).finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_written_in_one_way() {
        let check = |query: &str, expected: &str| {
            assert_eq!(ordered(query).expect(query), expected);
            assert_eq!(ordered(expected).expect(expected), expected, "and stays so");
        };
        check("", "");
        check("text=a+b&category=c/d", "category=c%2Fd&text=a+b");
        check("&text=a%20b&&category=c%2fd", "category=c%2Fd&text=a+b");
        // What would be the end of an address is not the end of what is asked for.
        check("text=a#b", "text=a%23b");
        for wrong in ["after=x", "text=a&limit=5", "facets=false"] {
            ordered(wrong).expect_err(wrong);
        }
    }
}
