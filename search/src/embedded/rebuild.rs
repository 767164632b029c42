//! An index made anew beside the one that serves.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::OwnedSemaphorePermit;

use crate::engine::{Change, Position, Rebuild};
use crate::error::SearchError;

use super::deadline::Stopped;
use super::writer::Writer;
use super::{Live, Shared, blocking};

const WHAT: &str = "make the index anew";

/// See [`Rebuild`]. `None` after an error.
pub struct EmbeddedRebuild(Option<Draft>);

/// An index that does not count yet, and is removed when it is dropped.
struct Draft {
    shared: Arc<Shared>,
    /// `None` once it counts.
    writer: Option<Writer>,
    /// The disk may have it that this one counts: it stays, until the next start knows.
    may_count: bool,
    _only: OwnedSemaphorePermit,
}

impl EmbeddedRebuild {
    /// Begins with nothing.
    pub fn begin(shared: Arc<Shared>, only: OwnedSemaphorePermit) -> Result<Self, SearchError> {
        let fields = Arc::clone(&shared.fields);
        let generation =
            shared.home.create(fields).map_err(|error| Stopped::from(error).during(WHAT))?;
        let writer = Some(Writer::new(generation, shared.writer_bytes));
        Ok(Self(Some(Draft { shared, writer, may_count: false, _only: only })))
    }
}

#[async_trait]
impl Rebuild for EmbeddedRebuild {
    async fn apply(&mut self, changes: Vec<Change>) -> Result<(), SearchError> {
        let mut draft = self.0.take().ok_or(SearchError::Rebuilding)?;
        let added = blocking(WHAT, move || {
            draft.add(changes).map_err(|error| error.during(WHAT))?;
            Ok(draft)
        });
        self.0 = Some(added.await?);
        Ok(())
    }

    async fn finish(mut self: Box<Self>, position: Position) -> Result<(), SearchError> {
        let mut draft = self.0.take().ok_or(SearchError::Rebuilding)?;
        // So that nothing is on its way into the old index.
        let mut present = Arc::clone(&draft.shared.writer).lock_owned().await;
        blocking(WHAT, move || {
            draft.replace(&mut present, position).map_err(|error| error.during(WHAT))
        })
        .await
    }
}

impl Draft {
    fn add(&mut self, changes: Vec<Change>) -> Result<(), Stopped> {
        if let Some(writer) = &mut self.writer {
            writer.add(changes)?;
            writer.commit_if_much()?;
        }
        Ok(())
    }

    fn replace(&mut self, present: &mut Writer, position: Position) -> Result<(), Stopped> {
        let Some(writer) = &mut self.writer else { return Ok(()) };
        let searcher = writer.commit(&position)?;
        self.shared.home.draft_current(&writer.generation)?;
        self.may_count = true;
        self.shared.home.set_current()?;
        *self.shared.live.write() = Live { searcher, position: Some(position) };
        let Some(writer) = self.writer.take() else { return Ok(()) };
        let old = std::mem::replace(present, writer);
        let number = old.generation.number;
        drop(old);
        // Searches that are under way have its files open.
        self.shared.home.remove(number);
        Ok(())
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if let Some(writer) = self.writer.take() {
            let number = writer.generation.number;
            drop(writer);
            if !self.may_count {
                self.shared.home.remove(number);
            }
        }
    }
}
