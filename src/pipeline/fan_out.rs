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
use tokio::time::{Instant, sleep_until};

use super::desk::Desk;
use super::event::{ProgressReport, Reset};
use super::kept_parts::PartKey;
use super::patience::{Patience, is_crowded};
use super::progress::Progress;
use super::work::{Call, Work, WorkEvent};
use crate::domain::ModelId;
use crate::routing::{Fallback, FinishReason, RouteError};

/// What is to be done about one item.
pub(super) enum Assignment {
    /// There is nothing in it to work on.
    Nothing,
    /// Boxed, because most items wait for their turn. Without a `key`, what it gives is
    /// neither looked for nor kept.
    Ask { key: Option<PartKey>, work: Box<Work> },
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
    /// How many may run at once by now: fewer while they are throttled.
    parallel: usize,
    max_parallel: usize,
    /// When the next may begin, where all were throttled.
    paused_until: Option<Instant>,
    patience: Patience,
    keys: HashMap<usize, Option<PartKey>>,
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
            patience: Patience::default(),
            keys: HashMap::new(),
            begun: HashSet::new(),
        }
    }

    /// The next event and the item it is about; `None` when every item has ended.
    ///
    /// `is_told` says of which items so much has left that they cannot start over. Dropping
    /// the future at its await loses nothing.
    pub(super) async fn next(
        &mut self,
        desk: &Desk,
        assign: impl Fn(usize) -> Assignment,
        is_told: impl Fn(usize) -> bool,
    ) -> Option<(usize, ItemEvent)> {
        let (index, work, event) = loop {
            if let Some(end) = self.paused_until {
                sleep_until(end).await;
                self.paused_until = None;
            }
            if self.running.len() < self.parallel
                && let Some(index) = self.waiting.pop_front()
            {
                match self.begin(index, assign(index), desk) {
                    Some(event) => return Some((index, event)),
                    // Its turn has come again, which is no news.
                    None => continue,
                }
            }
            let (index, work, event) = self.running.next().await?;
            match &event {
                WorkEvent::Failed(error) if !is_told(index) && self.has_to_wait(error, desk) => {
                    self.waiting.push_front(index);
                    if self.begun.remove(&index) {
                        let reset = Reset { reason: error.failure, discarded_chars: 0 };
                        return Some((index, ItemEvent::Reset(reset)));
                    }
                }
                _ => break (index, work, event),
            }
        };
        let event = match event {
            WorkEvent::Ended { model, finish } => {
                self.parallel = (self.parallel + 1).min(self.max_parallel);
                self.patience.answered();
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
    /// the run alone is too much, it pauses.
    fn has_to_wait(&mut self, error: &RouteError, desk: &Desk) -> bool {
        if !is_crowded(error) {
            return false;
        }
        self.parallel = self.running.len().max(1);
        if !self.running.is_empty() {
            return true;
        }
        let pause = self.patience.pause(error, desk.deadline);
        self.paused_until = pause.map(|pause| Instant::now() + pause);
        pause.is_some()
    }

    /// The name of what was asked about an item.
    pub(super) fn key(&self, index: usize) -> Option<PartKey> {
        self.keys.get(&index).copied().flatten()
    }

    /// Lets an item that has ended take another turn.
    pub(super) fn again(&mut self, index: usize) {
        self.begun.remove(&index);
        self.waiting.push_back(index);
    }

    /// Begins an item; `None` when that was told before.
    fn begin(&mut self, index: usize, assignment: Assignment, desk: &Desk) -> Option<ItemEvent> {
        let Assignment::Ask { key, mut work } = assignment else { return Some(ItemEvent::Nothing) };
        let is_news = self.keys.insert(index, key).is_none();
        if let Some(text) = key.and_then(|key| desk.kept.take(key)) {
            return Some(ItemEvent::Kept(text.to_string()));
        }
        let model = work.first_model();
        self.go_on(index, work);
        is_news.then_some(ItemEvent::Started { model })
    }

    fn go_on(&mut self, index: usize, work: Box<Work>) {
        self.running.push(Box::pin(async move {
            let mut work = work;
            let event = work.next().await;
            (index, work, event)
        }));
    }
}

/// One call of a run that has no others beside it. It can be asked for its next event again
/// and again: dropping the future of [`Self::next`] leaves the call under way.
pub(super) struct Solo {
    running: BoxFuture<'static, (Box<Work>, WorkEvent)>,
    call: Call,
    make: fn(&Desk, Call) -> Work,
    /// Whether what was told of it can be taken back.
    may_start_over: bool,
    /// Told since it began.
    chars: usize,
    paused_until: Option<Instant>,
    patience: Patience,
}

impl Solo {
    /// The call, made into work by `make`. Also comes back with the model that is asked first.
    pub(super) fn new(
        desk: &Desk,
        call: Call,
        make: fn(&Desk, Call) -> Work,
        may_start_over: bool,
    ) -> (Self, Option<ModelId>) {
        let mut work = Box::new(make(desk, call.clone()));
        let model = work.first_model();
        let solo = Self {
            running: asked(work),
            call,
            make,
            may_start_over,
            chars: 0,
            paused_until: None,
            patience: Patience::default(),
        };
        (solo, model)
    }

    /// The next event; nothing comes after the end. A call that finds no place is made
    /// again after a pause.
    pub(super) async fn next(&mut self, desk: &Desk) -> WorkEvent {
        loop {
            if let Some(end) = self.paused_until {
                sleep_until(end).await;
                self.paused_until = None;
                self.running = asked(Box::new((self.make)(desk, self.call.clone())));
            }
            let (work, event) = (&mut self.running).await;
            match &event {
                WorkEvent::Ended { .. } => self.running = Box::pin(std::future::pending()),
                WorkEvent::Failed(error) => {
                    self.running = Box::pin(std::future::pending());
                    let can_wait = self.chars == 0 || self.may_start_over;
                    let pause = can_wait.then(|| self.patience.pause(error, desk.deadline)).flatten();
                    if let Some(pause) = pause {
                        self.paused_until = Some(Instant::now() + pause);
                        let discarded_chars = std::mem::take(&mut self.chars);
                        if discarded_chars == 0 {
                            continue;
                        }
                        return WorkEvent::Reset(Reset { reason: error.failure, discarded_chars });
                    }
                }
                WorkEvent::Text { text, .. } => {
                    self.chars += text.chars().count();
                    self.running = asked(work);
                }
                WorkEvent::Reset(_) => {
                    self.chars = 0;
                    self.running = asked(work);
                }
                WorkEvent::FellBack(_) => self.running = asked(work),
            }
            return event;
        }
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
