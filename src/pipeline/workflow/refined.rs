//! Parts one after the other, each with the summary of those before it.
//!
//! The last part makes the answer. It takes as long as all parts together, which is
//! the price of a summary that was written by one hand. The rule it protects: what a
//! part adds is brought in before the next part is read.

use std::collections::VecDeque;

use super::{Step, cut_short, failed_in, fell_back, gap, goes_on_without, place_of, worse};
use crate::domain::{Boundary, OutputSize, Passage, Prompt};
use crate::pipeline::desk::Desk;
use crate::pipeline::event::{
    ChunkCounts, ChunkState, Event, OnFailover, Partial, Stage, Warning, WarningCode,
};
use crate::pipeline::fan_out::{Meanwhile, Solo, meanwhile};
use crate::pipeline::kept_parts::{KeptPart, PartKey};
use crate::pipeline::progress::Progress;
use crate::pipeline::work::{Restart, WorkEvent};
use crate::routing::{FinishReason, Mode, RouteError};
use crate::tasks::{Part, Summarize};
use crate::telemetry::{CallStage, ChunkStatus};

/// The work on a document that is gone through from its begin to its end.
pub(in crate::pipeline) struct RefinedRun {
    task: Summarize,
    parts: Vec<Part>,
    /// The part that is read next or now.
    at: usize,
    so_far: String,
    now: Option<Now>,
    /// Whether the call that runs makes the answer.
    answering: bool,
    /// Whether some of the answer was told.
    has_told: bool,
    progress: Progress,
    missing: Vec<u32>,
    /// The worst of all calls.
    finish: FinishReason,
    steps: VecDeque<Step>,
    kept: Vec<KeptPart>,
}

struct Now {
    work: Solo,
    key: PartKey,
    text: String,
}

impl RefinedRun {
    pub(super) fn new(task: Summarize, parts: Vec<Part>) -> Self {
        let progress = Progress::of_split(u32::try_from(parts.len()).unwrap_or(u32::MAX));
        Self {
            task,
            parts,
            at: 0,
            so_far: String::new(),
            now: None,
            answering: false,
            has_told: false,
            progress,
            missing: Vec::new(),
            finish: FinishReason::Stop,
            steps: VecDeque::new(),
            kept: Vec::new(),
        }
    }

    pub(super) fn into_kept(self) -> Vec<KeptPart> {
        self.kept
    }

    pub(super) async fn next(&mut self, desk: &Desk) -> Step {
        loop {
            if let Some(step) = self.steps.pop_front() {
                return step;
            }
            if self.now.is_none() {
                // What the stage before has to tell is told before the next one begins.
                if let Some(report) = self.progress.report() {
                    return Step::Tell(Event::Progress(report));
                }
                self.begin(desk);
            }
            let Some(now) = &mut self.now else { continue };
            match meanwhile(&mut self.progress, now.work.next(desk)).await {
                Meanwhile::Report(report) => return Step::Tell(Event::Progress(report)),
                Meanwhile::Done(event) => self.took(event, desk),
            }
        }
    }

    /// Begins the next call, or takes what an earlier request has left.
    fn begin(&mut self, desk: &Desk) {
        self.progress.enter_once(Stage::Map, self.parts.len());
        while self.parts.get(self.at).is_some_and(|part| part.text.trim().is_empty()) {
            self.progress.one_done();
            self.at += 1;
        }
        let last = self.at + 1 >= self.parts.len();
        if last {
            self.answering = true;
            self.progress.enter_once(Stage::Final, 1);
        }
        let (write, output) = self.call();
        let key = desk.key(&write(self, &Boundary::fixed("")), output);
        if !self.answering
            && let Some(text) = desk.kept.take(key)
        {
            desk.count(ChunkStatus::Cached);
            self.progress.changed(self.at, ChunkState::Cached, None);
            self.kept.push(KeptPart { key, text: text.clone() });
            self.refined(text.to_string(), desk);
            return;
        }
        let call = desk.call(write(self, &desk.fences.boundary()), output);
        let (work, model) = if self.answering {
            let may_start_over = desk.manners.on_failover == OnFailover::Restart;
            Solo::new(desk, call, |desk, call| desk.answer(call, CallStage::Final), may_start_over)
        } else {
            let part = |desk: &Desk, call| desk.work(call, Mode::Whole, CallStage::Map, Restart::Always);
            Solo::new(desk, call, part, true)
        };
        if self.at < self.parts.len() {
            self.progress.changed(self.at, ChunkState::Started, model.as_ref());
        }
        self.now = Some(Now { work, key, text: String::new() });
    }

    /// How the prompt of the next call is written. Where the last part had to be left out,
    /// the answer is made of what the parts before it gave.
    fn call(&self) -> (fn(&Self, &Boundary) -> Prompt, OutputSize) {
        match self.parts.get(self.at) {
            Some(part) => (
                |run, boundary| run.task.refine_prompt(&run.parts[run.at], &run.so_far, boundary),
                self.task.refine_size(part),
            ),
            None => (
                |run, boundary| run.task.merge_prompt(Passage::from(run.so_far.as_str()), true, boundary),
                self.task.merge_size(self.parts.last().map_or(0, |part| part.document_tokens), true),
            ),
        }
    }

    fn took(&mut self, event: WorkEvent, desk: &Desk) {
        let stage = if self.answering { Stage::Final } else { Stage::Map };
        match event {
            WorkEvent::FellBack(fallback) => {
                let chunk = Some(self.at).filter(|at| *at < self.parts.len());
                self.steps.push_back(Step::Tell(fell_back(fallback, stage, chunk)));
            }
            WorkEvent::Text { text, whole } if self.answering => {
                self.has_told = true;
                self.steps.push_back(Step::Text { text, whole });
            }
            WorkEvent::Text { text, .. } => {
                if let Some(now) = &mut self.now {
                    now.text.push_str(&text);
                }
            }
            WorkEvent::Reset(reset) if self.answering => {
                self.has_told = false;
                self.steps.push_back(Step::Tell(Event::Reset(reset)));
            }
            WorkEvent::Reset(_) => {
                if let Some(now) = &mut self.now {
                    now.text.clear();
                }
            }
            WorkEvent::Ended { model, finish } => {
                let Some(Now { key, text, .. }) = self.now.take() else { return };
                if self.at < self.parts.len() {
                    desk.count(ChunkStatus::Completed);
                    self.progress.changed(self.at, ChunkState::Completed, Some(&model));
                }
                if self.answering {
                    if !self.missing.is_empty() {
                        let text = gap(&self.missing, self.total());
                        self.steps.push_back(Step::Text { text, whole: desk.manners.mode == Mode::Whole });
                    }
                    self.progress.one_done();
                    let last = self.progress.last_report().map(|report| Step::Tell(Event::Progress(report)));
                    self.steps.extend(last);
                    let finish = worse(self.finish, finish);
                    let failed = u32::try_from(self.missing.len()).unwrap_or(u32::MAX);
                    let chunks = ChunkCounts { total: self.total(), failed, levels: 0 };
                    self.steps.push_back(Step::Finished { model, finish, chunks });
                    return;
                }
                if finish == FinishReason::Stop {
                    self.kept.push(KeptPart { key, text: text.as_str().into() });
                } else {
                    let place = place_of(&[self.parts[self.at].number], self.total());
                    self.steps.push_back(Step::Tell(Event::Warning(cut_short(&place))));
                    self.finish = worse(self.finish, finish);
                }
                self.refined(text, desk);
            }
            WorkEvent::Failed(error) => self.failed(error, desk),
        }
    }

    fn total(&self) -> u32 {
        u32::try_from(self.parts.len()).unwrap_or(u32::MAX)
    }

    fn refined(&mut self, text: String, desk: &Desk) {
        self.so_far = text.trim().to_owned();
        if desk.manners.tell_partials {
            let index = u32::try_from(self.at).unwrap_or(u32::MAX);
            let partial = Partial { index, text: self.so_far.clone() };
            self.steps.push_back(Step::Tell(Event::Partial(partial)));
        }
        self.progress.one_done();
        self.at += 1;
    }

    fn failed(&mut self, error: RouteError, desk: &Desk) {
        self.now = None;
        let total = self.total();
        let Some(part) = self.parts.get(self.at) else {
            self.steps.push_back(Step::Failed(error.into()));
            return;
        };
        let number = part.number;
        let nothing_else = number == total && self.so_far.is_empty();
        let told = self.has_told;
        if !goes_on_without(&error, desk) || nothing_else || told {
            desk.count(ChunkStatus::Failed);
            self.steps.push_back(Step::Failed(failed_in(error, &place_of(&[number], total))));
            return;
        }
        desk.count(ChunkStatus::Skipped);
        self.missing.push(number);
        let detail = format!("Part {number} of {total} of the text is not in the answer.").into();
        let warning = Warning { code: WarningCode::ChunkSkipped, detail };
        self.steps.push_back(Step::Tell(Event::Warning(warning)));
        self.progress.changed(self.at, ChunkState::Failed, None);
        self.progress.one_done();
        self.at += 1;
    }
}
