//! Changes on their way into an index. Nothing is visible or durable before its commit, and an error
//! drops the writer with all that was not committed; the next attempt begins with another.

use data_encoding::BASE64URL_NOPAD;
use tantivy::indexer::{IndexWriterOptions, LogMergePolicy};
use tantivy::{Index, IndexWriter, Searcher};

use crate::engine::{Change, Position};

use super::generation::Generation;

/// Least memory of a writer, by tantivy.
pub const WRITER_BYTES_MIN: usize = 15_000_000;
/// Share of deleted listings from which on a segment is written again: each change deletes one.
const DELETED_SHARE_MAX: f32 = 0.3;

/// Segments of up to so many listings count as of one size.
const SMALL_SEGMENT: u32 = 500;
/// Changes of an index that does not count yet between two commits.
const PENDING_MAX: usize = 10_000;
/// Commits after which the engine forgets files that are gone.
const COMMITS_BETWEEN: usize = 100;

/// What writes an index: one thread, and one that merges segments.
pub struct Writer {
    pub generation: Generation,
    bytes: usize,
    open: Option<IndexWriter>,
    /// Changes that are not committed.
    pending: usize,
    commits: usize,
}

impl Writer {
    /// A writer with so much memory for what is not committed.
    pub fn new(generation: Generation, bytes: usize) -> Self {
        Self { generation, bytes: bytes.max(WRITER_BYTES_MIN), open: None, pending: 0, commits: 0 }
    }

    /// Takes changes in, in their order.
    pub fn add(&mut self, changes: Vec<Change>) -> tantivy::Result<()> {
        let writer = self.take()?;
        self.pending += changes.len();
        for change in changes {
            let fields = &self.generation.fields;
            match change {
                Change::Put(listing) => {
                    writer.delete_term(fields.id(&listing.id));
                    writer.add_document(fields.document(&listing))?;
                }
                Change::Remove(listing) => {
                    writer.delete_term(fields.id(&listing));
                }
            }
        }
        self.open = Some(writer);
        Ok(())
    }

    /// Commits what was taken in, without a position, if it is much: until then the engine keeps every deletion
    /// in memory. For an index that does not count yet.
    pub fn commit_if_much(&mut self) -> tantivy::Result<()> {
        if self.pending < PENDING_MAX {
            return Ok(());
        }
        let mut writer = self.take()?;
        writer.commit()?;
        self.open = Some(writer);
        self.pending = 0;
        Ok(())
    }

    /// Makes all that was taken in durable, with its position; returns what finds it.
    pub fn commit(&mut self, position: &Position) -> tantivy::Result<Searcher> {
        let mut writer = self.take()?;
        let mut commit = writer.prepare_commit()?;
        commit.set_payload(&BASE64URL_NOPAD.encode(&position.0));
        commit.commit()?;
        self.open = Some(writer);
        self.pending = 0;
        self.commits += 1;
        if self.commits.is_multiple_of(COMMITS_BETWEEN) {
            // The engine keeps the name of every file that it ever opened, until somebody asks.
            let _ = self.generation.files.get_cache_info();
        }
        self.generation.reader.reload()?;
        Ok(self.generation.reader.searcher())
    }

    fn take(&mut self) -> tantivy::Result<IndexWriter> {
        if let Some(open) = self.open.take() {
            return Ok(open);
        }
        let options = IndexWriterOptions::builder()
            .memory_budget_per_thread(self.bytes)
            .num_worker_threads(1)
            .num_merge_threads(1)
            .build();
        let writer = self.generation.index.writer_with_options(options)?;
        // Eight segments of a size become one, so that there are some dozens at most.
        let mut merges = LogMergePolicy::default();
        merges.set_del_docs_ratio_before_merge(DELETED_SHARE_MAX);
        // Else every few edits would write thousands of listings again.
        merges.set_min_layer_size(SMALL_SEGMENT);
        writer.set_merge_policy(Box::new(merges));
        Ok(writer)
    }
}

/// The position of the last commit; `None`: there was none.
pub fn position(index: &Index) -> tantivy::Result<Option<Position>> {
    let payload = index.load_metas()?.payload;
    let bytes = payload.and_then(|payload| BASE64URL_NOPAD.decode(payload.as_bytes()).ok());
    Ok(bytes.map(Position))
}
