//! Many pieces of work of one run at once, at most so many, begun in order.
//!
//! Owns the work that runs and the place up to which it was begun. Nothing is
//! spawned: all of it is polled by whoever asks for the next event, so dropping the
//! fan-out ends every call at once. It does not know what the work is for.

use std::collections::HashMap;
use std::pin::pin;

use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio::time::sleep_until;

use super::desk::Desk;
use super::event::{ProgressReport, Reset};
use super::kept_parts::PartKey;
use super::progress::Progress;
use super::work::{Work, WorkEvent};
use crate::domain::ModelId;
use crate::routing::{Fallback, FinishReason, RouteError};

/// What is to be done about one item.
pub(super) enum Assignment {
    /// There is nothing in it to work on.
    Nothing,
    /// Boxed, because most items wait for their turn.
    Ask { key: PartKey, work: Box<Work> },
}

/// What comes of the items, in the order in which it happens.
pub(super) enum ItemEvent {
    Started {
        model: Option<ModelId>,
    },
    Nothing,
    /// The answer was there from an earlier request.
    Kept(String),
    FellBack(Fallback),
    Text(String),
    Reset(Reset),
    Ended {
        model: ModelId,
        finish: FinishReason,
    },
    Failed(RouteError),
}

type Running = BoxFuture<'static, (usize, Box<Work>, WorkEvent)>;

/// The fan-out.
pub(super) struct FanOut {
    running: FuturesUnordered<Running>,
    next: usize,
    items: usize,
    max_parallel: usize,
    keys: HashMap<usize, PartKey>,
}

impl FanOut {
    /// Over so many items.
    pub(super) fn over(items: usize, max_parallel: usize) -> Self {
        Self { running: FuturesUnordered::new(), next: 0, items, max_parallel, keys: HashMap::new() }
    }

    /// The next event and the item it is about; `None` when every item has ended.
    ///
    /// Dropping the future at its await loses nothing.
    pub(super) async fn next(
        &mut self,
        desk: &Desk,
        assign: impl Fn(usize) -> Assignment,
    ) -> Option<(usize, ItemEvent)> {
        if self.next < self.items && self.running.len() < self.max_parallel {
            let index = self.next;
            self.next += 1;
            return Some((index, self.begin(index, assign(index), desk)));
        }
        let (index, work, event) = self.running.next().await?;
        let event = match event {
            WorkEvent::Ended { model, finish } => ItemEvent::Ended { model, finish },
            WorkEvent::Failed(error) => ItemEvent::Failed(error),
            WorkEvent::FellBack(fallback) => {
                self.go_on(index, work);
                ItemEvent::FellBack(fallback)
            }
            WorkEvent::Text { text, .. } => {
                self.go_on(index, work);
                ItemEvent::Text(text)
            }
            WorkEvent::Reset(reset) => {
                self.go_on(index, work);
                ItemEvent::Reset(reset)
            }
        };
        Some((index, event))
    }

    /// The name of what was asked about an item.
    pub(super) fn key(&self, index: usize) -> Option<PartKey> {
        self.keys.get(&index).copied()
    }

    fn begin(&mut self, index: usize, assignment: Assignment, desk: &Desk) -> ItemEvent {
        let Assignment::Ask { key, mut work } = assignment else { return ItemEvent::Nothing };
        self.keys.insert(index, key);
        if let Some(text) = desk.kept.take(key) {
            return ItemEvent::Kept(text.to_string());
        }
        let model = work.first_model();
        self.go_on(index, work);
        ItemEvent::Started { model }
    }

    fn go_on(&mut self, index: usize, mut work: Box<Work>) {
        self.running.push(Box::pin(async move {
            let event = work.next().await;
            (index, work, event)
        }));
    }
}

/// What comes first: the outcome of the work, or that it is time to tell the progress.
pub(super) enum Meanwhile<T> {
    Report(ProgressReport),
    Done(T),
}

/// Waits for `work`, which can be dropped and asked again, and tells progress meanwhile.
pub(super) async fn meanwhile<T>(progress: &mut Progress, work: impl Future<Output = T>) -> Meanwhile<T> {
    let mut work = pin!(work);
    loop {
        if let Some(report) = progress.report() {
            return Meanwhile::Report(report);
        }
        let Some(due) = progress.due() else { return Meanwhile::Done(work.await) };
        tokio::select! {
            biased;
            done = &mut work => return Meanwhile::Done(done),
            () = sleep_until(due) => {}
        }
    }
}
