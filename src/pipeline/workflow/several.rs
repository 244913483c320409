//! Several suggestions for one text, each written by a call of its own, side by side.
//!
//! A suggestion is told when it is there and says something that no other one does. One
//! that repeats another is asked for once more. The rule it protects: what was told
//! stands. So nothing of a suggestion leaves before it is whole, and the answer's own
//! text, which is the first of them, comes when all have ended.

use std::collections::VecDeque;

use super::joined::piece;
use super::{Ending, Step, fell_back};
use crate::domain::{ModelId, OutputSize};
use crate::pipeline::desk::Desk;
use crate::pipeline::event::{ChunkCounts, Event, Stage, SuggestionReport, Warning, WarningCode};
use crate::pipeline::fan_out::{Assignment, FanOut, ItemEvent};
use crate::pipeline::work::Restart;
use crate::routing::{FinishReason, Mode, RouteError};
use crate::tasks::{Rephrase, Suggestion, bare_wording};
use crate::telemetry::CallStage;

/// The work on several suggestions.
pub(in crate::pipeline) struct SeveralRun {
    task: Rephrase,
    /// Of each.
    output: OutputSize,
    /// By number, from 0.
    items: Vec<Item>,
    fan_out: FanOut,
    steps: VecDeque<Step>,
}

/// One of the suggestions.
#[derive(Default)]
struct Item {
    /// What is there of its answer.
    text: String,
    /// What it said at first, when that was there already.
    taken: Option<String>,
    state: State,
}

/// How far a suggestion has come.
#[derive(Default)]
enum State {
    #[default]
    Writing,
    /// It was told. `bare` is its wording as it is compared.
    Told {
        model: ModelId,
        finish: FinishReason,
        bare: String,
    },
    /// A guardrail's own words stand in its place.
    Blocked {
        model: ModelId,
    },
    /// It repeats another one, also when it was asked for again.
    Repeated,
    Failed(RouteError),
}

impl SeveralRun {
    pub(super) fn new(task: Rephrase, output: OutputSize, desk: &Desk) -> Self {
        let count = usize::try_from(task.suggestions()).unwrap_or(usize::MAX);
        Self {
            task,
            output,
            items: std::iter::repeat_with(Item::default).take(count).collect(),
            fan_out: FanOut::over(count, desk.live.limits.max_parallel),
            steps: VecDeque::new(),
        }
    }

    pub(super) async fn next(&mut self, desk: &Desk) -> Step {
        loop {
            if let Some(step) = self.steps.pop_front() {
                return step;
            }
            let Self { task, output, items, fan_out, .. } = self;
            let assign = |index: usize| assignment(task, *output, index, items[index].taken.as_deref(), desk);
            match fan_out.next(desk, assign, |_nothing_is_told| false).await {
                Some((index, event)) => self.took(index, event),
                None => self.finish(),
            }
        }
    }

    fn took(&mut self, index: usize, event: ItemEvent) {
        match event {
            ItemEvent::Started { .. } | ItemEvent::Nothing | ItemEvent::Kept(_) => {}
            ItemEvent::FellBack(fallback) => {
                self.steps.push_back(Step::Tell(fell_back(fallback, Stage::Final, None)));
            }
            ItemEvent::Text(text) => self.items[index].text.push_str(&text),
            ItemEvent::Reset(_) => self.items[index].text.clear(),
            ItemEvent::Ended { model, finish } => self.ended(index, model, finish),
            ItemEvent::Failed(error) => self.items[index].state = State::Failed(error),
        }
    }

    fn ended(&mut self, index: usize, model: ModelId, finish: FinishReason) {
        let text = std::mem::take(&mut self.items[index].text).trim().to_owned();
        let bare = bare_wording(&text);
        let is_there = |item: &Item| matches!(&item.state, State::Told { bare: told, .. } if *told == bare);
        let repeats = self.items.iter().any(is_there);
        let item = &mut self.items[index];
        if finish == FinishReason::Guardrail {
            (item.text, item.state) = (text, State::Blocked { model });
        } else if !repeats {
            self.steps.push_back(Step::Tell(told(index, &text, &model, finish)));
            (item.text, item.state) = (text, State::Told { model, finish, bare });
        } else if item.taken.is_none() {
            item.taken = Some(text);
            self.fan_out.again(index);
        } else {
            item.state = State::Repeated;
        }
    }

    /// All suggestions have ended: the first of them is the answer.
    fn finish(&mut self) {
        let Some((index, model, finish)) = self.first() else {
            let error = self.items.iter_mut().find_map(|item| match std::mem::take(&mut item.state) {
                State::Failed(error) => Some(error),
                _ => None,
            });
            let error = error.unwrap_or_else(RouteError::nothing_to_do);
            self.steps.push_back(Step::Failed(Ending::from(error)));
            return;
        };
        if finish == FinishReason::Guardrail {
            self.steps.push_back(Step::Tell(told(index, &self.items[index].text, &model, finish)));
        }
        let warnings = (0..self.items.len()).filter_map(|other| self.warning(other, index));
        let warnings: Vec<Warning> = warnings.collect();
        self.steps.extend(warnings.into_iter().map(|warning| Step::Tell(Event::Warning(warning))));
        let text = std::mem::take(&mut self.items[index].text);
        let mut rest = text.as_str();
        while !rest.is_empty() {
            let first = piece(rest);
            // The models were asked for whole answers, so no piece of them is timed.
            self.steps.push_back(Step::Text { text: first.to_owned(), whole: true });
            rest = &rest[first.len()..];
        }
        let chunks = ChunkCounts { total: 1, failed: 0, levels: 0 };
        self.steps.push_back(Step::Finished { model, finish, chunks });
    }

    /// The suggestion with the lowest number; the guardrail's words only where there is none.
    fn first(&self) -> Option<(usize, ModelId, FinishReason)> {
        let told = self.items.iter().enumerate().find_map(|(index, item)| match &item.state {
            State::Told { model, finish, .. } => Some((index, model.clone(), *finish)),
            _ => None,
        });
        let blocked = || {
            self.items.iter().enumerate().find_map(|(index, item)| match &item.state {
                State::Blocked { model } => Some((index, model.clone(), FinishReason::Guardrail)),
                _ => None,
            })
        };
        told.or_else(blocked)
    }

    /// What the caller should know of a suggestion. How the answer itself ended, which is
    /// that of the number `answer`, the run tells.
    fn warning(&self, index: usize, answer: usize) -> Option<Warning> {
        let place = format!("Suggestion {} of {}", index + 1, self.items.len());
        let (code, detail) = match &self.items[index].state {
            _ if index == answer => return None,
            State::Told { finish: FinishReason::Length | FinishReason::ContentFilter, .. } => {
                (WarningCode::Truncated, format!("{place} is cut short."))
            }
            State::Told { .. } | State::Writing => return None,
            State::Blocked { .. } => {
                (WarningCode::FewerSuggestions, format!("{place} was stopped by the content policy."))
            }
            State::Repeated => {
                let why = "said the same as another one, also when it was asked for again.";
                (WarningCode::FewerSuggestions, format!("{place} {why}"))
            }
            State::Failed(_) => (WarningCode::FewerSuggestions, format!("{place} could not be written.")),
        };
        Some(Warning { code, detail: detail.into() })
    }
}

fn told(index: usize, text: &str, model: &ModelId, finish: FinishReason) -> Event {
    let index = u32::try_from(index).unwrap_or(u32::MAX);
    Event::Suggestion(SuggestionReport { index, text: text.to_owned(), model: model.clone(), finish })
}

fn assignment(
    task: &Rephrase,
    output: OutputSize,
    index: usize,
    taken: Option<&str>,
    desk: &Desk,
) -> Assignment {
    let number = u32::try_from(index + 1).unwrap_or(u32::MAX);
    let suggestion = Suggestion { number, of: task.suggestions(), taken };
    let prompt = task.suggestion_prompt(&suggestion, &desk.fences.boundary());
    // Nothing of it is told before its end, so it may always start over; and whoever asks
    // again wants other words, so nothing of it is kept.
    let work = desk.work(desk.call(prompt, output), Mode::Whole, CallStage::Single, Restart::Always);
    Assignment::Ask { key: None, work: Box::new(work) }
}
