//! Telling: an answer as the steps of a stream, delta by delta.
//!
//! Owns the order of the steps and what each scenario does to it, for an answer that is known in
//! whole and for one that is still being written. Where the deltas come from is not its matter.
//! The one rule it protects: a scenario spoils an answer at the same delta, however it comes.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;

use super::ToldUsage;
use crate::models::Preamble;
use crate::pacing::Pacing;
use crate::prompt_cache::Memory;
use crate::request::Echo;
use crate::scenario::{Scenario, StopReason};
use crate::script::{GARBAGE, REASONING_SIGNATURE, REASONING_TEXT, Step, ToolStart};

/// Tells one answer, as far as the scenario lets it. An error is the name of the fault that the
/// stream ended with; nothing may be told after it.
#[derive(Debug)]
pub(super) struct Telling {
    scenario: Scenario,
    waits: Waits,
    /// What the text is the input of, if it is no text.
    tool: Option<ToolStart>,
    /// The index of the block that is told.
    block: u32,
    deltas: usize,
    is_spoilt: bool,
    /// After how many deltas the stop comes too early, and which.
    early_stop: Option<(usize, StopReason)>,
}

impl Telling {
    pub(super) fn new(scenario: Scenario, pacing: Pacing, tool: Option<ToolStart>) -> Self {
        let waits = Waits::new(&scenario, pacing);
        Self { scenario, waits, tool, block: 0, deltas: 0, is_spoilt: false, early_stop: None }
    }

    pub(super) fn stop_early(&mut self, after_deltas: usize, reason: StopReason) {
        self.early_stop = Some((after_deltas, reason));
    }

    pub(super) fn has_tool(&self) -> bool {
        self.tool.is_some()
    }

    pub(super) fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    /// What comes before the first block of the answer itself.
    pub(super) fn begin(&mut self, steps: &mut VecDeque<Step>, preamble: Preamble, memory: Option<Memory>) {
        if let Scenario::SlowFirstEvent { wait_ms } = self.scenario {
            steps.push_back(Step::Wait(Duration::from_millis(wait_ms)));
        }
        steps.push_back(Step::MessageStart);
        steps.extend(memory.map(Step::Keep));
        self.block = push_preamble(steps, preamble, &mut self.waits);
    }

    /// Reasoning of the model's own, in a block before that of the answer.
    pub(super) fn reasoning(&mut self, steps: &mut VecDeque<Step>, text: String) {
        self.waits.push_next(steps);
        steps.push_back(Step::Reasoning { block: self.block, text: Cow::Owned(text) });
    }

    pub(super) fn end_of_reasoning(&mut self, steps: &mut VecDeque<Step>) {
        steps.push_back(Step::BlockStop { block: self.block });
        self.block += 1;
    }

    /// The beginning of the answer's own block. A text has none.
    pub(super) fn open_block(&mut self, steps: &mut VecDeque<Step>) {
        let block = self.block;
        steps.extend(self.tool.clone().map(|tool| Step::ToolStart { block, tool }));
    }

    pub(super) fn delta(
        &mut self,
        steps: &mut VecDeque<Step>,
        range: Range<usize>,
    ) -> Result<(), &'static str> {
        self.spoil(steps, range.clone(), false)?;
        self.waits.push_next(steps);
        let block = self.block;
        let delta =
            if self.has_tool() { Step::ToolInput { block, range } } else { Step::Text { block, range } };
        steps.push_back(delta);
        self.deltas += 1;
        Ok(())
    }

    pub(super) fn end(
        &mut self,
        steps: &mut VecDeque<Step>,
        reason: StopReason,
        usage: ToldUsage,
        echo: Echo,
    ) -> Result<(), &'static str> {
        self.spoil(steps, 0..0, true)?;
        let block = self.block;
        if self.scenario == Scenario::EmptyText {
            steps.push_back(Step::EmptyText { block });
        }
        if self.scenario != Scenario::EmptyContent {
            steps.push_back(Step::BlockStop { block });
        }
        if self.early_stop.is_none() {
            steps.push_back(Step::MessageStop { reason });
        }
        if self.scenario == Scenario::DuplicateStop {
            steps.push_back(Step::MessageStop { reason });
        }
        if self.scenario == Scenario::EndWithoutMetadata {
            return Err("end-without-metadata");
        }
        steps.push_back(Step::Metadata { usage, echo: Box::new(echo) });
        Ok(())
    }

    /// Spoils the stream if it is time to, or if there is no later time.
    fn spoil(
        &mut self,
        steps: &mut VecDeque<Step>,
        next: Range<usize>,
        is_last: bool,
    ) -> Result<(), &'static str> {
        let due = self.scenario.spoils_after().is_some_and(|after| after <= self.deltas || is_last);
        if due && !self.is_spoilt {
            self.is_spoilt = true;
            if let Some(fault) = push_fault(steps, &self.scenario, self.block, next) {
                return Err(fault);
            }
        }
        if let Some((after, reason)) = self.early_stop
            && after == self.deltas
        {
            steps.push_back(Step::MessageStop { reason });
        }
        Ok(())
    }
}

/// The waits before deltas, of either kind.
#[derive(Debug)]
struct Waits {
    next: Duration,
    between: Duration,
}

impl Waits {
    fn new(scenario: &Scenario, pacing: Pacing) -> Self {
        match scenario {
            Scenario::SlowFirstDelta { wait_ms } => {
                Self { next: Duration::from_millis(*wait_ms), between: pacing.between_deltas }
            }
            Scenario::Trickle { gap_ms } => {
                Self { next: Duration::from_millis(*gap_ms), between: Duration::from_millis(*gap_ms) }
            }
            _ => Self { next: pacing.first_delta, between: pacing.between_deltas },
        }
    }

    fn push_next(&mut self, steps: &mut VecDeque<Step>) {
        if !self.next.is_zero() {
            steps.push_back(Step::Wait(self.next));
        }
        self.next = self.between;
    }
}

/// Pushes the blocks that come before the text and returns the index of the text block.
fn push_preamble(steps: &mut VecDeque<Step>, preamble: Preamble, waits: &mut Waits) -> u32 {
    let block = match preamble {
        Preamble::None => return 0,
        Preamble::Reasoning => 0,
        Preamble::EmptyTextAndReasoning => {
            steps.push_back(Step::EmptyText { block: 0 });
            steps.push_back(Step::BlockStop { block: 0 });
            1
        }
    };
    for text in REASONING_TEXT.split_inclusive(". ") {
        waits.push_next(steps);
        steps.push_back(Step::Reasoning { block, text: Cow::Borrowed(text) });
    }
    if preamble == Preamble::Reasoning {
        steps.push_back(Step::ReasoningSignature { block, signature: REASONING_SIGNATURE });
    }
    steps.push_back(Step::BlockStop { block });
    block + 1
}

/// Pushes the fault that comes after some deltas. Some(name) means that the stream ends with it.
fn push_fault(
    steps: &mut VecDeque<Step>,
    scenario: &Scenario,
    block: u32,
    next: Range<usize>,
) -> Option<&'static str> {
    match scenario {
        Scenario::StreamError { error, .. } => {
            steps.push_back(Step::Exception(*error));
            Some(error.member())
        }
        Scenario::Stall { for_ms: Some(for_ms), .. } => {
            steps.push_back(Step::Wait(Duration::from_millis(*for_ms)));
            None
        }
        Scenario::Stall { for_ms: None, .. } => {
            steps.push_back(Step::Hang);
            Some("stall")
        }
        Scenario::CutMidFrame { .. } => {
            steps.push_back(Step::HalfOfText { block, range: next });
            steps.push_back(Step::Cut);
            Some("cut-mid-frame")
        }
        Scenario::CutBetweenFrames { .. } => {
            steps.push_back(Step::Cut);
            Some("cut-between-frames")
        }
        Scenario::ResetMidStream { .. } => {
            steps.push_back(Step::Reset);
            Some("reset-mid-stream")
        }
        Scenario::GarbageFrames { .. } => {
            steps.push_back(Step::Raw(Bytes::from_static(&GARBAGE)));
            Some("garbage-frames")
        }
        Scenario::EndWithoutMessageStop { .. } => Some("end-without-message-stop"),
        Scenario::CorruptCrc { .. } => {
            steps.push_back(Step::CorruptText { block, range: next });
            Some("corrupt-crc")
        }
        Scenario::UnknownEvent { .. } => {
            steps.push_back(Step::Unheard);
            None
        }
        _ => None,
    }
}
