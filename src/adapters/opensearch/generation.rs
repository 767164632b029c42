//! The indexes of an OpenSearch, one behind another: searches go to an alias, which is moved when an index
//! was made anew.
//!
//! Several servers write into the one that is in use. Each writes through a second alias that goes with that
//! index, its gate: once the index is gone, so is the gate, and who still writes there is refused, and looks
//! again. (Else what is written to a name makes an index of that name.)

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use barterline_domain::clock::Timestamp;
use barterline_domain::ids::ListingId;
use barterline_search::opensearch::{POSITION_ID, Translator, Versions, refused};
use barterline_search::{Change, Position, Stats};
use serde::Deserialize;
use serde_json::{Value, json};

use super::http::{Http, HttpError, read};

/// For a question about an index, and for making, moving or removing one.
const ASK_TIMEOUT: Duration = Duration::from_secs(20);
/// For lines that are written, and for having them found.
const WRITE_TIMEOUT: Duration = Duration::from_mins(1);
/// Bytes that are written at a time. The index takes 100 MB.
const WRITE_BYTES: usize = 4 << 20;
/// How often an alias is moved that others move meanwhile.
const MOVES_MAX: usize = 3;
/// From what age on an index that was never finished is nobody's.
const ABANDONED_AFTER: Duration = Duration::from_hours(24);

/// The indexes of one store.
pub(super) struct Indexes {
    pub http: Http,
    pub translator: Translator,
    /// What searches go to.
    pub alias: String,
}

/// An index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Generation(String);

/// What is there.
#[derive(Debug, Clone)]
pub(super) struct Live {
    pub generation: Generation,
    pub position: Position,
    pub stats: Stats,
}

/// A document as it is answered.
#[derive(Deserialize)]
struct Document {
    #[serde(rename = "_source")]
    source: Option<Value>,
}

#[derive(Deserialize)]
struct Mapped {
    mappings: Mappings,
}

#[derive(Deserialize)]
struct Mappings {
    #[serde(rename = "_meta", default)]
    meta: Value,
}

#[derive(Deserialize)]
struct Measured {
    #[serde(rename = "_all")]
    all: All,
}

#[derive(Deserialize)]
struct All {
    primaries: Primaries,
}

#[derive(Deserialize)]
struct Primaries {
    docs: Docs,
    store: Store,
    segments: Segments,
}

#[derive(Deserialize)]
struct Docs {
    count: u64,
}

#[derive(Deserialize)]
struct Store {
    size_in_bytes: u64,
}

#[derive(Deserialize)]
struct Segments {
    count: usize,
}

impl Generation {
    /// A new one.
    pub fn new(alias: &str, random: [u8; 16]) -> Self {
        Self(format!("{alias}-{:016x}", u128::from_be_bytes(random) >> 64))
    }

    /// Through which it is written.
    fn gate(&self) -> String {
        format!("{}-gate", self.0)
    }

    /// Whether an index is one of an alias, by its name.
    fn is_of(alias: &str, index: &str) -> bool {
        let rest = index.strip_prefix(alias).and_then(|rest| rest.strip_prefix('-'));
        rest.is_some_and(|rest| rest.len() == 16 && rest.bytes().all(|c| c.is_ascii_hexdigit()))
    }
}

impl Indexes {
    /// The index in use; `None`: there is none, or one that another version or other languages made.
    pub async fn look(&self) -> Result<Option<Live>, HttpError> {
        let used = self.used().await?;
        let [index] = used.as_slice() else { return Ok(None) };
        let generation = Generation(index.clone());
        let Some(body) = self.http.get(&format!("{index}/_mapping"), ASK_TIMEOUT).await?.found()?
        else {
            return Ok(None);
        };
        let mapped: HashMap<String, Mapped> = read(&body)?;
        let is_ours =
            mapped.get(index).is_some_and(|it| self.translator.is_ours(&it.mappings.meta));
        if !is_ours {
            return Ok(None);
        }
        let path = format!("{index}/_doc/{POSITION_ID}");
        let Some(body) = self.http.get(&path, ASK_TIMEOUT).await?.found()? else {
            return Ok(None);
        };
        let Document { source } = read(&body)?;
        let Some(position) = source.as_ref().and_then(Translator::read_position) else {
            return Ok(None);
        };
        let stats = self.measure(&generation).await;
        Ok(Some(Live { generation, position, stats }))
    }

    /// The indexes that searches go to: one, if all is well.
    async fn used(&self) -> Result<Vec<String>, HttpError> {
        let answer = self.http.get(&format!("_alias/{}", self.alias), ASK_TIMEOUT).await?;
        let Some(body) = answer.found()? else { return Ok(Vec::new()) };
        let named: BTreeMap<String, Value> = read(&body)?;
        Ok(named.into_keys().collect())
    }

    /// How large an index is; nothing where that is not told.
    pub async fn measure(&self, generation: &Generation) -> Stats {
        self.measured(generation).await.unwrap_or_else(|error| {
            tracing::debug!(%error, "it is not told how large the search index is");
            Stats { documents: 0, bytes: 0, segments: 0 }
        })
    }

    async fn measured(&self, generation: &Generation) -> Result<Stats, HttpError> {
        let path = format!("{}/_stats/docs,store,segments", generation.gate());
        let body = self.http.get(&path, ASK_TIMEOUT).await?.sound()?;
        let Measured { all: All { primaries: Primaries { docs, store, segments } } } = read(&body)?;
        Ok(Stats {
            // One of them is the position.
            documents: docs.count.saturating_sub(1),
            bytes: store.size_in_bytes,
            segments: segments.count,
        })
    }

    /// Makes an empty index that nobody searches.
    pub async fn make(&self, generation: &Generation) -> Result<(), HttpError> {
        let body = self.translator.index(&generation.gate());
        self.http.put(&generation.0, &body, ASK_TIMEOUT).await?.sound().map(drop)
    }

    /// Writes changes, which are found after [`Self::show`]. Of several of one listing the last counts.
    pub async fn write(
        &self,
        generation: &Generation,
        changes: &[Change],
    ) -> Result<(), HttpError> {
        let mut last: BTreeMap<ListingId, Option<String>> = BTreeMap::new();
        for change in changes {
            match change {
                Change::Put(listing) => {
                    last.insert(listing.id, Some(self.translator.put(listing)));
                }
                Change::Remove(listing) => {
                    last.insert(*listing, None);
                }
            }
        }
        let removed = last.iter().filter(|(_, put)| put.is_none());
        let removed: Vec<_> = removed.map(|(listing, _)| *listing).collect();
        let mut lines: Vec<String> = last.into_values().flatten().collect();
        for (listing, version) in self.versions(generation, &removed).await? {
            lines.push(Translator::remove(listing, version));
        }
        let (mut batch, mut count) = (String::new(), 0);
        for line in lines {
            if !batch.is_empty() && batch.len() + line.len() > WRITE_BYTES {
                self.write_lines(generation, std::mem::take(&mut batch), count).await?;
                count = 0;
            }
            batch.push_str(&line);
            count += 1;
        }
        if count > 0 { self.write_lines(generation, batch, count).await } else { Ok(()) }
    }

    async fn write_lines(
        &self,
        generation: &Generation,
        lines: String,
        count: usize,
    ) -> Result<(), HttpError> {
        let path = format!(
            "{}/_bulk?require_alias=true\
             &filter_path=errors,items.*._id,items.*.status,items.*.error.type",
            generation.gate()
        );
        let body = self.http.post_lines(&path, lines, WRITE_TIMEOUT).await?.sound()?;
        refused(&body, count)?.map_or(Ok(()), |refused| Err(HttpError::Refused(refused)))
    }

    /// Which versions of listings there are.
    async fn versions(
        &self,
        generation: &Generation,
        listings: &[ListingId],
    ) -> Result<Vec<(ListingId, u64)>, HttpError> {
        if listings.is_empty() {
            return Ok(Vec::new());
        }
        let ids: Vec<_> = listings.iter().map(ToString::to_string).collect();
        let path = format!("{}/_mget?_source=false", generation.gate());
        let body = self.http.post(&path, &json!({"ids": ids}), ASK_TIMEOUT).await?.sound()?;
        Ok(Versions::read(&body)?)
    }

    /// Has what was written found.
    pub async fn show(&self, generation: &Generation) -> Result<(), HttpError> {
        let path = format!("{}/_refresh", generation.gate());
        self.http.have(&path, WRITE_TIMEOUT).await?.sound().map(drop)
    }

    /// Notes how far the feed was read. Any server may write it: all before it is in the index, and what
    /// comes behind may be written again.
    pub async fn note(
        &self,
        generation: &Generation,
        position: &Position,
    ) -> Result<(), HttpError> {
        let path = format!("{}/_doc/{POSITION_ID}?require_alias=true", generation.gate());
        let body = Translator::position(position);
        self.http.put(&path, &body, ASK_TIMEOUT).await?.sound().map(drop)
    }

    /// Has searches go to an index, and removes the one that they went to, at once.
    pub async fn use_now(&self, generation: &Generation) -> Result<(), HttpError> {
        let mut moved = Err(HttpError::NoIndex);
        for _ in 0..MOVES_MAX {
            let used = self.ours().await?;
            let gone = used.iter().map(|index| json!({"remove_index": {"index": index}}));
            // An alias has one index at most that is written to by it. Nobody does, but of two servers one is refused.
            let add = json!({"index": generation.0, "alias": self.alias, "is_write_index": true});
            let actions: Vec<_> = gone.chain([json!({"add": add})]).collect();
            let body = json!({"actions": actions});
            moved = self.http.post("_aliases", &body, ASK_TIMEOUT).await?.sound().map(drop);
            let was_slower = match &moved {
                // The one that is to go is gone, or another is there that was not.
                Err(HttpError::Status { status, kind }) => {
                    *status == 404 || kind == "illegal_state_exception"
                }
                _ => false,
            };
            if !was_slower {
                break;
            }
        }
        moved
    }

    /// The indexes that searches go to, all of them made by servers: what others keep behind a name like this stays.
    pub async fn ours(&self) -> Result<Vec<String>, HttpError> {
        let used = self.used().await?;
        match used.iter().find(|index| !Generation::is_of(&self.alias, index)) {
            Some(other) => Err(HttpError::Refused(format!(
                "to be written to: {other} is behind {}, and not made by a server",
                self.alias
            ))),
            None => Ok(used),
        }
    }

    /// Removes an index, if it is there.
    pub async fn remove(&self, generation: &Generation) -> Result<(), HttpError> {
        self.http.delete(&generation.0, ASK_TIMEOUT).await?.found().map(drop)
    }

    /// Indexes that nobody finished: of servers that ended meanwhile.
    pub async fn abandoned(&self, now: Timestamp) -> Result<Vec<Generation>, HttpError> {
        let path = format!("{}-*/_settings/index.creation_date", self.alias);
        let Some(body) = self.http.get(&path, ASK_TIMEOUT).await?.found()? else {
            return Ok(Vec::new());
        };
        let all: BTreeMap<String, Value> = read(&body)?;
        let used = self.used().await?;
        let is_old = |settings: &Value| {
            let at = settings.pointer("/settings/index/creation_date").and_then(Value::as_str);
            let at = at.and_then(|millis| millis.parse().ok()).map(Timestamp::from_millis);
            at.is_some_and(|at| now.since(at) >= ABANDONED_AFTER)
        };
        let old = all.into_iter().filter(|(index, settings)| {
            Generation::is_of(&self.alias, index) && !used.contains(index) && is_old(settings)
        });
        Ok(old.map(|(index, _)| Generation(index)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_indexes_are_not_ours() {
        let new = Generation::new("shop", [7; 16]);
        assert!(Generation::is_of("shop", &new.0), "{new:?}");
        for other in ["shop", "shop-", "shop-logs", "shop-two-0707070707070707", &new.gate()] {
            assert!(!Generation::is_of("shop", other), "{other}");
        }
    }
}
