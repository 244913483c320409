//! How far the work on a document in parts has come, told at a bearable pace.
//!
//! Owns the bound of four messages a second and the changes that wait for the next
//! one. No change is lost: a message holds all since the one before it. The rule it
//! protects: within a stage `done` never goes back.

use std::time::Duration;

use tokio::time::Instant;

use super::event::{ChunkChange, ChunkState, ProgressReport, Stage};
use crate::domain::ModelId;

/// The shortest time between two messages.
const PACE: Duration = Duration::from_millis(250);

/// The most changes in one message, so that any reader of events can hold it.
const MOST_CHANGES: usize = 200;

/// The progress of a run.
pub(super) struct Progress {
    stage: Stage,
    level: Option<u32>,
    done: u32,
    total: u32,
    changes: Vec<ChunkChange>,
    last_told: Option<Instant>,
    /// Whether something has changed since the last message.
    news: bool,
}

impl Progress {
    /// The document has been split into so many parts.
    pub(super) fn of_split(parts: u32) -> Self {
        Self {
            stage: Stage::Split,
            level: None,
            done: parts,
            total: parts,
            changes: Vec::new(),
            last_told: None,
            news: true,
        }
    }

    /// Another stage begins. What was not told of the one before is told with this one's
    /// first message, save its counts.
    pub(super) fn enter(&mut self, stage: Stage, level: Option<u32>, total: u32) {
        (self.stage, self.level, self.done, self.total) = (stage, level, 0, total);
        self.news = true;
    }

    /// The same for a stage that may have begun already.
    pub(super) fn enter_once(&mut self, stage: Stage, total: usize) {
        if self.stage != stage {
            self.enter(stage, None, u32::try_from(total).unwrap_or(u32::MAX));
        }
    }

    /// Something has happened to a part.
    pub(super) fn changed(&mut self, index: usize, state: ChunkState, model: Option<&ModelId>) {
        let index = u32::try_from(index).unwrap_or(u32::MAX);
        self.changes.push(ChunkChange { index, state, model: model.cloned() });
        self.news = true;
    }

    /// One more of the stage is done, well or not.
    pub(super) fn one_done(&mut self) {
        self.done = (self.done + 1).min(self.total);
        self.news = true;
    }

    /// When the next message may leave, if there is something to tell.
    pub(super) fn due(&self) -> Option<Instant> {
        let now = Instant::now();
        self.news.then(|| self.last_told.map_or(now, |last| (last + PACE).max(now)))
    }

    /// The last message of the work, which waits for nothing.
    pub(super) fn last_report(&mut self) -> Option<ProgressReport> {
        self.last_told = None;
        self.report()
    }

    /// The message, if one may leave now.
    pub(super) fn report(&mut self) -> Option<ProgressReport> {
        let due = self.due()?;
        if due > Instant::now() {
            return None;
        }
        let told = self.changes.len().min(MOST_CHANGES);
        let changes = self.changes.drain(..told).collect();
        self.news = !self.changes.is_empty();
        self.last_told = Some(Instant::now());
        Some(ProgressReport {
            stage: self.stage,
            level: self.level,
            done: self.done,
            total: self.total,
            changes,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Progress;
    use crate::pipeline::event::{ChunkState, Stage};
    use std::time::Duration;
    use tokio::time::{Instant, advance};

    #[tokio::test(start_paused = true)]
    async fn four_messages_a_second_tell_every_change() {
        let mut progress = Progress::of_split(100);
        let split = progress.report().unwrap();
        assert_eq!((split.stage, split.done, split.total), (Stage::Split, 100, 100));
        progress.enter(Stage::Map, None, 100);
        let (mut reports, began) = (Vec::new(), Instant::now());
        for index in 0..100 {
            progress.changed(index, ChunkState::Completed, None);
            progress.one_done();
            reports.extend(progress.report());
            advance(Duration::from_millis(20)).await;
        }
        advance(progress.due().map_or(Duration::ZERO, |due| due - Instant::now())).await;
        reports.extend(progress.report());
        let most = began.elapsed().as_millis() / 250 + 1;
        assert!(reports.len() as u128 <= most, "{} of {most}", reports.len());
        assert_eq!(reports.iter().map(|report| report.changes.len()).sum::<usize>(), 100);
        assert!(reports.windows(2).all(|pair| pair[0].done <= pair[1].done));
        assert_eq!(reports.last().unwrap().done, 100);
        assert_eq!(progress.due(), None);
    }
}
