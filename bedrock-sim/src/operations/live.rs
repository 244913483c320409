//! A live answer: the steps of a stream while an upstream writes.
//!
//! Owns what becomes of each piece, of the end and of a failure. The reading is the upstream's
//! matter, the order of steps that of the telling.
//! The one rule it protects: only an answer that came to its own end gets a stop; any other ends in
//! an exception.

use std::collections::VecDeque;
use std::task::{Context, Poll};

use super::answer::{Answer, counted, reasoning_tokens, stop_reason, told};
use super::telling::Telling;
use super::{ToldUsage, Usage};
use crate::call_log::Outcome;
use crate::models::Preamble;
use crate::prompt_cache::Memory;
use crate::request::Echo;
use crate::scenario::Scenario;
use crate::script::Step;
use crate::tokens::Tally;
use crate::upstream::{Ended, Piece, Reply};

/// Pieces that are there together are told together, but no more than so many.
const MOST_PIECES_AT_ONCE: usize = 64;

/// An answer that is being written.
#[derive(Debug)]
pub(crate) struct Live {
    reply: Reply,
    telling: Telling,
    memory: Option<Memory>,
    preamble: Preamble,
    /// Of the input, with what a cache saves.
    usage: ToldUsage,
    input_tokens: u64,
    echo: Echo,
    has_begun: bool,
    /// Whether the model's reasoning has a place in the stream.
    shows_reasoning: bool,
    part: Part,
    said: Tally,
}

/// What is being told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Nothing,
    Reasoning,
    Answer,
}

/// What a look at an upstream found.
#[derive(Debug)]
pub(crate) enum Outlook {
    /// Steps were added, and more will come.
    GoesOn,
    /// The last steps were added.
    Over { outcome: Outcome, usage: Option<Usage>, told: Option<ToldUsage> },
}

impl Live {
    pub(super) fn new(
        reply: Reply,
        telling: Telling,
        answer: Answer,
        memory: Option<Memory>,
        shows_reasoning: bool,
    ) -> Self {
        Self {
            reply,
            telling,
            memory,
            preamble: answer.preamble,
            usage: answer.told_usage,
            input_tokens: answer.usage.input_tokens,
            echo: answer.echo,
            has_begun: false,
            // One block of reasoning is enough.
            shows_reasoning: shows_reasoning && answer.preamble == Preamble::None,
            part: Part::Nothing,
            said: Tally::default(),
        }
    }

    /// Adds the steps of what has come, and its text to `text`.
    pub(crate) fn poll(
        &mut self,
        context: &mut Context<'_>,
        steps: &mut VecDeque<Step>,
        text: &mut String,
    ) -> Poll<Outlook> {
        for taken in 0..MOST_PIECES_AT_ONCE {
            match self.reply.poll_next(context) {
                Poll::Pending if taken == 0 => return Poll::Pending,
                Poll::Pending => break,
                Poll::Ready(Ok(Piece::End(ended))) => return Poll::Ready(self.end(ended, steps)),
                Poll::Ready(Ok(Piece::Text(more))) => {
                    if let Err(fault) = self.take_text(&more, steps, text) {
                        return Poll::Ready(broken(fault));
                    }
                }
                Poll::Ready(Ok(Piece::Reasoning(more))) => self.take_reasoning(more, steps),
                Poll::Ready(Err(error)) => {
                    let exception = error.in_stream();
                    steps.push_back(Step::Exception(exception));
                    // What is refused in place of its first event is not billed.
                    let usage = (!self.has_begun).then_some(Usage { input_tokens: 0, output_tokens: 0 });
                    let outcome = Outcome::Failed { status: 200, error: exception.member().to_owned() };
                    return Poll::Ready(Outlook::Over { outcome, usage, told: None });
                }
            }
        }
        Poll::Ready(Outlook::GoesOn)
    }

    fn take_text(
        &mut self,
        more: &str,
        steps: &mut VecDeque<Step>,
        text: &mut String,
    ) -> Result<(), &'static str> {
        self.begin(steps);
        self.begin_answer(steps);
        self.said.add(more);
        let start = text.len();
        text.push_str(more);
        self.telling.delta(steps, start..text.len())
    }

    fn take_reasoning(&mut self, more: String, steps: &mut VecDeque<Step>) {
        self.said.add(&more);
        // Some models think again in the middle of a text; a stream has no place for that.
        if self.shows_reasoning && self.part != Part::Answer {
            self.begin(steps);
            self.part = Part::Reasoning;
            self.telling.reasoning(steps, more);
        }
    }

    fn begin(&mut self, steps: &mut VecDeque<Step>) {
        if !self.has_begun {
            self.has_begun = true;
            self.telling.begin(steps, self.preamble, self.memory.take());
        }
    }

    fn begin_answer(&mut self, steps: &mut VecDeque<Step>) {
        if self.part == Part::Reasoning {
            self.telling.end_of_reasoning(steps);
        }
        if self.part != Part::Answer {
            self.telling.open_block(steps);
            self.part = Part::Answer;
        }
    }

    fn end(&mut self, ended: Ended, steps: &mut VecDeque<Step>) -> Outlook {
        let Ended { reason, counted: by_upstream } = ended;
        self.begin(steps);
        self.begin_answer(steps);
        let own = Usage {
            input_tokens: self.input_tokens,
            output_tokens: self.said.tokens() + reasoning_tokens(self.preamble),
        };
        let usage = counted(own, by_upstream, self.usage.cached.is_some());
        let scenario = self.telling.scenario();
        let reason = stop_reason(reason, self.telling.has_tool(), scenario);
        let mut told = told(usage, scenario);
        if !matches!(scenario, Scenario::WrongUsage { .. }) {
            told.cached = self.usage.cached;
        }
        match self.telling.end(steps, reason, told, self.echo.clone()) {
            Ok(()) => Outlook::Over { outcome: Outcome::Completed, usage: Some(usage), told: Some(told) },
            Err(fault) => broken(fault),
        }
    }
}

/// What the scenario ended is billed by what was sent.
fn broken(fault: &'static str) -> Outlook {
    let outcome = Outcome::Failed { status: 200, error: fault.to_owned() };
    Outlook::Over { outcome, usage: None, told: None }
}
