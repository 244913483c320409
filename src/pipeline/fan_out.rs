//! Many pieces of work of one run at once, at most so many, begun in order.
//!
//! Owns the work that runs and the place up to which it was begun. Nothing is
//! spawned: all of it is polled by whoever asks for the next event, so dropping the
//! fan-out ends every call at once. It does not know what the work is for.

use std::collections::{HashMap, HashSet, VecDeque};
use std::pin::pin;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio::time::{Instant, sleep_until};

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

/// How long a run pauses whose every call is throttled, unless the provider says more.
const USUAL_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// Then it ends as any request does that finds no capacity.
const MOST_PAUSES: u32 = 10;

type Running = BoxFuture<'static, (usize, Box<Work>, WorkEvent)>;

/// The fan-out.
pub(super) struct FanOut {
    running: FuturesUnordered<Running>,
    /// Items that wait for their turn.
    waiting: VecDeque<usize>,
    /// How many may run at once by now: fewer while they are throttled.
    parallel: usize,
    max_parallel: usize,
    /// When the next may begin, where all were throttled.
    paused_until: Option<Instant>,
    pauses: u32,
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
            parallel: max_parallel,
            max_parallel,
            paused_until: None,
            pauses: 0,
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
            if let Some(end) = self.paused_until {
                sleep_until(end).await;
                self.paused_until = None;
            }
            if self.running.len() < self.parallel
                && let Some(index) = self.waiting.pop_front()
            {
                return Some((index, self.begin(index, assign(index), desk)));
            }
            let (index, work, event) = self.running.next().await?;
            match &event {
                WorkEvent::Failed(error) if self.has_to_wait(index, error, desk) => {
                    self.waiting.push_front(index);
                }
                _ => break (index, work, event),
            }
        };
        let event = match event {
            WorkEvent::Ended { model, finish } => {
                self.parallel = (self.parallel + 1).min(self.max_parallel);
                ItemEvent::Ended { model, finish }
            }
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

    /// Whether an item that found no place takes its turn later. While others of the run have
    /// the places, it does when one of them ends, and the run asks for fewer at once. When
    /// the run alone is too much, it pauses as long as it is asked to, a few times.
    fn has_to_wait(&mut self, index: usize, error: &RouteError, desk: &Desk) -> bool {
        let crowded = matches!(error.failure, CallFailure::Throttled | CallFailure::TargetBusy);
        if !crowded || self.begun.contains(&index) {
            return false;
        }
        self.parallel = self.running.len().max(1);
        if !self.running.is_empty() {
            return true;
        }
        let pause = error.retry_after.unwrap_or(USUAL_PAUSE).clamp(USUAL_PAUSE, LONGEST_PAUSE);
        let worth_it = self.pauses < MOST_PAUSES && pause * 2 < desk.deadline.time_left();
        if worth_it {
            self.pauses += 1;
            self.paused_until = Some(Instant::now() + pause);
        }
        worth_it
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
