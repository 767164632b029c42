//! An index that is made anew beside the one in use.

use std::sync::Arc;

use async_trait::async_trait;
use barterline_search::{Change, Position, Rebuild, SearchError};
use tokio::sync::OwnedSemaphorePermit;

use super::generation::{Generation, Live};
use super::http::HttpError;
use super::{Shared, failed};

const WHAT: &str = "make the index anew";

/// An index that nobody searches yet. One that is not finished is removed with the next change.
pub(super) struct OpenSearchRebuild {
    shared: Arc<Shared>,
    generation: Generation,
    is_done: bool,
    _only: OwnedSemaphorePermit,
}

impl OpenSearchRebuild {
    pub async fn begin(
        shared: Arc<Shared>,
        only: OwnedSemaphorePermit,
    ) -> Result<Self, SearchError> {
        match shared.indexes.abandoned(shared.clock.now()).await {
            Ok(abandoned) => shared.unfinished.lock().extend(abandoned),
            Err(error) => tracing::warn!(%error, "indexes that nobody finished are not found"),
        }
        shared.clear().await;
        let generation = Generation::new(&shared.indexes.alias, shared.ids.random());
        // From here on it is there, or may be.
        let rebuild = Self { shared, generation, is_done: false, _only: only };
        // Before all is read and written for nothing.
        rebuild.shared.indexes.ours().await.map_err(failed(WHAT))?;
        rebuild.shared.indexes.make(&rebuild.generation).await.map_err(failed(WHAT))?;
        Ok(rebuild)
    }

    async fn end(&mut self, position: Position) -> Result<(), HttpError> {
        let (indexes, generation) = (&self.shared.indexes, self.generation.clone());
        indexes.note(&generation, &position).await?;
        indexes.show(&generation).await?;
        let stats = indexes.measure(&generation).await;
        // None of this server's changes goes to the old one meanwhile.
        let _turn = self.shared.writes.lock().await;
        // It is in use from here on, unless that is refused: what nobody answers may be done all the same, and later.
        // An index that nobody uses after all goes when it is a day old.
        self.is_done = true;
        if let Err(error) = indexes.use_now(&generation).await {
            self.is_done = !error.is_refusal();
            return Err(error);
        }
        *self.shared.live.write() = Some(Live { generation, position, stats });
        Ok(())
    }
}

#[async_trait]
impl Rebuild for OpenSearchRebuild {
    async fn apply(&mut self, changes: Vec<Change>) -> Result<(), SearchError> {
        let written = self.shared.indexes.write(&self.generation, &changes).await;
        written.map_err(failed(WHAT))
    }

    async fn finish(mut self: Box<Self>, position: Position) -> Result<(), SearchError> {
        self.end(position).await.map_err(failed(WHAT))
    }
}

impl Drop for OpenSearchRebuild {
    fn drop(&mut self) {
        if !self.is_done {
            self.shared.unfinished.lock().push(self.generation.clone());
        }
    }
}
