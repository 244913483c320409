//! How a document is laid out: at once, or in which parts.
//!
//! Owns the choice of the way and the size of the parts: the least of what the chain's
//! models take, what they can write, and what is quick and cheap to repeat. It calls
//! nobody. The rule it protects: every part fits every model of the chain that can
//! take a part at all, so that a fallback needs no other parts.

use super::live::Limits;
use crate::chunk::{Chunk, Markup, SplitPolicy, split};
use crate::domain::{ModelId, OutputSize, Passage};
use crate::routing::{Chain, room_for_document};
use crate::tasks::{Joined, Part, Reduced, Rephrase, Summarize, SummaryStrategy, Task};
use crate::telemetry::Strategy;

use super::work::Call;

/// How the work is to be done.
pub(super) enum Layout {
    Single(Call),
    /// In one call, whose answer is checked.
    Checked {
        task: Task,
        call: Call,
    },
    Joined {
        task: Joined,
        parts: Vec<Part>,
    },
    /// `room`: estimated tokens of summaries that one call can merge.
    Reduced {
        task: Reduced,
        parts: Vec<Part>,
        room: u32,
    },
    Refined {
        task: Summarize,
        parts: Vec<Part>,
    },
    /// At once, as often as suggestions are asked for; `first`: what the first of them asks.
    Several {
        task: Rephrase,
        first: Call,
    },
}

impl Layout {
    /// The word for it.
    pub(super) fn strategy(&self) -> Strategy {
        match self {
            Self::Single(_) | Self::Checked { .. } => Strategy::Single,
            Self::Joined { .. } => Strategy::MapConcat,
            Self::Reduced { .. } => Strategy::MapReduce,
            Self::Refined { .. } => Strategy::Refine,
            Self::Several { .. } => Strategy::Several,
        }
    }

    /// The parts; none when the document is worked on at once.
    pub(super) fn parts(&self) -> &[Part] {
        match self {
            Self::Single(_) | Self::Checked { .. } | Self::Several { .. } => &[],
            Self::Joined { parts, .. } | Self::Reduced { parts, .. } | Self::Refined { parts, .. } => parts,
        }
    }
}

/// A part smaller than this is not worth a call; a model that cannot take it is not asked.
const LEAST_PART_TOKENS: u32 = 64;

/// The most tokens of the text before a part that are shown with it.
const CONTEXT_TOKENS: u32 = 200;

/// What the prompt of a part has beside the part and the rules of the whole task: rules
/// about parts, headings, and the end of the text before it.
pub(super) const SUMMED_UP_PART_TOKENS: u32 = 300 + CONTEXT_TOKENS;

/// The same with the opening of the text and the rules about its voice.
pub(super) const JOINED_PART_TOKENS: u32 = SUMMED_UP_PART_TOKENS + 350;

/// The same for summaries that are merged.
pub(super) const MERGE_TOKENS: u32 = 100;

/// The same for a part with the summary of the parts before it.
fn refined_part_tokens(task: &Summarize) -> u32 {
    task.refine_size_of_others().max_tokens.saturating_add(SUMMED_UP_PART_TOKENS)
}

/// How much room models have for a document, in estimated tokens.
pub(super) struct Room<'a> {
    chain: &'a Chain,
    limits: Limits,
    /// Of the document and of the rules, both with their margins.
    sizes: Sizes<'a>,
}

/// What estimated tokens are for the models of a chain.
pub(super) struct Sizes<'a> {
    /// Tokens of a model for one estimated token of the document.
    pub per_estimated: &'a dyn Fn(&ModelId) -> f64,
    /// Tokens of a model for so many estimated tokens of rules, which are English.
    pub of_rules: &'a dyn Fn(&ModelId, u32) -> u32,
    /// Estimated tokens of what a prompt has beside its document.
    pub rules_tokens: u32,
}

impl<'a> Room<'a> {
    pub(super) fn new(chain: &'a Chain, limits: Limits, sizes: Sizes<'a>) -> Self {
        Self { chain, limits, sizes }
    }

    /// For a document that is worked on at once: what the smallest model takes, so that
    /// every model of the chain can step in, and what the largest one takes.
    pub(super) fn at_once(&self, task: &Task) -> Rooms {
        self.rooms(0, |input| task.output_size(input))
    }

    /// The most tokens of a part whose answer is joined with the others.
    pub(super) fn joined_part(&self, task: &Joined) -> u32 {
        let room = self.rooms(JOINED_PART_TOKENS, |input| task.output_size(input)).smallest;
        let writable = self.limits.target_answer_tokens;
        let quick = largest(self.limits.target_chunk_tokens, |input| {
            task.output_size(input).expected_tokens <= writable
        });
        // Where even the shortest answer is longer than the target, the target gives way.
        room.min(if quick == 0 { self.limits.target_chunk_tokens } else { quick })
    }

    /// The longest text, in tokens, that is written anew at once.
    pub(super) fn written_at_once(&self, task: &Joined) -> u32 {
        let smallest = self.rooms(0, |input| task.output_size(input)).smallest;
        let writable = self.limits.target_answer_tokens;
        let quick = largest(smallest, |input| task.output_size(input).expected_tokens <= writable);
        quick.max(self.joined_part(task))
    }

    /// The most tokens of a part whose answer is merged with the others.
    pub(super) fn summed_up_part(&self, task: &Reduced) -> u32 {
        let room = self.rooms(SUMMED_UP_PART_TOKENS, |input| task.part_size(input)).smallest;
        room.min(self.limits.target_chunk_tokens)
    }

    /// The most tokens of a part that is brought into a growing summary.
    pub(super) fn refined_part(&self, task: &Summarize) -> u32 {
        let answer = |input| larger(task.merge_size(input, true), task.refine_size_of_others());
        let room = self.rooms(refined_part_tokens(task), answer).smallest;
        room.min(self.limits.target_chunk_tokens)
    }

    /// The most tokens of answers that one call merges.
    pub(super) fn merged(&self, task: &Reduced) -> u32 {
        let answer = |input| larger(task.merge_size(input, true), task.merge_size(input, false));
        self.rooms(MERGE_TOKENS, answer).smallest
    }

    /// `more_tokens`: estimated tokens that such a prompt has beside the document and the
    /// rules of the whole task.
    fn rooms(&self, more_tokens: u32, answer_for: impl Fn(u32) -> OutputSize) -> Rooms {
        let mut rooms = Rooms { smallest: 0, largest: 0 };
        let rules_tokens = self.sizes.rules_tokens.saturating_add(more_tokens);
        for target in self.chain.targets() {
            let model = &target.model;
            let rules = (self.sizes.of_rules)(&model.id, rules_tokens);
            let room = room_for_document(model, rules, (self.sizes.per_estimated)(&model.id), &answer_for);
            rooms.largest = rooms.largest.max(room);
            if room >= LEAST_PART_TOKENS && (rooms.smallest == 0 || room < rooms.smallest) {
                rooms.smallest = room;
            }
        }
        rooms
    }
}

/// Room in the models of a chain, in estimated tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rooms {
    /// Of the smallest model that takes anything worth a call; 0 when none does.
    pub smallest: u32,
    pub largest: u32,
}

fn larger(one: OutputSize, other: OutputSize) -> OutputSize {
    if other.expected_tokens > one.expected_tokens { other } else { one }
}

/// The largest number up to `most` for which `holds`, which holds up to some number; else 0.
fn largest(most: u32, holds: impl Fn(u32) -> bool) -> u32 {
    let (mut low, mut high) = (0, most);
    while low < high {
        let middle = low + (high - low).div_ceil(2);
        if holds(middle) { low = middle } else { high = middle - 1 }
    }
    low
}

/// Whether a summary is made at once: as the caller says, else when the document fits
/// the smallest window of the chain.
pub(super) fn is_at_once(strategy: SummaryStrategy, document_tokens: u32, rooms: Rooms) -> bool {
    match strategy {
        SummaryStrategy::Single => true,
        SummaryStrategy::Auto => document_tokens <= rooms.smallest,
        SummaryStrategy::MapReduce | SummaryStrategy::Refine => false,
    }
}

/// Splits a document into parts of at most so many estimated tokens.
pub(super) fn parts(document: &Passage, max_tokens: u32, is_list: bool) -> Vec<Part> {
    let markup = if is_list { Markup::Lines } else { Markup::detect(document) };
    let policy = SplitPolicy { max_tokens, context_tokens: CONTEXT_TOKENS.min(max_tokens / 8), markup };
    let chunks = split(document, &policy);
    let total = u32::try_from(chunks.len()).unwrap_or(u32::MAX);
    let document_tokens = chunks.iter().fold(0_u32, |sum, chunk| sum.saturating_add(chunk.tokens));
    let part = |(index, chunk): (usize, Chunk)| Part {
        text: document.part(chunk.body),
        before: document.part(chunk.context),
        headings: chunk.headings,
        number: u32::try_from(index + 1).unwrap_or(u32::MAX),
        total,
        tokens: chunk.tokens,
        document_tokens,
    };
    chunks.into_iter().enumerate().map(part).collect()
}

/// Parts as a document of so many tokens will have them, as far as its length tells: for a
/// forecast of what is not going to be done.
pub(super) fn outlined(document: &Passage, document_tokens: u32, part_tokens: u32) -> Vec<Part> {
    let total = document_tokens.div_ceil(part_tokens.max(1));
    let part = |number: u32| Part {
        text: document.part(0..0),
        before: document.part(0..0),
        headings: Vec::new(),
        number,
        total,
        tokens: document_tokens / total,
        document_tokens,
    };
    (1..=total).map(part).collect()
}

/// How many of these sizes in a row go into each group of at most `room`; a size that
/// is larger alone makes a group of its own.
pub(super) fn groups(sizes: &[u32], room: u32) -> Vec<usize> {
    let mut groups = Vec::new();
    let (mut count, mut sum) = (0_usize, 0_u32);
    for size in sizes {
        if count > 0 && sum.saturating_add(*size) > room {
            groups.push(count);
            (count, sum) = (0, 0);
        }
        count += 1;
        sum = sum.saturating_add(*size);
    }
    if count > 0 {
        groups.push(count);
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::{groups, largest};

    #[test]
    fn groups_keep_the_order_and_the_bound() {
        assert_eq!(groups(&[4, 4, 4, 4, 4], 10), [2, 2, 1]);
        assert_eq!(groups(&[11, 4, 4], 10), [1, 2]);
        assert_eq!(groups(&[], 10), [0; 0]);
        assert_eq!(groups(&[3, 3, 3], 10), [3]);
    }

    #[test]
    fn the_largest_number_that_holds_is_found() {
        assert_eq!(largest(100, |number| number <= 37), 37);
        assert_eq!(largest(100, |_| true), 100);
        assert_eq!(largest(100, |_| false), 0);
    }
}
