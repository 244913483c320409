//! Parts side by side, whose answers are told in order: the document written anew.
//!
//! The first part that is not told to its end is the front: its text flows as it is
//! written, while the parts behind it are being written into memory. The rule it
//! protects: the answer is the parts' answers in the document's order, with the
//! document's own white space between them.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{Ending, Step, cut_short, failed_in, fell_back, goes_on_without, place_of, worse};
use crate::domain::{Boundary, ModelId};
use crate::pipeline::desk::Desk;
use crate::pipeline::event::{
    ChunkCounts, ChunkState, Event, OnFailover, Partial, Reset, Stage, Warning, WarningCode,
};
use crate::pipeline::fan_out::{Assignment, FanOut, ItemEvent, Meanwhile, meanwhile};
use crate::pipeline::kept_parts::KeptPart;
use crate::pipeline::progress::Progress;
use crate::pipeline::work::Restart;
use crate::routing::{FinishReason, Mode, RouteError};
use crate::tasks::{Joined, Part};
use crate::telemetry::{CallStage, ChunkStatus};

/// The work on a document whose parts are joined.
pub(in crate::pipeline) struct JoinedRun {
    task: Joined,
    parts: Vec<Part>,
    answers: Vec<Answer>,
    fan_out: FanOut,
    progress: Progress,
    /// The part that is being told.
    front: usize,
    /// White space that stands before the next text.
    seam: String,
    told: Told,
    steps: VecDeque<Step>,
    kept: Vec<KeptPart>,
    failed: u32,
    /// Whether any part has given a word: until then nothing is told, not even of gaps.
    has_answer: bool,
    /// Parts that have ended.
    ended: usize,
    last_error: Option<RouteError>,
    model: Option<ModelId>,
    finish: FinishReason,
}

/// The answer to one part, as far as it is known.
#[derive(Default)]
struct Answer {
    /// All of it, trimmed; what has not been told begins at `told_bytes`.
    text: String,
    told_bytes: usize,
    /// White space that stands in the answer only if more follows.
    held: String,
    done: bool,
    has_told: Arc<AtomicBool>,
}

/// What has been told, as far as it may have to be told again.
#[derive(Default)]
struct Told {
    /// Whether a reset can come; else the text is not held.
    may_reset: bool,
    text: String,
    chars: usize,
    anything: bool,
    /// Where the front's text begins in `text`, and the white space before it.
    front: Option<(usize, String)>,
}

impl Answer {
    fn push(&mut self, text: &str) {
        let text = if self.text.is_empty() { text.trim_start() } else { text };
        if text.is_empty() {
            return;
        }
        let end = text.trim_end().len();
        if end == 0 {
            self.held.push_str(text);
            return;
        }
        self.text.push_str(&std::mem::take(&mut self.held));
        self.text.push_str(&text[..end]);
        self.held.push_str(&text[end..]);
    }

    fn start_over(&mut self) {
        self.text.clear();
        self.held.clear();
        self.told_bytes = 0;
    }
}

impl JoinedRun {
    pub(super) fn new(task: Joined, parts: Vec<Part>, desk: &Desk) -> Self {
        let fan_out = FanOut::over(parts.len(), desk.live.limits.max_parallel);
        let progress = Progress::of_split(u32::try_from(parts.len()).unwrap_or(u32::MAX));
        let may_reset = desk.manners.on_failover == OnFailover::Restart;
        Self {
            task,
            answers: parts.iter().map(|_| Answer::default()).collect(),
            parts,
            fan_out,
            progress,
            front: 0,
            seam: String::new(),
            told: Told { may_reset, ..Told::default() },
            steps: VecDeque::new(),
            kept: Vec::new(),
            failed: 0,
            has_answer: false,
            ended: 0,
            last_error: None,
            model: None,
            finish: FinishReason::Stop,
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
            if let Some(text) = self.of_the_front() {
                return Step::Text { text, whole: desk.manners.mode == Mode::Whole };
            }
            let nothing_came = !self.has_answer && self.ended == self.parts.len();
            if nothing_came || self.front == self.parts.len() {
                if let Some(report) = self.progress.last_report() {
                    return Step::Tell(Event::Progress(report));
                }
                return self.finished();
            }
            let Self { task, parts, answers, fan_out, progress, .. } = self;
            let assign = |index: usize| assignment(task, &parts[index], &answers[index], desk);
            let told_for_good = |index: usize| {
                let answer: &Answer = &answers[index];
                answer.has_told.load(Ordering::Relaxed) && desk.manners.on_failover == OnFailover::Error
            };
            match meanwhile(progress, fan_out.next(desk, assign, told_for_good)).await {
                Meanwhile::Report(report) => return Step::Tell(Event::Progress(report)),
                Meanwhile::Done(Some((index, event))) => self.took(index, event, desk),
                // Every part has ended, so the front has moved to the end.
                Meanwhile::Done(None) => {}
            }
        }
    }

    /// What can be told now; moves the front past parts that are told to their end.
    fn of_the_front(&mut self) -> Option<String> {
        if !self.has_answer {
            return None;
        }
        while let Some(answer) = self.answers.get_mut(self.front) {
            if answer.told_bytes < answer.text.len() {
                let fresh = piece(&answer.text[answer.told_bytes..]);
                let begins = answer.told_bytes == 0;
                let seam = std::mem::take(&mut self.seam);
                // White space before the first word of all belongs to no seam.
                let text =
                    if self.told.anything { [seam.as_str(), fresh].concat() } else { fresh.to_owned() };
                answer.told_bytes += fresh.len();
                answer.has_told.store(true, Ordering::Relaxed);
                self.told.tell(&text, begins.then_some(seam));
                return Some(text);
            }
            if !answer.done {
                return None;
            }
            let (_, trail) = self.task.edges(&self.parts[self.front].text);
            self.seam.push_str(trail);
            // Only what may be told again has to be remembered.
            answer.text = String::new();
            answer.told_bytes = 0;
            self.front += 1;
            self.told.front = None;
            if let Some(next) = self.parts.get(self.front) {
                let (lead, _) = self.task.edges(&next.text);
                self.seam.push_str(lead);
            }
        }
        None
    }

    fn finished(&mut self) -> Step {
        let total = u32::try_from(self.parts.len()).unwrap_or(u32::MAX);
        let chunks = ChunkCounts { total, failed: self.failed, levels: 0 };
        match (self.model.take(), self.last_error.take()) {
            (Some(model), _) => Step::Finished { model, finish: self.finish, chunks },
            // Not a single part was answered.
            (None, Some(error)) => Step::Failed(error.into()),
            (None, None) => Step::Failed(Ending::from(RouteError::nothing_to_do())),
        }
    }

    fn took(&mut self, index: usize, event: ItemEvent, desk: &Desk) {
        match event {
            ItemEvent::Started { model } => {
                self.progress.enter_once(Stage::Map, self.parts.len());
                self.progress.changed(index, ChunkState::Started, model.as_ref());
            }
            ItemEvent::Nothing => self.done(index, ChunkState::Completed, None),
            ItemEvent::Kept(text) => {
                self.has_answer = true;
                self.keep(index, &text);
                self.answers[index].push(&text);
                self.tell_partial(index, desk);
                self.model.get_or_insert_with(|| desk.chain.stages[0].targets[0].target.model.id.clone());
                desk.count(ChunkStatus::Cached);
                self.done(index, ChunkState::Cached, None);
            }
            ItemEvent::FellBack(fallback) => {
                self.steps.push_back(Step::Tell(fell_back(fallback, Stage::Map, Some(index))));
            }
            ItemEvent::Text(text) => {
                self.has_answer = true;
                self.answers[index].push(&text);
            }
            ItemEvent::Reset(reset) => self.reset(index, reset),
            ItemEvent::Ended { model, finish } => {
                if finish == FinishReason::Stop {
                    let text = self.whole_answer(index);
                    self.keep(index, &text);
                } else {
                    let place = place_of(&[self.parts[index].number], self.parts[index].total);
                    self.steps.push_back(Step::Tell(Event::Warning(cut_short(&place))));
                }
                self.tell_partial(index, desk);
                self.finish = worse(self.finish, finish);
                desk.count(ChunkStatus::Completed);
                self.done(index, ChunkState::Completed, Some(&model));
                self.model = Some(model);
            }
            ItemEvent::Failed(error) => self.failed(index, error, desk),
        }
    }

    fn failed(&mut self, index: usize, error: RouteError, desk: &Desk) {
        let (number, total) = (self.parts[index].number, self.parts[index].total);
        if !goes_on_without(&error, desk) {
            desk.count(ChunkStatus::Failed);
            self.steps.push_back(Step::Failed(failed_in(error, &place_of(&[number], total))));
            return;
        }
        desk.count(ChunkStatus::Skipped);
        self.failed += 1;
        let begun = self.answers[index].has_told.load(Ordering::Relaxed);
        let (gap, detail) = if begun {
            (format!(" [The rest of part {number} of {total} is missing.]"), "is not whole in the answer")
        } else {
            self.answers[index].start_over();
            (format!("[Part {number} of {total} is missing.]"), "is missing in the answer")
        };
        self.answers[index].push(&gap);
        let detail =
            format!("Part {number} of {total} of the text could not be worked on and {detail}.").into();
        let warning = Warning { code: WarningCode::ChunkSkipped, detail };
        self.steps.push_back(Step::Tell(Event::Warning(warning)));
        self.last_error = Some(error);
        self.done(index, ChunkState::Failed, None);
    }

    /// The answer to a part starts over. Where some of it was told, all is void, and
    /// what the parts before it gave is told again.
    fn reset(&mut self, index: usize, reset: Reset) {
        let has_told = self.answers[index].has_told.swap(false, Ordering::Relaxed);
        self.answers[index].start_over();
        if !has_told || index != self.front {
            return;
        }
        let (start, seam) = self.told.front.take().unwrap_or_default();
        let discarded_chars = std::mem::take(&mut self.told.chars);
        self.told.text.truncate(start);
        self.seam = seam;
        self.steps.push_back(Step::Tell(Event::Reset(Reset { discarded_chars, ..reset })));
        self.told.anything = !self.told.text.is_empty();
        self.told.chars = self.told.text.chars().count();
        let mut rest = self.told.text.as_str();
        while !rest.is_empty() {
            let first = piece(rest);
            self.steps.push_back(Step::Text { text: first.to_owned(), whole: false });
            rest = &rest[first.len()..];
        }
    }

    fn tell_partial(&mut self, index: usize, desk: &Desk) {
        if desk.manners.tell_partials {
            let text = self.whole_answer(index);
            let index = u32::try_from(index).unwrap_or(u32::MAX);
            self.steps.push_back(Step::Tell(Event::Partial(Partial { index, text })));
        }
    }

    fn whole_answer(&self, index: usize) -> String {
        self.answers[index].text.clone()
    }

    fn keep(&mut self, index: usize, text: &str) {
        if let Some(key) = self.fan_out.key(index) {
            self.kept.push(KeptPart { key, text: text.into() });
        }
    }

    fn done(&mut self, index: usize, state: ChunkState, model: Option<&ModelId>) {
        self.answers[index].done = true;
        self.ended += 1;
        self.progress.enter_once(Stage::Map, self.parts.len());
        self.progress.changed(index, state, model);
        self.progress.one_done();
    }
}

impl Told {
    fn tell(&mut self, text: &str, seam_of_a_begin: Option<String>) {
        self.anything = true;
        if !self.may_reset {
            return;
        }
        if let Some(seam) = seam_of_a_begin {
            self.front = Some((self.text.len(), seam));
        }
        self.chars += text.chars().count();
        self.text.push_str(text);
    }
}

/// The most bytes of one piece: what was written ahead leaves in pieces that any reader
/// of events can hold.
const PIECE_BYTES: usize = 4096;

/// The first piece of a text, which ends between words where it can.
pub(super) fn piece(text: &str) -> &str {
    if text.len() <= PIECE_BYTES {
        return text;
    }
    let mut end = PIECE_BYTES;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    match text[..end].rfind(char::is_whitespace) {
        Some(space) if space > 0 => &text[..space],
        _ => &text[..end],
    }
}

fn assignment(task: &Joined, part: &Part, answer: &Answer, desk: &Desk) -> Assignment {
    let Some((nameable, output)) = task.part(part, &Boundary::fixed("")) else { return Assignment::Nothing };
    let Some((prompt, _)) = task.part(part, &desk.fences.boundary()) else { return Assignment::Nothing };
    let key = desk.key(&nameable, output);
    let restart = match desk.manners.on_failover {
        OnFailover::Restart => Restart::Always,
        OnFailover::Error => Restart::UntilTold(Arc::clone(&answer.has_told)),
    };
    let work = desk.work(desk.call(prompt, output), desk.manners.mode, CallStage::Map, restart);
    Assignment::Ask { key: Some(key), work: Box::new(work) }
}

#[cfg(test)]
mod tests {
    use super::{Answer, PIECE_BYTES, piece};

    #[test]
    fn what_was_written_ahead_leaves_in_pieces_that_together_are_the_text() {
        for text in ["word ".repeat(3000), "й".repeat(5000), "short".to_owned()] {
            let (mut rest, mut pieces) = (text.as_str(), Vec::new());
            while !rest.is_empty() {
                let first = piece(rest);
                assert!(!first.is_empty() && first.len() <= PIECE_BYTES);
                pieces.push(first);
                rest = &rest[first.len()..];
            }
            assert_eq!(pieces.concat(), text);
        }
    }

    #[test]
    fn an_answer_is_trimmed_however_it_is_cut_into_pieces() {
        let mut answer = Answer::default();
        for piece in [" \n", "", "  One", " ", "\n", "two. ", " \n"] {
            answer.push(piece);
        }
        assert_eq!(answer.text, "One \ntwo.");
    }
}
