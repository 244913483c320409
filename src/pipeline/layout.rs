//! How a document is laid out: at once, or in which parts.
//!
//! Owns the choice of the way and the size of the parts: the least of what the chain's
//! models take, what they can write, and what is quick and cheap to repeat. It calls
//! nobody. The rule it protects: every part fits every model of the chain that can
//! take a part at all, so that a fallback needs no other parts.

use super::live::Limits;
use crate::chunk::{Chunk, Markup, SplitPolicy, estimate_tokens, split};
use crate::domain::{OutputSize, Passage};
use crate::routing::{Chain, room_for_input};
use crate::tasks::{Joined, Part, Summarize, SummaryStrategy, Task};
use crate::telemetry::Strategy;

use super::work::Call;

/// How the work is to be done.
pub(super) enum Layout {
    Single(Call),
    Joined {
        task: Joined,
        parts: Vec<Part>,
    },
    /// `room`: estimated tokens of summaries that one call can merge.
    Reduced {
        task: Summarize,
        parts: Vec<Part>,
        room: u32,
    },
    Refined {
        task: Summarize,
        parts: Vec<Part>,
    },
}

impl Layout {
    /// The word for it.
    pub(super) fn strategy(&self) -> Strategy {
        match self {
            Self::Single(_) => Strategy::Single,
            Self::Joined { .. } => Strategy::MapConcat,
            Self::Reduced { .. } => Strategy::MapReduce,
            Self::Refined { .. } => Strategy::Refine,
        }
    }

    /// The parts; none when the document is worked on at once.
    pub(super) fn parts(&self) -> &[Part] {
        match self {
            Self::Single(_) => &[],
            Self::Joined { parts, .. } | Self::Reduced { parts, .. } | Self::Refined { parts, .. } => parts,
        }
    }
}

/// A part smaller than this is not worth a call; a model that cannot take it is not asked.
const LEAST_PART_TOKENS: u32 = 64;

/// What the rules about parts, the headings and the opening of the text take in a prompt.
const PART_RULES_TOKENS: u32 = 450;

/// The two fences around a document.
const FENCES_TOKENS: u32 = 48;

/// The most tokens of the text before a part that are shown with it.
const CONTEXT_TOKENS: u32 = 200;

/// How much room models have for a document, in estimated tokens.
pub(super) struct Room<'a> {
    chain: &'a Chain,
    limits: Limits,
    /// Tokens of a model, margin included, for one estimated token.
    factor: &'a dyn Fn(&crate::domain::ModelId) -> f64,
    /// What the prompt takes beside the document.
    rules_tokens: u32,
}

impl<'a> Room<'a> {
    pub(super) fn new(
        chain: &'a Chain,
        limits: Limits,
        factor: &'a dyn Fn(&crate::domain::ModelId) -> f64,
        system: &str,
    ) -> Self {
        let rules_tokens = estimate_tokens(system).saturating_add(FENCES_TOKENS);
        Self { chain, limits, factor, rules_tokens }
    }

    /// For a document that is worked on at once: what the smallest model takes, so that
    /// every model of the chain can step in, and what the largest one takes.
    pub(super) fn at_once(&self, task: &Task) -> Rooms {
        self.rooms(self.rules_tokens, |input| task.output_size(input))
    }

    /// What the prompt takes beside the document.
    pub(super) fn rules_tokens(&self) -> u32 {
        self.rules_tokens
    }

    /// The most tokens of a part whose answer is joined with the others.
    pub(super) fn joined_part(&self, task: &Joined) -> u32 {
        let rules = self.rules_tokens + PART_RULES_TOKENS + CONTEXT_TOKENS;
        let room = self.rooms(rules, |input| task.output_size(input)).smallest;
        let writable = self.limits.target_answer_tokens;
        let quick = largest(self.limits.target_chunk_tokens, |input| {
            task.output_size(input).expected_tokens <= writable
        });
        // Where even the shortest answer is longer than the target, the target gives way.
        room.min(if quick == 0 { self.limits.target_chunk_tokens } else { quick })
    }

    /// The most tokens of a part that is summed up.
    pub(super) fn summed_up_part(&self, task: &Summarize) -> u32 {
        let rules = self.rules_tokens + PART_RULES_TOKENS + CONTEXT_TOKENS;
        self.rooms(rules, |input| task.part_size(input)).smallest.min(self.limits.target_chunk_tokens)
    }

    /// The most tokens of a part that is brought into a growing summary.
    pub(super) fn refined_part(&self, task: &Summarize) -> u32 {
        let so_far = task.refine_size_of_others().max_tokens;
        let rules = self.rules_tokens.saturating_add(PART_RULES_TOKENS).saturating_add(so_far);
        let answer = |input| larger(task.merge_size(input, true), task.refine_size_of_others());
        self.rooms(rules, answer).smallest.min(self.limits.target_chunk_tokens)
    }

    /// The most tokens of summaries that one call merges.
    pub(super) fn merged(&self, task: &Summarize) -> u32 {
        let rules = self.rules_tokens.saturating_add(PART_RULES_TOKENS);
        let answer = |input| larger(task.merge_size(input, true), task.merge_size(input, false));
        self.rooms(rules, answer).smallest
    }

    fn rooms(&self, rules_tokens: u32, answer_for: impl Fn(u32) -> OutputSize) -> Rooms {
        let mut rooms = Rooms { smallest: 0, largest: 0 };
        for target in self.chain.targets() {
            let model = &target.model;
            let answer = |input: u32| answer_for(input.saturating_sub(rules_tokens));
            let room = room_for_input(model, (self.factor)(&model.id), answer).saturating_sub(rules_tokens);
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
