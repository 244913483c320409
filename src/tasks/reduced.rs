//! Tasks whose answers to the parts of a document are merged into one.
//!
//! Owns what such tasks have in common where a document is worked on in parts: the call
//! of a part, and the call that merges. The rule it protects: what is merged comes back
//! shorter or as long, so that merging ends.

use super::own::OwnTask;
use super::part::Part;
use super::summarize::Summarize;
use crate::domain::{Boundary, OutputSize, Passage, Prompt};

/// A task that is done part by part and then merged.
#[derive(Debug, Clone)]
pub enum Reduced {
    Summarize(Summarize),
    Own(OwnTask),
}

impl Reduced {
    /// Works on one part for [`Self::merge_prompt`].
    pub fn part_prompt(&self, part: &Part, boundary: &Boundary) -> Prompt {
        match self {
            Self::Summarize(task) => task.part_prompt(part, boundary),
            Self::Own(task) => task.mapped_prompt(part, boundary),
        }
    }

    /// The size of the answer to a part of so many tokens.
    pub fn part_size(&self, part_tokens: u32) -> OutputSize {
        match self {
            Self::Summarize(task) => task.part_size(part_tokens),
            Self::Own(task) => task.output_size(part_tokens),
        }
    }

    /// Merges answers into the answer when they are all that is left, else into one more
    /// that will be merged.
    pub fn merge_prompt(&self, answers: Passage, last: bool, boundary: &Boundary) -> Prompt {
        match self {
            Self::Summarize(task) => task.merge_prompt(answers, last, boundary),
            Self::Own(task) => task.merge_prompt(answers, boundary),
        }
    }

    /// The size of what [`Self::merge_prompt`] asks for.
    pub fn merge_size(&self, input_tokens: u32, last: bool) -> OutputSize {
        match self {
            Self::Summarize(task) => task.merge_size(input_tokens, last),
            Self::Own(task) => task.output_size(input_tokens),
        }
    }
}
