//! Many pieces of work of one run at once, at most so many, begun in order.
//!
//! Owns the work that runs and the place up to which it was begun. Nothing is
//! spawned: all of it is polled by whoever asks for the next event, so dropping the
//! fan-out ends every call at once. It does not know what the work is for.

use std::collections::{HashMap, HashSet, VecDeque};
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
use crate::domain::{CallFailure, ModelId};
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
    /// Items that wait for their turn.
    waiting: VecDeque<usize>,
    max_parallel: usize,
    keys: HashMap<usize, PartKey>,
    /// Items of whose answer something has come.
    begun: HashSet<usize>,
}

impl FanOut {
    /// Over so many items.
    pub(super) fn over(items: usize, max_parallel: usize) -> Self {
        Self {
            running: FuturesUnordered::new(),
            waiting: (0..items).collect(),
            max_parallel,
            keys: HashMap::new(),
            begun: HashSet::new(),
        }
    }

    /// The next event and the item it is about; `None` when every item has ended.
    ///
    /// Dropping the future at its await loses nothing.
    pub(super) async fn next(
        &mut self,
        desk: &Desk,
        assign: impl Fn(usize) -> Assignment,
    ) -> Option<(usize, ItemEvent)> {
        let (index, work, event) = loop {
            if self.running.len() < self.max_parallel
                && let Some(index) = self.waiting.pop_front()
            {
                return Some((index, self.begin(index, assign(index), desk)));
            }
            let (index, work, event) = self.running.next().await?;
            match &event {
                WorkEvent::Failed(error) if self.has_to_wait(index, error) => self.waiting.push_front(index),
                _ => break (index, work, event),
            }
        };
        let event = match event {
            WorkEvent::Ended { model, finish } => ItemEvent::Ended { model, finish },
            WorkEvent::Failed(error) => ItemEvent::Failed(error),
            WorkEvent::FellBack(fallback) => {
                self.go_on(index, work);
                ItemEvent::FellBack(fallback)
            }
            WorkEvent::Text { text, .. } => {
                self.begun.insert(index);
                self.go_on(index, work);
                ItemEvent::Text(text)
            }
            WorkEvent::Reset(reset) => {
                self.begun.remove(&index);
                self.go_on(index, work);
                ItemEvent::Reset(reset)
            }
        };
        Some((index, event))
    }

    /// Whether an item found no place only because others of the same run have the places:
    /// then it takes its turn when one of them ends, and the run asks for fewer at once.
    fn has_to_wait(&mut self, index: usize, error: &RouteError) -> bool {
        let crowded = matches!(error.failure, CallFailure::Throttled | CallFailure::TargetBusy);
        let waits = crowded && !self.running.is_empty() && !self.begun.contains(&index);
        if waits {
            self.max_parallel = self.running.len();
        }
        waits
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

    fn go_on(&mut self, index: usize, work: Box<Work>) {
        self.running.push(Box::pin(async move {
            let mut work = work;
            let event = work.next().await;
            (index, work, event)
        }));
    }
}

/// One piece of work that can be asked for its next event again and again: dropping the
/// future of [`Self::next`] leaves its call under way.
pub(super) struct Solo(BoxFuture<'static, (Box<Work>, WorkEvent)>);

impl Solo {
    pub(super) fn new(work: Box<Work>) -> Self {
        Self(asked(work))
    }

    /// The next event; nothing comes after the end.
    pub(super) async fn next(&mut self) -> WorkEvent {
        let (work, event) = (&mut self.0).await;
        let ended = matches!(event, WorkEvent::Ended { .. } | WorkEvent::Failed(_));
        self.0 = if ended { Box::pin(std::future::pending()) } else { asked(work) };
        event
    }
}

fn asked(mut work: Box<Work>) -> BoxFuture<'static, (Box<Work>, WorkEvent)> {
    Box::pin(async move {
        let event = work.next().await;
        (work, event)
    })
}

/// What comes first: the outcome of the work, or that it is time to tell the progress.
pub(super) enum Meanwhile<T> {
    Report(ProgressReport),
    Done(T),
}

/// Waits for `work`, which has to be such that it can be dropped and asked again, and tells
/// progress meanwhile.
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
