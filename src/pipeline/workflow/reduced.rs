//! Parts side by side, whose summaries are merged until one call can make the answer.
//!
//! The work goes in rounds: the parts, then groups of summaries, each of which is
//! merged into one, until all that is left fits one call. The rule it protects: the
//! summaries keep the document's order and say where they come from, and a round
//! that leaves no less than it took ends the work instead of going on for ever.

use std::collections::VecDeque;

use super::{Ending, Step, cut_short, failed_in, fell_back, gap, goes_on_without, place_of, worse};
use crate::chunk::estimate_tokens;
use crate::domain::{Boundary, FailureCode, Passage};
use crate::pipeline::desk::Desk;
use crate::pipeline::event::{
    ChunkCounts, ChunkState, Event, OnFailover, Partial, Stage, Warning, WarningCode,
};
use crate::pipeline::fan_out::{Assignment, FanOut, ItemEvent, Meanwhile, Solo, meanwhile};
use crate::pipeline::kept_parts::KeptPart;
use crate::pipeline::layout::groups;
use crate::pipeline::progress::Progress;
use crate::pipeline::work::{Restart, WorkEvent};
use crate::routing::{FinishReason, Mode, RouteError};
use crate::tasks::{Part, Reduced};
use crate::telemetry::{CallStage, ChunkStatus};

/// The work on a document whose parts are summed up and merged.
pub(in crate::pipeline) struct ReducedRun {
    task: Reduced,
    /// The parts, until their summaries have taken their place.
    items: Vec<Item>,
    round: Round,
    fan_out: FanOut,
    /// What each item gave, trimmed; `None` as long as it runs or where it is missing.
    summaries: Vec<Option<String>>,
    progress: Progress,
    /// Estimated tokens of summaries that one call takes.
    room: u32,
    /// Estimated tokens of what the round works on.
    tokens: u32,
    parts: u32,
    missing: Vec<u32>,
    /// The worst of all calls.
    finish: FinishReason,
    last_error: Option<RouteError>,
    steps: VecDeque<Step>,
    kept: Vec<KeptPart>,
}

enum Round {
    Map,
    Reduce { level: u32 },
    Final { work: Solo, levels: u32 },
}

/// What one call of a round works on.
enum Item {
    Part(Part),
    /// Summaries that are merged; a single one goes on as it is.
    Group(Vec<Summary>),
}

/// The summary of one or more parts in a row.
#[derive(Clone)]
struct Summary {
    label: String,
    /// Numbers of its parts, from 1, in order.
    numbers: Vec<u32>,
    text: String,
}

/// Stands between the headings of the first and of the last part of a group.
const RANGE: &str = " ... ";

impl Summary {
    /// The headings it stands under, as its label has them.
    fn path(&self) -> Option<&str> {
        self.label.split_once(": ").map(|(_, path)| path)
    }
}

impl Item {
    /// Numbers of its parts.
    fn numbers(&self) -> Vec<u32> {
        match self {
            Self::Part(part) => vec![part.number],
            Self::Group(summaries) => {
                summaries.iter().flat_map(|summary| summary.numbers.iter().copied()).collect()
            }
        }
    }

    fn label(&self, parts: u32) -> String {
        match self {
            Self::Part(part) => part.label(),
            Self::Group(summaries) if summaries.len() == 1 => summaries[0].label.clone(),
            Self::Group(summaries) => {
                let place = place_of(&self.numbers(), parts);
                let from =
                    summaries.first().and_then(Summary::path).and_then(|path| path.split(RANGE).next());
                let to = summaries.last().and_then(Summary::path).and_then(|path| path.rsplit(RANGE).next());
                match (from, to) {
                    (Some(from), Some(to)) if from != to => format!("{place}: {from}{RANGE}{to}"),
                    (Some(path), _) | (None, Some(path)) => format!("{place}: {path}"),
                    (None, None) => place,
                }
            }
        }
    }
}

impl ReducedRun {
    pub(super) fn new(task: Reduced, parts: Vec<Part>, room: u32, desk: &Desk) -> Self {
        let fan_out = FanOut::over(parts.len(), desk.live.limits.max_parallel);
        let count = u32::try_from(parts.len()).unwrap_or(u32::MAX);
        Self {
            task,
            fan_out,
            summaries: vec![None; parts.len()],
            progress: Progress::of_split(count),
            room,
            tokens: parts.first().map_or(0, |part| part.document_tokens),
            parts: count,
            items: parts.into_iter().map(Item::Part).collect(),
            round: Round::Map,
            missing: Vec::new(),
            finish: FinishReason::Stop,
            last_error: None,
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
            let Self { task, items, fan_out, progress, round, .. } = self;
            if let Round::Final { work, levels } = round {
                let levels = *levels;
                match meanwhile(progress, work.next(desk)).await {
                    Meanwhile::Report(report) => return Step::Tell(Event::Progress(report)),
                    Meanwhile::Done(event) => {
                        if let Some(step) = self.of_the_answer(event, levels, desk) {
                            return step;
                        }
                        continue;
                    }
                }
            }
            let assign = |index: usize| assignment(task, &items[index], desk);
            match meanwhile(progress, fan_out.next(desk, assign, |_nothing_is_told| false)).await {
                Meanwhile::Report(report) => return Step::Tell(Event::Progress(report)),
                Meanwhile::Done(Some((index, event))) => self.took(index, event, desk),
                Meanwhile::Done(None) => {
                    if let Err(ending) = self.next_round(desk) {
                        return Step::Failed(ending);
                    }
                }
            }
        }
    }

    fn took(&mut self, index: usize, event: ItemEvent, desk: &Desk) {
        if matches!(self.round, Round::Map) {
            self.progress.enter_once(Stage::Map, self.items.len());
        }
        match event {
            ItemEvent::Started { model } => self.changed(index, ChunkState::Started, model.as_ref()),
            ItemEvent::Nothing => {
                // A single summary goes on as it is; a blank part has none.
                if let Item::Group(summaries) = &self.items[index] {
                    self.summaries[index] = summaries.first().map(|summary| summary.text.clone());
                }
                self.changed(index, ChunkState::Completed, None);
                self.progress.one_done();
            }
            ItemEvent::Kept(text) => {
                self.count(ChunkStatus::Cached, desk);
                self.changed(index, ChunkState::Cached, None);
                self.keep(index, &text);
                self.summed_up(index, text, desk);
            }
            ItemEvent::FellBack(fallback) => {
                let chunk = matches!(self.round, Round::Map).then_some(index);
                self.steps.push_back(Step::Tell(fell_back(fallback, self.stage(), chunk)));
            }
            ItemEvent::Text(text) => self.summaries[index].get_or_insert_default().push_str(&text),
            ItemEvent::Reset(_) => self.summaries[index] = None,
            ItemEvent::Ended { model, finish } => {
                let text = self.summaries[index].take().unwrap_or_default();
                if finish == FinishReason::Stop {
                    self.keep(index, &text);
                } else {
                    let place = place_of(&self.items[index].numbers(), self.parts);
                    self.steps.push_back(Step::Tell(Event::Warning(cut_short(&place))));
                    self.finish = worse(self.finish, finish);
                }
                self.count(ChunkStatus::Completed, desk);
                self.changed(index, ChunkState::Completed, Some(&model));
                self.summed_up(index, text, desk);
            }
            ItemEvent::Failed(error) => self.failed(index, error, desk),
        }
    }

    fn summed_up(&mut self, index: usize, text: String, desk: &Desk) {
        self.progress.one_done();
        if desk.manners.tell_partials && matches!(self.round, Round::Map) {
            let index = u32::try_from(index).unwrap_or(u32::MAX);
            self.steps.push_back(Step::Tell(Event::Partial(Partial { index, text: text.trim().to_owned() })));
        }
        self.summaries[index] = Some(text.trim().to_owned());
    }

    fn failed(&mut self, index: usize, error: RouteError, desk: &Desk) {
        let numbers = self.items[index].numbers();
        if !goes_on_without(&error, desk) {
            self.count(ChunkStatus::Failed, desk);
            self.steps.push_back(Step::Failed(failed_in(error, &place_of(&numbers, self.parts))));
            return;
        }
        self.summaries[index] = None;
        for number in numbers {
            self.count(ChunkStatus::Skipped, desk);
            self.missing.push(number);
            let detail = format!("Part {number} of {} of the text is not in the answer.", self.parts);
            let warning = Warning { code: WarningCode::ChunkSkipped, detail: detail.into() };
            self.steps.push_back(Step::Tell(Event::Warning(warning)));
        }
        self.last_error = Some(error);
        self.changed(index, ChunkState::Failed, None);
        self.progress.one_done();
    }

    /// All items of the round have ended.
    fn next_round(&mut self, desk: &Desk) -> Result<(), Ending> {
        let level = match self.round {
            Round::Map => 0,
            Round::Reduce { level } => level,
            Round::Final { .. } => return Ok(()),
        };
        let summaries = self.take_summaries();
        if summaries.is_empty() {
            let error = self.last_error.take().unwrap_or_else(RouteError::nothing_to_do);
            return Err(error.into());
        }
        let sizes: Vec<u32> = summaries.iter().map(|summary| estimate_tokens(&shown(summary))).collect();
        let tokens = sizes.iter().fold(0_u32, |sum, size| sum.saturating_add(*size));
        if tokens <= self.room {
            return self.begin_answer(&summaries, level + 1, desk);
        }
        let groups = groups(&sizes, self.room);
        if tokens >= self.tokens || groups.len() == summaries.len() {
            return Err(Ending {
                code: FailureCode::UpstreamBadResponse,
                retry_after: None,
                cause: format!("round {level} left {tokens} of {} estimated tokens", self.tokens),
                detail: Some("The summaries of the text's parts do not get any shorter.".into()),
            });
        }
        self.tokens = tokens;
        let mut rest = summaries.into_iter();
        self.items = groups.iter().map(|size| Item::Group(rest.by_ref().take(*size).collect())).collect();
        self.summaries = vec![None; self.items.len()];
        self.fan_out = FanOut::over(self.items.len(), desk.live.limits.max_parallel);
        self.round = Round::Reduce { level: level + 1 };
        self.progress.enter(
            Stage::Reduce,
            Some(level + 1),
            u32::try_from(self.items.len()).unwrap_or(u32::MAX),
        );
        Ok(())
    }

    fn take_summaries(&mut self) -> Vec<Summary> {
        let summaries = self.summaries.iter_mut().map(Option::take);
        let with_items = self.items.iter().zip(summaries);
        with_items
            .filter_map(|(item, text)| {
                Some(Summary { label: item.label(self.parts), numbers: item.numbers(), text: text? })
            })
            .collect()
    }

    fn begin_answer(&mut self, summaries: &[Summary], levels: u32, desk: &Desk) -> Result<(), Ending> {
        let document = Passage::from(together(summaries));
        let output = self.task.merge_size(estimate_tokens(&document), true);
        let prompt = self.task.merge_prompt(document, true, &desk.fences.boundary());
        let may_start_over = desk.manners.on_failover == OnFailover::Restart;
        let answer = |desk: &Desk, call| desk.answer(call, CallStage::Final);
        let (work, _) = Solo::new(desk, desk.call(prompt, output), answer, may_start_over);
        self.round = Round::Final { work, levels };
        self.progress.enter(Stage::Final, None, 1);
        Ok(())
    }

    fn of_the_answer(&mut self, event: WorkEvent, levels: u32, desk: &Desk) -> Option<Step> {
        Some(match event {
            WorkEvent::FellBack(fallback) => Step::Tell(fell_back(fallback, Stage::Final, None)),
            WorkEvent::Text { text, whole } => Step::Text { text, whole },
            WorkEvent::Reset(reset) => Step::Tell(Event::Reset(reset)),
            WorkEvent::Failed(error) => Step::Failed(error.into()),
            WorkEvent::Ended { model, finish } => {
                if !self.missing.is_empty() {
                    self.missing.sort_unstable();
                    let text = gap(&self.missing, self.parts);
                    self.steps.push_back(Step::Text { text, whole: desk.manners.mode == Mode::Whole });
                }
                self.progress.one_done();
                let last = self.progress.last_report().map(|report| Step::Tell(Event::Progress(report)));
                self.steps.extend(last);
                let finish = worse(self.finish, finish);
                let failed = u32::try_from(self.missing.len()).unwrap_or(u32::MAX);
                let chunks = ChunkCounts { total: self.parts, failed, levels };
                self.steps.push_back(Step::Finished { model, finish, chunks });
                return None;
            }
        })
    }

    fn stage(&self) -> Stage {
        match self.round {
            Round::Map => Stage::Map,
            Round::Reduce { .. } => Stage::Reduce,
            Round::Final { .. } => Stage::Final,
        }
    }

    /// Parts alone are chunks; groups of summaries are counted by the progress only.
    fn count(&self, status: ChunkStatus, desk: &Desk) {
        if matches!(self.round, Round::Map) {
            desk.count(status);
        }
    }

    fn changed(&mut self, index: usize, state: ChunkState, model: Option<&crate::domain::ModelId>) {
        if matches!(self.round, Round::Map) {
            self.progress.changed(index, state, model);
        }
    }

    fn keep(&mut self, index: usize, text: &str) {
        if let Some(key) = self.fan_out.key(index) {
            self.kept.push(KeptPart { key, text: text.into() });
        }
    }
}

/// A summary as the call that merges it reads it.
fn shown(summary: &Summary) -> String {
    format!("[{}]\n{}\n\n", summary.label, summary.text)
}

fn together(summaries: &[Summary]) -> String {
    summaries.iter().map(shown).collect::<String>().trim_end().to_owned()
}

fn assignment(task: &Reduced, item: &Item, desk: &Desk) -> Assignment {
    let (boundary, fixed) = (desk.fences.boundary(), Boundary::fixed(""));
    let (prompt, key, output, stage) = match item {
        Item::Part(part) if part.text.trim().is_empty() => return Assignment::Nothing,
        Item::Group(summaries) if summaries.len() < 2 => return Assignment::Nothing,
        Item::Part(part) => {
            let output = task.part_size(part.tokens);
            let key = desk.key(&task.part_prompt(part, &fixed), output);
            (task.part_prompt(part, &boundary), key, output, CallStage::Map)
        }
        Item::Group(summaries) => {
            let document = Passage::from(together(summaries));
            let output = task.merge_size(estimate_tokens(&document), false);
            let key = desk.key(&task.merge_prompt(document.clone(), false, &fixed), output);
            (task.merge_prompt(document, false, &boundary), key, output, CallStage::Reduce)
        }
    };
    // Nothing of it is told, so it may always start over.
    let work = desk.work(desk.call(prompt, output), Mode::Whole, stage, Restart::Always);
    Assignment::Ask { key: Some(key), work: Box::new(work) }
}
